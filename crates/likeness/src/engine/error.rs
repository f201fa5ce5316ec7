//! What can go wrong: while a network is loaded, and while it runs.

use std::fmt;

use super::shape::Shape;
use crate::error::ErrorKind;

/// Why a network can't be built from these weights.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LoadError {
    /// A weight or a folded constant is NaN or infinite.
    #[error("{tensor}: expected finite numbers, found {found}")]
    NotFinite {
        /// The filter's name, as its reader gave it.
        tensor: String,
        /// What of it: `weight`, `scale`, `shift` or `slope`, and which.
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
    /// What kind of fault it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::WeightFile
    }
}

/// Why a forward pass gave no result.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RunError {
    /// An output contains a NaN or an infinity.
    #[error("output {output}: expected finite numbers, found {count} that are not")]
    NotFinite {
        /// Which output, in the order of [`super::Builder::finish`].
        output: usize,
        /// How many of its numbers are not finite.
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
    /// What kind of fault it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Network
    }
}
