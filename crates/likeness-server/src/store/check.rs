//! Checks the whole store: runs the database's own check, compares each table with its digest, and decrypts
//! every sealed row except remembered responses. Changes nothing.

use super::digest::{Meta, Table, TableDigest};
use super::error::{Kind, Result};
use super::handle::{Store, stored};
use super::person::Person;
use super::record::{Opened, Stored};
use super::sql::{Row, Rows, Value};
use crate::hex::hex;

/// The most rows that one read returns.
const PAGE: i64 = 500;

/// The result of a check.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Checked {
    /// The number of persons.
    pub persons: u64,
    /// The number of templates of the readable persons.
    pub templates: u64,
    /// The number of API keys, including revoked and expired keys.
    pub keys: u64,
    /// The numbers of persons whose row can't be decrypted or has another person's name.
    pub unreadable: Vec<i64>,
    /// Tables in which another program added, removed or changed a row.
    pub changed: Vec<&'static str>,
    /// The number of persons whose data key an older master key wraps: a rotation has not ended.
    pub former_key: u64,
    /// The id of the newest master key.
    pub key: String,
}

impl Checked {
    /// Returns whether the check found no unreadable person and no changed table.
    pub fn right(&self) -> bool {
        self.unreadable.is_empty() && self.changed.is_empty()
    }
}

impl Table {
    /// Returns the queries for a table's next rows after a key, and for the number of rows.
    pub(super) fn pages(self) -> (&'static str, &'static str) {
        match self {
            Self::Person => ("SELECT * FROM person WHERE id > ?1 ORDER BY id LIMIT ?2", "SELECT count(*) FROM person"),
            Self::Gone => {
                ("SELECT * FROM gone WHERE revision > ?1 ORDER BY revision LIMIT ?2", "SELECT count(*) FROM gone")
            }
            Self::Answer => ("SELECT * FROM answer WHERE id > ?1 ORDER BY id LIMIT ?2", "SELECT count(*) FROM answer"),
            Self::Failure => {
                ("SELECT * FROM failure WHERE name > ?1 ORDER BY name LIMIT ?2", "SELECT count(*) FROM failure")
            }
            Self::Access => ("SELECT * FROM access WHERE id > ?1 ORDER BY id LIMIT ?2", "SELECT count(*) FROM access"),
            Self::Journal => {
                ("SELECT * FROM journal WHERE seq > ?1 ORDER BY seq LIMIT ?2", "SELECT count(*) FROM journal")
            }
            Self::Erasure => {
                ("SELECT * FROM erasure WHERE id > ?1 ORDER BY id LIMIT ?2", "SELECT count(*) FROM erasure")
            }
            Self::Capture => {
                ("SELECT * FROM capture WHERE id > ?1 ORDER BY id LIMIT ?2", "SELECT count(*) FROM capture")
            }
        }
    }

    /// Returns a value that sorts before every key of the table.
    fn first(self) -> Value {
        match self {
            Self::Person | Self::Gone | Self::Answer | Self::Journal => Value::Int(i64::MIN),
            Self::Failure | Self::Access | Self::Erasure | Self::Capture => Value::Bytes(Vec::new()),
        }
    }
}

impl Store {
    /// Checks the whole store in one snapshot.
    ///
    /// # Errors
    /// The database refused or its own check found damage, or `meta` was changed.
    pub fn check(&self) -> Result<Checked> {
        self.database.check()?;
        self.snapshot(|rows| {
            let meta = Meta::read(rows, &self.secrets.digests)?;
            let key = hex(&self.keyring.newest().id());
            let (unreadable, changed) = (Vec::new(), Vec::new());
            let mut checked = Checked { persons: 0, templates: 0, keys: 0, unreadable, changed, former_key: 0, key };
            for table in Table::ALL {
                if !self.check_table(rows, table, meta.table(table), &mut checked)? {
                    checked.changed.push(table.name());
                }
            }
            Ok(checked)
        })
    }

    /// Checks that a table's rows match its digest and can be decrypted.
    fn check_table(
        &self,
        rows: &mut dyn Rows,
        table: Table,
        expected: &TableDigest,
        checked: &mut Checked,
    ) -> Result<bool> {
        let (next, count) = table.pages();
        let (mut last, mut digest, mut opens) = (table.first(), TableDigest::default(), true);
        loop {
            let page = rows.rows(next, &[last.clone(), PAGE.into()])?;
            let Some(key) = page.last().and_then(|row| row.columns().first()) else { break };
            last = key.clone();
            for row in page {
                digest.add(&self.secrets.digests.row(table, row.columns()));
                opens &= self.check_row(table, row, checked)?;
            }
        }
        // The count also includes rows that the ordered read did not return.
        let there = rows.row(count, &[])?.map(|mut row| row.int()).transpose()?;
        Ok(opens && digest == *expected && there == i64::try_from(digest.rows()).ok())
    }

    /// Returns whether a row can be decrypted. A person whose row can't be is added to `unreadable` instead.
    fn check_row(&self, table: Table, row: Row, checked: &mut Checked) -> Result<bool> {
        match table {
            Table::Person => self.check_person(row, checked).map(|()| true),
            Table::Gone | Table::Answer => Ok(true),
            Table::Failure => Ok(self.failure_opens(row.columns())),
            Table::Journal => Ok(self.opened_entry(row).is_ok()),
            Table::Erasure => Ok(self.erasure_opens(row)),
            Table::Capture => Ok(self.opened_capture(row).is_ok()),
            Table::Access => {
                checked.keys += 1;
                Ok(self.opened_key(row).is_ok())
            }
        }
    }

    fn check_person(&self, row: Row, checked: &mut Checked) -> Result<()> {
        let (stored, master) = stored(row)?;
        checked.persons += 1;
        checked.former_key += u64::from(master != self.keyring.newest().id());
        let opened = self.master(&master).and_then(|master| Opened::open(&stored, &master));
        match opened.map(|opened| opened.person) {
            Ok(person) if self.is_named(&person, &stored) => checked.templates += person.templates.len() as u64,
            Err(error) if error.kind != Kind::Corrupt && error.kind != Kind::WrongKey => return Err(error),
            _ => checked.unreadable.push(stored.id),
        }
        Ok(())
    }

    /// Returns whether the row's keyed hashes match the person in it.
    fn is_named(&self, person: &Person, stored: &Stored) -> bool {
        let (name, tenant) = (self.name(&person.tenant, &person.subject), self.tenant_name(&person.tenant));
        name == stored.name && tenant == stored.tenant
    }
}
