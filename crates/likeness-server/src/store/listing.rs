//! Lists the enrolled persons by page, counts them by tenant, and returns all data about one person. Only
//! reads.

use super::digest::Meta;
use super::error::Result;
use super::handle::{Store, columns};
use super::person::{Person, Subject, Tenant};
use super::seal::{Context, open, seal};
use crate::hex::hex;

/// The largest number of persons in a page.
pub const MOST_LISTED: usize = 200;

/// Some persons of a tenant, in the order of their enrolment.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The persons of this page.
    pub persons: Vec<Person>,
    /// The cursor of the next page; `None` on the last page.
    pub next: Option<String>,
    /// The number of the tenant's persons.
    pub total: u64,
}

/// All data that is stored about a person.
#[derive(Debug, Clone, PartialEq)]
pub struct Holdings {
    /// The person, with their templates.
    pub person: Person,
    /// When responses to the person's enrolments were remembered. The remembered responses, each bound to the
    /// idempotency key of its request.
    pub answers: Vec<i64>,
    /// The times of the stored failed comparisons with this person.
    pub failures: Vec<i64>,
}

impl Store {
    /// Returns a page of a tenant's persons, from the start or after the cursor of an earlier page.
    ///
    /// # Errors
    /// The database refused, or another program changed a row. `Ok(None)` means that the cursor is not one of
    /// this tenant.
    pub fn list(&self, tenant: &Tenant, cursor: Option<&str>, most: usize, now: i64) -> Result<Option<Page>> {
        let after = match cursor {
            None => 0,
            Some(text) => match self.uncursor(tenant, text) {
                None => return Ok(None),
                Some(id) => id,
            },
        };
        let name = self.tenant_name(tenant);
        let most = most.clamp(1, MOST_LISTED);
        let sql = concat!(
            "SELECT ",
            columns!(),
            " FROM person WHERE tenant = ?1 AND id > ?2 AND (expires_at = 0 OR expires_at > ?3) ORDER BY id LIMIT ?4"
        );
        let count = "SELECT count(*) FROM person WHERE tenant = ?1 AND (expires_at = 0 OR expires_at > ?2)";
        let limit = i64::try_from(most + 1).unwrap_or(i64::MAX);
        let (rows, total) = self.snapshot(|rows| {
            Meta::read(rows, &self.secrets.digests)?;
            let page = rows.rows(sql, &[(&name).into(), after.into(), now.into(), limit.into()])?;
            let total = rows.row(count, &[(&name).into(), now.into()])?.map_or(Ok(0), |mut row| row.int())?;
            Ok((page, total))
        })?;
        let persons = rows.into_iter().map(|row| self.opened(row).map(|opened| opened.person));
        let mut persons = persons.collect::<Result<Vec<_>>>()?;
        let more = persons.len() > most;
        persons.truncate(most);
        let last = persons.last().filter(|_| more).map(|person| self.cursor(tenant, person.id)).transpose()?;
        Ok(Some(Page { persons, next: last, total: total.unsigned_abs() }))
    }

    /// Returns every tenant with the number of its persons, sorted by name.
    ///
    /// # Errors
    /// The database refused, or another program changed a row.
    pub fn tenants(&self, now: i64) -> Result<Vec<(Tenant, u64)>> {
        let sql = "SELECT min(id), count(*) FROM person WHERE expires_at = 0 OR expires_at > ?1 GROUP BY tenant";
        let one = concat!("SELECT ", columns!(), " FROM person WHERE id = ?1");
        let found = self.snapshot(|rows| {
            let counted = rows.rows(sql, &[now.into()])?;
            let named = |mut row: super::sql::Row| {
                let (id, count) = (row.int()?, row.int()?);
                Ok(rows.row(one, &[id.into()])?.map(|row| (row, count)))
            };
            counted.into_iter().map(named).collect::<Result<Vec<_>>>()
        })?;
        let named = |(row, count): (_, i64)| Ok((self.opened(row)?.person.tenant, count.unsigned_abs()));
        let mut tenants = found.into_iter().flatten().map(named).collect::<Result<Vec<_>>>()?;
        tenants.sort();
        Ok(tenants)
    }

    /// Returns all data that is stored about a person; `None` if there is no such person.
    ///
    /// # Errors
    /// The database refused, or another program changed a row.
    pub fn holdings(&self, tenant: &Tenant, subject: &Subject, now: i64) -> Result<Option<Holdings>> {
        self.snapshot(|rows| {
            let found = self.find(rows, tenant, subject)?.map(|opened| opened.person);
            let Some(person) = found.filter(|person| !person.terms.expired(now)) else { return Ok(None) };
            let sql = "SELECT made_at FROM answer WHERE person = ?1 ORDER BY made_at";
            let answers = rows.rows(sql, &[person.id.into()])?;
            let answers = answers.into_iter().map(|mut row| row.int()).collect::<Result<_>>()?;
            let failures = self.failed_at(rows, tenant, subject)?;
            Ok(Some(Holdings { person, answers, failures }))
        })
    }

    fn cursor(&self, tenant: &Tenant, id: i64) -> Result<String> {
        Ok(hex(&seal(&self.secrets.cursors, &listing(tenant), &id.to_le_bytes())?))
    }

    fn uncursor(&self, tenant: &Tenant, text: &str) -> Option<i64> {
        let pair = |at: usize| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
        let bytes = (0..text.len()).step_by(2).map(pair).collect::<Option<Vec<u8>>>()?;
        let plain = open(&self.secrets.cursors, &listing(tenant), &bytes)?;
        plain.as_slice().try_into().ok().map(i64::from_le_bytes)
    }
}

fn listing(tenant: &Tenant) -> Context {
    Context::new("cursor").field(tenant.as_str().as_bytes())
}
