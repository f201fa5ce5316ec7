//! The kinds of this library's errors, for callers that decide by kind and not by text. Touches nothing.

/// The kind of an error: the same few words for every error type of this crate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The bytes are not a photograph that this library decodes.
    Photograph,
    /// The photograph has no face, several faces, or one that the networks can't judge.
    Face,
    /// The photograph, or a size that the caller set, is outside the limits of face detection.
    Limit,
    /// A weight file has another digest, or is not the network that its role needs.
    WeightFile,
    /// A network that the caller needs is not loaded, or is unknown.
    Model,
    /// A network ran and gave no finite output, or not the recorded one.
    Network,
    /// Two embeddings are of different spaces.
    EmbeddingSpace,
    /// A photograph shows a spoof, in DeepFace's rule.
    Spoof,
}
