//! Why a weight could not be placed: the step of `docs/store.md`, and the kernel's answer. Pure.

use std::io;

/// Why a weight could not be placed.
#[derive(Debug)]
pub enum PlaceFault {
    /// No source had the right bytes.
    NoSource,
    /// The right bytes are there, and the app could change or replace them: how.
    Unkept(String),
    /// A call failed: the step of `docs/store.md`, and the kernel's answer.
    Call(&'static str, io::Error),
}

impl PlaceFault {
    /// Whether room was lacking.
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Call(_, error) if full(error))
    }
}

pub(crate) fn at(step: &'static str) -> impl FnOnce(io::Error) -> PlaceFault {
    move |error| PlaceFault::Call(step, error)
}

pub(crate) fn full(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOSPC | libc::EDQUOT))
}
