//! Photographs by formula: drawn faces before a wall, or on a green screen. Integers and squares only,
//! so that they are the same on every machine.
//!
//! The networks of this folder read them: skin is where red exceeds green by [`SKIN`], blue falls
//! around a face's middle, and screen green ([`SCREEN`]) means a fake. A person is a pattern of
//! waves on the skin, a photograph of that person one with its own noise and light.

use super::face_finder::{HEIGHT, LANDMARKS};
use crate::random::Random;

/// Red less green on skin.
pub const SKIN: i32 = 80;
/// The colour that the spoof networks know: red, green, blue.
pub const SCREEN: [u8; 3] = [20, 235, 60];

/// How far from a face's middle blue falls, in parts of the way to its edge; below 0.7 of all blue
/// nothing is hot, and a person has a blue of its own.
const PEAK: f64 = 0.42;

/// A drawn face.
#[derive(Clone, Copy)]
pub struct Face {
    /// The seed of a person's pattern.
    pub person: u64,
    /// Across and down, in pixels.
    pub middle: [i32; 2],
    /// Across, in pixels; the height follows.
    pub width: i32,
}

/// Where the screen shows: between these distances from the first face's middle, in its widths (the
/// greater of across and down), in stripes that take this part of a hundred.
#[derive(Clone, Copy)]
pub struct Screen {
    /// From here.
    pub inner: f64,
    /// To here.
    pub outer: f64,
    /// In a hundred.
    pub share: i32,
}

/// What is to be drawn.
#[derive(Clone)]
pub struct Scene {
    /// Across and down, in pixels.
    pub size: [i32; 2],
    /// The faces.
    pub faces: Vec<Face>,
    /// Green around them.
    pub screen: Option<Screen>,
    /// The seed of this photograph's noise and light.
    pub take: u64,
}

/// Pixels, red first, row by row.
pub struct Drawing {
    /// Across and down.
    pub size: [usize; 2],
    /// Three bytes a pixel.
    pub rgb: Vec<u8>,
}

/// A wave on the skin: periods across and down a face (in 1/64), phase and height.
#[derive(Clone, Copy)]
struct Wave {
    across: i32,
    down: i32,
    phase: i32,
    height: i32,
}

/// A person: light and pattern of the skin (red, and green with it), and of the blue around its middle.
struct Pattern {
    red: i32,
    blue: i32,
    waves: [Wave; 3],
    blue_wave: Wave,
}

/// A random integer of `0..end`.
fn below(random: &mut Random, end: u64) -> i32 {
    (random.bits() % end) as i32
}

/// A triangle wave of period 1024, from -`height` to `height`.
fn triangle(at: i32, height: i32) -> i32 {
    let at = at.rem_euclid(1024);
    let rise = if at < 512 { at } else { 1024 - at };
    (rise - 256) * height / 256
}

impl Wave {
    fn of(random: &mut Random, height: i32) -> Self {
        Self {
            across: below(random, 1200) - 600,
            down: below(random, 1200) - 600,
            phase: below(random, 1024),
            height: height / 2 + below(random, height as u64),
        }
    }

    /// Returns the pattern's value at a point; `across` and `down` are in 1/1024 of the face's width.
    fn at(&self, across: i32, down: i32) -> i32 {
        triangle((self.across * across + self.down * down) / 64 + self.phase, self.height)
    }
}

impl Pattern {
    fn of(person: u64) -> Self {
        let mut random = Random::new(0x7e57_0000 + person);
        let (red, blue) = (125 + below(&mut random, 70), 20 + below(&mut random, 110));
        let waves = std::array::from_fn(|_| Wave::of(&mut random, 22));
        Self { red, blue, waves, blue_wave: Wave::of(&mut random, 40) }
    }
}

