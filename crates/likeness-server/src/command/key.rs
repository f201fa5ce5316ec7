//! `likeness key` creates, lists and revokes API keys, and prints the public key of records.

use std::time::SystemTime;

use serde::Serialize;

use super::journal::signer;
use super::store::open;
use crate::exit::{Exit, Failure};
use crate::print;
use crate::store::ApiKey;
use crate::store_args::{Check, KeyCommand, NewKey, Revoke};

/// Runs the command.
///
/// # Errors
/// The store refused; the exit code depends on the error's kind.
pub fn run(command: &KeyCommand) -> Result<Exit, Failure> {
    match command {
        KeyCommand::Public(place) => {
            print::line(&signer(&*open(place)?)?.public_key);
            Ok(Exit::Success)
        }
        KeyCommand::New(args) => new(args),
        KeyCommand::List(args) => list(args),
        KeyCommand::Revoke(args) => revoke(args),
    }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

fn new(args: &NewKey) -> Result<Exit, Failure> {
    let now = now();
    let store = open(&args.place)?;
    let (key, text) = store.create_key(&args.grant(now), now)?;
    let Err(error) = print::secret(&text) else { return Ok(Exit::Success) };
    // The caller has no key, or only a part of it.
    let id = &key.id;
    Err(match store.revoke_key(id, now) {
        Ok(_) => Failure::new(Exit::AnswerLost, format!("stdout did not take the key {id}, which is revoked: {error}"))
            .hint("make another one where stdout is read"),
        Err(why) => {
            let what = format!("stdout did not take the key {id}: {error}; it can't be revoked now: {why}");
            Failure::new(Exit::AnswerLost, what).hint(format!("`likeness key revoke {id}`"))
        }
    })
}

/// A key in a list.
#[derive(Serialize)]
struct KeyReport {
    id: String,
    tenant: String,
    scopes: String,
    good: bool,
    made_at: i64,
    expires_at: Option<i64>,
    revoked_at: Option<i64>,
    per_minute: Option<u32>,
}

impl KeyReport {
    fn of(key: ApiKey, now: i64) -> Self {
        Self {
            good: key.is_good(now),
            tenant: key.grant.tenant.as_ref().map_or("*", |tenant| tenant.as_str()).to_owned(),
            scopes: key.grant.scopes.to_string(),
            made_at: key.made_at,
            expires_at: key.grant.expires_at,
            revoked_at: key.revoked_at,
            per_minute: key.grant.per_minute,
            id: key.id,
        }
    }

    fn line(&self) -> String {
        let state = match (self.good, self.revoked_at) {
            (true, _) => "good",
            (false, Some(_)) => "revoked",
            (false, None) => "expired",
        };
        format!("{:16}  {:8} {:12} {}\n", self.id, state, self.tenant, self.scopes)
    }
}

fn list(args: &Check) -> Result<Exit, Failure> {
    let (keys, now) = (open(&args.place)?.keys()?, now());
    let report: Vec<_> = keys.into_iter().map(|key| KeyReport::of(key, now)).collect();
    print::answer(&report, args.json, |report| report.iter().map(KeyReport::line).collect());
    Ok(Exit::Success)
}

fn revoke(args: &Revoke) -> Result<Exit, Failure> {
    let (store, now) = (open(&args.place)?, now());
    // A whole key is also accepted; its secret part is never printed.
    let id = args.id.strip_prefix("lk_").unwrap_or(&args.id);
    let id = id.split_once('_').map_or(id, |(id, _)| id);
    if store.revoke_key(id, now)? {
        return Ok(Exit::Success);
    }
    Err(Failure::new(Exit::Usage, format!("no key {id:?}, or it is already revoked")).hint("`likeness key list`"))
}
