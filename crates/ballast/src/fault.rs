//! The reason why a weight could not be installed: the step of `docs/store.md`, and the kernel's error. Pure.

use std::path::PathBuf;
use std::{fmt, io};

use crate::error::ErrorKind;

/// The reason why a weight could not be installed.
#[derive(Debug)]
pub enum InstallFault {
    /// No source had the right bytes.
    NoSource,
    /// No source had the right bytes, and this one, which may have them, could not be read.
    Source(PathBuf, io::Error),
    /// The bytes are right, but the app could change or replace them: the text says how.
    Unprotected(String),
    /// A call failed: the step of `docs/store.md`, and the kernel's answer.
    Call(&'static str, io::Error),
}

impl fmt::Display for InstallFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSource => f.write_str("no source has it"),
            Self::Source(source, error) => write!(f, "can't read the source {}: {error}", source.display()),
            Self::Unprotected(how) => write!(f, "not kept from the app: {how}"),
            Self::Call(step, error) => write!(f, "failed at {step}: {error}"),
        }
    }
}

impl std::error::Error for InstallFault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Source(_, error) | Self::Call(_, error) => Some(error),
            Self::NoSource | Self::Unprotected(_) => None,
        }
    }
}

impl InstallFault {
    /// Returns the kind of this fault.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NoSource => ErrorKind::NoSource,
            Self::Unprotected(_) => ErrorKind::Unprotected,
            Self::Source(..) | Self::Call(..) => ErrorKind::Io,
        }
    }

    /// Returns whether the disk or the quota was full.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Call(_, error) if full(error))
    }
}

pub(crate) fn at(step: &'static str) -> impl FnOnce(io::Error) -> InstallFault {
    move |error| InstallFault::Call(step, error)
}

pub(crate) fn full(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOSPC | libc::EDQUOT))
}
