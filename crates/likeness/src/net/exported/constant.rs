//! Tensors of f32 in an exported graph, seen in place.

use super::layout::Layout;
use crate::weights::onnx::OnnxModel;
use crate::weights::{WeightError, WeightTensor};

/// A tensor in the file's bytes, perhaps transposed.
#[derive(Clone)]
pub(super) struct Constant<'m> {
    pub(super) name: &'m str,
    pub(super) dims: Vec<usize>,
    pub(super) strides: Vec<usize>,
    pub(super) bytes: &'m [u8],
}

impl<'m> Constant<'m> {
    pub(super) fn of(model: &'m OnnxModel, name: &'m str) -> Result<Self, WeightError> {
        let tensor: WeightTensor<'m> = model.tensor(name)?;
        let dims = tensor.shape().to_vec();
        Ok(Self { name, strides: row_major(&dims), dims, bytes: tensor.bytes() })
    }

    /// The tensor with its dimensions in another order.
    pub(super) fn transposed(&self, order: &[usize]) -> Option<Self> {
        let right = order.len() == self.dims.len() && (0..order.len()).all(|axis| order.contains(&axis));
        let pick = |from: &[usize]| order.iter().map(|axis| from[*axis]).collect();
        right.then(|| Self { dims: pick(&self.dims), strides: pick(&self.strides), ..self.clone() })
    }

    /// Returns the same numbers, in the same order, with other dimensions.
    pub(super) fn reshaped(&self, dims: Vec<usize>) -> Option<Self> {
        let count = |dims: &[usize]| dims.iter().try_fold(1usize, |all, n| all.checked_mul(*n));
        let right = self.strides == row_major(&self.dims) && count(&dims) == count(&self.dims);
        right.then(|| Self { strides: row_major(&dims), dims, ..self.clone() })
    }

    /// Returns one number for each channel of a value of this layout; the tensor must have as many numbers, or one.
    pub(super) fn of_channels(&self, layout: Layout, channels: usize) -> Result<Vec<f64>, WeightError> {
        let axis = self.dims.len().checked_sub(1 + layout.behind_channels());
        let (count, stride) = axis.map_or((1, 0), |axis| (self.dims[axis], self.strides[axis]));
        let all: usize = self.dims.iter().fold(1, |all, n| all.saturating_mul(*n));
        if all != count || self.dims.len() > layout.rank() || (count != channels && count != 1) {
            let expected = vec![channels];
            return Err(WeightError::Shape { tensor: self.name.to_owned(), expected, found: self.dims.clone() });
        }
        let step = if count == 1 { 0 } else { stride };
        (0..channels).map(|index| self.number(index * step)).collect()
    }

    /// The number at an element's place.
    fn number(&self, at: usize) -> Result<f64, WeightError> {
        let four = self.bytes.get(4 * at..).and_then(|rest| rest.first_chunk());
        let found = four.map_or(f32::NAN, |four| f32::from_le_bytes(*four));
        if found.is_finite() {
            return Ok(f64::from(found));
        }
        Err(WeightError::NotFinite { tensor: self.name.to_owned(), index: at, found })
    }
}

fn row_major(dims: &[usize]) -> Vec<usize> {
    let mut strides: Vec<usize> = dims
        .iter()
        .rev()
        .scan(1usize, |next, n| {
            let stride = *next;
            *next = next.saturating_mul(*n);
            Some(stride)
        })
        .collect();
    strides.reverse();
    strides
}
