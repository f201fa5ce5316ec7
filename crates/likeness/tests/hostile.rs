//! Attacks by photographs: each is refused by name or decoded, none panics, and none takes more memory than
//! the limits allow.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests; the table is for --nocapture")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use likeness::image::{Bgr, DecodeError, Limits, decode};

/// Counts allocated bytes, and their maximum.
struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

#[expect(unsafe_code, reason = "an allocator that only counts, then does as the system's does")]
// SAFETY: every call is passed on unchanged to the system's allocator, which keeps the contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let live = LIVE.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        MOST.fetch_max(live, Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// One test at a time may count.
static COUNTER: Mutex<()> = Mutex::new(());

/// Decodes a file; returns the result, and the largest number of bytes allocated at once.
fn counted(bytes: &[u8], limits: &Limits) -> (Result<Bgr, DecodeError>, usize) {
    let before = LIVE.load(Ordering::Relaxed);
    MOST.store(before, Ordering::Relaxed);
    let outcome = decode(bytes, limits);
    (outcome, MOST.load(Ordering::Relaxed).saturating_sub(before))
}

/// A size, or the error's code.
type Outcome = Result<[usize; 2], &'static str>;

/// Small limits, so that a small file can exceed them.
const LIMITS: Limits = Limits { bytes: 1 << 20, pixels: 1_000_000, halved: 1_000_000, side: 4096 };
/// The allowed memory: decoded pixels, a rotated copy, and the codec's buffers.
const MEMORY: usize = 64 << 20;

fn png(width: u32, height: u32, color: png::ColorType, depth: png::BitDepth, data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, width, height);
    encoder.set_color(color);
    encoder.set_depth(depth);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(data).unwrap();
    writer.finish().unwrap();
    out
}

fn jpeg(width: usize, height: usize, format: libjpeg_turbo_rs::PixelFormat, progressive: bool) -> Vec<u8> {
    let pixels: Vec<u8> = (0..width * height * format.bytes_per_pixel()).map(|at| (at * 7 % 251) as u8).collect();
    libjpeg_turbo_rs::Encoder::new(&pixels, width, height, format).progressive(progressive).encode().unwrap()
}

fn even_cmyk(width: usize, height: usize) -> Vec<u8> {
    use libjpeg_turbo_rs::{Encoder, PixelFormat, Subsampling};
    let pixels = vec![90; width * height * 4];
    Encoder::new(&pixels, width, height, PixelFormat::Cmyk).subsampling(Subsampling::S444).encode().unwrap()
}

fn webp(width: u32, height: u32, color: image_webp::ColorType) -> Vec<u8> {
    let channels = if color == image_webp::ColorType::Rgba8 { 4 } else { 3 };
    let pixels: Vec<u8> = (0..width * height * channels).map(|at| (at * 5 % 256) as u8).collect();
    let mut out = Vec::new();
    image_webp::WebPEncoder::new(&mut out).encode(&pixels, width, height, color).unwrap();
    out
}

/// Returns a chunk of a PNG file with its checksum.
fn chunk(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut crc = 0xffff_ffff_u32;
    for byte in kind.iter().chain(body) {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    [&(body.len() as u32).to_be_bytes(), kind.as_slice(), body, &(!crc).to_be_bytes()].concat()
}

/// Inserts a chunk before the pixels of a PNG file.
fn with_chunk(png: &[u8], kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let header = 8 + 25;
    [&png[..header], &chunk(kind, body), &png[header..]].concat()
}

/// Returns a PNG header that claims this size, without pixels.
fn bomb_png(width: u32, height: u32) -> Vec<u8> {
    let body = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 2, 0, 0, 0]].concat();
    [b"\x89PNG\r\n\x1a\n".to_vec(), chunk(b"IHDR", &body), chunk(b"IDAT", &[0x78, 0x9c])].concat()
}

/// Returns a JPEG whose header claims a wrong size.
fn bomb_jpeg(height: u16, width: u16, progressive: bool) -> Vec<u8> {
    let mut bytes = jpeg(16, 16, libjpeg_turbo_rs::PixelFormat::Rgb, progressive);
    let marker = if progressive { 0xc2 } else { 0xc0 };
    let at = bytes.windows(2).position(|pair| pair == [0xff, marker]).unwrap();
    bytes[at + 5..at + 7].copy_from_slice(&height.to_be_bytes());
    bytes[at + 7..at + 9].copy_from_slice(&width.to_be_bytes());
    bytes
}

