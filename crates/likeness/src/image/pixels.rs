//! The one pixel type: 8-bit, blue-green-red, rows from the top. Touches nothing.

/// The greatest number of pixels that an image of this type may have: 2^28, so that no product of
/// sizes overflows and no caller allocates more than 768 MiB by mistake.
pub const MAX_PIXELS: usize = 1 << 28;

/// An image: `height` rows of `width` pixels of 3 bytes, blue first, without padding.
#[derive(Clone, PartialEq, Eq)]
pub struct Bgr {
    width: usize,
    height: usize,
    /// The number of pixels of the file's side for one pixel of this side.
    unit: usize,
    data: Vec<u8>,
}

impl std::fmt::Debug for Bgr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bgr {}x{}", self.width, self.height)
    }
}

impl Bgr {
    /// Takes rows of pixels; `None` if the sizes do not agree, a side is 0, or the image exceeds
    /// [`MAX_PIXELS`].
    #[must_use]
    pub fn new(width: usize, height: usize, data: Vec<u8>) -> Option<Self> {
        let pixels = width.checked_mul(height).filter(|pixels| (1..=MAX_PIXELS).contains(pixels))?;
        (data.len() == pixels * 3).then_some(Self { width, height, unit: 1, data })
    }

    /// An all-black image.
    ///
    /// # Panics
    /// If a side is 0 or the image exceeds [`MAX_PIXELS`]: sizes come from images, which are
    /// bounded before they are decoded.
    #[must_use]
    pub fn black(width: usize, height: usize) -> Self {
        assert!((1..=MAX_PIXELS).contains(&(width * height)), "an image of {width}x{height}");
        Self { width, height, unit: 1, data: vec![0; width * height * 3] }
    }

    /// Returns the same image as that of a file with this many times as many pixels on each side.
    #[must_use]
    pub(crate) fn of_unit(self, unit: usize) -> Self {
        Self { unit, ..self }
    }

    /// The number of pixels of the file's side for one pixel of this side: 1, or 2 if the file was
    /// decoded at half its size.
    #[must_use]
    pub fn unit(&self) -> usize {
        self.unit
    }

    /// Pixels in a row.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    #[must_use]
    pub fn height(&self) -> usize {
        self.height
    }

    /// All bytes.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// The bytes of one row.
    #[must_use]
    pub fn row(&self, y: usize) -> &[u8] {
        &self.data[y * self.width * 3..(y + 1) * self.width * 3]
    }

    /// The bytes of one row, to write.
    pub fn row_mut(&mut self, y: usize) -> &mut [u8] {
        &mut self.data[y * self.width * 3..(y + 1) * self.width * 3]
    }

    /// One pixel: blue, green, red.
    #[must_use]
    pub fn pixel(&self, x: usize, y: usize) -> [u8; 3] {
        let at = (y * self.width + x) * 3;
        [self.data[at], self.data[at + 1], self.data[at + 2]]
    }

    /// Returns the part from column `left`, row `top`, with black beyond the image.
    #[must_use]
    pub fn window(&self, left: i64, top: i64, width: usize, height: usize) -> Self {
        let mut out = Self::black(width, height);
        let (from, to) = (left.max(0), (left + width as i64).min(self.width as i64));
        if from >= to {
            return out;
        }
        let (target, bytes) = ((from - left) as usize * 3, (to - from) as usize * 3);
        let source = from as usize * 3;
        for y in 0..height {
            let row = top + y as i64;
            if (0..self.height as i64).contains(&row) {
                let line = &self.row(row as usize)[source..source + bytes];
                out.row_mut(y)[target..target + bytes].copy_from_slice(line);
            }
        }
        out
    }

    /// The pixels as the detector takes them: red first, 0 to 255.
    #[must_use]
    pub fn to_rgb(&self) -> Vec<f32> {
        let mut out = vec![0.0; self.data.len()];
        for (rgb, bgr) in out.as_chunks_mut::<3>().0.iter_mut().zip(self.data.as_chunks::<3>().0) {
            *rgb = [f32::from(bgr[2]), f32::from(bgr[1]), f32::from(bgr[0])];
        }
        out
    }

