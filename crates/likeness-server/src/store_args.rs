//! The command lines of `likeness store` and `likeness key`, as types.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::store::{Grant, Scopes, Subject, Tenant};

/// Which store, and the file that opens it.
#[derive(Debug, Clone, Args)]
pub struct StorePlace {
    /// sqlite:PATH or postgres://…
    #[arg(long, value_name = "STORE", env = "DATABASE_URL", hide_env_values = true)]
    pub store: String,
    /// The file with the master key
    #[arg(long, value_name = "FILE", env = "LIKENESS_KEY_FILE")]
    pub key_file: PathBuf,
}

#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// Make an empty store and its key file
    Init(StorePlace),
    /// Wrap everything by a new master key, while a server runs; goes on where it was ended
    Rotate(Rotate),
    /// Look at everything: the database's own check, every table against its digest, every person opened
    Check(Check),
    /// Write everybody into an archive that is sealed to a key of its own; goes on where it was ended
    Export(Transfer),
    /// Store everybody of an archive who is not there yet; goes on where it was ended
    Import(Transfer),
    /// Forget a person's failures, so that the right face is let in at once
    Unlock(Unlock),
}

#[derive(Debug, Args)]
pub struct Rotate {
    #[command(flatten)]
    pub place: StorePlace,
    /// Only put a new key into the key file, to be copied to every replica before the rotation
    #[arg(long)]
    pub prepare: bool,
}

#[derive(Debug, Args)]
pub struct Check {
    #[command(flatten)]
    pub place: StorePlace,
    /// Answer in JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Transfer {
    #[command(flatten)]
    pub place: StorePlace,
    /// The file with the archive's key; `export` makes one where there is none
    #[arg(long, value_name = "FILE")]
    pub archive_key: PathBuf,
    /// Answer in JSON
    #[arg(long)]
    pub json: bool,
    /// The archive
    #[arg(value_name = "ARCHIVE")]
    pub archive: PathBuf,
}

#[derive(Debug, Args)]
pub struct Unlock {
    #[command(flatten)]
    pub place: StorePlace,
    /// Whose person
    #[arg(long, value_name = "ID", default_value = "default", value_parser = Tenant::new)]
    pub tenant: Tenant,
    /// The person
    #[arg(value_name = "USER_ID", value_parser = Subject::new)]
    pub user: Subject,
}

#[derive(Debug, Subcommand)]
pub enum JournalCommand {
    /// Follow the chain of a store's journal, or of an exported one, and check every record's signature
    Verify(VerifyJournal),
    /// Print every entry, and the newest one's signed hash
    Export(StorePlace),
}

#[derive(Debug, Args)]
pub struct VerifyJournal {
    /// sqlite:PATH or postgres://…
    #[arg(long, value_name = "STORE", env = "DATABASE_URL", hide_env_values = true)]
    pub store: Option<String>,
    /// The file with the master key
    #[arg(long, value_name = "FILE", env = "LIKENESS_KEY_FILE")]
    pub key_file: Option<PathBuf>,
    /// The key that must have signed, as `likeness key public` prints it [default: the store's]
    #[arg(long, value_name = "HEX")]
    pub public_key: Option<String>,
    /// A journal that was exported before: its head must be in this one
    #[arg(long, value_name = "FILE")]
    pub head: Vec<PathBuf>,
    /// Answer in JSON
    #[arg(long)]
    pub json: bool,
    /// An exported journal, or - for stdin, in place of the store's
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
}

impl VerifyJournal {
    /// The store, where one is named and no file.
    pub fn place(&self) -> Option<StorePlace> {
        let (store, key_file) = (self.store.clone()?, self.key_file.clone()?);
        self.file.is_none().then_some(StorePlace { store, key_file })
    }
}

#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Print the public key that verifies records, receipts, calibrations and the journal's heads
    Public(StorePlace),
    /// Make a key; it is shown once
    New(NewKey),
    /// Tell all keys, without secrets
    List(Check),
    /// End a key
    Revoke(Revoke),
}

#[derive(Debug, Args)]
pub struct NewKey {
    #[command(flatten)]
    pub place: StorePlace,
    /// Of verify, enroll, replace, delete, persons, admin (with these three), export, inspect, represent, metrics, audit and capture, with commas
    #[arg(long, value_name = "SCOPES")]
    pub scopes: Scopes,
    /// The only tenant that it is good for, or `*`
    #[arg(long, value_name = "ID", value_parser = tenant)]
    pub tenant: TenantArg,
    /// For how many days
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u16).range(1..))]
    pub expires: Option<u16>,
    /// How many requests a minute
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub per_minute: Option<u32>,
}

/// A tenant or `*`.
#[derive(Debug, Clone)]
pub struct TenantArg(Option<Tenant>);

fn tenant(text: &str) -> Result<TenantArg, String> {
    match text {
        "*" => Ok(TenantArg(None)),
        id => Tenant::new(id).map(|id| TenantArg(Some(id))).map_err(|why| format!("{why}, or *")),
    }
}

impl NewKey {
    /// What it is made with.
    pub fn grant(&self, now: i64) -> Grant {
        Grant {
            tenant: self.tenant.0.clone(),
            scopes: self.scopes,
            expires_at: self.expires.map(|days| now + i64::from(days) * 86_400),
            per_minute: self.per_minute,
        }
    }
}

#[derive(Debug, Args)]
pub struct Revoke {
    #[command(flatten)]
    pub place: StorePlace,
    /// Its id: what stands between `lk_` and the next `_`
    #[arg(value_name = "ID")]
    pub id: String,
}
