//! A PostgreSQL database: every commit is synchronous, and an advisory lock admits one writer at a time.
//!
//! Idle connections are reused. After a lost connection, a new one repeats a read once, and a write only if its
//! transaction had not begun.

use std::collections::HashMap;
use std::str::FromStr as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use postgres::error::SqlState;
use postgres::types::{ToSql, Type};
use postgres::{Client, Config, NoTls, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::error::{Kind, Result, StoreError};
use super::sql::{Database, Erasure, Row, Rows, Value, Work};
use super::tls::Address;

/// The longest time for opening a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// The settings of each connection; `lock_timeout` also bounds the wait for the writer's turn.
const OPTIONS: &str = "-c synchronous_commit=on -c lock_timeout=5s -c statement_timeout=30s \
                       -c idle_in_transaction_session_timeout=30s -c default_transaction_isolation=read\\ committed";

/// Begins a transaction and waits for the lock of the one writer. The number names this program's lock.
const BEGIN: &str = "BEGIN; SELECT pg_advisory_xact_lock(5496041725112382829)";

/// The largest number of idle connections.
const KEPT: usize = 16;

/// A database on a server.
pub struct Postgres {
    config: Config,
    tls: Option<MakeRustlsConnect>,
    idle: Mutex<Vec<Connection>>,
}

struct Connection {
    client: Client,
    prepared: HashMap<&'static str, Statement>,
}

impl Postgres {
    /// Connects to a database.
    ///
    /// # Errors
    /// The URL or its file of authorities is not valid; the server can't be reached or refuses.
    pub fn open(url: &str) -> Result<Self> {
        let address = Address::of(url);
        let mut config = Config::from_str(&address.url).map_err(|error| {
            StoreError::new(Kind::BadSetting, format!("PostgreSQL's URL: {error}"))
                .hint("postgres://USER@HOST/DATABASE, with a password percent-encoded")
        })?;
        let options = config.get_options().map_or(OPTIONS.into(), |own| format!("{own} {OPTIONS}"));
        config.options(&options).connect_timeout(CONNECT).tcp_user_timeout(CONNECT).application_name("likeness");
        let tls = address.tls(&mut config)?;
        let postgres = Self { config, tls, idle: Mutex::default() };
        postgres.keep(postgres.connect()?);
        Ok(postgres)
    }

    fn connect(&self) -> Result<Connection> {
        let client = match &self.tls {
            None => self.config.connect(NoTls),
            Some(tls) => self.config.connect(tls.clone()),
        };
        let client = client.map_err(|error| fault(&error))?;
        Ok(Connection { client, prepared: HashMap::new() })
    }

    fn keep(&self, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < KEPT && !connection.client.is_closed() {
            idle.push(connection);
        }
    }

    /// Sends the first statement on an idle connection, or on a new one if the idle connection was lost.
    fn begin(&self, first: &str) -> Result<Connection> {
        let kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(mut connection) = kept {
            match connection.client.batch_execute(first) {
                Ok(()) => return Ok(connection),
                // The connection works and the server refused the statement.
                Err(error) if !connection.client.is_closed() => {
                    let _ = connection.client.batch_execute("ROLLBACK");
                    self.keep(connection);
                    return Err(fault(&error));
                }
                // The other idle connections were probably lost too.
                Err(_) => self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear(),
            }
        }
        let mut connection = self.connect()?;
        connection.client.batch_execute(first).map_err(|error| fault(&error))?;
        Ok(connection)
    }
}

fn fault(error: &postgres::Error) -> StoreError {
    let Some(database) = error.as_db_error() else {
        let mut what = error.to_string();
        if let Some(source) = std::error::Error::source(error) {
            what += &format!(": {source}");
        }
        return StoreError::new(Kind::Unavailable, format!("PostgreSQL: {what}"))
            .hint("the server must run and be reachable; off this machine it needs TLS, unless the address has sslmode=disable");
    };
    let code = database.code();
    let kinds = [
        (SqlState::DISK_FULL, Kind::Full),
        (SqlState::READ_ONLY_SQL_TRANSACTION, Kind::ReadOnly),
        (SqlState::LOCK_NOT_AVAILABLE, Kind::Busy),
        (SqlState::T_R_SERIALIZATION_FAILURE, Kind::Busy),
        (SqlState::T_R_DEADLOCK_DETECTED, Kind::Busy),
        (SqlState::DATA_CORRUPTED, Kind::Corrupt),
        (SqlState::INDEX_CORRUPTED, Kind::Corrupt),
        (SqlState::UNDEFINED_TABLE, Kind::Absent),
        (SqlState::INVALID_CATALOG_NAME, Kind::Absent),
        (SqlState::DUPLICATE_TABLE, Kind::BadSetting),
        (SqlState::UNDEFINED_COLUMN, Kind::BadSetting),
    ];
    let kind = kinds.iter().find(|(known, _)| known == code).map_or(Kind::Unavailable, |(_, kind)| *kind);
    let failure = StoreError::new(kind, format!("PostgreSQL: {} ({})", database.message(), code.code()));
    match kind {
        Kind::Absent => failure.hint("`createdb`, then `likeness store init --key-file FILE`"),
        Kind::BadSetting => {
            failure.hint("this database has another program's tables of these names: name another database")
        }
        _ => failure,
    }
}

impl Database for Postgres {
    fn read(&self, work: Work<'_>) -> Result<()> {
        let mut connection = self.begin("")?;
        let done = work(&mut connection);
        let lost = connection.client.is_closed();
        self.keep(connection);
        match done {
            Err(error) if lost && error.kind == Kind::Unavailable => {
                let mut connection = self.connect()?;
                let done = work(&mut connection);
                self.keep(connection);
                done
            }
            done => done,
        }
    }

    fn snapshot(&self, work: Work<'_>) -> Result<()> {
        let mut connection = self.begin("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?;
        let done = work(&mut connection);
        let _ = connection.client.batch_execute("COMMIT");
        self.keep(connection);
        done
    }

    fn write(&self, work: Work<'_>) -> Result<()> {
        let mut connection = self.begin(BEGIN)?;
        let done = work(&mut connection)
            .and_then(|()| connection.client.batch_execute("COMMIT").map_err(|error| fault(&error)));
        if done.is_err() {
            let _ = connection.client.batch_execute("ROLLBACK");
        }
        self.keep(connection);
        done
    }

    fn prepare(&self) -> Result<()> {
        Ok(())
    }

    /// Always `Done`: the transaction deleted the rows, and a client can't control what the server's files
    /// still contain.
    fn scrub(&self) -> Result<Erasure> {
        Ok(Erasure::Done)
    }

    /// Returns no finding: a client can't read the server's files.
    fn residue(&self, _pieces: &[[u8; 16]], _longest: u64) -> Result<Option<Vec<(&'static str, u64)>>> {
        Ok(Some(Vec::new()))
    }

    /// Does nothing: a client can't check the server's files. `pg_amcheck` and data checksums on the server
    /// do.
    fn check(&self) -> Result<()> {
        Ok(())
    }
}

impl Connection {
    fn prepare(&mut self, sql: &'static str) -> std::result::Result<Statement, postgres::Error> {
        if let Some(prepared) = self.prepared.get(sql) {
            return Ok(prepared.clone());
        }
        let mut text = sql.replace('?', "$");
        if text.starts_with("CREATE ") {
            text = text.replace("INTEGER", "BIGINT").replace("BLOB", "BYTEA");
        }
        let prepared = self.client.prepare(&text)?;
        self.prepared.insert(sql, prepared.clone());
        Ok(prepared)
    }
}

fn parameters(values: &[Value]) -> Vec<&(dyn ToSql + Sync)> {
    values.iter().map(parameter).collect()
}

fn parameter(value: &Value) -> &(dyn ToSql + Sync) {
    match value {
        Value::Int(number) => number,
        Value::Bytes(bytes) => bytes,
    }
}

fn row(row: &postgres::Row) -> std::result::Result<Row, postgres::Error> {
    let value = |(at, column): (usize, &postgres::Column)| match *column.type_() {
        Type::BYTEA => row.try_get(at).map(Value::Bytes),
        _ => row.try_get(at).map(Value::Int),
    };
    row.columns()
        .iter()
        .enumerate()
        .map(|(at, column)| value((at, column)))
        .collect::<std::result::Result<_, _>>()
        .map(Row::new)
}

impl Rows for Connection {
    fn run(&mut self, sql: &'static str, values: &[Value]) -> Result<u64> {
        let statement = self.prepare(sql).map_err(|error| fault(&error))?;
        self.client.execute(&statement, &parameters(values)).map_err(|error| fault(&error))
    }

    fn rows(&mut self, sql: &'static str, values: &[Value]) -> Result<Vec<Row>> {
        let statement = self.prepare(sql).map_err(|error| fault(&error))?;
        let rows = self.client.query(&statement, &parameters(values)).map_err(|error| fault(&error))?;
        rows.iter().map(|found| row(found).map_err(|error| fault(&error))).collect()
    }
}