    /// Returns the same pixels turned upright, for an EXIF orientation of 1 to 8; other values change nothing.
    #[must_use]
    pub fn oriented(self, orientation: u8) -> Self {
        self.turned(orientation).unwrap_or(self)
    }

    /// A copy as [`Self::oriented`] makes it, for an orientation that changes something: 2 to 8.
    #[must_use]
    pub fn turned(&self, orientation: u8) -> Option<Self> {
        let (w, h) = (self.width, self.height);
        let turned = match orientation {
            2 => self.mapped(w, h, |x, y| (w - 1 - x, y)),
            3 => self.mapped(w, h, |x, y| (w - 1 - x, h - 1 - y)),
            4 => self.mapped(w, h, |x, y| (x, h - 1 - y)),
            5 => self.mapped(h, w, |x, y| (y, x)),
            6 => self.mapped(h, w, |x, y| (y, h - 1 - x)),
            7 => self.mapped(h, w, |x, y| (w - 1 - y, h - 1 - x)),
            8 => self.mapped(h, w, |x, y| (w - 1 - y, x)),
            _ => return None,
        };
        Some(turned.of_unit(self.unit))
    }

    /// A new image whose pixel (x, y) is this one's pixel `from(x, y)`.
    fn mapped(&self, width: usize, height: usize, from: impl Fn(usize, usize) -> (usize, usize)) -> Self {
        let mut out = Self::black(width, height);
        for y in 0..height {
            for (x, pixel) in out.row_mut(y).chunks_exact_mut(3).enumerate() {
                let (sx, sy) = from(x, y);
                pixel.copy_from_slice(&self.pixel(sx, sy));
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes an image in which each pixel's value is its position: (column, row, 0).
    fn numbered(width: usize, height: usize) -> Bgr {
        let data = (0..height).flat_map(|y| (0..width).flat_map(move |x| [x as u8, y as u8, 0])).collect();
        Bgr::new(width, height, data).unwrap()
    }

    #[test]
    fn sizes_that_do_not_agree_are_no_image() {
        for (width, height, bytes) in [(0, 1, 0), (1, 0, 0), (2, 2, 11), (2, 2, 13), (usize::MAX, 2, 6), (1, 1, 1)] {
            assert!(Bgr::new(width, height, vec![0; bytes]).is_none(), "{width}x{height} of {bytes} bytes");
        }
    }

    #[test]
    fn every_orientation_puts_the_corners_where_exif_says() {
        // (orientation, where the top left and the top right pixel of the upright image were stored)
        let table = [
            (1, [0, 0], [2, 0]),
            (2, [2, 0], [0, 0]),
            (3, [2, 1], [0, 1]),
            (4, [0, 1], [2, 1]),
            (5, [0, 0], [0, 1]),
            (6, [0, 1], [0, 0]),
            (7, [2, 1], [2, 0]),
            (8, [2, 0], [2, 1]),
            (0, [0, 0], [2, 0]),
            (9, [0, 0], [2, 0]),
        ];
        for (orientation, left, right) in table {
            let image = numbered(3, 2).oriented(orientation);
            let turned = (5..=8).contains(&orientation);
            assert_eq!((image.width(), image.height()), if turned { (2, 3) } else { (3, 2) }, "{orientation}");
            let corner = |x: usize| [image.pixel(x, 0)[0], image.pixel(x, 0)[1]];
            assert_eq!((corner(0), corner(image.width() - 1)), (left, right), "orientation {orientation}");
        }
    }

    #[test]
    fn a_window_beyond_the_image_is_black_there() {
        let image = numbered(3, 2);
        let window = image.window(-1, -1, 5, 4);
        assert_eq!(window.pixel(0, 0), [0, 0, 0]);
        assert_eq!(window.pixel(3, 2), [2, 1, 0]);
        assert_eq!(window.pixel(4, 2), [0, 0, 0]);
        assert_eq!(image.window(100, 0, 2, 2), Bgr::black(2, 2));
        assert_eq!(image.window(0, -100, 2, 2), Bgr::black(2, 2));
        assert_eq!(image.window(1, 1, 2, 1).pixel(1, 0), [2, 1, 0]);
    }
}
