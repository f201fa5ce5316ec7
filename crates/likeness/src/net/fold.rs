//! From tensors in a file to what the engine takes: filters by strides, batch norms folded in f64.

use crate::engine::{Dims, Filter, Fold};
use crate::weights::{Tensor, WeightError};

/// A filter in the order of ONNX and PyTorch, its shape checked: out, input, rows, columns.
pub(super) fn oihw<'t>(tensor: &'t Tensor<'_>, dims: Dims) -> Result<Filter<'t>, WeightError> {
    tensor.shaped(&[dims.out, dims.input, dims.h, dims.w])?;
    Ok(Filter::oihw(tensor.name(), tensor.bytes(), dims))
}

/// A filter in the order of Keras, its shape checked: rows, columns, input, out.
pub(super) fn hwio<'t>(tensor: &'t Tensor<'_>, dims: Dims) -> Result<Filter<'t>, WeightError> {
    tensor.shaped(&[dims.h, dims.w, dims.input, dims.out])?;
    let pixel = dims.input * dims.out;
    let strides = Dims { out: 1, input: dims.out, h: dims.w * pixel, w: pixel };
    Ok(Filter { name: tensor.name(), bytes: tensor.bytes(), dims, strides })
}

/// The parameters of a batch norm; `gamma` is ones where the network has none.
pub(super) struct BatchNorm<'t> {
    pub(super) gamma: Option<&'t Tensor<'t>>,
    pub(super) beta: &'t Tensor<'t>,
    pub(super) mean: &'t Tensor<'t>,
    pub(super) variance: &'t Tensor<'t>,
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

/// Dimensions of a square filter.
pub(super) fn dims(out: usize, input: usize, side: usize) -> Dims {
    Dims { out, input, h: side, w: side }
}
