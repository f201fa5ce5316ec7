//! Turns tensors of a file into the engine's input: filters by strides, batch norms folded in f64.

use crate::engine::{Dims, Filter, Fold, Padding};
use crate::weights::{WeightError, WeightTensor};

/// A filter in the order of ONNX and PyTorch, its shape checked: out, input, rows, columns.
pub(super) fn oihw<'t>(tensor: &'t WeightTensor<'_>, dims: Dims) -> Result<Filter<'t>, WeightError> {
    tensor.shaped(&[dims.out, dims.input, dims.h, dims.w])?;
    Ok(Filter::oihw(tensor.name(), tensor.bytes(), dims))
}

/// A filter in the order of Keras, its shape checked: rows, columns, input, out.
pub(super) fn hwio<'t>(tensor: &'t WeightTensor<'_>, dims: Dims) -> Result<Filter<'t>, WeightError> {
    tensor.shaped(&[dims.h, dims.w, dims.input, dims.out])?;
    let pixel = dims.input * dims.out;
    let strides = Dims { out: 1, input: dims.out, h: dims.w * pixel, w: pixel };
    Ok(Filter { name: tensor.name(), bytes: tensor.bytes(), dims, strides })
}

/// The parameters of a batch norm; `gamma` is ones if the network has none.
pub(super) struct BatchNorm<'t> {
    pub(super) gamma: Option<&'t WeightTensor<'t>>,
    pub(super) beta: &'t WeightTensor<'t>,
    pub(super) mean: &'t WeightTensor<'t>,
    pub(super) variance: &'t WeightTensor<'t>,
    pub(super) epsilon: f64,
}

impl BatchNorm<'_> {
    /// y = x * scale + shift, for this many channels.
    pub(super) fn fold(&self, channels: usize) -> Result<Fold, WeightError> {
        let gamma = match self.gamma {
            Some(gamma) => gamma.vector(channels)?,
            None => vec![1.0; channels],
        };
        let (beta, mean) = (self.beta.vector(channels)?, self.mean.vector(channels)?);
        let variance = self.variance.vector(channels)?;
        if let Some(index) = variance.iter().position(|&v| v < 0.0) {
            let (tensor, found) = (self.variance.name().to_owned(), variance[index]);
            return Err(WeightError::NegativeVariance { tensor, index, found });
        }
        let scales: Vec<f64> =
            gamma.iter().zip(&variance).map(|(&g, &v)| f64::from(g) / (f64::from(v) + self.epsilon).sqrt()).collect();
        let shift = |(scale, (&b, &m)): (&f64, (&f32, &f32))| (f64::from(b) - f64::from(m) * scale) as f32;
        Ok(Fold {
            shift: scales.iter().zip(beta.iter().zip(&mean)).map(shift).collect(),
            scale: scales.iter().map(|&scale| scale as f32).collect(),
        })
    }
}

/// A convolution of a network's description: its filter without the input channels, and how it is applied.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct ConvSpec {
    pub(super) out: usize,
    pub(super) h: usize,
    pub(super) w: usize,
    pub(super) stride: usize,
    pub(super) padding: Padding,
}

impl ConvSpec {
    /// A square filter, with the same padding on all sides.
    pub(super) fn square(out: usize, side: usize, stride: usize, padding: usize) -> Self {
        Self { out, h: side, w: side, stride, padding: Padding::all(padding) }
    }

    /// The dimensions of its filter, for this many input channels.
    pub(super) fn dims(&self, input: usize) -> Dims {
        Dims { out: self.out, input, h: self.h, w: self.w }
    }
}
