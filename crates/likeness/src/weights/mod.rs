//! Weight files as upstream publishes them: ONNX, Keras HDF5, PyTorch's legacy pickle.
//!
//! Each reader returns views of the file's own bytes: nothing is copied, so that the engine packs
//! each weight once. Promise: no input causes a panic, a recursion whose depth the file decides, or
//! an allocation beyond a small multiple of the file's length. Every refusal is a [`WeightError`]
//! that names the tensor or the byte, what was expected and what was found.
//!
//! Touches only the bytes that the caller passes. See `docs/weights.md`.

mod error;
pub mod keras;
pub mod onnx;
mod pickle;
mod tensor;
pub mod torch;

pub use error::WeightError;
pub(crate) use error::short;
pub use tensor::WeightTensor;
