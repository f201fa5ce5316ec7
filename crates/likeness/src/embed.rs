//! What the embedder looks at, and what it says. Touches nothing.

use crate::contract::ContractId;
use crate::image::Bgr;
use crate::image::resize::{resize, resize_f64};
use crate::net::facenet512::SIDE;

/// A face's embedding, and the contract under which it was made.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedding {
    contract: ContractId,
    numbers: Vec<f32>,
}

/// Two embeddings that must not be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OtherContract {
    /// The contract of the first.
    pub expected: ContractId,
    /// The contract of the second.
    pub found: ContractId,
}

impl std::fmt::Display for OtherContract {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { expected, found } = self;
        write!(f, "embeddings of two contracts are not comparable\n  expected {expected}\n  found    {found}")
    }
}

impl std::error::Error for OtherContract {}

impl Embedding {
    /// Numbers that the embedder of this contract gave.
    pub fn new(contract: ContractId, numbers: Vec<f32>) -> Self {
        Self { contract, numbers }
    }

    /// The contract.
    pub fn contract(&self) -> ContractId {
        self.contract
    }

    /// The numbers, not normalised.
    pub fn numbers(&self) -> &[f32] {
        &self.numbers
    }

    /// The numbers of two embeddings of one contract, ready to be compared.
    ///
    /// # Errors
    /// [`OtherContract`]
    pub fn beside(&self, other: &Self) -> Result<(Vec<f64>, Vec<f64>), OtherContract> {
        if self.contract != other.contract {
            return Err(OtherContract { expected: self.contract, found: other.contract });
        }
        let wide = |numbers: &[f32]| numbers.iter().map(|number| f64::from(*number)).collect();
        Ok((wide(&self.numbers), wide(&other.numbers)))
    }
}

/// A face as the embedder takes it: 160 x 160 BGR pixels, 0 to 1, black around what does not fill
/// the square. `None` for a face so narrow that nothing of it would be left.
pub fn input(face: &Bgr) -> Option<Vec<f32>> {
    let (width, height) = fitted(face)?;
    let values = resize_f64(face, width, height);
    Some(padded(width, height, |at| values[at] as f32))
}

/// A whole photograph as the face, as DeepFace's `represent` with the detector `skip` prepares it:
/// resampled in 8 bits, then divided.
pub fn input_skip(image: &Bgr) -> Option<Vec<f32>> {
    let (width, height) = fitted(image)?;
    let small = resize(image, width, height);
    Some(padded(width, height, |at| f32::from(small.data()[at]) / 255.0))
}

/// The size at which it fits the square, truncated as DeepFace does: 160 / n * n can be 159.
fn fitted(face: &Bgr) -> Option<(usize, usize)> {
    let (w, h) = (face.width() as f64, face.height() as f64);
    let factor = (SIDE as f64 / h).min(SIDE as f64 / w);
    let (width, height) = ((w * factor) as usize, (h * factor) as usize);
    (width > 0 && height > 0).then_some((width, height))
}

fn padded(width: usize, height: usize, value: impl Fn(usize) -> f32) -> Vec<f32> {
    let (left, top) = ((SIDE - width) / 2, (SIDE - height) / 2);
    let mut out = vec![0.0; SIDE * SIDE * 3];
    for y in 0..height {
        let line = ((top + y) * SIDE + left) * 3;
        for (at, number) in out[line..line + width * 3].iter_mut().enumerate() {
            *number = value(y * width * 3 + at);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longer_side_fills_the_square_or_lacks_one_pixel() {
        for (size, fits) in
            [((160, 160), (160, 160)), ((80, 160), (80, 160)), ((500, 400), (160, 128)), ((1, 2), (80, 160))]
        {
            assert_eq!(fitted(&Bgr::black(size.0, size.1)), Some(fits), "{size:?}");
        }
        let short = (1..3000).filter(|n| fitted(&Bgr::black(*n, n / 100 + 1)).is_some_and(|(width, _)| width == 159));
        assert_eq!(short.count(), 55);
    }

    #[test]
    fn a_thread_of_a_face_is_refused() {
        assert!(input(&Bgr::black(1, 400)).is_none());
        assert!(input_skip(&Bgr::black(400, 1)).is_none());
        assert!(input(&Bgr::black(1, 160)).is_some());
    }

    #[test]
    fn a_narrow_face_stands_in_the_middle_of_black() {
        let white = Bgr::new(80, 160, vec![255; 80 * 160 * 3]).unwrap();
        for numbers in [input(&white).unwrap(), input_skip(&white).unwrap()] {
            let row: Vec<f32> = numbers[..SIDE * 3].iter().step_by(3).copied().collect();
            assert_eq!((row[39], row[40], row[119], row[120]), (0.0, 1.0, 1.0, 0.0));
        }
    }
}
