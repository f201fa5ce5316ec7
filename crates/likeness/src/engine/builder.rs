//! Builds a network, operation by operation, from what the readers of its file describe.
//!
//! A [`Value`] is the result of one operation. Filters are read from the bytes of the weight file,
//! checked (finite, folded constants too) and packed at once.

use std::fmt;

use super::error::LoadError;
use super::graph::{Activation, ConvWindow, Dims, Filter, Fold, Padding, Value};
use super::kernel::KernelSet;
use super::network::Network;
use super::op::{Node, Op};
use super::packed::Packed;

/// Records a network. Operations without weights are checked by [`Builder::finish`].
pub struct Builder {
    set: KernelSet,
    nodes: Vec<Node>,
    fault: Option<LoadError>,
}

impl Builder {
    /// A network whose input has `channels` numbers per pixel.
    #[must_use]
    pub fn new(set: KernelSet, channels: usize) -> Self {
        Self { set, nodes: vec![Node { op: Op::Input, channels }], fault: None }
    }

    /// The input.
    #[must_use]
    pub fn input(&self) -> Value {
        Value(0)
    }

    /// Channels of a value.
    #[must_use]
    pub fn channels(&self, value: Value) -> usize {
        self.nodes.get(value.0).map_or(0, |node| node.channels)
    }

    fn push(&mut self, op: Op, channels: usize) -> Value {
        self.nodes.push(Node { op, channels });
        Value(self.nodes.len() - 1)
    }

    fn expect(&mut self, operation: &str, right: bool, expected: impl fmt::Display, found: impl fmt::Display) {
        if !right && self.fault.is_none() {
            let tensor = format!("{operation} (operation {})", self.nodes.len());
            self.fault = Some(LoadError::Shape { tensor, expected: expected.to_string(), found: found.to_string() });
        }
    }

    /// Dense convolution, fold and activation fused.
    ///
    /// # Errors
    /// [`LoadError`]: a number is not finite, or a shape does not fit.
    pub fn conv(
        &mut self,
        x: Value,
        filter: &Filter,
        fold: &Fold,
        stride: usize,
        padding: Padding,
        activation: &Activation,
    ) -> Result<Value, LoadError> {
        filter.check(false, self.channels(x), fold, activation)?;
        let packed = Packed::dense(self.set, filter, fold, activation.slopes())?;
        let (h, w) = (filter.dims.h, filter.dims.w);
        let op = Op::Conv { x, packed, window: ConvWindow { h, w, stride, padding }, activation: activation.simple() };
        Ok(self.push(op, filter.dims.out))
    }

    /// Adds a convolution with one filter per channel: `dims.out` channels, `dims.input` 1.
    ///
    /// # Errors
    /// [`LoadError`]: a number is not finite, or a shape does not fit.
    pub fn depthwise(
        &mut self,
        x: Value,
        filter: &Filter,
        fold: &Fold,
        stride: usize,
        padding: Padding,
        activation: &Activation,
    ) -> Result<Value, LoadError> {
        filter.check(true, self.channels(x), fold, activation)?;
        let packed = Packed::depthwise(self.set, filter, fold, activation.slopes())?;
        let (h, w) = (filter.dims.h, filter.dims.w);
        let op =
            Op::Depthwise { x, packed, window: ConvWindow { h, w, stride, padding }, activation: activation.simple() };
        Ok(self.push(op, filter.dims.out))
    }

