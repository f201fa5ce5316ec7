//! The errors of loading a network, and of running it.

use std::fmt;

use super::shape::Shape;
use crate::error::ErrorKind;

/// The reason why a network can't be built from these weights.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LoadError {
    /// A weight or a folded constant is NaN or infinite.
    #[error("{tensor}: expected finite numbers, found {found}")]
    NotFinite {
        /// The filter's name, as its reader gave it.
        tensor: String,
        /// The part of the layer: `weight`, `scale`, `shift` or `slope`, with its value.
        found: String,
    },
    /// A shape is not what the network needs.
    #[error("{tensor}: expected {expected}, found {found}")]
    Shape {
        /// The tensor or operation.
        tensor: String,
        /// What was needed.
        expected: String,
        /// What was there.
        found: String,
    },
}

impl LoadError {
    /// Returns the kind of this fault.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::WeightFile
    }
}

/// The reason why a forward pass gave no result.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RunError {
    /// An output contains a NaN or an infinity.
    #[error("output {output}: expected finite numbers, found {count} that are not")]
    NotFinite {
        /// The number of the output, in the order of [`super::Builder::finish`].
        output: usize,
        /// The count of numbers in the output that are not finite.
        count: usize,
    },
    /// The input, or what follows from its size, does not fit the network.
    #[error("{operation}: expected {expected}, found {found}")]
    Shape {
        /// The operation that refused.
        operation: String,
        /// What was needed.
        expected: String,
        /// What was there.
        found: String,
    },
}

impl RunError {
    pub(crate) fn shape(operation: &str, expected: impl fmt::Display, found: Shape) -> Self {
        Self::Shape { operation: operation.to_owned(), expected: expected.to_string(), found: found.to_string() }
    }
}

impl RunError {
    /// Returns the kind of this fault.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Network
    }
}
