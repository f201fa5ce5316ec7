//! Recognises the format of a weight file by its first bytes. Touches nothing.

use crate::weights::WeightError;

/// A kind of weight file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Onnx,
    /// PyTorch's legacy format.
    Torch,
    Keras,
    TorchZip,
    SafeTensors,
    Other,
}

impl Form {
    /// Every exporter to ONNX writes the format's version first; a legacy `.pth` begins with a pickle of protocol 2.
    pub(super) fn of(file: &[u8]) -> Self {
        match file {
            [0x08, ..] => Self::Onnx,
            [0x80, 0x02, ..] => Self::Torch,
            [0x89, b'H', b'D', b'F', ..] => Self::Keras,
            [b'P', b'K', 0x03, 0x04, ..] => Self::TorchZip,
            [_, _, _, _, _, 0, 0, 0, b'{', ..] => Self::SafeTensors,
            _ => Self::Other,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Onnx => "an ONNX file (.onnx)",
            Self::Torch => "a file of PyTorch's legacy format (.pth)",
            Self::Keras => "a Keras file (.h5)",
            Self::TorchZip => "a zip (PyTorch's later .pth, or Keras' .keras)",
            Self::SafeTensors => "a safetensors file",
            Self::Other => "a file of another kind",
        }
    }

    /// The refusal of a file that has neither upstream's format nor ONNX; none if the reader of
    /// upstream's format gives a better message.
    pub(super) fn refused(self, upstream: Self) -> Option<WeightError> {
        let known = self != Self::Other && self != upstream;
        known.then(|| WeightError::Layer {
            layer: "the file".to_owned(),
            expected: match upstream {
                Self::Onnx => upstream.name().to_owned(),
                _ => format!("{} or {}; pin one of them", upstream.name(), Self::Onnx.name()),
            },
            found: self.name().to_owned(),
        })
    }
}
