//! An image with black margins that are not stored.
//!
//! The detector's exact mode looks at a photograph with a border of half its size on each side;
//! resampling reads that canvas row by row through this type. Touches nothing.

use super::pixels::Bgr;

/// An image and the black margins to its left and right (`x`) and above and below (`y`).
#[derive(Debug, Clone, Copy)]
pub struct Framed<'a> {
    image: &'a Bgr,
    /// Black columns on each side.
    pub x: usize,
    /// Black rows on each side.
    pub y: usize,
}

impl<'a> Framed<'a> {
    /// The image alone.
    #[must_use]
    pub fn bare(image: &'a Bgr) -> Self {
        Self { image, x: 0, y: 0 }
    }

    /// The image with half its width and height, rounded down, as margins: DeepFace's border.
    #[must_use]
    pub fn half(image: &'a Bgr) -> Self {
        Self { image, x: image.width() / 2, y: image.height() / 2 }
    }

    /// The image within.
    #[must_use]
    pub fn image(&self) -> &'a Bgr {
        self.image
    }

    /// Columns of the whole canvas.
    #[must_use]
    pub fn width(&self) -> usize {
        self.image.width() + 2 * self.x
    }

    /// Rows of the whole canvas.
    #[must_use]
    pub fn height(&self) -> usize {
        self.image.height() + 2 * self.y
    }

    /// The image's part of a row of the canvas: `None` for a row of the margin.
    pub(super) fn row(&self, y: usize) -> Option<&'a [u8]> {
        let inside = y.checked_sub(self.y).filter(|row| *row < self.image.height());
        inside.map(|row| self.image.row(row))
    }
}
