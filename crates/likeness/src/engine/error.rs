//! What can go wrong: while a network is loaded, and while it runs.

use std::fmt;

use super::shape::Shape;
use crate::error::ErrorKind;

/// A network that must not be built from these weights.
#[derive(Debug, Clone, PartialEq)]
pub enum LoadError {
    /// A weight or a folded constant is NaN or infinite.
    NotFinite {
        /// The filter's name, as its reader gave it.
        tensor: String,
        /// What of it: `weight`, `scale`, `shift` or `slope`, and which.
        found: String,
    },
    /// A shape is not what the network needs.
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

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFinite { tensor, found } => write!(f, "{tensor}: expected finite numbers, found {found}"),
            Self::Shape { tensor, expected, found } => write!(f, "{tensor}: expected {expected}, found {found}"),
        }
    }
}

impl std::error::Error for LoadError {}

/// A forward pass that gave no answer.
#[derive(Debug, Clone, PartialEq)]
pub enum RunError {
    /// An output holds a NaN or an infinity.
    NotFinite {
        /// Which output, in the order of [`super::Builder::finish`].
        output: usize,
        /// How many of its numbers are not finite.
        count: usize,
    },
    /// The input, or what follows from its size, does not fit the network.
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

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFinite { output, count } => {
                write!(f, "output {output}: expected finite numbers, found {count} that are not")
            }
            Self::Shape { operation, expected, found } => {
                write!(f, "{operation}: expected {expected}, found {found}")
            }
        }
    }
}

impl std::error::Error for RunError {}
