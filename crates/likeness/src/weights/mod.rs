//! Weight files as upstream publishes them: ONNX, Keras HDF5, PyTorch's legacy pickle.
//!
//! Each reader returns views of the file's own bytes: nothing is copied, so that the engine packs
//! each weight once. Promise: no panic on any input, no recursion on the file's say, no allocation
//! that follows a number in the file beyond what the file's own length allows; every refusal is a
//! [`WeightError`] that names the tensor or the byte, the expected and the found.
//!
//! May touch: the bytes that it is given. See `docs/weights.md`.

mod error;
pub mod keras;
pub mod onnx;
mod pickle;
mod tensor;
pub mod torch;

pub use error::WeightError;
pub(crate) use error::short;
pub use tensor::WeightTensor;
