//! Test data of our own: networks of the four architectures in upstream's formats, and photographs.
//!
//! Formulas generate all files once, below the target folder; the module downloads nothing. The
//! networks are not trained; they are built so that their outputs for drawn photographs are known
//! (`face_finder`, `minifasnet`, `facenet512`, `draw`). An independent implementation
//! (`tools/own-data-answers`) computed the expected outputs, which `answers.json` records.

#![expect(clippy::unwrap_used, reason = "a panic here fails the test that needs the data, and names the place")]

pub mod centerface;
pub mod draw;
pub mod exported;
pub mod face_finder;
pub mod facenet512;
mod folder;
pub mod hdf5;
pub mod minifasnet;
pub mod onnx;
pub mod photographs;
mod protobuf;
mod spread;
pub mod tensor;
pub mod torch;

pub use folder::{OwnData, own_data};

/// The file names, as the service's lock file has them.
pub const DETECTOR: &str = "centerface.onnx";
/// The spoof network of scale 2.7.
pub const SPOOF_NEAR: &str = "2.7_80x80_MiniFASNetV2.pth";
/// The spoof network of scale 4.0.
pub const SPOOF_FAR: &str = "4_0_0_80x80_MiniFASNetV1SE.pth";
/// The embedder.
pub const EMBEDDER: &str = "facenet512_weights.h5";

/// The outputs for the photographs, computed by an independent implementation: `tools/own-data-answers`.
pub const ANSWERS: &str = include_str!("answers.json");

/// Height, width and SHA-256 of the pixels that OpenCV makes of each photograph: `tools/own-data-answers`.
pub const PIXELS: &str = include_str!("pixels.json");

/// The four weight files: name and bytes.
pub fn weights() -> [(&'static str, Vec<u8>); 4] {
    [
        (DETECTOR, centerface::file(&mut face_finder::fill)),
        (SPOOF_NEAR, minifasnet::file(&minifasnet::V2)),
        (SPOOF_FAR, minifasnet::file(&minifasnet::V1SE)),
        (EMBEDDER, facenet512::file()),
    ]
}