/// Returns an EXIF block with this orientation.
fn exif(orientation: u8) -> Vec<u8> {
    [b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".as_slice(), &[orientation, 0, 0, 0, 0, 0, 0]].concat()
}

/// A JPEG file with an EXIF block.
fn with_exif(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    let body = [b"Exif\0\0".as_slice(), &exif(orientation)].concat();
    let length = (body.len() as u16 + 2).to_be_bytes();
    [&jpeg[..2], &[0xff, 0xe1], &length, &body, &jpeg[2..]].concat()
}

/// A WebP container with one chunk of this kind.
fn riff(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let chunk = [kind.as_slice(), &(body.len() as u32).to_le_bytes(), body].concat();
    [b"RIFF".as_slice(), &(chunk.len() as u32 + 4).to_le_bytes(), b"WEBP", &chunk].concat()
}

/// The extended header of a WebP file.
fn vp8x(width: u32, height: u32, flags: u8) -> Vec<u8> {
    let size = |side: u32| (side - 1).to_le_bytes();
    [&[flags, 0, 0, 0], &size(width)[..3], &size(height)[..3]].concat()
}

/// Returns an animation with one picture.
fn animated_webp() -> Vec<u8> {
    let still = webp(8, 8, image_webp::ColorType::Rgb8);
    let (first, size) = ([0; 6], [7, 0, 0, 7, 0, 0]);
    let frame = [first.as_slice(), &size, &[10, 0, 0, 0], &still[12..]].concat();
    let part = |kind: &[u8; 4], body: &[u8]| [kind.as_slice(), &(body.len() as u32).to_le_bytes(), body].concat();
    let parts = [part(b"VP8X", &vp8x(8, 8, 2)), part(b"ANIM", &[0; 6]), part(b"ANMF", &frame)].concat();
    [b"RIFF".as_slice(), &(parts.len() as u32 + 4).to_le_bytes(), b"WEBP", &parts].concat()
}

#[test]
fn every_attack_has_its_outcome_and_no_more_memory_than_its_share() {
    use libjpeg_turbo_rs::PixelFormat::{Cmyk, Grayscale, Rgb};
    use png::{BitDepth, ColorType};
    let _one = COUNTER.lock().unwrap();
    let photo = jpeg(64, 48, Rgb, false);
    let small_png = png(2, 1, ColorType::Rgb, BitDepth::Eight, &[1, 2, 3, 4, 5, 6]);
    let animated = with_chunk(&small_png, b"acTL", &[0, 0, 0, 1, 0, 0, 0, 0]);
    let vp8x = |width: u32, height: u32| riff(b"VP8X", &vp8x(width, height, 0));
    // (attack, bytes, size or the error's code)
    let table: Vec<(&str, Vec<u8>, Outcome)> = vec![
        ("no bytes", vec![], Err("image_empty")),
        ("a GIF", b"GIF89a\x01\0\x01\0".to_vec(), Err("image_format_unknown")),
        ("a page", b"<!doctype html>".to_vec(), Err("image_format_unknown")),
        ("only a JPEG's first bytes", vec![0xff, 0xd8, 0xff], Err("image_damaged")),
        ("only a PNG's first bytes", b"\x89PNG\r\n\x1a\n".to_vec(), Err("image_damaged")),
        ("only a WebP's first bytes", b"RIFF\xff\xff\xff\xffWEBP".to_vec(), Err("image_damaged")),
        ("a JPEG cut in the middle", photo[..photo.len() / 2].to_vec(), Err("image_damaged")),
        ("a JPEG without its last bytes", photo[..photo.len() - 40].to_vec(), Err("image_damaged")),
        ("a long file", vec![0xff; LIMITS.bytes + 1], Err("image_format_unknown")),
        ("a long JPEG", [photo.clone(), vec![0; LIMITS.bytes]].concat(), Err("image_too_many_bytes")),
        ("a PNG of 65535x65535", bomb_png(65535, 65535), Err("image_side_too_long")),
        ("a PNG of 65535x1", bomb_png(65535, 1), Err("image_side_too_long")),
        ("a PNG of 2^31-1 squared", bomb_png(0x7fff_ffff, 0x7fff_ffff), Err("image_side_too_long")),
        ("a PNG of 4096x4096", bomb_png(4096, 4096), Err("image_too_many_pixels")),
        ("a PNG that ends early", bomb_png(900, 900), Err("image_damaged")),
        ("a PNG of 0x1", bomb_png(0, 1), Err("image_damaged")),
        ("a JPEG of 65535x65535", bomb_jpeg(65535, 65535, false), Err("image_side_too_long")),
        ("a JPEG of 65535x1", bomb_jpeg(1, 65535, false), Err("image_side_too_long")),
        ("a progressive JPEG of 4096x4096", bomb_jpeg(4096, 4096, true), Err("image_too_many_pixels")),
        ("a JPEG that claims 900x900", bomb_jpeg(900, 900, false), Err("image_damaged")),
        ("a progressive JPEG that claims 900x900", bomb_jpeg(900, 900, true), Err("image_damaged")),
        ("a WebP of 8192x8192", riff(b"VP8L", &[0x2f, 0xff, 0xdf, 0xff, 0x07, 0]), Err("image_side_too_long")),
        ("an animated WebP", animated_webp(), Err("image_animated")),
        ("a WebP without pixels", vp8x(64, 64), Err("image_damaged")),
        ("an animated PNG", animated, Err("image_animated")),
        ("a PNG named as JPEG", small_png.clone(), Ok([2, 1])),
        ("a JPEG of 1x1", jpeg(1, 1, Rgb, false), Ok([1, 1])),
        ("a JPEG of 4000x1", jpeg(4000, 1, Rgb, false), Ok([4000, 1])),
        ("a grey JPEG", jpeg(33, 17, Grayscale, false), Ok([33, 17])),
        ("a CMYK JPEG, sampled unevenly", jpeg(33, 17, Cmyk, false), Err("image_unsupported")),
        ("a CMYK JPEG, sampled evenly", even_cmyk(33, 17), Ok([33, 17])),
        ("a progressive JPEG", jpeg(33, 17, Rgb, true), Ok([33, 17])),
        ("a turned JPEG", with_exif(&photo, 6), Ok([48, 64])),
        ("a JPEG turned in no known way", with_exif(&photo, 77), Ok([64, 48])),
        ("a turned PNG", with_chunk(&small_png, b"eXIf", &exif(6)), Ok([1, 2])),
        ("a WebP", webp(20, 10, image_webp::ColorType::Rgb8), Ok([20, 10])),
        ("a WebP with alpha", webp(20, 10, image_webp::ColorType::Rgba8), Ok([20, 10])),
    ];
    let mut wrong = Vec::new();
    for (attack, bytes, expected) in table {
        let (outcome, memory) = counted(&bytes, &LIMITS);
        let found = match &outcome {
            Ok(image) => Ok([image.width(), image.height()]),
            Err(error) => Err(error.code()),
        };
        println!("{attack:40} {memory:>9} bytes  {outcome:?}");
        if found != expected || memory > MEMORY {
            wrong.push(format!("{attack}: expected {expected:?}, found {outcome:?} with {memory} bytes"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn samples_of_every_kind_become_the_same_eight_bits() {
    use png::{BitDepth, ColorType};
    let table: [(&str, Vec<u8>, [u8; 3]); 5] = [
        ("16 bits", png(1, 1, ColorType::Rgb, BitDepth::Sixteen, &[10, 255, 20, 0, 30, 128]), [30, 20, 10]),
        ("grey", png(1, 1, ColorType::Grayscale, BitDepth::Eight, &[77]), [77; 3]),
        (
            "grey of 16 bits with alpha",
            png(1, 1, ColorType::GrayscaleAlpha, BitDepth::Sixteen, &[77, 255, 0, 0]),
            [77; 3],
        ),
        ("alpha dropped, not blended", png(1, 1, ColorType::Rgba, BitDepth::Eight, &[1, 2, 3, 0]), [3, 2, 1]),
        ("one bit", png(1, 1, ColorType::Grayscale, BitDepth::One, &[0x80]), [255; 3]),
    ];
    for (kind, bytes, pixel) in table {
        assert_eq!(decode(&bytes, &LIMITS).unwrap().pixel(0, 0), pixel, "{kind}");
    }
}

#[test]
fn mutated_files_never_panic_and_never_take_more_than_their_share() {
    let _one = COUNTER.lock().unwrap();
    let photo = jpeg(48, 40, libjpeg_turbo_rs::PixelFormat::Rgb, false);
    let scans = jpeg(48, 40, libjpeg_turbo_rs::PixelFormat::Rgb, true);
    let pixels: Vec<u8> = (0..48 * 40 * 3).map(|at| (at % 253) as u8).collect();
    let seeds = [
        with_exif(&photo, 3),
        scans,
        png(48, 40, png::ColorType::Rgb, png::BitDepth::Eight, &pixels),
        webp(48, 40, image_webp::ColorType::Rgb8),
    ];
    // A fixed random sequence, so that a failure can be repeated.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let (mut decoded, mut most) = (0, 0);
    for turn in 0..4000 {
        let mut bytes = seeds[turn % seeds.len()].clone();
        for _ in 0..=next(6) {
            let at = next(bytes.len());
            bytes[at] = next(256) as u8;
        }
        if next(4) == 0 {
            bytes.truncate(next(bytes.len()));
        }
        let (outcome, memory) = counted(&bytes, &LIMITS);
        most = most.max(memory);
        decoded += usize::from(outcome.is_ok());
        assert!(memory <= MEMORY, "turn {turn}: {memory} bytes: {outcome:?}");
    }
    println!("{decoded} of 4000 mutated files decoded; at most {most} bytes");
    assert!(decoded > 0, "some mutations are harmless");
}
