//! Counts failed comparisons per tenant and subject, enrolled or not, and per key and address of the request.
//! Every route that reveals whether a face is the person's uses this one budget.
//!
//! Promises: one source reaches its own limit before the subject is locked for every caller. Without the master key, a
//! row does not show whose comparison failed. A row is deleted with its person, or when none of its failures counts; a
//! request that was under way while its person was erased adds none.

use std::net::IpAddr;

use super::digest::Table;
use super::error::{Kind, Result, StoreError};
use super::handle::Store;
use super::person::{Subject, Tenant};
use super::seal::{Context, name, open, seal};
use super::sql::{Rows, Value};
use crate::pseudonym::Pseudonym;

/// The time that a failure counts, in seconds.
pub const COUNTED: i64 = 15 * 60;

/// The caller of a request: the id of the API key, and the address.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The key's id; empty for a request without a key.
    pub key: &'a str,
    /// The address under which failures are counted.
    pub address: IpAddr,
}

/// Whom a face was compared with.
#[derive(Debug, Clone, PartialEq)]
pub struct ComparedSubject {
    /// The subject name that the request gave, or that a search found.
    pub subject: Subject,
    /// The stored person; `None` if no person was enrolled under the name.
    pub person: Option<Pseudonym>,
}

/// A limit on the failures of one subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Failures from one address.
    Address,
    /// Failures with one key.
    Key,
    /// Failures of every caller.
    Subject,
}

impl Limit {
    /// Every limit with the number of failures that reaches it, in ascending order.
    pub const ALL: [(Self, usize); 3] = [(Self::Address, 10), (Self::Key, 20), (Self::Subject, 30)];

    /// Returns the limit's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Address => "subject_address",
            Self::Key => "subject_key",
            Self::Subject => "subject",
        }
    }
}

/// A limit that was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spent {
    /// Which limit.
    pub limit: Limit,
    /// The number of seconds until the limit no longer applies.
    pub seconds: i64,
}

/// One failed comparison; keyed hashes replace key and address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FailedAttempt {
    at: i64,
    key: [u8; 16],
    address: [u8; 16],
}

const EACH: usize = 8 + 16 + 16;

impl FailedAttempt {
    fn bytes(&self) -> [u8; EACH] {
        let mut bytes = [0; EACH];
        bytes[..8].copy_from_slice(&self.at.to_le_bytes());
        bytes[8..24].copy_from_slice(&self.key);
        bytes[24..].copy_from_slice(&self.address);
        bytes
    }

    fn of(bytes: &[u8; EACH]) -> Option<Self> {
        let (at, rest) = bytes.split_first_chunk::<8>()?;
        let (key, address) = rest.split_first_chunk::<16>()?;
        Some(Self { at: i64::from_le_bytes(*at), key: *key, address: address.try_into().ok()? })
    }
}

/// Returns the first limit that this caller has reached. The failures must be sorted by time.
fn spent(failures: &[FailedAttempt], asks: &FailedAttempt) -> Option<Spent> {
    let over = |(limit, most): (Limit, usize)| {
        let counts = |failure: &&FailedAttempt| {
            let same = match limit {
                Limit::Address => failure.address == asks.address,
                Limit::Key => failure.key == asks.key,
                Limit::Subject => true,
            };
            same && failure.at > asks.at - COUNTED
        };
        let counted: Vec<_> = failures.iter().filter(counts).collect();
        // The limit ends when fewer than `most` failures count.
        let closed_by = counted.len().checked_sub(most).map(|at| counted[at]);
        closed_by.map(|failure| Spent { limit, seconds: failure.at + COUNTED - asks.at })
    };
    Limit::ALL.into_iter().find_map(over)
}

impl Store {
    /// Returns the limit that this source has reached for this subject, if any.
    ///
    /// # Errors
    /// The database refused, or another program changed the row.
    pub fn spent(&self, tenant: &Tenant, subject: &Subject, source: Source<'_>, now: i64) -> Result<Option<Spent>> {
        let name = self.failing(tenant, subject);
        let failures = self.read(|rows| self.failures_of(rows, &name))?;
        Ok(spent(&failures, &self.failure(source, now)))
    }

