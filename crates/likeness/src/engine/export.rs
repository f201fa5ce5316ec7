//! The network as plain layers, so that another engine can run it as a peer and be compared.

use super::graph::Activation;
use super::graph::Padding;
use super::graph::{ConvWindow, Simple};
use super::network::Network;
use super::op::Op;
use super::packed::Packed;

/// One operation with its unpacked numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct ExportedLayer {
    /// The name of the operator: `input`, `conv`, `depthwise`, `conv_transpose`, `add`,
    /// `mul_channels`, `sigmoid`, `relu`, `concat`, `max_pool`, `global_average`.
    pub operator: &'static str,
    /// The layers that it reads, by number.
    pub inputs: Vec<usize>,
    /// Channels of its result.
    pub channels: usize,
    /// Rows and columns of the filter.
    pub window: (usize, usize),
    /// Distance between windows.
    pub stride: usize,
    /// Zeros around the input.
    pub padding: Padding,
    /// What follows.
    pub activation: Activation,
    /// The factor of the second operand of a sum.
    pub scale: f32,
    /// Output, input, rows, columns; the fold's scale included.
    pub weights: Vec<f32>,
    /// One for each output channel.
    pub bias: Vec<f32>,
}

impl Network {
    /// Returns all layers; each follows the layers that it reads.
    #[must_use]
    pub fn layers(&self) -> Vec<ExportedLayer> {
        self.nodes.iter().map(|node| layer(&node.op, node.channels)).collect()
    }

    /// The numbers of the layers that are outputs.
    #[must_use]
    pub fn outputs(&self) -> Vec<usize> {
        self.outputs.iter().map(|value| value.0).collect()
    }
}

fn layer(op: &Op, channels: usize) -> ExportedLayer {
    let plain = ExportedLayer {
        operator: op.name(),
        inputs: op.inputs().iter().map(|value| value.0).collect(),
        channels,
        window: (1, 1),
        stride: 1,
        padding: Padding::default(),
        activation: Activation::None,
        scale: 1.0,
        weights: Vec::new(),
        bias: Vec::new(),
    };
    match op {
        Op::Conv { packed, window, activation, .. } | Op::Depthwise { packed, window, activation, .. } => {
            let ConvWindow { h, w, stride, padding } = *window;
            let taps: Vec<(&Packed, usize)> = (0..packed.taps).map(|tap| (packed, tap)).collect();
            ExportedLayer { stride, padding, ..filled(plain, &taps, (h, w), *activation) }
        }
        Op::ConvTranspose { quarters, activation, .. } => {
            let taps: Vec<(&Packed, usize)> = quarters.iter().map(|packed| (packed, 0)).collect();
            ExportedLayer { stride: 2, ..filled(plain, &taps, (2, 2), *activation) }
        }
        Op::Add { scale, activation, .. } => {
            let activation = if *activation == Simple::Relu { Activation::Relu } else { Activation::None };
            ExportedLayer { scale: *scale, activation, ..plain }
        }
        _ => plain,
    }
}

fn filled(
    plain: ExportedLayer,
    taps: &[(&Packed, usize)],
    window: (usize, usize),
    activation: Simple,
) -> ExportedLayer {
    let (packed, channels) = (taps[0].0, plain.channels);
    let mut weights = Vec::with_capacity(channels * packed.input * taps.len());
    for out in 0..channels {
        for input in 0..packed.input {
            weights.extend(taps.iter().map(|(packed, tap)| packed.at(out, *tap, input)));
        }
    }
    let activation = match activation {
        Simple::None => Activation::None,
        Simple::Relu => Activation::Relu,
        Simple::Prelu => Activation::Prelu(packed.slope[..channels].to_vec()),
    };
    ExportedLayer { window, activation, weights, bias: packed.bias[..channels].to_vec(), ..plain }
}
