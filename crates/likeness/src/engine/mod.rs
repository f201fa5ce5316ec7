//! The inference engine: ten operators, f32, NHWC, one thread.
//!
//! A network is described once with [`Builder`]; each filter is packed for the chosen [`KernelSet`]
//! at once, directly from the file's bytes. [`Network::forward`] then runs it in buffers that the
//! caller keeps ([`Scratch`]). A result that is not finite is an error.
//!
//! Touches memory only. Only `kernel/` contains `unsafe` code.

mod aligned;
mod border;
mod builder;
mod conv;
mod error;
mod export;
mod forward;
mod graph;
pub mod kernel;
mod network;
mod op;
mod packed;
mod plan;
#[cfg(test)]
mod random;
#[cfg(test)]
mod reference;
mod ring;
mod run;
mod scratch;
mod shape;
mod simple;
#[cfg(test)]
mod tests;
mod view;

pub use border::{Canvas, Region};
pub use builder::Builder;
pub use error::{LoadError, RunError};
pub use export::ExportedLayer;
pub use graph::{Activation, Dims, Filter, Fold, Padding, Value};
pub use kernel::KernelSet;
pub use network::Network;
pub use scratch::{Scratch, Tensor};
pub use shape::Shape;