    /// Adds a failure for each of these subjects, except those whose person was erased after the comparison.
    ///
    /// # Errors
    /// The database refused, or another program changed a row.
    pub fn note_failures(
        &self,
        tenant: &Tenant,
        compared: &[ComparedSubject],
        source: Source<'_>,
        now: i64,
    ) -> Result<()> {
        let failure = self.failure(source, now);
        self.write(|changes| {
            for ComparedSubject { subject, person } in compared {
                if person.is_some() && self.stored_now(changes.rows(), tenant, subject)? != *person {
                    continue;
                }
                let name = self.failing(tenant, subject);
                let mut failures = self.failures_of(changes.rows(), &name)?;
                failures.retain(|failure| failure.at > now - COUNTED);
                failures.push(failure);
                let data = self.sealed_failures(&name, now, &failures)?;
                let row = ("SELECT * FROM failure WHERE name = ?1", 1);
                let put = "INSERT INTO failure (name, last, data) VALUES (?1, ?2, ?3) \
                           ON CONFLICT (name) DO UPDATE SET last = excluded.last, data = excluded.data";
                changes.change(Table::Failure, row, put, &[(&name).into(), now.into(), data.into()])?;
            }
            Ok(())
        })
    }

    fn stored_now(&self, rows: &mut dyn Rows, tenant: &Tenant, subject: &Subject) -> Result<Option<Pseudonym>> {
        Ok(self.find(rows, tenant, subject)?.map(|opened| opened.person.pseudonym))
    }

    /// Deletes the rows whose failures no longer count, and returns how many.
    ///
    /// # Errors
    /// The database refused.
    pub(super) fn sweep_failures(&self, now: i64) -> Result<u64> {
        let values = [(now - COUNTED).into()];
        if self.read(|rows| rows.row("SELECT last FROM failure WHERE last <= ?1 LIMIT 1", &values))?.is_none() {
            return Ok(0);
        }
        let old = ("SELECT * FROM failure WHERE last <= ?1", 1);
        let delete = "DELETE FROM failure WHERE last <= ?1";
        let deleted = self.write(|changes| changes.change(Table::Failure, old, delete, &values))?;
        self.scrub();
        Ok(deleted)
    }

    /// Removes a subject's failures for an operator; returns whether there were any.
    ///
    /// # Errors
    /// The database refused.
    pub fn forget_failures(&self, tenant: &Tenant, subject: &Subject) -> Result<bool> {
        let name = self.failing(tenant, subject);
        self.write(|changes| self.forget(changes, &name)).map(|rows| rows > 0)
    }

    pub(super) fn forget(&self, changes: &mut super::digest::Changes<'_>, name: &[u8; 32]) -> Result<u64> {
        let row = ("SELECT * FROM failure WHERE name = ?1", 1);
        changes.change(Table::Failure, row, "DELETE FROM failure WHERE name = ?1", &[name.into()])
    }

    pub(super) fn failing(&self, tenant: &Tenant, subject: &Subject) -> [u8; 32] {
        name(&self.secrets.failures, &[tenant.as_str().as_bytes(), subject.as_str().as_bytes()])
    }

    fn failure(&self, source: Source<'_>, at: i64) -> FailedAttempt {
        let short = |label: &[u8], text: &str| {
            let hash = name(&self.secrets.failures, &[label, text.as_bytes()]);
            hash.first_chunk().copied().unwrap_or_default()
        };
        FailedAttempt { at, key: short(b"key", source.key), address: short(b"address", &source.address.to_string()) }
    }

