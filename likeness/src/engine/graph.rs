//! The description of a network: what its readers say, operation by operation.
//!
//! Tensors are NHWC. A [`Value`] is the result of one operation. Filters are read from the bytes
//! of the weight file where they lie, checked (finite, folded constants too) and packed at once.

use std::fmt;

use super::network::{Network, Node, Op};
use super::packed::Packed;
use super::{KernelSet, LoadError};

/// Batch, height, width, channels.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub struct Shape {
    /// Images.
    pub n: usize,
    /// Rows.
    pub h: usize,
    /// Pixels of a row.
    pub w: usize,
    /// Numbers of a pixel.
    pub c: usize,
}

impl Shape {
    /// How many numbers.
    pub fn len(&self) -> usize {
        self.n * self.h * self.w * self.c
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}x{}x{} (NHWC)", self.n, self.h, self.w, self.c)
    }
}

/// The four dimensions of a filter bank, or the distances (in elements) along them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Dims {
    /// Output channels.
    pub out: usize,
    /// Input channels; 1 for a depthwise filter.
    pub input: usize,
    /// Rows.
    pub h: usize,
    /// Columns.
    pub w: usize,
}

/// A filter bank seen in place: little-endian f32, in any order that strides can say.
#[derive(Clone, Copy)]
pub struct Filter<'a> {
    /// Its name in the file, for errors.
    pub name: &'a str,
    /// The bytes of its elements. Element (o, i, y, x) is at `4 * (o*strides.out + ...)`.
    pub bytes: &'a [u8],
    /// How many along each dimension.
    pub dims: Dims,
    /// Distances in elements.
    pub strides: Dims,
}

impl<'a> Filter<'a> {
    /// A filter in the order of ONNX and PyTorch: out, input, rows, columns.
    pub fn oihw(name: &'a str, bytes: &'a [u8], dims: Dims) -> Self {
        let plane = dims.h * dims.w;
        let strides = Dims { out: dims.input * plane, input: plane, h: dims.w, w: 1 };
        Self { name, bytes, dims, strides }
    }

    /// One weight.
    pub(crate) fn at(&self, out: usize, input: usize, y: usize, x: usize) -> f32 {
        self.row(out, input, y, x).first_chunk().map_or(f32::NAN, |bytes| f32::from_le_bytes(*bytes))
    }

    /// The bytes from one weight on.
    pub(crate) fn row(&self, out: usize, input: usize, y: usize, x: usize) -> &'a [u8] {
        let strides = self.strides;
        &self.bytes[4 * (out * strides.out + input * strides.input + y * strides.h + x * strides.w)..]
    }

    fn check(&self, depthwise: bool, channels: usize, fold: &Fold, activation: &Activation) -> Result<(), LoadError> {
        let (dims, strides) = (self.dims, self.strides);
        let wrong =
            |expected: String, found: String| Err(LoadError::Shape { tensor: self.name.to_owned(), expected, found });
        if dims.out == 0 || dims.input == 0 || dims.h == 0 || dims.w == 0 {
            return wrong("a filter that is not empty".into(), format!("{dims:?}"));
        }
        let (wanted, found) = if depthwise { (channels, dims.out) } else { (channels, dims.input) };
        if wanted != found || depthwise && dims.input != 1 {
            return wrong(format!("a filter for {wanted} channels"), format!("{dims:?}"));
        }
        if fold.scale.len() != dims.out || fold.shift.len() != dims.out {
            let found = format!("{} scales, {} shifts", fold.scale.len(), fold.shift.len());
            return wrong(format!("{} folded constants", dims.out), found);
        }
        if let Activation::Prelu(slopes) = activation
            && slopes.len() != dims.out
        {
            return wrong(format!("{} slopes", dims.out), slopes.len().to_string());
        }
        let pairs = [(dims.out, strides.out), (dims.input, strides.input), (dims.h, strides.h), (dims.w, strides.w)];
        let needed = pairs
            .iter()
            .try_fold(0usize, |sum, (n, stride)| (n - 1).checked_mul(*stride)?.checked_add(sum))
            .and_then(|last| last.checked_add(1)?.checked_mul(4));
        match needed {
            Some(needed) if needed <= self.bytes.len() => Ok(()),
            _ => wrong(format!("bytes for {dims:?}"), format!("{} bytes", self.bytes.len())),
        }
    }
}

