//! Recorded answers.
use crate::net::Digest;
pub(super) fn recorded(_digest: Digest) -> Option<&'static [f32]> {
    None
}
