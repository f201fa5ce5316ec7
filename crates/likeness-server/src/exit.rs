//! Exit codes: named, documented in `docs/exit-codes.md`, stable. A code that Ballast has too means the
//! same here; a test reads both programs' codes and the documentation.

use std::process::ExitCode;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// The command did its work; of `compare`, accepted; of `live`, live.
    Success = 0,
    /// The command line makes no sense.
    Usage = 2,
    /// The lock file is absent, unreadable or wrong.
    BadLock = 10,
    /// A variable that repeats a pin says another one.
    PinMismatch = 12,
    /// A weight that this command needs is not there, or not right.
    WeightsMissing = 14,
    /// A file can't be read or written.
    FileFailed = 20,
    /// The bytes are no photograph, or beyond a limit.
    BadImage = 21,
    /// No face, several faces, or a face that is too small, blurred or cut.
    Unfit = 22,
    /// A network gave no answer.
    NetworkFailed = 23,
    /// A setting of the service makes no sense.
    BadSetting = 24,
    /// The service can't listen on its address.
    CantListen = 25,
    /// A running service did not answer well.
    Unhealthy = 26,
    /// The embedder is neither published nor accepted.
    UnknownEmbedder = 27,
    /// A spoof, or another person.
    Rejected = 30,
    /// Liveness is indeterminate.
    Undecided = 31,
    /// Another process serves from the store, or rotates its key.
    StoreLocked = 50,
    /// The master key is not the one that the store was made with.
    WrongKey = 51,
    /// The store is not what was written.
    StoreCorrupt = 52,
    /// The store is absent, can't be reached or is locked by another process.
    StoreUnavailable = 53,
    /// No room is left where the store lies.
    StoreFull = 54,
    /// The store can be read and not written.
    StoreReadOnly = 55,
    /// The key file is absent, unreadable, in a bad place or no key file.
    KeyFile = 56,
    /// Another version made the store, in a layout that this one does not read.
    StoreLayout = 57,
    /// An import met other persons under the same names, and left them.
    ImportConflict = 58,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// A refusal as a person reads it: what happened, and the way out.
#[derive(Debug)]
pub struct Failure {
    /// The code.
    pub exit: Exit,
    /// What, which, expected, found.
    pub what: String,
    /// The line to change or the command to run.
    pub hint: Option<String>,
}

impl Failure {
    /// A failure without a hint.
    pub fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self { exit, what: what.into(), hint: None }
    }

    /// Adds the way out.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
