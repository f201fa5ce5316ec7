//! API keys of the form `lk_<id>_<secret>`. The store finds a key by id and keeps only a keyed BLAKE3 hash of
//! the secret, compared in constant time. The secret is shown once, when the key is created.
//!
//! Promises: a key is valid only if its row and the whole table are what this program wrote. The seal covers
//! all that a row grants, and each read compares the rows with their digest.

use std::fmt;
use std::str::FromStr;

use serde_json::json;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::digest::{Changes, Meta, Table, TableDigest};
use super::entry::NewEntry;
use super::error::{Kind, Result, StoreError};
use super::handle::Store;
use super::person::Tenant;
use super::seal::{Context, name, open, random, seal};
use super::sql::{Row, Rows, Value};
use crate::hex::hex;

/// A permission of an API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum Scope {
    /// Verify, compare, detect, liveness, search.
    Verify = 1,
    /// Create persons, and add templates while no stored template is removed.
    Enroll = 2,
    /// Change and remove what is stored; includes `Delete`, `Replace` and `Persons`.
    Admin = 4,
    /// Read crops and vectors.
    Inspect = 8,
    /// Read an embedding.
    Represent = 16,
    /// Read metrics.
    Metrics = 32,
    /// Delete persons.
    Delete = 64,
    /// Replace stored templates; needs `Enroll` too.
    Replace = 128,
    /// List the enrolled persons.
    Persons = 256,
    /// Export all data that is stored about a person.
    Export = 512,
    /// Read whole decision records.
    Audit = 1024,
    /// Begin captures and send their frames.
    Capture = 2048,
}

impl Scope {
    /// Every scope with its name.
    pub const ALL: [(&'static str, Self); 12] = [
        ("verify", Self::Verify),
        ("enroll", Self::Enroll),
        ("admin", Self::Admin),
        ("inspect", Self::Inspect),
        ("represent", Self::Represent),
        ("metrics", Self::Metrics),
        ("delete", Self::Delete),
        ("replace", Self::Replace),
        ("persons", Self::Persons),
        ("export", Self::Export),
        ("audit", Self::Audit),
        ("capture", Self::Capture),
    ];

    /// Returns the scope's name.
    pub fn name(self) -> &'static str {
        let named = |row: &&(&'static str, Self)| row.1 == self;
        Self::ALL.iter().find(named).map_or("unnamed", |(name, _)| name)
    }
}

/// A set of scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scopes(u16);

impl Scopes {
    /// Returns the set of every scope.
    pub fn all() -> Self {
        Self(Scope::ALL.iter().fold(0, |set, (_, scope)| set | *scope as u16))
    }

    /// Returns whether the set contains this scope itself.
    pub fn has(self, scope: Scope) -> bool {
        self.0 & scope as u16 != 0
    }

    /// Returns whether the set allows an act of this scope: `admin` includes `delete`, `replace` and `persons`.
    pub fn allow(self, scope: Scope) -> bool {
        self.has(scope) || matches!(scope, Scope::Delete | Scope::Replace | Scope::Persons) && self.has(Scope::Admin)
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = Scope::ALL.iter().filter(|(_, scope)| self.has(*scope)).map(|(name, _)| *name).collect();
        f.write_str(&names.join(","))
    }
}

impl FromStr for Scopes {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        text.split(',').try_fold(Self(0), |set, word| {
            let known = Scope::ALL.iter().find(|(name, _)| *name == word.trim());
            let names = Scope::ALL.map(|(name, _)| name).join(", ");
            known
                .map(|(_, scope)| Self(set.0 | *scope as u16))
                .ok_or(format!("expected one or more of {names}, found {word:?}"))
        })
    }
}

/// The rights that a new key gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The only tenant that the key is valid for; `None` means every tenant.
    pub tenant: Option<Tenant>,
    /// The scopes of the key.
    pub scopes: Scopes,
    /// When the key expires, in seconds since 1970; `None` means never.
    pub expires_at: Option<i64>,
    /// The largest number of requests a minute; `None` sets no limit of the key's own.
    pub per_minute: Option<u32>,
}

