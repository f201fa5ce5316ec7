//! The errors of a store: a named kind, a description, and a hint.

use std::fmt;

/// The kinds of error that a caller can distinguish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Another process serves from this database.
    Locked,
    /// The master key is not the one that this database was made with.
    WrongKey,
    /// Another program changed the database, or the database is damaged.
    Corrupt,
    /// Another version made the store, in a layout that this one does not read.
    Layout,
    /// The database's file system is full.
    Full,
    /// The database can be read but not written.
    ReadOnly,
    /// The database can't be reached.
    Unavailable,
    /// Another process locked the database for too long.
    Busy,
    /// The index is not loaded yet.
    Loading,
    /// The database does not exist or is empty.
    Absent,
    /// A setting or an argument is not valid.
    BadSetting,
    /// The key file is absent, unreadable, in a bad place or not a key file.
    KeyFile,
}

impl Kind {
    /// Every kind.
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

    /// Returns the kind's name, which does not change between versions.
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

/// An error of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreError {
    /// The kind of the error.
    pub kind: Kind,
    /// The failure, with the expected and the found value. For the log: the text may name files, never a subject.
    pub what: String,
    /// What the operator can do.
    pub hint: Option<String>,
}

/// The result of a call to the store.
pub type Result<T> = std::result::Result<T, StoreError>;

impl StoreError {
    /// Creates an error without a hint.
    pub fn new(kind: Kind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into(), hint: None }
    }

    /// Adds a hint.
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
