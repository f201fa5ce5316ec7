//! What the store asks of a database: statements with numbers and bytes, in one transaction at a
//! time. The statements are the same for both databases; parameters are `?1`, `?2`, …

use super::error::{Kind, Result, StoreError};

/// A value in a row, or a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A number.
    Int(i64),
    /// Bytes.
    Bytes(Vec<u8>),
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(bytes.to_vec())
    }
}

impl<const N: usize> From<&[u8; N]> for Value {
    fn from(bytes: &[u8; N]) -> Self {
        Self::Bytes(bytes.to_vec())
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

/// A row that was read, taken column by column.
pub struct Row(std::vec::IntoIter<Value>);

impl Row {
    /// A row of these.
    pub fn new(values: Vec<Value>) -> Self {
        Self(values.into_iter())
    }

    /// The columns that are left.
    pub fn columns(&self) -> &[Value] {
        self.0.as_slice()
    }

    /// The next column, a number.
    ///
    /// # Errors
    /// It is none: the database is not what was written.
    pub fn int(&mut self) -> Result<i64> {
        match self.0.next() {
            Some(Value::Int(number)) => Ok(number),
            other => Err(unexpected("a number", other.as_ref())),
        }
    }

    /// The next column, bytes.
    ///
    /// # Errors
    /// It is none: the database is not what was written.
    pub fn bytes(&mut self) -> Result<Vec<u8>> {
        match self.0.next() {
            Some(Value::Bytes(bytes)) => Ok(bytes),
            other => Err(unexpected("bytes", other.as_ref())),
        }
    }
}

fn unexpected(expected: &str, found: Option<&Value>) -> StoreError {
    let found = match found {
        None => "no column",
        Some(Value::Int(_)) => "a number",
        Some(Value::Bytes(_)) => "bytes",
    };
    StoreError::new(Kind::Corrupt, format!("a column of the database: expected {expected}, found {found}"))
}

/// Statements on one connection.
pub trait Rows {
    /// Changes something; how many rows were changed.
    ///
    /// # Errors
    /// The database's refusal.
    fn run(&mut self, sql: &'static str, values: &[Value]) -> Result<u64>;

    /// Asks; every row of the answer.
    ///
    /// # Errors
    /// The database's refusal.
    fn rows(&mut self, sql: &'static str, values: &[Value]) -> Result<Vec<Row>>;

    /// Asks; the first row of the answer.
    ///
    /// # Errors
    /// The database's refusal.
    fn row(&mut self, sql: &'static str, values: &[Value]) -> Result<Option<Row>> {
        Ok(self.rows(sql, values)?.into_iter().next())
    }
}

/// Whether nothing of what was deleted is left in the database's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Erasure {
    /// Nothing is.
    Done,
    /// A transaction still reads the former state; it goes when that ends.
    Pending,
}

/// Work on a connection.
pub type Work<'a> = &'a mut dyn FnMut(&mut dyn Rows) -> Result<()>;

/// A database. Tables are made by [`TABLES`] in a `write`.
pub trait Database: Send + Sync {
    /// Reads. Each statement sees one state; two may see two.
    ///
    /// # Errors
    /// The work's, or the database's refusal.
    fn read(&self, work: Work<'_>) -> Result<()>;

    /// Reads: every statement sees the same state.
    ///
    /// # Errors
    /// The work's, or the database's refusal.
    fn snapshot(&self, work: Work<'_>) -> Result<()>;

    /// Reads and writes, alone: one writer at a time, of all processes, and all or nothing. Where it
    /// returns `Ok`, what was written lasts beyond a power cut.
    ///
    /// # Errors
    /// The work's, or the database's refusal; then nothing was written, except that a connection
    /// lost during the commit leaves it open whether all or nothing was.
    fn write(&self, work: Work<'_>) -> Result<()>;

    /// Called once the master key is known to be right: from here on it may be written.
    ///
    /// # Errors
    /// The database's refusal.
    fn prepare(&self) -> Result<()>;

    /// Removes what is left of deleted rows, as far as this database can.
    ///
    /// # Errors
    /// The database's refusal.
    fn scrub(&self) -> Result<Erasure>;

    /// How many of these pieces lie in the files that this process can read, by file; `None` where one is longer than
    /// `longest`, and nothing was read.
    ///
    /// # Errors
    /// A file can't be read.
    fn residue(&self, pieces: &[[u8; 16]], longest: u64) -> Result<Option<Vec<(&'static str, u64)>>>;

    /// The database's own check of itself.
    ///
    /// # Errors
    /// What it found.
    fn check(&self) -> Result<()>;
}

/// The layout of the tables, and of what templates are filed under. 1 had ids of embedding
/// spaces that no longer exist; 2 had neither consents nor ends; 3 had no
/// journal.
pub const LAYOUT: i64 = 4;

/// What a store is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To be made.
    Create,
    /// To answer requests: alone, where the database is a file.
    Serve,
    /// To manage it, beside the process that serves.
    Manage,
}

/// The tables. PostgreSQL's words differ for two types.
pub const TABLES: [&str; 17] = [
    "CREATE TABLE meta (one INTEGER PRIMARY KEY CHECK (one = 1), layout INTEGER NOT NULL, master BLOB NOT NULL, \
     root BLOB NOT NULL, revision INTEGER NOT NULL, digests BLOB NOT NULL)",
    "CREATE TABLE person (id INTEGER PRIMARY KEY, tenant BLOB NOT NULL, name BLOB NOT NULL, version INTEGER NOT NULL, \
     expires_at INTEGER NOT NULL, master BLOB NOT NULL, data BLOB NOT NULL)",
    "CREATE UNIQUE INDEX person_name ON person (name)",
    "CREATE INDEX person_version ON person (version)",
    "CREATE INDEX person_tenant ON person (tenant, id)",
    "CREATE INDEX person_expires_at ON person (expires_at) WHERE expires_at > 0",
    "CREATE TABLE gone (revision INTEGER PRIMARY KEY, person INTEGER NOT NULL)",
    "CREATE TABLE answer (id INTEGER PRIMARY KEY, person INTEGER NOT NULL, made_at INTEGER NOT NULL, data BLOB NOT NULL)",
    "CREATE INDEX answer_person ON answer (person)",
    "CREATE INDEX answer_made_at ON answer (made_at)",
    "CREATE TABLE failure (name BLOB PRIMARY KEY NOT NULL, last INTEGER NOT NULL, data BLOB NOT NULL)",
    "CREATE INDEX failure_last ON failure (last)",
    "CREATE TABLE erasure (id BLOB PRIMARY KEY NOT NULL, made_at INTEGER NOT NULL, done INTEGER NOT NULL, data BLOB NOT NULL)",
    "CREATE INDEX erasure_done ON erasure (done) WHERE done = 0",
    "CREATE TABLE journal (seq INTEGER PRIMARY KEY, id BLOB NOT NULL, data BLOB NOT NULL)",
    "CREATE INDEX journal_id ON journal (id)",
    "CREATE TABLE access (id BLOB PRIMARY KEY NOT NULL, hash BLOB NOT NULL, scopes INTEGER NOT NULL, made_at INTEGER NOT NULL, \
     expires_at INTEGER NOT NULL, per_minute INTEGER NOT NULL, revoked_at INTEGER NOT NULL, data BLOB NOT NULL)",
];