/// A stored API key, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// The public id in the key's text.
    pub id: String,
    /// The rights of the key.
    pub grant: Grant,
    /// When the key was created, in seconds since 1970.
    pub made_at: i64,
    /// When the key was revoked, in seconds since 1970.
    pub revoked_at: Option<i64>,
}

impl ApiKey {
    /// Returns whether the key is neither revoked nor expired at this time.
    pub fn is_good(&self, now: i64) -> bool {
        self.revoked_at.is_none() && self.grant.expires_at.is_none_or(|end| now < end)
    }
}

impl Store {
    /// Creates a key and returns its text once; the store keeps only a hash of the secret.
    ///
    /// # Errors
    /// The database refused.
    pub fn create_key(&self, grant: &Grant, now: i64) -> Result<(ApiKey, Zeroizing<String>)> {
        let id = hex(&random::<8>()?);
        let secret = Zeroizing::new(hex(&*Zeroizing::new(random::<32>()?)));
        let key = ApiKey { id, grant: grant.clone(), made_at: now, revoked_at: None };
        let hash = self.key_hash(&key.id, &secret);
        self.write(|changes| {
            changes.entries.push(NewEntry::of("key_made", now, made(&key)));
            self.put_key(changes, &key, &hash)
        })?;
        let text = Zeroizing::new(format!("lk_{}_{}", key.id, *secret));
        Ok((key, text))
    }

    /// Returns the key of this text if the secret is right and the key is valid.
    ///
    /// # Errors
    /// The database refused, or another program changed the table.
    pub fn authenticate(&self, text: &str, now: i64) -> Result<Option<ApiKey>> {
        let Some((id, secret)) = text.strip_prefix("lk_").and_then(|rest| rest.split_once('_')) else {
            return Ok(None);
        };
        let same = |hash: &[u8; 32]| bool::from(hash.ct_eq(&self.key_hash(id, secret)));
        let found = self.opened_keys()?.into_iter().find(|(key, _)| key.id == id);
        Ok(found.filter(|(key, hash)| same(hash) && key.is_good(now)).map(|(key, _)| key))
    }

    /// Returns every key, including revoked and expired keys.
    ///
    /// # Errors
    /// The database refused, or another program changed the table.
    pub fn keys(&self) -> Result<Vec<ApiKey>> {
        Ok(self.opened_keys()?.into_iter().map(|(key, _)| key).collect())
    }

    /// Returns whether a key was ever created, even if no key is valid now.
    ///
    /// # Errors
    /// The database refused, or another program changed `meta`.
    pub fn keys_made(&self) -> Result<bool> {
        self.read(|rows| Meta::read(rows, &self.secrets.digests)).map(|meta| meta.keys_made)
    }

    /// Revokes a key; returns false if no key has this id or the key was revoked before.
    ///
    /// # Errors
    /// The database refused, or another program changed the table.
    pub fn revoke_key(&self, id: &str, now: i64) -> Result<bool> {
        self.write(|changes| {
            let meta = changes.meta.clone();
            let found = self.keys_in(changes.rows(), &meta)?.into_iter().find(|(key, _)| key.id == id);
            let Some((key, hash)) = found.filter(|(key, _)| key.revoked_at.is_none()) else { return Ok(false) };
            changes.entries.push(NewEntry::of("key_revoked", now, json!({ "id": id })));
            self.put_key(changes, &ApiKey { revoked_at: Some(now), ..key }, &hash).map(|()| true)
        })
    }

    fn opened_keys(&self) -> Result<Vec<(ApiKey, [u8; 32])>> {
        self.snapshot(|rows| {
            let meta = Meta::read(rows, &self.secrets.digests)?;
            self.keys_in(rows, &meta)
        })
    }

