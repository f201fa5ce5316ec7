//! A SQLite database in one file with a write-ahead log. Every commit is synced, and deleted data is
//! overwritten.
//!
//! One connection writes and one reads. A serving process locks `FILE.lock`. Commands that only manage (keys,
//! rotation, check) may run at the same time, under SQLite's own locks.

use std::fs::{self, File, OpenOptions};
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, ToSql, TransactionBehavior, params_from_iter};

use super::beside;
use super::error::{Kind, Result, StoreError};
use super::residue;
use super::sql::{Database, Erasure, Purpose, Row, Rows, Value, Work};

/// The longest time that a statement waits for a lock.
const WAIT: Duration = Duration::from_secs(5);

/// The longest time that a scrub waits for readers.
const SCRUB_WAIT: Duration = Duration::from_secs(2);

/// A SQLite database, opened.
pub struct Sqlite {
    path: PathBuf,
    writer: Mutex<Connection>,
    reader: Mutex<Connection>,
    /// The lock file, locked while this process serves.
    _lock: Option<File>,
}

impl Sqlite {
    /// Opens a database, or creates it for [`Purpose::Create`].
    ///
    /// # Errors
    /// The file is absent, another process serves from it, or SQLite refuses it.
    pub fn open(path: &Path, purpose: Purpose) -> Result<Self> {
        if purpose == Purpose::Create {
            create_file(path)?;
        } else {
            not_empty(path)?;
        }
        beside::check(path)?;
        let lock = if purpose == Purpose::Serve { Some(lock(path)?) } else { None };
        let writer = connect(path, false)?;
        if purpose == Purpose::Create && is_new(path, &writer)? {
            // The layout of a record relies on this page size.
            let set = |name, value: &str| writer.pragma_update(None, name, value).map_err(|error| fault(path, &error));
            set("page_size", "4096")?;
            let size = writer.query_row("PRAGMA page_size", [], |row| row.get::<_, i64>(0));
            if size.map_err(|error| fault(path, &error))? != 4096 {
                let what = format!("database {}: expected pages of 4096 bytes, found another size", path.display());
                return Err(StoreError::new(Kind::BadSetting, what).hint("name a file that does not exist"));
            }
            set("journal_mode", "WAL")?;
        }
        let reader = connect(path, true)?;
        Ok(Self { path: path.to_owned(), writer: Mutex::new(writer), reader: Mutex::new(reader), _lock: lock })
    }

    fn writer(&self) -> MutexGuard<'_, Connection> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fault(&self) -> impl Fn(rusqlite::Error) -> StoreError {
        let path = self.path.clone();
        move |error| fault(&path, &error)
    }
}

fn not_empty(path: &Path) -> Result<()> {
    let what = match fs::metadata(path) {
        Ok(meta) if meta.len() > 0 => return Ok(()),
        Ok(_) => format!("database {}: expected a store, found an empty file", path.display()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => format!("no database {}", path.display()),
        Err(error) => format!("database {}: {error}", path.display()),
    };
    Err(StoreError::new(Kind::Absent, what).hint("`likeness store init --key-file FILE` makes one"))
}

/// Returns whether a database has no table yet.
///
/// # Errors
/// The file is no database, or another program's.
fn is_new(path: &Path, connection: &Connection) -> Result<bool> {
    let count = |sql| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).map_err(|error| fault(path, &error));
    if count("SELECT count(*) FROM sqlite_master")? == 0 {
        return Ok(true);
    }
    match count("SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'meta'")? {
        0 => Err(StoreError::new(Kind::BadSetting, format!("database {}: contains other tables", path.display()))
            .hint("name a file that does not exist")),
        _ => Ok(false),
    }
}

/// Creates a file with mode 0600. A file that is there must be one that this user alone can read: an interrupted
/// creation leaves such a file.
///
/// # Errors
/// The file can't be created, or others can read it.
fn create_file(path: &Path) -> Result<()> {
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    if made.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::AlreadyExists) {
        return private(path);
    }
    made.and_then(|file| file.sync_all()).and_then(|()| super::keys::sync_parent(path)).map_err(|error| {
        let kind = match error.kind() {
            std::io::ErrorKind::StorageFull => Kind::Full,
            std::io::ErrorKind::ReadOnlyFilesystem | std::io::ErrorKind::PermissionDenied => Kind::ReadOnly,
            _ => Kind::Unavailable,
        };
        StoreError::new(kind, format!("database {}: {error}", path.display()))
    })
}

fn private(path: &Path) -> Result<()> {
    let meta = fs::symlink_metadata(path)
        .map_err(|error| StoreError::new(Kind::Unavailable, format!("database {}: {error}", path.display())))?;
    let own = meta.is_file() && meta.mode() & 0o077 == 0 && meta.uid() == rustix::process::geteuid().as_raw();
    let begins = |magic: &[u8]| {
        let mut start = vec![0; magic.len()];
        File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok_and(|()| start == magic)
    };
    if own && (meta.len() == 0 || begins(b"SQLite format 3\0")) {
        return Ok(());
    }
    Err(StoreError::new(Kind::BadSetting, format!("database {}: is there already", path.display()))
        .hint("name a file that does not exist"))
}

fn lock(path: &Path) -> Result<File> {
    beside::lock(path, Kind::ReadOnly)?.ok_or_else(|| {
        let lock = beside::name(path, beside::LOCK);
        let what = format!("database {}: another process serves from it (it holds {})", path.display(), lock.display());
        StoreError::new(Kind::Locked, what).hint("end that one, or give this one a database of its own")
    })
}

