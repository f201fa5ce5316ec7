//! The location of a store: a SQLite file or a PostgreSQL database.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::error::{Kind, Result, StoreError};
use super::postgres::Postgres;
use super::sql::{Database, Purpose};
use super::sqlite::Sqlite;
use crate::hex::hex;

/// The location of a store.
#[derive(Clone, PartialEq, Eq)]
pub enum Location {
    /// A SQLite file.
    Sqlite(PathBuf),
    /// The URL of a PostgreSQL database, which may contain a password.
    Postgres(String),
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            // The URL is never printed: it may contain a password.
            Self::Postgres(_) => f.write_str("postgres://…"),
        }
    }
}

impl FromStr for Location {
    type Err = StoreError;

    /// `sqlite:PATH`, `sqlite://PATH`, `postgres://…`, `postgresql://…`, or a path.
    fn from_str(text: &str) -> Result<Self> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self::Postgres(text.to_owned()));
        }
        let path = text.strip_prefix("sqlite://").or_else(|| text.strip_prefix("sqlite:")).unwrap_or(text);
        // SQLite would read `file:…` as an address, and open another file.
        let named = !path.contains("://") && !path.starts_with("file:") && !path.is_empty() && !path.ends_with('/');
        match named && path != ":memory:" && !path.contains('?') {
            true => Ok(Self::Sqlite(PathBuf::from(path))),
            false => Err(StoreError::new(
                Kind::BadSetting,
                "a store: expected sqlite:PATH or postgres://…, found another form",
            )
            .hint("--store sqlite:PATH, --store postgres://USER@HOST/DATABASE, or DATABASE_URL")),
        }
    }
}

impl Location {
    /// Opens the database at this location.
    ///
    /// # Errors
    /// The database refused.
    pub(super) fn open(&self, purpose: Purpose) -> Result<Box<dyn Database>> {
        match self {
            Self::Sqlite(path) => Ok(Box::new(Sqlite::open(path, purpose)?)),
            Self::Postgres(url) => Ok(Box::new(Postgres::open(url)?)),
        }
    }

    /// Returns a hash that names the place of the database, and does not show it.
    ///
    /// # Errors
    /// The directory does not exist.
    pub(super) fn place(&self) -> Result<String> {
        let place = match self {
            Self::Sqlite(path) => {
                let file = path.file_name().unwrap_or_default();
                real_parent(path)?.join(file).into_os_string().into_encoded_bytes()
            }
            Self::Postgres(url) => url.clone().into_bytes(),
        };
        Ok(hex(&blake3::derive_key("likeness store 1 place of a database", &place)[..16]))
    }

    /// Returns the error that a new store can't be made where one is.
    pub(super) fn taken(&self) -> StoreError {
        StoreError::new(Kind::BadSetting, format!("{self}: expected no store, found one"))
            .hint("name another database; `likeness store check --key-file FILE` shows what is in this one")
    }

    /// Refuses a key file in the SQLite database's directory or below it: a copy of the data would include
    /// the key.
    ///
    /// # Errors
    /// The key file is in that directory, or a parent directory can't be resolved.
    pub(super) fn refuse_beside(&self, key_file: &Path) -> Result<()> {
        let Self::Sqlite(path) = self else { return Ok(()) };
        let (data, key) = (real_parent(path)?, real_parent(key_file)?);
        if !key.starts_with(&data) {
            return Ok(());
        }
        let what = format!("key file {}: lies with the data, in {}", key_file.display(), data.display());
        Err(StoreError::new(Kind::KeyFile, what).hint("put it in a folder that backups of the data do not contain"))
    }
}

fn real_parent(path: &Path) -> Result<PathBuf> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let failed = |error| {
        StoreError::new(Kind::Unavailable, format!("directory {}: {error}", parent.display()))
            .hint("name a file in a directory that exists and can be read")
    };
    std::fs::canonicalize(parent).map_err(failed)
}
