//! The ten operators: the inputs of each, and the shape of its result.

use super::error::RunError;
use super::graph::{ConvWindow, Simple, Value};
use super::packed::Packed;
use super::shape::Shape;

/// One operation.
pub(crate) struct Node {
    pub(crate) op: Op,
    pub(crate) channels: usize,
}

/// The kind of an operation, with its inputs.
pub(crate) enum Op {
    Input,
    Conv { x: Value, packed: Packed, window: ConvWindow, activation: Simple },
    Depthwise { x: Value, packed: Packed, window: ConvWindow, activation: Simple },
    ConvTranspose { x: Value, quarters: Vec<Packed>, activation: Simple },
    Add { a: Value, b: Value, scale: f32, activation: Simple },
    MulChannels { x: Value, s: Value },
    Sigmoid { x: Value },
    Relu { x: Value },
    Concat { parts: Vec<Value> },
    MaxPool { x: Value },
    GlobalAverage { x: Value },
}

impl Op {
    /// The values that it reads.
    pub(crate) fn inputs(&self) -> Vec<Value> {
        match self {
            Self::Input => Vec::new(),
            Self::Conv { x, .. } | Self::Depthwise { x, .. } | Self::ConvTranspose { x, .. } => vec![*x],
            Self::Sigmoid { x } | Self::Relu { x } | Self::MaxPool { x } | Self::GlobalAverage { x } => vec![*x],
            Self::Add { a, b, .. } => vec![*a, *b],
            Self::MulChannels { x, s } => vec![*x, *s],
            Self::Concat { parts } => parts.clone(),
        }
    }

    /// Numbers of a row of its window.
    pub(crate) fn window_row(&self) -> usize {
        match self {
            Self::Conv { packed, window, .. } => packed.input * window.w,
            Self::Depthwise { packed, .. } => packed.output,
            Self::ConvTranspose { quarters, .. } => quarters[0].input,
            _ => 0,
        }
    }

    /// Its name in errors.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Conv { .. } => "conv",
            Self::Depthwise { .. } => "depthwise",
            Self::ConvTranspose { .. } => "conv_transpose",
            Self::Add { .. } => "add",
            Self::MulChannels { .. } => "mul_channels",
            Self::Sigmoid { .. } => "sigmoid",
            Self::Relu { .. } => "relu",
            Self::Concat { .. } => "concat",
            Self::MaxPool { .. } => "max_pool",
            Self::GlobalAverage { .. } => "global_average",
        }
    }

    /// The shape of the result.
    pub(crate) fn shape(&self, channels: usize, of: &dyn Fn(Value) -> Shape) -> Result<Shape, RunError> {
        let refuse = |expected: &str, found: Shape| RunError::shape(self.name(), expected, found);
        match self {
            Self::Input => Err(refuse("one input", Shape::default())),
            Self::Conv { x, window, .. } | Self::Depthwise { x, window, .. } => {
                let from = of(*x);
                let (h, w) = window.output(from.h, from.w).ok_or_else(|| refuse("room for the window", from))?;
                Ok(Shape { h, w, c: channels, ..from })
            }
            Self::ConvTranspose { x, .. } => {
                let from = of(*x);
                Ok(Shape { h: 2 * from.h, w: 2 * from.w, c: channels, ..from })
            }
            Self::Sigmoid { x } | Self::Relu { x } => Ok(of(*x)),
            Self::Add { a, b, .. } if of(*a) == of(*b) => Ok(of(*a)),
            Self::Add { a, b, .. } => Err(refuse(&of(*a).to_string(), of(*b))),
            Self::MulChannels { x, s } => match of(*s) {
                Shape { h: 1, w: 1, .. } => Ok(of(*x)),
                other => Err(refuse("a 1x1 factor", other)),
            },
            Self::Concat { parts } => {
                let first = of(parts[0]);
                match parts.iter().map(|part| of(*part)).find(|part| (part.h, part.w) != (first.h, first.w)) {
                    Some(other) => Err(refuse(&format!("parts of {}x{}", first.h, first.w), other)),
                    None => Ok(Shape { c: channels, ..first }),
                }
            }
            Self::MaxPool { x } => match of(*x) {
                from if from.h < 3 || from.w < 3 => Err(refuse("at least 3x3", from)),
                from => Ok(Shape { h: (from.h - 3) / 2 + 1, w: (from.w - 3) / 2 + 1, ..from }),
            },
            Self::GlobalAverage { x } => Ok(Shape { h: 1, w: 1, ..of(*x) }),
        }
    }
}
