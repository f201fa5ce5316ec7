//! A tensor of f32 seen in place in a file's bytes.

use super::error::WeightError;

/// A tensor in a file: little-endian f32, row-major, one contiguous run that is borrowed, not copied.
#[derive(Debug, Clone)]
pub struct WeightTensor<'a> {
    name: String,
    shape: Vec<usize>,
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> WeightTensor<'a> {
    /// A view of `bytes`, which begin at `offset` in the file and must contain exactly as many f32
    /// as `shape` requires.
    ///
    /// # Errors
    /// [`WeightError::Malformed`] if the lengths differ.
    pub(crate) fn new(name: &str, shape: Vec<usize>, bytes: &'a [u8], offset: usize) -> Result<Self, WeightError> {
        if byte_length(&shape) == Some(bytes.len()) {
            return Ok(Self { name: name.to_owned(), shape, bytes, offset });
        }
        Err(WeightError::Malformed {
            at: offset,
            expected: format!("{name} of shape {shape:?} as f32"),
            found: format!("{} bytes", bytes.len()),
        })
    }

    /// The name in the file.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The shape in the file.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The elements' bytes, in place.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Returns the offset of the numbers in the file.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Returns the same tensor, if its shape is the expected one.
    ///
    /// # Errors
    /// [`WeightError::Shape`] names both shapes.
    pub fn shaped(&self, expected: &[usize]) -> Result<&Self, WeightError> {
        if self.shape == expected {
            return Ok(self);
        }
        Err(WeightError::Shape { tensor: self.name.clone(), expected: expected.to_vec(), found: self.shape.clone() })
    }

    /// A copy of a one-dimensional tensor of `length` finite elements.
    ///
    /// # Errors
    /// [`WeightError::Shape`] or [`WeightError::NotFinite`].
    pub fn vector(&self, length: usize) -> Result<Vec<f32>, WeightError> {
        self.shaped(&[length])?;
        let values: Vec<f32> = self.values().collect();
        match values.iter().position(|v| !v.is_finite()) {
            None => Ok(values),
            Some(index) => Err(WeightError::NotFinite { tensor: self.name.clone(), index, found: values[index] }),
        }
    }

    /// The elements in file order.
    pub fn values(&self) -> impl Iterator<Item = f32> + 'a {
        self.bytes.as_chunks::<4>().0.iter().map(|four| f32::from_le_bytes(*four))
    }
}

/// The bytes of f32 elements of this shape, if the number does not overflow.
pub(crate) fn byte_length(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(4usize, |product, &n| product.checked_mul(n))
}