    /// Returns the keys if the table's digest is right.
    fn keys_in(&self, rows: &mut dyn Rows, meta: &Meta) -> Result<Vec<(ApiKey, [u8; 32])>> {
        let found = rows.rows("SELECT * FROM access ORDER BY made_at, id", &[])?;
        let mut digest = TableDigest::default();
        found.iter().for_each(|row| digest.add(&self.secrets.digests.row(Table::Access, row.columns())));
        if digest != *meta.table(Table::Access) {
            return Err(changed());
        }
        found.into_iter().map(|row| self.opened_key(row)).collect()
    }

    fn put_key(&self, changes: &mut Changes<'_>, key: &ApiKey, hash: &[u8; 32]) -> Result<()> {
        let id = key.id.as_bytes();
        let tenant = key.grant.tenant.as_ref().map_or("*", Tenant::as_str);
        let sealed = seal(&self.secrets.access, &granting(id, hash, &numbers(key)), tenant.as_bytes())?;
        let row = ("SELECT * FROM access WHERE id = ?1", 1);
        changes.change(Table::Access, row, "DELETE FROM access WHERE id = ?1", &[id.into()])?;
        let mut values: Vec<Value> = vec![id.into(), hash.into()];
        values.extend(numbers(key).map(Value::from));
        values.push(sealed.into());
        let put = "INSERT INTO access (id, hash, scopes, made_at, expires_at, per_minute, revoked_at, data) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
        changes.change(Table::Access, row, put, &values)?;
        changes.meta.keys_made = true;
        Ok(())
    }

    fn key_hash(&self, id: &str, secret: &str) -> [u8; 32] {
        name(&self.secrets.access, &[b"secret", id.as_bytes(), secret.as_bytes()])
    }

    pub(super) fn opened_key(&self, mut row: Row) -> Result<(ApiKey, [u8; 32])> {
        let (id, hash) = (row.bytes()?, row.bytes()?);
        let numbers = [row.int()?, row.int()?, row.int()?, row.int()?, row.int()?];
        let data = row.bytes()?;
        let opened = || {
            let hash: [u8; 32] = hash.try_into().ok()?;
            let tenant = open(&self.secrets.access, &granting(&id, &hash, &numbers), &data)?;
            let tenant = match std::str::from_utf8(&tenant).ok()? {
                "*" => None,
                id => Some(Tenant::new(id).ok()?),
            };
            let [scopes, made_at, expires_at, per_minute, revoked_at] = numbers;
            let some = |number: i64| (number != 0).then_some(number);
            let scopes = Scopes(u16::try_from(scopes).ok()?);
            let per_minute = u32::try_from(per_minute).ok().filter(|limit| *limit > 0);
            let grant = Grant { tenant, scopes, expires_at: some(expires_at), per_minute };
            let id = String::from_utf8(id.clone()).ok()?;
            Some((ApiKey { id, grant, made_at, revoked_at: some(revoked_at) }, hash))
        };
        opened().ok_or_else(changed)
    }
}

/// Returns the plain columns of a row after id and hash: scopes, creation time, expiry, requests a minute,
/// revocation time.
fn numbers(key: &ApiKey) -> [i64; 5] {
    let Grant { scopes, expires_at, per_minute, .. } = &key.grant;
    let limit = i64::from(per_minute.unwrap_or(0));
    [scopes.0.into(), key.made_at, expires_at.unwrap_or(0), limit, key.revoked_at.unwrap_or(0)]
}

/// Returns what the journal contains about a new key.
fn made(key: &ApiKey) -> serde_json::Value {
    let Grant { tenant, scopes, expires_at, per_minute } = &key.grant;
    let tenant = tenant.as_ref().map_or("*", Tenant::as_str);
    json!({
        "id": key.id, "tenant": tenant, "scopes": scopes.to_string(), "made_at": key.made_at,
        "expires_at": expires_at, "per_minute": per_minute,
    })
}

fn granting(id: &[u8], hash: &[u8; 32], numbers: &[i64; 5]) -> Context {
    numbers.iter().fold(Context::new("access").field(id).field(hash), |context, number| context.number(*number))
}

fn changed() -> StoreError {
    StoreError::new(Kind::Corrupt, "another program changed the table access (API keys)")
        .hint("`likeness store check` shows more; restore a backup")
}
