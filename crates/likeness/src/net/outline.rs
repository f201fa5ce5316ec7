//! The outline of a network: its parts and their connections, without its numbers.
//!
//! Each network has one outline, which any format of its file fills: by key, by order, or by an
//! exported graph with the same outline (`exported`).

use super::fold::ConvSpec;
use super::refusal::Refusal;
use crate::engine::{Activation, Builder, Filter, Fold, KernelSet, Network, Value};
use crate::weights::WeightError;

/// The tensors that follow the outline's output in the file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// Nothing.
    Plain,
    /// A softmax, which our network leaves to its caller.
    Softmax,
}

/// A part of an outline.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct PartId(pub(super) usize);

/// What a part does. `A` describes the place of a convolution's numbers in upstream's own file.
pub(super) enum Part<A> {
    /// Pixels of three channels, in a square.
    Input { side: usize },
    /// A convolution with its bias or batch norm and its activation.
    Conv { x: PartId, conv: Conv, at: A },
    /// x + scale * y.
    Add { x: PartId, y: PartId, scale: f32, relu: bool },
    /// Multiplies each channel of x by the number in s.
    Gate { x: PartId, s: PartId },
    /// 1 / (1 + exp(-x)).
    Sigmoid { x: PartId },
    /// The channels one after the other.
    Concat { parts: Vec<PartId> },
    /// The greatest of each 3x3 window, stride 2.
    MaxPool { x: PartId },
    /// The mean of each channel.
    Average { x: PartId },
}

/// A convolution.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Conv {
    pub(super) spec: ConvSpec,
    pub(super) input: usize,
    pub(super) kind: ConvKind,
    pub(super) then: Then,
}

/// How the filter of a convolution spans the channels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ConvKind {
    /// All input channels.
    Dense,
    /// One filter per channel.
    Depthwise,
    /// A matrix, on one pixel.
    Linear,
}

/// What follows a convolution.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Then {
    Nothing,
    Relu,
    Prelu,
}

/// The numbers of a convolution: slices of a file, and folded constants.
pub(super) struct Numbers<'f> {
    pub(super) filter: Filter<'f>,
    pub(super) fold: Fold,
    pub(super) activation: Activation,
}

/// A network's parts, each after its inputs. The last part is the output.
pub(super) struct Outline<A> {
    parts: Vec<Part<A>>,
    channels: Vec<usize>,
}

impl<A> Outline<A> {
    /// An outline that begins with its input.
    pub(super) fn of_pixels(side: usize) -> (Self, PartId) {
        (Self { parts: vec![Part::Input { side }], channels: vec![3] }, PartId(0))
    }

    /// The parts, in order.
    pub(super) fn parts(&self) -> &[Part<A>] {
        &self.parts
    }

    /// Channels of a part.
    pub(super) fn channels(&self, place: PartId) -> usize {
        self.channels[place.0]
    }

    fn push(&mut self, part: Part<A>, channels: usize) -> PartId {
        self.parts.push(part);
        self.channels.push(channels);
        PartId(self.parts.len() - 1)
    }

    /// A convolution over all channels.
    pub(super) fn conv(&mut self, x: PartId, spec: ConvSpec, then: Then, at: A) -> PartId {
        self.any_conv(x, spec, ConvKind::Dense, then, at)
    }

    /// A convolution of each channel.
    pub(super) fn depthwise(&mut self, x: PartId, spec: ConvSpec, then: Then, at: A) -> PartId {
        self.any_conv(x, spec, ConvKind::Depthwise, then, at)
    }

    /// A fully connected layer.
    pub(super) fn linear(&mut self, x: PartId, out: usize, at: A) -> PartId {
        self.any_conv(x, ConvSpec::square(out, 1, 1, 0), ConvKind::Linear, Then::Nothing, at)
    }

    fn any_conv(&mut self, x: PartId, spec: ConvSpec, kind: ConvKind, then: Then, at: A) -> PartId {
        let input = if kind == ConvKind::Depthwise { 1 } else { self.channels(x) };
        self.push(Part::Conv { x, conv: Conv { spec, input, kind, then }, at }, spec.out)
    }

    /// x + y.
    pub(super) fn add(&mut self, x: PartId, y: PartId) -> PartId {
        self.push(Part::Add { x, y, scale: 1.0, relu: false }, self.channels(x))
    }

    /// x + scale * y, perhaps with ReLU.
    pub(super) fn add_scaled(&mut self, x: PartId, y: PartId, scale: f32, relu: bool) -> PartId {
        self.push(Part::Add { x, y, scale, relu }, self.channels(x))
    }

    /// Multiplies each channel of x by the number in s.
    pub(super) fn gate(&mut self, x: PartId, s: PartId) -> PartId {
        self.push(Part::Gate { x, s }, self.channels(x))
    }

    /// 1 / (1 + exp(-x)).
    pub(super) fn sigmoid(&mut self, x: PartId) -> PartId {
        self.push(Part::Sigmoid { x }, self.channels(x))
    }

    /// The channels of all parts.
    pub(super) fn concat(&mut self, parts: &[PartId]) -> PartId {
        let channels = parts.iter().map(|part| self.channels(*part)).sum();
        self.push(Part::Concat { parts: parts.to_vec() }, channels)
    }

    /// The greatest of each 3x3 window, stride 2, no padding.
    pub(super) fn max_pool(&mut self, x: PartId) -> PartId {
        self.push(Part::MaxPool { x }, self.channels(x))
    }

    /// The mean of each channel.
    pub(super) fn average(&mut self, x: PartId) -> PartId {
        self.push(Part::Average { x }, self.channels(x))
    }

    /// The network, with the numbers that `fill` finds for each convolution, in order.
    pub(super) fn build<'f>(
        &self,
        kernels: KernelSet,
        mut fill: impl FnMut(PartId, &Conv, &A) -> Result<Numbers<'f>, WeightError>,
    ) -> Result<Network, Refusal> {
        let mut builder = Builder::new(kernels, 3);
        let mut values: Vec<Value> = Vec::with_capacity(self.parts.len());
        for (index, part) in self.parts.iter().enumerate() {
            let value = |place: &PartId| values[place.0];
            let next = match part {
                Part::Input { .. } => builder.input(),
                Part::Conv { x, conv, at } => convolve(&mut builder, value(x), conv, &fill(PartId(index), conv, at)?)?,
                Part::Add { x, y, scale, relu } => {
                    let activation = if *relu { Activation::Relu } else { Activation::None };
                    builder.add_scaled(value(x), value(y), *scale, &activation)
                }
                Part::Gate { x, s } => builder.mul_channels(value(x), value(s)),
                Part::Sigmoid { x } => builder.sigmoid(value(x)),
                Part::Concat { parts } => builder.concat(&parts.iter().map(value).collect::<Vec<_>>()),
                Part::MaxPool { x } => builder.max_pool_3x3_s2(value(x)),
                Part::Average { x } => builder.global_average(value(x)),
            };
            values.push(next);
        }
        Ok(builder.finish(&values[values.len() - 1..])?)
    }
}

fn convolve(builder: &mut Builder, x: Value, conv: &Conv, numbers: &Numbers) -> Result<Value, Refusal> {
    let Numbers { filter, fold, activation } = numbers;
    let (stride, padding) = (conv.spec.stride, conv.spec.padding);
    Ok(match conv.kind {
        ConvKind::Dense => builder.conv(x, filter, fold, stride, padding, activation)?,
        ConvKind::Depthwise => builder.depthwise(x, filter, fold, stride, padding, activation)?,
        ConvKind::Linear => builder.dense(x, filter, fold, activation)?,
    })
}