/// What BatchNorm or a bias folds to, per output channel: y = x * scale + shift.
#[derive(Clone, Debug, PartialEq)]
pub struct Fold {
    /// Multiplied into the weights.
    pub scale: Vec<f32>,
    /// Added.
    pub shift: Vec<f32>,
}

impl Fold {
    /// A bias alone.
    pub fn bias(shift: Vec<f32>) -> Self {
        Self { scale: vec![1.0; shift.len()], shift }
    }

    /// Nothing, for `channels` outputs.
    pub fn none(channels: usize) -> Self {
        Self::bias(vec![0.0; channels])
    }
}

/// What follows an operation. All keep NaN.
#[derive(Clone, Debug, PartialEq)]
pub enum Activation {
    /// Nothing.
    None,
    /// Negative numbers become zero.
    Relu,
    /// Negative numbers are multiplied by the slope of their channel.
    Prelu(Vec<f32>),
}

impl Activation {
    fn slopes(&self) -> &[f32] {
        match self {
            Self::Prelu(slopes) => slopes,
            Self::None | Self::Relu => &[],
        }
    }

    fn simple(&self) -> Simple {
        match self {
            Self::None => Simple::None,
            Self::Relu => Simple::Relu,
            Self::Prelu(_) => Simple::Prelu,
        }
    }
}

/// An activation whose slopes are elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Simple {
    None,
    Relu,
    Prelu,
}

/// Zeros around a tensor before a convolution.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Padding {
    /// Rows above.
    pub top: usize,
    /// Columns before.
    pub left: usize,
    /// Rows below.
    pub bottom: usize,
    /// Columns after.
    pub right: usize,
}

impl Padding {
    /// The same on all sides.
    pub fn all(n: usize) -> Self {
        Self { top: n, left: n, bottom: n, right: n }
    }

    /// What keeps the size of a tensor under an odd filter with stride 1.
    pub fn same(dims: Dims) -> Self {
        let (y, x) = (dims.h / 2, dims.w / 2);
        Self { top: y, left: x, bottom: y, right: x }
    }
}

/// The result of an operation; belongs to the builder that gave it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Value(pub(crate) usize);

/// Records a network. Operations without weights are checked by [`Builder::finish`].
pub struct Builder {
    set: KernelSet,
    nodes: Vec<Node>,
    fault: Option<LoadError>,
}

impl Builder {
    /// A network whose input has `channels` numbers per pixel.
    pub fn new(set: KernelSet, channels: usize) -> Self {
        Self { set, nodes: vec![Node { op: Op::Input, channels }], fault: None }
    }

    /// The input.
    pub fn input(&self) -> Value {
        Value(0)
    }

    /// Channels of a value.
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
        let op = Op::Conv { x, packed, window: Window { h, w, stride, padding }, activation: activation.simple() };
        Ok(self.push(op, filter.dims.out))
    }

    /// One filter per channel: `dims.out` channels, `dims.input` 1.
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
        let op = Op::Depthwise { x, packed, window: Window { h, w, stride, padding }, activation: activation.simple() };
        Ok(self.push(op, filter.dims.out))
    }

    /// Transposed convolution, 2x2, stride 2: each pixel becomes four.
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

    /// Each channel of each image of x times the number in s (1x1).
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
    pub fn finish(mut self, outputs: &[Value]) -> Result<Network, LoadError> {
        let known = outputs.iter().all(|value| value.0 < self.nodes.len());
        self.expect("finish", known && !outputs.is_empty(), "outputs of this builder", format!("{outputs:?}"));
        match self.fault {
            Some(fault) => Err(fault),
            None => Ok(Network::new(self.set, self.nodes, outputs.to_vec())),
        }
    }
}

/// The window of a convolution.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub(crate) h: usize,
    pub(crate) w: usize,
    pub(crate) stride: usize,
    pub(crate) padding: Padding,
}

impl Window {
    /// The size of the result, if the window fits at all.
    pub(crate) fn output(&self, h: usize, w: usize) -> Option<(usize, usize)> {
        let Padding { top, left, bottom, right } = self.padding;
        let y = (h + top + bottom).checked_sub(self.h)? / self.stride + 1;
        let x = (w + left + right).checked_sub(self.w)? / self.stride + 1;
        Some((y, x))
    }
}
