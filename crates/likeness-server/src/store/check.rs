//! A look at everything: the database's own check, every table compared with its digest, and every
//! person, key and failure opened. Changes nothing.

use super::digest::{Meta, Table, TableDigest};
use super::error::{Kind, Result};
use super::handle::{Store, stored};
use super::keys::hex;
use super::person::Person;
use super::record::{Opened, Stored};
use super::sql::{Row, Rows, Value};

/// Rows read at once.
const PAGE: i64 = 500;

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Checked {
    /// Persons.
    pub persons: u64,
    /// Their templates.
    pub templates: u64,
    /// API keys, good or not.
    pub keys: u64,
    /// Persons whose row is not what was sealed, by the number of their enrolment.
    pub unreadable: Vec<i64>,
    /// Tables that another program changed: a row was added, removed or changed.
    pub changed: Vec<&'static str>,
    /// Persons wrapped by another master key than the newest: a rotation has not ended.
    pub former_key: u64,
    /// The id of the newest master key.
    pub key: String,
}

impl Checked {
    /// Whether everything is what was written.
    pub fn right(&self) -> bool {
        self.unreadable.is_empty() && self.changed.is_empty()
    }
}

impl Table {
    /// Its next rows after a key; and how many there are.
    fn pages(self) -> (&'static str, &'static str) {
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
        }
    }

    /// Before every key.
    fn first(self) -> Value {
        match self {
            Self::Person | Self::Gone | Self::Answer | Self::Journal => Value::Int(i64::MIN),
            Self::Failure | Self::Access | Self::Erasure => Value::Bytes(Vec::new()),
        }
    }
}

impl Store {
    /// Checks everything, as of one moment; nothing is changed.
    ///
    /// # Errors
    /// The database's refusal, or what its own check found.
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

    /// Whether a table is what was written.
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
        // Rows that the ordered read misses count too.
        let there = rows.row(count, &[])?.map(|mut row| row.int()).transpose()?;
        Ok(opens && digest == *expected && there == i64::try_from(digest.rows()).ok())
    }

    /// Whether a row opens, as far as it is sealed; a person that does not is counted by number.
    fn check_row(&self, table: Table, row: Row, checked: &mut Checked) -> Result<bool> {
        match table {
            Table::Person => self.check_person(row, checked).map(|()| true),
            Table::Gone | Table::Answer => Ok(true),
            Table::Failure => Ok(self.failure_opens(row.columns())),
            Table::Journal => Ok(self.opened_entry(row).is_ok()),
            Table::Erasure => Ok(self.erasure_opens(row)),
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

    /// Whether the row lies under the name of whom it holds.
    fn is_named(&self, person: &Person, stored: &Stored) -> bool {
        let (name, tenant) = (self.name(&person.tenant, &person.subject), self.tenant_name(&person.tenant));
        name == stored.name && tenant == stored.tenant
    }
}