    fn failures_of(&self, rows: &mut dyn Rows, name: &[u8; 32]) -> Result<Vec<FailedAttempt>> {
        let row = rows.row("SELECT last, data FROM failure WHERE name = ?1", &[name.into()])?;
        let Some(mut row) = row else { return Ok(Vec::new()) };
        let (last, data) = (row.int()?, row.bytes()?);
        let opened = open(&self.secrets.failure_rows, &sealing(name, last), &data);
        let failures =
            opened.as_deref().and_then(|plain| plain.as_chunks::<EACH>().0.iter().map(FailedAttempt::of).collect());
        failures.ok_or_else(|| StoreError::new(Kind::Corrupt, "a row of the table failure was changed or damaged"))
    }

    /// Returns the times of the subject's stored failures.
    pub(super) fn failed_at(&self, rows: &mut dyn Rows, tenant: &Tenant, subject: &Subject) -> Result<Vec<i64>> {
        let failures = self.failures_of(rows, &self.failing(tenant, subject))?;
        Ok(failures.into_iter().map(|failure| failure.at).collect())
    }

    fn sealed_failures(&self, name: &[u8; 32], last: i64, failures: &[FailedAttempt]) -> Result<Vec<u8>> {
        let plain: Vec<u8> = failures.iter().flat_map(FailedAttempt::bytes).collect();
        seal(&self.secrets.failure_rows, &sealing(name, last), &plain)
    }

    /// Returns whether a row can be decrypted. The columns of the row are name, last, data.
    pub(super) fn failure_opens(&self, columns: &[Value]) -> bool {
        let [Value::Bytes(name), Value::Int(last), Value::Bytes(data)] = columns else { return false };
        let Ok(name) = name.as_slice().try_into() else { return false };
        open(&self.secrets.failure_rows, &sealing(name, *last), data).is_some()
    }
}

fn sealing(name: &[u8; 32], last: i64) -> Context {
    Context::new("failure").field(name).number(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(key: u8, address: u8, at: i64) -> FailedAttempt {
        FailedAttempt { at, key: [key; 16], address: [address; 16] }
    }

    /// The failed comparisons, the key and address of the request, and the limit that it reaches.
    type Row = (&'static str, Vec<FailedAttempt>, (u8, u8), Option<Limit>);

    #[test]
    fn who_fails_is_refused_first_and_the_subject_is_closed_to_all_by_many() {
        let now = 10_000;
        let many = |count: usize, key: u8, address: u8| vec![failure(key, address, now - 100); count];
        let rows: [Row; 9] = [
            ("nothing yet", vec![], (1, 1), None),
            ("one less", many(9, 1, 1), (1, 1), None),
            ("the address", many(10, 1, 1), (1, 1), Some(Limit::Address)),
            ("the address with another key", many(10, 1, 1), (2, 1), Some(Limit::Address)),
            ("another address with the key", many(10, 1, 1), (1, 2), None),
            ("the key from anywhere", [many(10, 1, 1), many(10, 1, 2)].concat(), (1, 3), Some(Limit::Key)),
            ("another key from elsewhere", [many(10, 1, 1), many(10, 1, 2)].concat(), (2, 3), None),
            ("all", [many(10, 1, 1), many(10, 1, 2), many(10, 2, 4)].concat(), (3, 3), Some(Limit::Subject)),
            ("long ago", vec![failure(1, 1, now - COUNTED); 40], (1, 1), None),
        ];
        let wrong: Vec<_> = rows
            .into_iter()
            .filter(|(_, failures, (key, address), expected)| {
                spent(failures, &failure(*key, *address, now)).map(|spent| spent.limit) != *expected
            })
            .map(|(row, ..)| row)
            .collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    #[test]
    fn it_opens_again_when_the_failure_that_closed_it_no_longer_counts() {
        let failures: Vec<_> = (0..12).map(|at| failure(1, 1, at * 10)).collect();
        let closed = spent(&failures, &failure(1, 1, 200)).unwrap();
        assert_eq!(closed.seconds, 20 + COUNTED - 200);
        let later = 200 + closed.seconds;
        assert_eq!(spent(&failures, &failure(1, 1, later - 1)).map(|spent| spent.seconds), Some(1));
        assert_eq!(spent(&failures, &failure(1, 1, later)), None);
    }
}
