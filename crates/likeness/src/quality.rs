//! Measures a face's box once, and decides whether the face is large and sharp enough to be judged.
//! Touches nothing.

use crate::colour::colour;
use crate::detect::{Area, Face, Size, inside};
use crate::error::ErrorKind;
use crate::image::Bgr;
use crate::image::shrink::shrink;
use crate::liveness::Shown;
use crate::policy::{BRIGHT_ABOVE, DARK_BELOW, FaceRule};
use crate::turn::Pose;

/// The fault of a photograph or of its face.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum Unfit {
    /// No face in the photograph.
    #[error("no face found")]
    NoFace,
    /// Several faces, and the caller did not allow the largest.
    #[error("expected one face, found {found}")]
    SeveralFaces {
        /// How many.
        found: usize,
    },
    /// The face is too small.
    #[error("the face is too small: expected a shorter side of {expected} pixels, found {found}")]
    TooSmall {
        /// Pixels of the shorter side at least.
        expected: i64,
        /// Pixels found.
        found: i64,
    },
    /// The face is too dark to show detail.
    #[error(
        "the face is too dark: expected a mean grey of at least {expected}, found {found:.1}; add light in front of the face"
    )]
    TooDark {
        /// Mean grey value at least.
        expected: f64,
        /// Mean found.
        found: f64,
    },
    /// The face is too bright to show detail.
    #[error(
        "the face is too bright: expected a mean grey of at most {expected}, found {found:.1}; reduce the light on the face"
    )]
    TooBright {
        /// Mean grey value at most.
        expected: f64,
        /// Mean found.
        found: f64,
    },
    /// The face is blurred.
    #[error("the face is blurred: expected a sharpness of {expected}, found {found:.1}")]
    Blurred {
        /// Variance of the Laplacian at least.
        expected: f64,
        /// Variance found.
        found: f64,
    },
}

const TOO_SMALL: &str = "face_too_small";
const TOO_DARK: &str = "face_too_dark";
const TOO_BRIGHT: &str = "face_too_bright";
const BLURRED: &str = "face_blurred";

impl Unfit {
    /// A stable word for reports.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoFace => "no_face",
            Self::SeveralFaces { .. } => "several_faces",
            Self::TooSmall { .. } => TOO_SMALL,
            Self::TooDark { .. } => TOO_DARK,
            Self::TooBright { .. } => TOO_BRIGHT,
            Self::Blurred { .. } => BLURRED,
        }
    }
}

impl Unfit {
    /// Returns the kind of this fault.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Face
    }
}

/// The part of the box in the photograph; 0 where a landmark is outside.
fn share_inside(face: &Face, image: Size) -> f64 {
    if face.landmarks.iter().any(|point| inside(*point, image).is_none()) {
        return 0.0;
    }
    let Area { x, y, w, h } = face.unclipped;
    let overlap = |start: i64, length: i64, end: usize| ((start + length).min(end as i64) - start.max(0)).max(0);
    (overlap(x, w, image.x) * overlap(y, h, image.y)) as f64 / (w * h).max(1) as f64
}

/// The variance of the Laplacian (4 neighbours less 4 times the middle) of grey values; edges are
/// mirrored, as OpenCV does.
fn sharpness(grey: &[u8], width: usize) -> f64 {
    let height = grey.len() / width;
    if width < 2 || height < 2 {
        return 0.0;
    }
    let at = |x: usize, y: usize| i32::from(grey[y * width + x]);
    let (mut sum, mut squares) = (0_i64, 0_i64);
    for y in 0..height {
        let (above, below) = beside(y, height);
        for x in 0..width {
            let (left, right) = beside(x, width);
            let value = i64::from(at(left, y) + at(right, y) + at(x, above) + at(x, below) - 4 * at(x, y));
            sum += value;
            squares += value * value;
        }
    }
    let count = (width * height) as f64;
    squares as f64 / count - (sum as f64 / count).powi(2)
}

