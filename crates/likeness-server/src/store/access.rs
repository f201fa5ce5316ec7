//! API keys: `lk_<id>_<secret>`, found by id, kept as a keyed BLAKE3 of the secret, compared in
//! constant time. The secret is told once, when the key is made.

use std::fmt;
use std::str::FromStr;

use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::error::{Kind, Result, StoreError};
use super::keys::hex;
use super::seal::{Context, name, open, random, seal};
use super::sql::{Row, Value};
use super::{Store, Tenant};

/// The columns that `opened_key` takes.
macro_rules! select {
    () => {
        "SELECT id, hash, scopes, made_at, expires_at, per_minute, revoked_at, data FROM access"
    };
}
/// What a key may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum Scope {
    /// Verify, compare, detect, liveness, search.
    Verify = 1,
    /// Create persons, and add to them while nothing stored goes.
    Enroll = 2,
    /// Replace and delete, and whatever else changes or removes what is stored.
    Admin = 4,
    /// See crops and vectors.
    Inspect = 8,
    /// Take an embedding out.
    Represent = 16,
    /// Read metrics.
    Metrics = 32,
    /// Delete persons.
    Delete = 64,
    /// Replace stored templates, as an addition to `Enroll`.
    Replace = 128,
}

impl Scope {
    /// All of them, by name.
    pub const ALL: [(&'static str, Self); 8] = [
        ("verify", Self::Verify),
        ("enroll", Self::Enroll),
        ("admin", Self::Admin),
        ("inspect", Self::Inspect),
        ("represent", Self::Represent),
        ("metrics", Self::Metrics),
        ("delete", Self::Delete),
        ("replace", Self::Replace),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        let named = |row: &&(&'static str, Self)| row.1 == self;
        Self::ALL.iter().find(named).map_or("unnamed", |(name, _)| name)
    }
}

/// A set of scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scopes(u16);

impl Scopes {
    /// Every scope.
    pub fn all() -> Self {
        Self(Scope::ALL.iter().fold(0, |set, (_, scope)| set | *scope as u16))
    }

    /// Whether it was named when the key was made.
    pub fn has(self, scope: Scope) -> bool {
        self.0 & scope as u16 != 0
    }

    /// Whether they allow it: `admin` includes `delete` and `replace`.
    pub fn allow(self, scope: Scope) -> bool {
        self.has(scope) || matches!(scope, Scope::Delete | Scope::Replace) && self.has(Scope::Admin)
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

/// What a key is made with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The only tenant that it is good for; none: every tenant.
    pub tenant: Option<Tenant>,
    /// What for.
    pub scopes: Scopes,
    /// Until when, in seconds since 1970.
    pub expires_at: Option<i64>,
    /// How many requests a minute.
    pub per_minute: Option<u32>,
}

/// A key that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Its id, no secret.
    pub id: String,
    /// What it was made with.
    pub grant: Grant,
    /// When.
    pub made_at: i64,
    /// When it was revoked.
    pub revoked_at: Option<i64>,
}

impl ApiKey {
    /// Whether it is good at this moment.
    pub fn is_good(&self, now: i64) -> bool {
        self.revoked_at.is_none() && self.grant.expires_at.is_none_or(|end| now < end)
    }
}

impl Store {
    /// Makes a key; the text is told once and kept nowhere.
    ///
    /// # Errors
    /// The database's refusal.
    pub fn create_key(&self, grant: &Grant, now: i64) -> Result<(ApiKey, Zeroizing<String>)> {
        let id = hex(&random::<8>()?);
        let secret = Zeroizing::new(hex(&*Zeroizing::new(random::<32>()?)));
        let key = ApiKey { id, grant: grant.clone(), made_at: now, revoked_at: None };
        self.put_key(&key, &secret)?;
        let text = Zeroizing::new(format!("lk_{}_{}", key.id, *secret));
        Ok((key, text))
    }

    /// The good key that this text is, if it is one.
    ///
    /// # Errors
    /// The database's refusal.
    pub fn authenticate(&self, text: &str, now: i64) -> Result<Option<ApiKey>> {
        let Some((id, secret)) = text.strip_prefix("lk_").and_then(|rest| rest.split_once('_')) else {
            return Ok(None);
        };
        let same = |hash: &[u8; 32]| bool::from(hash.ct_eq(&self.key_hash(id, secret)));
        let found = self.key(id)?.filter(|(key, hash)| same(hash) && key.is_good(now));
        Ok(found.map(|(key, _)| key))
    }

    /// Every key, also those that are no longer good.
    ///
    /// # Errors
    /// The database's refusal.
    pub fn keys(&self) -> Result<Vec<ApiKey>> {
        let rows = self.read(|rows| rows.rows(concat!(select!(), " ORDER BY made_at, id"), &[]))?;
        rows.into_iter().map(|row| self.opened_key(row).map(|(key, _)| key)).collect()
    }

    /// Ends a key; whether there was such a good one.
    ///
    /// # Errors
    /// The database's refusal.
    pub fn revoke_key(&self, id: &str, now: i64) -> Result<bool> {
        let values = [id.as_bytes().into(), now.into()];
        let sql = "UPDATE access SET revoked_at = ?2 WHERE id = ?1 AND revoked_at = 0";
        self.write(|rows| rows.run(sql, &values)).map(|changed| changed > 0)
    }

    fn key(&self, id: &str) -> Result<Option<(ApiKey, [u8; 32])>> {
        let row = self.read(|rows| rows.row(concat!(select!(), " WHERE id = ?1"), &[id.as_bytes().into()]))?;
        row.map(|row| self.opened_key(row)).transpose()
    }

    fn put_key(&self, key: &ApiKey, secret: &str) -> Result<()> {
        let Grant { tenant, scopes, expires_at, per_minute } = &key.grant;
        let tenant = tenant.as_ref().map_or("*", Tenant::as_str);
        let id = key.id.as_bytes();
        let sealed = seal(&self.secrets.access, &granting(id), tenant.as_bytes())?;
        let values: [Value; 7] = [
            id.into(),
            (&self.key_hash(&key.id, secret)).into(),
            i64::from(scopes.0).into(),
            key.made_at.into(),
            expires_at.unwrap_or(0).into(),
            i64::from(per_minute.unwrap_or(0)).into(),
            sealed.into(),
        ];
        self.write(|rows| {
            rows.run("DELETE FROM access WHERE id = ?1", &values[..1])?;
            rows.run(
                "INSERT INTO access (id, hash, scopes, made_at, expires_at, per_minute, revoked_at, data) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?7)",
                &values,
            )
            .map(|_| ())
        })
    }

    fn key_hash(&self, id: &str, secret: &str) -> [u8; 32] {
        name(&self.secrets.access, &[b"secret", id.as_bytes(), secret.as_bytes()])
    }

    fn opened_key(&self, mut row: Row) -> Result<(ApiKey, [u8; 32])> {
        let (id, hash, scopes, made_at) = (row.bytes()?, row.bytes()?, row.int()?, row.int()?);
        let (expires_at, per_minute, revoked_at, data) = (row.int()?, row.int()?, row.int()?, row.bytes()?);
        let some = |number: i64| (number != 0).then_some(number);
        let opened = || {
            let tenant = open(&self.secrets.access, &granting(&id), &data)?;
            let tenant = match std::str::from_utf8(&tenant).ok()? {
                "*" => None,
                id => Some(Tenant::new(id).ok()?),
            };
            let scopes = Scopes(u16::try_from(scopes).ok()?);
            let per_minute = u32::try_from(per_minute).ok().filter(|limit| *limit > 0);
            let grant = Grant { tenant, scopes, expires_at: some(expires_at), per_minute };
            let key = ApiKey { id: String::from_utf8(id.clone()).ok()?, grant, made_at, revoked_at: some(revoked_at) };
            Some((key, hash.try_into().ok()?))
        };
        opened().ok_or_else(|| StoreError::new(Kind::Corrupt, "an API key's row is not what was written"))
    }
}

fn granting(id: &[u8]) -> Context {
    Context::new("access").field(id)
}
