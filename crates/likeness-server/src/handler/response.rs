//! Parts that several answers share.

use likeness::detect::{Area, Face, Point, Size, inside};
use likeness::image::Bgr;
use serde::Serialize;
use utoipa::ToSchema;

/// A box in the photograph's pixels.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct BoxResponse {
    /// Left edge.
    pub x: i64,
    /// Top edge.
    pub y: i64,
    /// Width.
    pub width: i64,
    /// Height.
    pub height: i64,
}

impl From<Area> for BoxResponse {
    fn from(Area { x, y, w, h }: Area) -> Self {
        Self { x, y, width: w, height: h }
    }
}

/// Five points `[x, y]`; left is the person's own left; null outside of the photograph.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct LandmarksResponse {
    /// The right eye.
    #[schema(value_type = Option<Vec<i64>>)]
    pub right_eye: Option<Point>,
    /// The left eye.
    #[schema(value_type = Option<Vec<i64>>)]
    pub left_eye: Option<Point>,
    /// The nose.
    #[schema(value_type = Option<Vec<i64>>)]
    pub nose: Option<Point>,
    /// The right corner of the mouth.
    #[schema(value_type = Option<Vec<i64>>)]
    pub mouth_right: Option<Point>,
    /// The left corner of the mouth.
    #[schema(value_type = Option<Vec<i64>>)]
    pub mouth_left: Option<Point>,
}

impl LandmarksResponse {
    /// Of a face in a photograph of this size.
    pub fn of(face: &Face, size: Size) -> Self {
        let [right_eye, left_eye, nose, mouth_right, mouth_left] = face.landmarks.map(|point| inside(point, size));
        Self { right_eye, left_eye, nose, mouth_right, mouth_left }
    }
}

/// A width and a height.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct SizeResponse {
    /// Pixels across.
    pub width: usize,
    /// Pixels down.
    pub height: usize,
}

impl SizeResponse {
    /// Of a photograph.
    pub fn of(image: &Bgr) -> Self {
        Self { width: image.width(), height: image.height() }
    }
}