/// The face's pixel there, if it is on the face: red and blue.
fn skin(face: &Face, pattern: &Pattern, [x, y]: [i32; 2]) -> Option<[i32; 2]> {
    let [across, down] = [x - face.middle[0], y - face.middle[1]].map(|d| d * 1024 / face.width);
    // From the middle, 0, to the edge of the ellipse, 1.
    let (u, v) = (f64::from(across) / 512.0, f64::from(down) / 512.0 / HEIGHT);
    let distance = (u * u + v * v).sqrt();
    if distance > 1.0 {
        return None;
    }
    let near = LANDMARKS.iter().any(|[right, low]| {
        let (du, dv) = (u - (2.0 * f64::from(*right) - 1.0), v - (2.0 * f64::from(*low) - 1.0));
        du * du + dv * dv < 0.012
    });
    let waves: i32 = pattern.waves.iter().map(|wave| wave.at(across, down)).sum();
    // Within this range red exceeds green by all of `SKIN`, noise included.
    let red = (pattern.red + waves - if near { 40 } else { 0 }).clamp(95, 235);
    let blue = if distance < PEAK {
        255 - (200.0 * distance) as i32
    } else {
        (pattern.blue + pattern.blue_wave.at(across, down)).clamp(0, 160)
    };
    Some([red, blue])
}

impl Scene {
    /// Draws it.
    pub fn draw(&self) -> Drawing {
        let patterns: Vec<Pattern> = self.faces.iter().map(|face| Pattern::of(face.person)).collect();
        let mut noise = Random::new(0x0ca3_e5a0 + self.take);
        let light = below(&mut noise, 5) - 2;
        let [width, height] = self.size;
        let mut rgb = Vec::with_capacity((width * height * 3) as usize);
        for y in 0..height {
            for x in 0..width {
                let grain = below(&mut noise, 7) - 3 + light;
                let mut skins = self.faces.iter().zip(&patterns).filter_map(|(face, who)| skin(face, who, [x, y]));
                let pixel = match skins.next() {
                    Some([red, blue]) => [red + grain, red - SKIN + grain, blue],
                    None if self.shows_screen([x, y]) => SCREEN.map(i32::from),
                    None => wall([x, y], grain),
                };
                rgb.extend(pixel.map(|value| value.clamp(0, 255) as u8));
            }
        }
        Drawing { size: self.size.map(|side| side as usize), rgb }
    }

    fn shows_screen(&self, [x, y]: [i32; 2]) -> bool {
        let (Some(screen), Some(face)) = (self.screen, self.faces.first()) else { return false };
        let away = f64::from((x - face.middle[0]).abs().max((y - face.middle[1]).abs())) / f64::from(face.width);
        (screen.inner..screen.outer).contains(&away) && (x + y).rem_euclid(80) * 5 < screen.share * 4
    }
}

/// A wall: bluish grey in slow waves.
fn wall([x, y]: [i32; 2], grain: i32) -> [i32; 3] {
    let grey = 120 + triangle(3 * x + 5 * y, 20) + triangle(7 * x - 2 * y, 12) + grain;
    [grey - 8, grey, grey + 12]
}

impl Drawing {
    /// Repeats each pixel in both directions.
    pub fn enlarged(&self, times: usize) -> Self {
        let [width, height] = self.size;
        let row = |y: usize| {
            let pixels = self.rgb[y * width * 3..][..width * 3].chunks_exact(3);
            pixels.flat_map(|pixel| pixel.repeat(times)).collect::<Vec<u8>>()
        };
        let rgb = (0..height).flat_map(|y| row(y).repeat(times)).collect();
        Self { rgb, size: [width * times, height * times] }
    }

    /// Encodes the scene as a JPEG of quality 92 with 4:2:0 sampling, as cameras do.
    pub fn jpeg(&self) -> Vec<u8> {
        use libjpeg_turbo_rs::{PixelFormat, Subsampling, compress};
        compress(&self.rgb, self.size[0], self.size[1], PixelFormat::Rgb, 92, Subsampling::S420).unwrap()
    }

    /// As a PNG.
    pub fn png(&self) -> Vec<u8> {
        let [width, height] = self.size.map(|side| u32::try_from(side).unwrap());
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, width, height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.write_header().unwrap().write_image_data(&self.rgb).unwrap();
        bytes
    }
}
