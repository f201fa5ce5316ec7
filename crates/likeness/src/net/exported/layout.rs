//! The order of the numbers of a value in an exported graph.

/// The order of a value's axes. The batch axis is 1, if the value has one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Layout {
    /// 1, rows, columns, channels.
    Nhwc,
    /// 1, channels, rows, columns.
    Nchw,
    /// 1, channels.
    Flat,
    /// Channels.
    Line,
}

impl Layout {
    pub(super) fn rank(self) -> usize {
        match self {
            Self::Nhwc | Self::Nchw => 4,
            Self::Flat => 2,
            Self::Line => 1,
        }
    }

    /// The number of dimensions after the channels.
    pub(super) fn behind_channels(self) -> usize {
        if self == Self::Nchw { 2 } else { 0 }
    }

    /// The axes of rows and columns.
    pub(super) fn plane(self) -> Option<[usize; 2]> {
        match self {
            Self::Nhwc => Some([1, 2]),
            Self::Nchw => Some([2, 3]),
            Self::Flat | Self::Line => None,
        }
    }
}
