//! Writes the photographs that the page offers beside its portrait: `cargo run -p testkit --example page-samples`.
//!
//! `same.jpg` is the portrait turned, nearer and in other light; `spoof.jpg` is the portrait on a drawn phone;
//! `other.jpg` is a rendered person who does not exist (`head.rs`), who also turns the head in the films of the page's tests.
//! Reads and writes only the folders of the page and of its tests.

mod head;

use std::error::Error;
use std::path::Path;

use libjpeg_turbo_rs::{PixelFormat, Subsampling, compress, decompress_to};

/// The page's folder.
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../likeness-server/page");

/// Pixels, red first.
struct Picture {
    width: usize,
    height: usize,
    rgb: Vec<u8>,
}

impl Picture {
    fn read(name: &str) -> Result<Self, Box<dyn Error>> {
        let read = decompress_to(&std::fs::read(Path::new(PAGE).join(name))?, PixelFormat::Rgb)?;
        Ok(Self { width: read.width, height: read.height, rgb: read.data })
    }

    fn write(&self, name: &str) -> Result<(), Box<dyn Error>> {
        let jpeg = compress(&self.rgb, self.width, self.height, PixelFormat::Rgb, 88, Subsampling::S420)?;
        Ok(std::fs::write(Path::new(PAGE).join(name), jpeg)?)
    }

    /// Draws a picture of this size from the colour of each pixel, 0 to 1.
    fn drawn(width: usize, height: usize, colour: impl Fn(f32, f32) -> [f32; 3]) -> Self {
        let at = |index: usize| colour((index % width) as f32, (index / width) as f32);
        let rgb = (0..width * height).flat_map(|index| at(index).map(|part| (part.clamp(0.0, 1.0) * 255.0) as u8));
        Self { width, height, rgb: rgb.collect() }
    }

    /// The colour between four pixels; outside, that of the edge.
    fn at(&self, x: f32, y: f32) -> [f32; 3] {
        let (x, y) = (x.clamp(0.0, self.width as f32 - 1.001), y.clamp(0.0, self.height as f32 - 1.001));
        let (left, top, u, v) = (x as usize, y as usize, x.fract(), y.fract());
        std::array::from_fn(|part| {
            let pixel = |dx: usize, dy: usize| f32::from(self.rgb[((top + dy) * self.width + left + dx) * 3 + part]);
            let row = |dy| pixel(0, dy) * (1.0 - u) + pixel(1, dy) * u;
            (row(0) * (1.0 - v) + row(1) * v) / 255.0
        })
    }

    /// The mean of what a soft lens sees around that place.
    fn soft(&self, x: f32, y: f32, radius: f32) -> [f32; 3] {
        let places = [(0.0, 0.0), (1.0, 0.4), (-0.4, 1.0), (-1.0, -0.4), (0.4, -1.0)];
        let seen = places.map(|(dx, dy)| self.at(x + dx * radius, y + dy * radius));
        std::array::from_fn(|part| seen.iter().map(|colour| colour[part]).sum::<f32>() / 5.0)
    }
}

/// Turns a place about the middle.
fn turned([x, y]: [f32; 2], degrees: f32) -> [f32; 2] {
    let (sin, cos) = degrees.to_radians().sin_cos();
    [cos * x - sin * y, sin * x + cos * y]
}

/// The portrait again: turned by five degrees, nearer, in warmer and weaker light.
fn same(portrait: &Picture) -> Picture {
    Picture::drawn(440, 520, |x, y| {
        let [u, v] = turned([(x - 220.0) / 1.25, (y - 200.0) / 1.25], 5.0);
        let light = 0.80 + 0.12 * x / 440.0;
        let seen = portrait.at(225.0 + u, 157.0 + v);
        [seen[0] * light * 1.03, seen[1] * light, seen[2] * light * 0.92]
    })
}

/// Returns the distance of a point from the edge of a rounded rectangle, in pixels; positive inside.
fn inside([x, y]: [f32; 2], [half_width, half_height]: [f32; 2], round: f32) -> f32 {
    let (dx, dy) = (x.abs() - half_width + round, y.abs() - half_height + round);
    round - (dx.max(0.0).powi(2) + dy.max(0.0).powi(2)).sqrt() - dx.max(dy).min(0.0)
}

/// The portrait on the screen of a phone that lies before a wall.
fn spoof(portrait: &Picture) -> Picture {
    Picture::drawn(520, 640, |x, y| {
        let place = turned([x - 262.0, y - 322.0], -4.0);
        let wall = 0.46 + 0.10 * (1.0 - y / 640.0) + 0.012 * ((x * 0.7).sin() + (y * 0.9).sin());
        let shadow = (inside([place[0] - 10.0, place[1] - 14.0], [178.0, 282.0], 40.0) / 22.0 + 0.5).clamp(0.0, 1.0);
        let wall = [wall, wall * 0.97, wall * 0.90].map(|part| part * (1.0 - 0.45 * shadow));
        if inside(place, [172.0, 278.0], 34.0) < 0.0 {
            return wall;
        }
        if inside([place[0], place[1]], [160.0, 252.0], 6.0) < 0.0 {
            let rim = (1.0 - inside(place, [172.0, 278.0], 34.0) / 5.0).clamp(0.0, 1.0);
            return [0.05 + 0.25 * rim, 0.05 + 0.25 * rim, 0.06 + 0.26 * rim];
        }
        screen(portrait, place)
    })
}

/// The lit screen: cold, with its rows and columns, and a window's reflection across it.
fn screen(portrait: &Picture, [x, y]: [f32; 2]) -> [f32; 3] {
    let seen = portrait.soft(225.0 + x / 1.18, 205.0 + y / 1.18, 0.9);
    let rows = 1.0 - 0.07 * (y * 2.6).sin() - 0.05 * (x * 2.9 + y * 0.06).sin();
    let glare = 0.20 * (1.0 - ((x * 0.8 + y * 0.45 + 40.0) / 46.0).abs()).max(0.0);
    let cold = [0.84, 0.95, 1.12];
    std::array::from_fn(|part| (0.05 + 0.92 * seen[part] * cold[part]) * rows + glare)
}

fn main() -> Result<(), Box<dyn Error>> {
    let portrait = Picture::read("sample.jpg")?;
    same(&portrait).write("same.jpg")?;
    spoof(&portrait).write("spoof.jpg")?;
    let (width, height) = (440, 520);
    Picture { width, height, rgb: head::photograph(width, height, 0.15) }.write("other.jpg")?;
    // The frames of the page's films of captures.
    let (width, height) = (640, 480);
    let frames = [
        (-30, "left30"),
        (-20, "left20"),
        (-10, "left10"),
        (0, "front"),
        (10, "right10"),
        (20, "right20"),
        (30, "right30"),
    ];
    for (degrees, name) in frames {
        let rgb = head::photograph(width, height, (degrees as f32).to_radians());
        Picture { width, height, rgb }.write(&format!("../tests/page/head/{name}.jpg"))?;
    }
    Ok(())
}