/// The sharpness of a face as the networks see it: a large face is reduced by whole blocks first.
/// An enlarged photograph, or one that is soft at its full size, is then measured at about the
/// networks' size.
fn seen_sharpness(window: &Bgr, own: &[u8]) -> f64 {
    match window.width().min(window.height()) / SEEN_SIDE {
        0 | 1 => sharpness(own, window.width()),
        block => {
            let seen = shrink(window, block.min(256));
            sharpness(&grey(&seen), seen.width())
        }
    }
}

/// A face is reduced from twice this shorter side on; the networks see 80 and 160 pixels.
const SEEN_SIDE: usize = 200;

/// Returns both neighbours along a side; at an edge, the edge pixel is not repeated.
fn beside(at: usize, end: usize) -> (usize, usize) {
    (if at == 0 { 1 } else { at - 1 }, if at + 1 == end { end - 2 } else { at + 1 })
}

/// Grey as OpenCV weighs it: 0.299 red, 0.587 green, 0.114 blue, in 1/16384.
fn grey(image: &Bgr) -> Vec<u8> {
    let weighed = |p: &[u8]| (u32::from(p[0]) * 1868 + u32::from(p[1]) * 9617 + u32::from(p[2]) * 4899 + 8192) >> 14;
    image.data().chunks_exact(3).map(|pixel| weighed(pixel) as u8).collect()
}

/// The mean grey value of the best light.
const MIDDLE_GREY: f64 = 130.0;

/// The measurements of a face's box.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quality {
    /// Variance of the Laplacian.
    pub blur: f64,
    /// Mean of the grey values, 0 to 255.
    pub light: f64,
    /// Pixels of the shorter side.
    pub side: i64,
    /// Part of the box that lies in the photograph; 0 where a landmark is outside.
    pub inside: f64,
    /// The colour that does not follow from lightness, in units of Lab: the greater standard deviation of `a` and `b`
    /// after a cubic regression on `L`.
    pub colour: f64,
    /// Whether the face is not upright, or not seen from the front.
    pub turned: bool,
}

impl Quality {
    /// Measures a face.
    #[must_use]
    pub fn of(image: &Bgr, face: &Face) -> Self {
        let Area { x, y, w, h } = face.area;
        let (width, height) = (w.max(1) as usize, h.max(1) as usize);
        let window = image.window(x, y, width, height);
        let grey = grey(&window);
        let light = grey.iter().map(|value| f64::from(*value)).sum::<f64>() / grey.len() as f64;
        let inside = share_inside(face, Size { x: image.width(), y: image.height() });
        let (blur, colour) = (seen_sharpness(&window, &grey), colour(&window));
        Self { blur, light, side: w.min(h), inside, colour, turned: Pose::of(face).is_turned() }
    }

    /// Returns whether the networks can judge the face at all.
    ///
    /// # Errors
    /// The face is too small, or it shows no detail because it is too dark, too bright or blurred.
    pub fn fit(&self, rule: &FaceRule) -> Result<(), Unfit> {
        if self.side < rule.side {
            return Err(Unfit::TooSmall { expected: rule.side, found: self.side });
        }
        if self.blur < rule.sharpness {
            let blurred = Unfit::Blurred { expected: rule.sharpness, found: self.blur };
            return Err(self.exposure().unwrap_or(blurred));
        }
        Ok(())
    }

    /// The measurements that the judgement of liveness needs.
    #[must_use]
    pub fn shown(&self) -> Shown {
        Shown { inside: self.inside, colour: self.colour, turned: self.turned }
    }

    /// The refusal of a face that is too dark or too bright, otherwise `None`.
    #[must_use]
    pub fn exposure(&self) -> Option<Unfit> {
        let found = self.light;
        match found {
            _ if found < DARK_BELOW => Some(Unfit::TooDark { expected: DARK_BELOW, found }),
            _ if found > BRIGHT_ABOVE => Some(Unfit::TooBright { expected: BRIGHT_ABOVE, found }),
            _ => None,
        }
    }