fn connect(path: &Path, read_only: bool) -> Result<Connection> {
    let open = || {
        let connection = Connection::open_with_flags(
            path,
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_EXRESCODE,
        )?;
        connection.busy_timeout(WAIT)?;
        // Until the master key is checked, closing the connection must not write either.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "secure_delete", "ON")?;
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        connection.pragma_update(None, "cache_size", -16_384)?;
        connection.pragma_update(None, "query_only", read_only)?;
        connection.set_prepared_statement_cache_capacity(64);
        Ok(connection)
    };
    open().map_err(|error| fault(path, &error))
}

fn fault(path: &Path, error: &rusqlite::Error) -> StoreError {
    let code = error.sqlite_error().map(|error| error.code);
    let (kind, hint) = match code {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            (Kind::Corrupt, Some("name the file of a store, or restore a backup"))
        }
        Some(ErrorCode::DiskFull) => (Kind::Full, Some("make room where the database lies")),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            (Kind::ReadOnly, Some("the file, its directory and its file system must be writable"))
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            (Kind::Busy, Some("another process uses the database: try again"))
        }
        Some(ErrorCode::Unknown) if error.to_string().contains("no such table") => {
            (Kind::Absent, Some("`likeness store init --key-file FILE` makes a store; this is none"))
        }
        None | Some(ErrorCode::Unknown) if error.to_string().contains("no such column") => {
            (Kind::BadSetting, Some("this database has another program's tables: name another file"))
        }
        None => (Kind::Corrupt, None),
        _ => (Kind::Unavailable, None),
    };
    let failure = StoreError::new(kind, format!("database {}: {error}", path.display()));
    StoreError { hint: hint.map(str::to_owned), ..failure }
}

impl Database for Sqlite {
    fn read(&self, work: Work<'_>) -> Result<()> {
        let reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        work(&mut On { connection: &reader, path: &self.path })
    }

    fn snapshot(&self, work: Work<'_>) -> Result<()> {
        let reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        // Dropping the transaction ends it.
        let transaction = reader.unchecked_transaction().map_err(self.fault())?;
        work(&mut On { connection: &transaction, path: &self.path })
    }

    fn write(&self, work: Work<'_>) -> Result<()> {
        let mut writer = self.writer();
        let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate).map_err(self.fault())?;
        work(&mut On { connection: &transaction, path: &self.path })?;
        transaction.commit().map_err(self.fault())
    }

    fn prepare(&self) -> Result<()> {
        for connection in [&self.writer, &self.reader] {
            let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false).map_err(self.fault())?;
        }
        Ok(())
    }

    fn scrub(&self) -> Result<Erasure> {
        let writer = self.writer();
        let checkpoint = || {
            writer.busy_timeout(SCRUB_WAIT)?;
            writer.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0))
        };
        let busy = checkpoint();
        writer.busy_timeout(WAIT).map_err(self.fault())?;
        match busy {
            Ok(0) => Ok(Erasure::Done),
            Ok(_) => Ok(Erasure::Pending),
            Err(error) => Err(fault(&self.path, &error)),
        }
    }

    fn residue(&self, pieces: &[[u8; 16]], longest: u64) -> Result<Option<Vec<(&'static str, u64)>>> {
        residue::search(&self.path, pieces, longest)
            .map_err(|error| StoreError::new(Kind::Unavailable, format!("database {}: {error}", self.path.display())))
    }

    fn check(&self) -> Result<()> {
        let found: std::result::Result<Vec<String>, _> = self
            .writer()
            .prepare("PRAGMA integrity_check")
            .and_then(|mut check| check.query_map([], |row| row.get(0))?.collect());
        match found.map_err(self.fault())? {
            found if found == ["ok"] => Ok(()),
            found => {
                Err(StoreError::new(Kind::Corrupt, format!("database {}: {}", self.path.display(), found.join("; "))))
            }
        }
    }
}

/// Statements on a connection.
struct On<'a> {
    connection: &'a Connection,
    path: &'a Path,
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Int(number) => ValueRef::Integer(*number),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

impl Rows for On<'_> {
    fn run(&mut self, sql: &'static str, values: &[Value]) -> Result<u64> {
        let run = || self.connection.prepare_cached(sql)?.execute(params_from_iter(values));
        run().map(|rows| rows as u64).map_err(|error| fault(self.path, &error))
    }

    fn rows(&mut self, sql: &'static str, values: &[Value]) -> Result<Vec<Row>> {
        let ask = || {
            let mut statement = self.connection.prepare_cached(sql)?;
            let columns = statement.column_count();
            let mut rows = statement.query(params_from_iter(values))?;
            let mut all = Vec::new();
            while let Some(row) = rows.next()? {
                let value = |column| match row.get_ref(column)? {
                    ValueRef::Integer(number) => Ok(Value::Int(number)),
                    ValueRef::Blob(bytes) => Ok(Value::Bytes(bytes.to_vec())),
                    // The store never writes this type.
                    other => Err(rusqlite::Error::InvalidColumnType(column, sql.to_owned(), other.data_type())),
                };
                all.push(Row::new((0..columns).map(value).collect::<rusqlite::Result<_>>()?));
            }
            Ok(all)
        };
        ask().map_err(|error| fault(self.path, &error))
    }
}
