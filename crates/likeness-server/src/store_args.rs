//! The command lines of `likeness store` and `likeness key`, as types.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::jws::public_key;
use crate::store::{Grant, Scopes, Subject, Tenant};

/// The store, and the file with its key.
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
    /// Replace the master key, while a server runs; after an interruption, run it again
    Rotate(Rotate),
    /// Check the database, compare every table with its digest, and decrypt every person
    Check(Check),
    /// Write all persons into an encrypted archive; after an interruption, run it again
    Export(Transfer),
    /// Store the persons of an archive who are not in the store; after an interruption, run it again
    Import(Transfer),
    /// Remove a person's failures, so that the person can be verified again at once
    Unlock(Unlock),
}

#[derive(Debug, Args)]
pub struct Rotate {
    #[command(flatten)]
    pub place: StorePlace,
    /// Only add a new key to the key file, to be copied to every replica before the rotation
    #[arg(long)]
    pub prepare: bool,
}

#[derive(Debug, Args)]
pub struct Check {
    #[command(flatten)]
    pub place: StorePlace,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Transfer {
    #[command(flatten)]
    pub place: StorePlace,
    /// The file with the archive's key; `export` makes it if it does not exist
    #[arg(long, value_name = "FILE")]
    pub archive_key: PathBuf,
    /// Print JSON
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
    /// The tenant of the person
    #[arg(long, value_name = "ID", default_value = "default", value_parser = Tenant::new)]
    pub tenant: Tenant,
    /// The id of the person
    #[arg(value_name = "USER_ID", value_parser = Subject::new)]
    pub user: Subject,
}

#[derive(Debug, Subcommand)]
pub enum JournalCommand {
    /// Verify the chain of a journal, in a store or exported, and the signature of every record
    Verify(VerifyJournal),
    /// Print every entry, and the signed hash of the newest entry
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
    /// The public key that must have signed, as `likeness key public` prints it [default: the store's]
    #[arg(long, value_name = "HEX", value_parser = public_key)]
    pub public_key: Option<String>,
    /// An export of an earlier time; this journal must contain its head
    #[arg(long, value_name = "FILE")]
    pub head: Vec<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// An exported journal, or - for stdin, instead of the store's
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
}

impl VerifyJournal {
    /// The store, where one is named.
    pub fn place(&self) -> Option<StorePlace> {
        let (store, key_file) = (self.store.clone()?, self.key_file.clone()?);
        Some(StorePlace { store, key_file })
    }
}

#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Print the public key that verifies records, receipts, calibrations and the journal's heads
    Public(StorePlace),
    /// Make a key; it is shown once
    New(NewKey),
    /// List all keys, without secrets
    List(Check),
    /// Revoke a key
    Revoke(Revoke),
}

#[derive(Debug, Args)]
pub struct NewKey {
    #[command(flatten)]
    pub place: StorePlace,
    /// The scopes, separated by commas: verify, enroll, replace, delete, persons, admin (with these three), export,
    /// inspect, represent, metrics, audit, capture
    #[arg(long, value_name = "SCOPES")]
    pub scopes: Scopes,
    /// The only tenant for which the key is valid, or `*`
    #[arg(long, value_name = "ID", value_parser = tenant)]
    pub tenant: TenantArg,
    /// The number of days until the key expires
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u16).range(1..))]
    pub expires: Option<u16>,
    /// The most requests a minute
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
    /// The id of the key: the part between `lk_` and the next `_`
    #[arg(value_name = "ID")]
    pub id: String,
}