    /// The parts of the score: sharpness, light and size, each 0 to 100.
    #[must_use]
    pub fn parts(&self) -> [f64; 3] {
        [self.blur_score(), self.light_score(), self.side_score()]
    }

    /// The causes of a score below `least`, as codes of [`Unfit`]: the parts that are below `least`
    /// themselves. The score is a weighted mean of its parts, so a score that is too low has a
    /// cause.
    #[must_use]
    pub fn causes(&self, least: f64) -> Vec<&'static str> {
        let light = if self.light < MIDDLE_GREY { TOO_DARK } else { TOO_BRIGHT };
        let parts = self.parts().into_iter().zip([BLURRED, light, TOO_SMALL]);
        parts.filter(|(part, _)| self.score() < least && *part < least).map(|(_, code)| code).collect()
    }

    /// The score, 0 to 100: the mean of sharpness, light and size with weights 4, 3 and 3.
    #[must_use]
    pub fn score(&self) -> f64 {
        0.4 * self.blur_score() + 0.3 * self.light_score() + 0.3 * self.side_score()
    }

    fn blur_score(&self) -> f64 {
        let v = self.blur;
        if v < 100.0 { v / 2.0 } else { 50.0 + (v.min(500.0) - 100.0) / 8.0 }
    }

    fn light_score(&self) -> f64 {
        let m = self.light;
        match m {
            _ if m < DARK_BELOW => m,
            _ if m > BRIGHT_ABOVE => (100.0 - (m - BRIGHT_ABOVE) * 50.0 / 55.0).max(0.0),
            _ => 100.0 - (m - MIDDLE_GREY).abs() / 4.0,
        }
    }

    fn side_score(&self) -> f64 {
        let s = self.side as f64;
        match s {
            _ if s < 50.0 => s / 2.0,
            _ if s < 80.0 => 25.0 + (s - 50.0) * 25.0 / 30.0,
            _ if s < 150.0 => 50.0 + (s - 80.0) * 50.0 / 70.0,
            _ => 100.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Policy;

    fn face(area: Area, landmark: [i64; 2]) -> Face {
        Face { area, unclipped: area, landmarks: [landmark; 5], score: 0.9 }
    }

    fn chequered(side: usize) -> Bgr {
        let value = |at: usize| if (at % side + at / side).is_multiple_of(2) { 255 } else { 0 };
        Bgr::new(side, side, (0..side * side).flat_map(|at| [value(at); 3]).collect()).unwrap()
    }

    #[test]
    fn each_fault_has_its_name_and_a_cut_face_its_share() {
        let image = chequered(200);
        let area = |x, y, w, h| Area { x, y, w, h };
        let table = [
            (face(area(10, 10, 100, 100), [50, 50]), None, 1.0),
            (face(area(10, 10, 47, 100), [50, 50]), Some("face_too_small"), 1.0),
            (face(area(10, 10, 100, 47), [50, 50]), Some("face_too_small"), 1.0),
            (face(area(10, 10, 100, 100), [-1, 50]), None, 0.0),
            (face(area(10, 10, 100, 100), [50, 200]), None, 0.0),
            (face(area(-11, 10, 100, 100), [50, 50]), None, 0.89),
            (face(area(-10, 10, 100, 100), [50, 50]), None, 0.9),
        ];
        for (face, expected, share) in table {
            let quality = Quality::of(&image, &face);
            let found = quality.fit(&Policy::default().face).err();
            assert_eq!((found.map(|unfit| unfit.code()), quality.inside), (expected, share), "{face:?}");
        }
    }

    #[test]
    fn a_face_without_detail_is_dark_bright_or_blurred() {
        let table = [
            (0, "face_too_dark"),
            (49, "face_too_dark"),
            (50, "face_blurred"),
            (200, "face_blurred"),
            (201, "face_too_bright"),
            (255, "face_too_bright"),
        ];
        let found = table.map(|(grey, _)| {
            let flat = Bgr::new(100, 100, vec![grey; 30_000]).unwrap();
            let quality = Quality::of(&flat, &face(Area { x: 10, y: 10, w: 80, h: 80 }, [50, 50]));
            (grey, quality.fit(&Policy::default().face).map_or_else(|unfit| unfit.code(), |()| "fit"))
        });
        assert_eq!(found, table);
    }

    #[test]
    fn a_score_that_is_too_low_has_a_cause_and_one_that_is_not_has_none() {
        let mut wrong = Vec::new();
        for (blur, light, side) in (0..600).step_by(40).flat_map(|blur| {
            (0..256).step_by(15).flat_map(move |light| (40..160).step_by(20).map(move |side| (blur, light, side)))
        }) {
            let quality = Quality {
                blur: f64::from(blur),
                light: f64::from(light),
                side,
                inside: 1.0,
                colour: 9.0,
                turned: false,
            };
            for least in [0.0, 50.0, 70.0, 95.0] {
                if quality.causes(least).is_empty() == (quality.score() < least) {
                    wrong.push((quality, least, quality.causes(least)));
                }
            }
        }
        assert!(wrong.is_empty(), "{wrong:?}");
        let dark = Quality { blur: 500.0, light: 12.0, side: 50, inside: 1.0, colour: 9.0, turned: false };
        assert_eq!(dark.causes(70.0), ["face_too_dark", "face_too_small"]);
        let bright = Quality { light: 250.0, ..dark };
        assert_eq!(bright.causes(70.0), ["face_too_bright", "face_too_small"]);
    }

    #[test]
    fn sharpness_of_a_chequered_board_and_of_nothing() {
        let measured = |image: &Bgr, w: i64| Quality::of(image, &face(Area { x: 0, y: 0, w, h: 64 }, [5, 5])).blur;
        // Each pixel differs from its four neighbours by 255, so the Laplacian is +-1020.
        assert_eq!(measured(&chequered(64), 64), 1020.0 * 1020.0);
        assert_eq!(measured(&Bgr::black(64, 64), 64), 0.0);
        assert_eq!(measured(&chequered(64), 1), 0.0);
    }

    #[test]
    fn a_face_is_as_sharp_enlarged_as_it_was() {
        let own = chequered(200);
        let enlarged = |times: usize| {
            let pixels = (0..200 * times).flat_map(|y| (0..200 * times).map(move |x| (x / times, y / times)));
            Bgr::new(200 * times, 200 * times, pixels.flat_map(|(x, y)| own.pixel(x, y)).collect()).unwrap()
        };
        let measured = |image: &Bgr| {
            let side = image.width() as i64;
            Quality::of(image, &face(Area { x: 0, y: 0, w: side, h: side }, [5, 5])).blur
        };
        for times in [2, 3, 5] {
            assert_eq!(measured(&enlarged(times)), measured(&own), "{times} times");
        }
    }

    #[test]
    fn each_part_of_the_score_has_its_corners() {
        let of = |blur, light, side| Quality { blur, light, side, inside: 1.0, colour: 9.0, turned: false };
        let table = [
            (of(0.0, 0.0, 0), [0.0, 0.0, 0.0]),
            (of(100.0, 49.0, 49), [50.0, 49.0, 24.5]),
            (of(99.0, 50.0, 50), [49.5, 80.0, 25.0]),
            (of(500.0, 130.0, 80), [100.0, 100.0, 50.0]),
            (of(9000.0, 200.0, 150), [100.0, 82.5, 100.0]),
            (of(180.0, 255.0, 115), [60.0, 50.0, 75.0]),
        ];
        for (quality, parts) in table {
            assert_eq!(quality.parts(), parts, "{quality:?}");
            let score = 0.4 * parts[0] + 0.3 * parts[1] + 0.3 * parts[2];
            assert!((quality.score() - score).abs() < 1e-9, "{quality:?}");
        }
    }
}
