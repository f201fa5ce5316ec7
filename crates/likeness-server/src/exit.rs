//! The exit codes of the program, which do not change between versions; `docs/exit-codes.md` explains them. A
//! code that `ballast` uses too has the same meaning here; a test compares both programs and the document.

use std::process::ExitCode;

/// The exit code of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// The command succeeded; `compare` accepted; `live` found a live face.
    Success = 0,
    /// The command line is not valid.
    Usage = 2,
    /// The lock file is absent, unreadable or wrong.
    BadLock = 10,
    /// A variable that repeats a pin has another digest.
    PinMismatch = 12,
    /// A weight that this command needs is missing or wrong.
    WeightsMissing = 14,
    /// A file can't be read or written.
    FileFailed = 20,
    /// The bytes are no photograph, or beyond a limit.
    BadImage = 21,
    /// No face, several faces, or a face that is too small, blurred or cut.
    Unfit = 22,
    /// A network failed.
    NetworkFailed = 23,
    /// A setting of the service is not valid.
    BadSetting = 24,
    /// The service can't listen on its address.
    CantListen = 25,
    /// A running service did not respond with status 200.
    Unhealthy = 26,
    /// The embedder is neither published nor accepted.
    UnknownEmbedder = 27,
    /// The collection is too small for the claimed rate, or no distance keeps it.
    TooFewPersons = 28,
    /// A spoof, or another person.
    Rejected = 30,
    /// The verdict is review, or liveness is indeterminate.
    Undecided = 31,
    /// The work is done, and its result could not be written to stdout.
    AnswerLost = 47,
    /// Another process serves from the store, or rotates its key.
    StoreLocked = 50,
    /// The master key is not the one that the store was made with.
    WrongKey = 51,
    /// The store is damaged, or another program changed it.
    StoreCorrupt = 52,
    /// The store is absent, can't be reached or is locked by another process.
    StoreUnavailable = 53,
    /// The store's file system is full.
    StoreFull = 54,
    /// The store can be read but not written.
    StoreReadOnly = 55,
    /// The key file is absent, unreadable, in a bad place or no key file.
    KeyFile = 56,
    /// Another version made the store, in a layout that this one does not read.
    StoreLayout = 57,
    /// An import found stored persons of the same names with other data, and did not change them.
    ImportConflict = 58,
}

impl Exit {
    /// Returns the name as an error code of JSON, such as `BAD_IMAGE`.
    pub fn code(self) -> String {
        let mut code = String::new();
        for letter in format!("{self:?}").chars() {
            if letter.is_ascii_uppercase() && !code.is_empty() {
                code.push('_');
            }
            code.push(letter.to_ascii_uppercase());
        }
        code
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// An error of the program, as text for a person, with a hint.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// The failure, with the expected and the found value.
    pub what: String,
    /// The setting to change or the command to run.
    pub hint: Option<String>,
}

impl Failure {
    /// A failure without a hint.
    pub fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self { exit, what: what.into(), hint: None }
    }

    /// Adds a hint.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
