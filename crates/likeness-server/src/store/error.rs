//! What a store can refuse with: a named kind, what happened, and the way out. Touches nothing.

use std::fmt;

/// The kinds of failure that a caller tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Another process serves from this database.
    Locked,
    /// The master key is not the one that this database was made with.
    WrongKey,
    /// The database, or something sealed in it, is not what was written.
    Corrupt,
    /// Another version made the store, in a layout that this one does not read.
    Layout,
    /// No room is left where the database lies.
    Full,
    /// The database can be read and not written.
    ReadOnly,
    /// The database can't be reached.
    Unavailable,
    /// Another process locked the database for too long.
    Busy,
    /// The index is not loaded yet.
    Loading,
    /// There is no database there, or an empty one.
    Absent,
    /// A setting that makes no sense.
    BadSetting,
    /// The key file is absent, unreadable, in a bad place or not a key file.
    KeyFile,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Locked,
        Self::WrongKey,
        Self::Corrupt,
        Self::Layout,
        Self::Full,
        Self::ReadOnly,
        Self::Unavailable,
        Self::Busy,
        Self::Loading,
        Self::Absent,
        Self::BadSetting,
        Self::KeyFile,
    ];

    /// Its name, stable.
    pub fn name(self) -> &'static str {
        match self {
            Self::Locked => "store_locked",
            Self::WrongKey => "wrong_key",
            Self::Corrupt => "store_corrupt",
            Self::Layout => "store_layout",
            Self::Full => "store_full",
            Self::ReadOnly => "store_read_only",
            Self::Unavailable => "store_unavailable",
            Self::Busy => "store_busy",
            Self::Loading => "index_loading",
            Self::Absent => "store_absent",
            Self::BadSetting => "bad_setting",
            Self::KeyFile => "key_file",
        }
    }
}

/// A store's refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreError {
    /// Its kind.
    pub kind: Kind,
    /// What, which, expected, found. For the log: it may name files, never a subject.
    pub what: String,
    /// The way out.
    pub hint: Option<String>,
}

/// What a store's call ends with.
pub type Result<T> = std::result::Result<T, StoreError>;

impl StoreError {
    /// A refusal without a hint.
    pub fn new(kind: Kind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into(), hint: None }
    }

    /// Adds the way out.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.name(), self.what)
    }
}

impl std::error::Error for StoreError {}
