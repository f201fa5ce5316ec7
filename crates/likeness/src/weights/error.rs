//! The reason why a weight file is refused: the tensor or byte, the expected and the found value.

use crate::error::ErrorKind;
/// The reason why a weight file is refused. Every variant names the place.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum WeightError {
    /// The container breaks its own format at this byte of the file.
    #[error("at byte {at}: expected {expected}, found {found}")]
    Malformed {
        /// Offset in the file.
        at: usize,
        /// What the format wants there.
        expected: String,
        /// What the file contains there.
        found: String,
    },
    /// A pickle opcode outside the allow-list.
    #[error("at byte {at}: expected an opcode that builds tensors, found the pickle opcode 0x{code:02x}")]
    Opcode {
        /// The opcode.
        code: u8,
        /// Its offset in the file.
        at: usize,
    },
    /// A pickle names a Python object outside the allow-list.
    #[error("at byte {at}: expected a name that builds tensors, found the Python name {name:?}")]
    Global {
        /// Module and name, as written in the file.
        name: String,
        /// Offset of the opcode in the file.
        at: usize,
    },
    /// The HDF5 library refuses the file, or one of its objects.
    #[error("{object}: {why}")]
    Hdf5 {
        /// The object's path.
        object: String,
        /// The library's own words.
        why: String,
    },
    /// A tensor or layer that the network needs is not in the file.
    #[error("{tensor}: expected in the file, found nothing")]
    Missing {
        /// The name of the tensor, or its place in the order.
        tensor: String,
    },
    /// A tensor that no layer of the network takes.
    #[error("{tensor}: expected no such tensor, found one that no layer takes")]
    Unused {
        /// Its name.
        tensor: String,
    },
    /// A tensor with an unexpected shape.
    #[error("{tensor}: expected shape {expected:?}, found {found:?}")]
    Shape {
        /// Its name.
        tensor: String,
        /// The shape that the network needs.
        expected: Vec<usize>,
        /// The shape in the file.
        found: Vec<usize>,
    },
    /// A tensor whose elements or storage are not little-endian f32 in one contiguous run.
    #[error("{tensor}: expected contiguous little-endian f32, found {found}")]
    Kind {
        /// Its name.
        tensor: String,
        /// What was found.
        found: String,
    },
    /// A tensor with an element that is NaN or infinite.
    #[error("{tensor}: expected finite numbers, found {found} at element {index}")]
    NotFinite {
        /// Its name.
        tensor: String,
        /// Which element, in file order.
        index: usize,
        /// The element.
        found: f32,
    },
    /// A variance below zero.
    #[error("{tensor}: expected variances of zero or more, found {found} at element {index}")]
    NegativeVariance {
        /// Its name.
        tensor: String,
        /// Which element, in file order.
        index: usize,
        /// The element.
        found: f32,
    },
    /// A layer or operator that differs from the network's at that place.
    #[error("{layer}: expected {expected}, found {found}")]
    Layer {
        /// Its name, or its place.
        layer: String,
        /// What the network has there.
        expected: String,
        /// What the file contains there.
        found: String,
    },
}

impl WeightError {
    /// Returns the kind of this fault.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::WeightFile
    }
}

/// Text of a file, short enough for a message.
pub(crate) fn short(text: &str) -> &str {
    &text[..text.floor_char_boundary(100)]
}