    /// Transposed convolution, 2x2, stride 2: each pixel becomes four.
    ///
    /// # Errors
    /// [`LoadError`]: a number is not finite, or a shape does not fit.
    pub fn conv_transpose_2x2(
        &mut self,
        x: Value,
        filter: &Filter,
        fold: &Fold,
        activation: &Activation,
    ) -> Result<Value, LoadError> {
        filter.check(false, self.channels(x), fold, activation)?;
        if (filter.dims.h, filter.dims.w) != (2, 2) {
            let (expected, found) = ("a 2x2 filter".to_owned(), format!("{:?}", filter.dims));
            return Err(LoadError::Shape { tensor: filter.name.to_owned(), expected, found });
        }
        let mut quarters = Vec::with_capacity(4);
        for (y, x) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            let bytes = &filter.bytes[4 * (y * filter.strides.h + x * filter.strides.w)..];
            let quarter = Filter { bytes, dims: Dims { h: 1, w: 1, ..filter.dims }, ..*filter };
            quarters.push(Packed::dense(self.set, &quarter, fold, activation.slopes())?);
        }
        Ok(self.push(Op::ConvTranspose { x, quarters, activation: activation.simple() }, filter.dims.out))
    }

    /// A fully connected layer: the channels of a 1x1 tensor.
    ///
    /// # Errors
    /// [`LoadError`]: a number is not finite, or a shape does not fit.
    pub fn dense(
        &mut self,
        x: Value,
        filter: &Filter,
        fold: &Fold,
        activation: &Activation,
    ) -> Result<Value, LoadError> {
        self.conv(x, filter, fold, 1, Padding::default(), activation)
    }

    /// a + b.
    pub fn add(&mut self, a: Value, b: Value, activation: &Activation) -> Value {
        self.add_scaled(a, b, 1.0, activation)
    }

    /// a + scale * b. PReLU is not for sums.
    pub fn add_scaled(&mut self, a: Value, b: Value, scale: f32, activation: &Activation) -> Value {
        let (left, right) = (self.channels(a), self.channels(b));
        self.expect("add", left == right, format!("{left} channels"), right);
        self.expect("add", scale.is_finite(), "a finite scale", scale);
        self.expect("add", activation.slopes().is_empty(), "no activation or ReLU", "PReLU");
        self.push(Op::Add { a, b, scale, activation: activation.simple() }, left)
    }

    /// Multiplies each channel of each image of x by the number in s (1x1).
    pub fn mul_channels(&mut self, x: Value, s: Value) -> Value {
        let (left, right) = (self.channels(x), self.channels(s));
        self.expect("mul_channels", left == right, format!("{left} channels"), right);
        self.push(Op::MulChannels { x, s }, left)
    }

    /// 1 / (1 + exp(-x)).
    pub fn sigmoid(&mut self, x: Value) -> Value {
        self.push(Op::Sigmoid { x }, self.channels(x))
    }

    /// max(x, 0); NaN stays.
    pub fn relu(&mut self, x: Value) -> Value {
        self.push(Op::Relu { x }, self.channels(x))
    }

    /// The channels of all parts, one after the other.
    pub fn concat(&mut self, parts: &[Value]) -> Value {
        self.expect("concat", !parts.is_empty(), "at least one part", 0);
        let channels = parts.iter().map(|part| self.channels(*part)).sum();
        self.push(Op::Concat { parts: parts.to_vec() }, channels)
    }

    /// The greatest of each 3x3 window, stride 2, no padding; NaN stays.
    pub fn max_pool_3x3_s2(&mut self, x: Value) -> Value {
        self.push(Op::MaxPool { x }, self.channels(x))
    }

    /// The mean of each channel of each image.
    pub fn global_average(&mut self, x: Value) -> Value {
        self.push(Op::GlobalAverage { x }, self.channels(x))
    }

    /// The network with these outputs.
    ///
    /// # Errors
    /// [`LoadError`]: what an earlier call refused, or an output that is none of these tensors.
    pub fn finish(mut self, outputs: &[Value]) -> Result<Network, LoadError> {
        let known = outputs.iter().all(|value| value.0 < self.nodes.len());
        self.expect("finish", known && !outputs.is_empty(), "outputs of this builder", format!("{outputs:?}"));
        match self.fault {
            Some(fault) => Err(fault),
            None => Ok(Network::new(self.set, self.nodes, outputs.to_vec())),
        }
    }
}
