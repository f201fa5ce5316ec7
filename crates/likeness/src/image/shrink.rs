//! Reduction by whole blocks, before a large photograph is resampled. Touches nothing.
//!
//! Bilinear resampling reads four source pixels for each target pixel, so it aliases below half the size. The
//! mean of each block keeps what the detector needs.

use super::pixels::Bgr;

/// The means of blocks of `block` x `block` pixels, rounded; the last pixels that fill no block are
/// left out.
///
/// # Panics
/// If `block` is 0 or larger than a side, or larger than 256.
#[must_use]
pub fn shrink(image: &Bgr, block: usize) -> Bgr {
    assert!((1..=256).contains(&block), "a block of {block}");
    let (width, height) = (image.width() / block, image.height() / block);
    let mut out = Bgr::black(width, height);
    let (mut sums, count) = (vec![0_u32; width * 3], (block * block) as u32);
    for y in 0..height {
        sums.fill(0);
        for row in y * block..(y + 1) * block {
            add(image.row(row), block, &mut sums);
        }
        for (out, sum) in out.row_mut(y).iter_mut().zip(&sums) {
            *out = ((sum + count / 2) / count) as u8;
        }
    }
    out
}

fn add(row: &[u8], block: usize, sums: &mut [u32]) {
    for (sums, pixels) in sums.chunks_exact_mut(3).zip(row.chunks_exact(block * 3)) {
        for pixel in pixels.chunks_exact(3) {
            for (sum, value) in sums.iter_mut().zip(pixel) {
                *sum += u32::from(*value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pixel_is_the_rounded_mean_of_its_block() {
        let values = [[0, 2, 9], [1, 4, 9], [7, 7, 7]].concat();
        let data = values.iter().flat_map(|v| [*v, 255, v / 2]).collect();
        let small = shrink(&Bgr::new(3, 3, data).unwrap(), 2);
        assert_eq!((small.width(), small.height()), (1, 1));
        // (0 + 2 + 1 + 4) / 4 = 1.75, (0 + 1 + 0 + 2) / 4 = 0.75.
        assert_eq!(small.pixel(0, 0), [2, 255, 1]);
    }

    #[test]
    fn a_block_of_one_changes_nothing() {
        let image = Bgr::new(2, 2, (0..12).collect()).unwrap();
        assert_eq!(shrink(&image, 1), image);
    }
}
