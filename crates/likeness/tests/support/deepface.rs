//! The types of DeepFace 0.0.98's recorded results.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use likeness::image::{Bgr, Limits, decode};
use likeness::net::Digest;
use serde::Deserialize;

/// Reads DeepFace's recorded results. Python writes an infinite distance as a bare word, which becomes null
/// here.
pub fn answers(folder: &Path) -> DeepFace {
    let text = fs::read_to_string(folder.join("golden/deepface.json")).unwrap();
    serde_json::from_str(&text.replace(": Infinity", ": null")).unwrap()
}

/// A photograph's bytes.
pub fn photo_bytes(folder: &Path, name: &str) -> Vec<u8> {
    fs::read(folder.join("images").join(name)).unwrap()
}

/// A photograph, decoded.
pub fn photo(folder: &Path, name: &str) -> Bgr {
    decode(&photo_bytes(folder, name), &Limits::default()).unwrap()
}

/// A SHA-256 in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    Digest::of(bytes).to_string()
}

/// The bytes of f32 values, as NumPy stores them.
pub fn le_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// Fails with every wrong row, not only the first.
pub fn assert_none(wrong: &[String], what: &str) {
    assert!(wrong.is_empty(), "{what}: {} wrong\n{}", wrong.len(), wrong.join("\n"));
}

/// The whole file.
#[derive(Deserialize)]
pub struct DeepFace {
    pub images: BTreeMap<String, Image>,
    pub embeddings: BTreeMap<String, Embeddings>,
    pub pairs: Vec<Pair>,
}

/// One photograph.
#[derive(Deserialize)]
pub struct Image {
    /// Height, width, channels.
    pub decoded_shape_hwc: [usize; 3],
    pub decoded_bgr_sha256: String,
    /// The results with the black border, and without.
    #[serde(rename = "align_True")]
    pub aligned: Run,
    #[serde(rename = "align_False")]
    pub unaligned: Run,
}

/// One way of detecting.
#[derive(Deserialize)]
pub struct Run {
    pub raw_detector: Raw,
    pub faces: Vec<Face>,
}

/// The detector's output before truncation, in pixels of its canvas.
#[derive(Deserialize)]
pub struct Raw {
    pub input_hw: [usize; 2],
    pub net_hw: [usize; 2],
    pub detections_x1y1x2y2score: Vec<[f32; 5]>,
    pub landmarks_xy5: Vec<[f32; 10]>,
}

/// One face as reported.
#[derive(Deserialize)]
pub struct Face {
    pub facial_area: Area,
    pub confidence: f64,
    pub is_real: bool,
    pub antispoof_score: f64,
    pub face_u8_rgb_sha256: String,
    pub fasnet: Vec<Fasnet>,
}

/// A box in the photograph.
#[derive(Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
pub struct Area {
    pub x: i64,
    pub y: i64,
    pub w: i64,
    pub h: i64,
    pub left_eye: Option<[i64; 2]>,
    pub right_eye: Option<[i64; 2]>,
}

/// The result of one spoof network for one face.
#[derive(Deserialize)]
pub struct Fasnet {
    pub model: String,
    pub input_chw_f32_sha256: String,
    /// The corners of the crop; both belong to it.
    pub crop_x1y1x2y2_inclusive: [i64; 4],
    pub softmax: [f64; 3],
}

/// The embeddings of a photograph: with the detector, and of the photograph itself.
#[derive(Deserialize)]
pub struct Embeddings {
    pub centerface: Vec<Embedding>,
    pub skip: Vec<Embedding>,
}

/// One embedding.
#[derive(Deserialize)]
pub struct Embedding {
    pub embedding: Vec<f64>,
    pub input_nhwc_f32_sha256: String,
}

/// One comparison of two photographs: by a metric, or by cosine with anti-spoofing.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum Pair {
    Plain(Plain),
    AntiSpoofing(AntiSpoofing),
}

/// One comparison.
#[derive(Deserialize)]
pub struct Plain {
    pub img1: String,
    pub img2: String,
    pub verified: bool,
    /// `None` for infinity.
    pub distance: Option<f64>,
    pub threshold: f64,
    pub confidence: f64,
    pub detector_backend: String,
    pub similarity_metric: String,
}

/// One comparison with anti-spoofing.
#[derive(Deserialize)]
pub struct AntiSpoofing {
    pub img1: String,
    pub img2: String,
    pub cosine_result: Outcome,
}

/// A result, or the exception in its place.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum Outcome {
    Answered { verified: bool, distance: f64 },
    Raised { message: String, cause: String },
}
