//! The types that describe a network: filters, folds, activations, padding.
//!
//! Tensors are NHWC. A filter is a view of the weight file's bytes.

use super::error::LoadError;

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

/// A view of a filter bank: little-endian f32, in any order that strides can express.
#[derive(Clone, Copy)]
pub struct Filter<'a> {
    /// The name of the weights in the file, for errors.
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
    #[must_use]
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

    pub(crate) fn check(
        &self,
        depthwise: bool,
        channels: usize,
        fold: &Fold,
        activation: &Activation,
    ) -> Result<(), LoadError> {
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

/// The folded BatchNorm or bias, per output channel: y = x * scale + shift.
#[derive(Clone, Debug, PartialEq)]
pub struct Fold {
    /// Multiplied into the weights.
    pub scale: Vec<f32>,
    /// Added.
    pub shift: Vec<f32>,
}

impl Fold {
    /// A bias alone.
    #[must_use]
    pub fn bias(shift: Vec<f32>) -> Self {
        Self { scale: vec![1.0; shift.len()], shift }
    }

    /// Nothing, for `channels` outputs.
    #[must_use]
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
    pub(crate) fn slopes(&self) -> &[f32] {
        match self {
            Self::Prelu(slopes) => slopes,
            Self::None | Self::Relu => &[],
        }
    }

    pub(crate) fn simple(&self) -> Simple {
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
    #[must_use]
    pub fn all(n: usize) -> Self {
        Self { top: n, left: n, bottom: n, right: n }
    }

    /// Returns the padding that keeps the size of a tensor under an odd filter with stride 1.
    #[must_use]
    pub fn same(dims: Dims) -> Self {
        let (y, x) = (dims.h / 2, dims.w / 2);
        Self { top: y, left: x, bottom: y, right: x }
    }
}

/// The result of an operation; belongs to the builder that gave it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Value(pub(crate) usize);

/// The window of a convolution.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConvWindow {
    pub(crate) h: usize,
    pub(crate) w: usize,
    pub(crate) stride: usize,
    pub(crate) padding: Padding,
}

impl ConvWindow {
    /// The size of the result, if the window fits at all.
    pub(crate) fn output(&self, h: usize, w: usize) -> Option<(usize, usize)> {
        let Padding { top, left, bottom, right } = self.padding;
        let y = (h + top + bottom).checked_sub(self.h)? / self.stride + 1;
        let x = (w + left + right).checked_sub(self.w)? / self.stride + 1;
        Some((y, x))
    }
}
