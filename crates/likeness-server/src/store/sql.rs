//! The interface of a database to the store: statements with numbers and bytes, in transactions. Both databases get the
//! same statements; parameters are `?1`, `?2`, …

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

/// A row of a query's result; the caller takes its columns one by one.
pub struct Row(std::vec::IntoIter<Value>);

impl Row {
    /// Creates a row of these values.
    pub fn new(values: Vec<Value>) -> Self {
        Self(values.into_iter())
    }

    /// Returns the columns that were not taken yet.
    pub fn columns(&self) -> &[Value] {
        self.0.as_slice()
    }

    /// Takes the next column, which must be a number.
    ///
    /// # Errors
    /// The column is missing or has another type: another program changed the database.
    pub fn int(&mut self) -> Result<i64> {
        match self.0.next() {
            Some(Value::Int(number)) => Ok(number),
            other => Err(unexpected("a number", other.as_ref())),
        }
    }

    /// Takes the next column, which must be bytes.
    ///
    /// # Errors
    /// The column is missing or has another type: another program changed the database.
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
    /// Executes a statement that changes rows; returns how many.
    ///
    /// # Errors
    /// The database refused.
    fn run(&mut self, sql: &'static str, values: &[Value]) -> Result<u64>;

    /// Executes a query; returns every row.
    ///
    /// # Errors
    /// The database refused.
    fn rows(&mut self, sql: &'static str, values: &[Value]) -> Result<Vec<Row>>;

    /// Executes a query; returns the first row.
    ///
    /// # Errors
    /// The database refused.
    fn row(&mut self, sql: &'static str, values: &[Value]) -> Result<Option<Row>> {
        Ok(self.rows(sql, values)?.into_iter().next())
    }
}

/// Whether deleted data is gone from the files of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Erasure {
    /// The database reports nothing left that it can remove.
    Done,
    /// Some deleted data may be left, for example because a transaction still reads it; the store tries
    /// again.
    Pending,
}

/// A function that reads or writes on a connection.
pub type Work<'a> = &'a mut dyn FnMut(&mut dyn Rows) -> Result<()>;

/// A database. The store creates the tables of [`TABLES`] in a `write`.
pub trait Database: Send + Sync {
    /// Reads without a transaction: two statements may see two states of the database.
    ///
    /// # Errors
    /// The work failed, or the database refused.
    fn read(&self, work: Work<'_>) -> Result<()>;

    /// Reads in a transaction: every statement sees the same state.
    ///
    /// # Errors
    /// The work failed, or the database refused.
    fn snapshot(&self, work: Work<'_>) -> Result<()>;

    /// Reads and writes in a transaction, as the only writer of all processes. After `Ok`, the changes survive a power
    /// cut, if the disk honours syncs.
    ///
    /// # Errors
    /// The work failed, or the database refused; then nothing was written. If the connection was lost during
    /// the commit, either all or nothing was written.
    fn write(&self, work: Work<'_>) -> Result<()>;

    /// Allows writes at the end of the process. The store calls this after it has checked the master key.
    ///
    /// # Errors
    /// The database refused.
    fn prepare(&self) -> Result<()>;

    /// Removes the remains of deleted rows, as far as this database can.
    ///
    /// # Errors
    /// The database refused.
    fn scrub(&self) -> Result<Erasure>;

    /// Counts the pieces found in each file of the database that this process can read. Returns `None` and
    /// reads nothing if a file is longer than `longest`.
    ///
    /// # Errors
    /// A file can't be read.
    fn residue(&self, pieces: &[[u8; 16]], longest: u64) -> Result<Option<Vec<(&'static str, u64)>>>;

    /// Runs the database's own integrity check.
    ///
    /// # Errors
    /// The check found damage, or the database refused.
    fn check(&self) -> Result<()>;
}

/// The version of the tables and of the sealed contents. Version 1 used ids of embedding spaces that no
/// longer exist; 2 had neither consents nor expiry; 3 had no journal; 4 had no captures.
pub const LAYOUT: i64 = 6;

/// The purpose of opening a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To create the store.
    Create,
    /// Open the store to serve requests; a SQLite file then admits no second serving process.
    Serve,
    /// Open the store to manage it, possibly while another process serves.
    Manage,
}

/// The statements that create the tables. PostgreSQL has other names for two types.
pub const TABLES: [&str; 19] = [
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
    "CREATE TABLE capture (id BLOB PRIMARY KEY NOT NULL, name BLOB NOT NULL, ends_at INTEGER NOT NULL, turn INTEGER NOT NULL, data BLOB NOT NULL)",
    "CREATE INDEX capture_ends_at ON capture (ends_at)",
    "CREATE TABLE access (id BLOB PRIMARY KEY NOT NULL, hash BLOB NOT NULL, scopes INTEGER NOT NULL, made_at INTEGER NOT NULL, \
     expires_at INTEGER NOT NULL, per_minute INTEGER NOT NULL, revoked_at INTEGER NOT NULL, data BLOB NOT NULL)",
];
