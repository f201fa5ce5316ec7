//! Authenticates each table as a whole: `meta` contains a keyed digest of each table's rows, sealed with the
//! revision.
//!
//! Promises: if another program adds, removes or changes a row, in any column, the table keeps differing from
//! its digest. The next read refuses a `meta` that another program changed. A digest is the sum of the rows'
//! keyed hashes, so an update reads only the changed rows. A digest does not reveal that the whole database
//! was replaced by an older copy.

use super::entry::NewEntry;
use super::error::{Kind, Result, StoreError};
use super::seal::{Context, Key, open, seal};
use super::sql::{LAYOUT, Rows, Value};

/// A table other than `meta`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// Persons.
    Person,
    /// Erased persons.
    Gone,
    /// Responses remembered for repeated requests.
    Answer,
    /// Failed verifications.
    Failure,
    /// API keys.
    Access,
    /// Erasures and their receipts.
    Erasure,
    /// The journal.
    Journal,
    /// Captures under way.
    Capture,
}

impl Table {
    /// Every table, in the order of the digests in `meta`.
    pub const ALL: [Self; 8] = [
        Self::Person,
        Self::Gone,
        Self::Answer,
        Self::Failure,
        Self::Access,
        Self::Erasure,
        Self::Journal,
        Self::Capture,
    ];

    /// Returns the table's name in the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Gone => "gone",
            Self::Answer => "answer",
            Self::Failure => "failure",
            Self::Access => "access",
            Self::Erasure => "erasure",
            Self::Journal => "journal",
            Self::Capture => "capture",
        }
    }
}

/// The number of a table's rows, and the sum of their hashes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TableDigest {
    rows: u64,
    sum: [u64; 4],
}

const DIGEST: usize = 8 + 32;

impl TableDigest {
    /// Returns the number of rows.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Adds a row's hash.
    pub fn add(&mut self, row: &[u64; 4]) {
        self.rows = self.rows.wrapping_add(1);
        self.sum.iter_mut().zip(row).for_each(|(sum, part)| *sum = sum.wrapping_add(*part));
    }

    /// Subtracts a row's hash.
    fn remove(&mut self, row: &[u64; 4]) {
        self.rows = self.rows.wrapping_sub(1);
        self.sum.iter_mut().zip(row).for_each(|(sum, part)| *sum = sum.wrapping_sub(*part));
    }

    fn bytes(&self) -> [u8; DIGEST] {
        let mut bytes = [0; DIGEST];
        let numbers = [self.rows].into_iter().chain(self.sum);
        bytes.as_chunks_mut::<8>().0.iter_mut().zip(numbers).for_each(|(bytes, number)| *bytes = number.to_le_bytes());
        bytes
    }

    fn of_bytes(bytes: &[u8; DIGEST]) -> Self {
        let mut numbers = bytes.as_chunks::<8>().0.iter().map(|bytes| u64::from_le_bytes(*bytes));
        let mut next = || numbers.next().unwrap_or_default();
        Self { rows: next(), sum: [next(), next(), next(), next()] }
    }
}

/// The keys of the digests.
pub struct DigestKeys {
    /// The key of the rows' hashes.
    pub rows: Key,
    /// The key that seals the digests in `meta`.
    pub seal: Key,
}

impl DigestKeys {
    /// Returns the keyed hash of a row over all its columns.
    pub fn row(&self, table: Table, columns: &[Value]) -> [u64; 4] {
        let mut hasher = blake3::Hasher::new_keyed(&self.rows);
        let mut part = |kind: u8, bytes: &[u8]| {
            hasher.update(&[kind]).update(&(bytes.len() as u64).to_le_bytes()).update(bytes);
        };
        part(b't', table.name().as_bytes());
        for column in columns {
            match column {
                Value::Int(number) => part(b'i', &number.to_le_bytes()),
                Value::Bytes(bytes) => part(b'b', bytes),
            }
        }
        let hash = *hasher.finalize().as_bytes();
        let mut parts = [0; 4];
        parts.iter_mut().zip(hash.as_chunks::<8>().0).for_each(|(part, bytes)| *part = u64::from_le_bytes(*bytes));
        parts
    }
}

/// The row of `meta`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meta {
    /// The id of the master key that wraps the root.
    pub master: Vec<u8>,
    /// The wrapped root.
    pub root: Vec<u8>,
    /// The revision, which rises with each change of a person.
    pub revision: i64,
    /// Whether an API key was ever made.
    pub keys_made: bool,
    tables: [TableDigest; Table::ALL.len()],
}

impl Meta {
    /// Returns the row of an empty store.
    pub fn new(master: &[u8], root: Vec<u8>) -> Self {
        Self { master: master.to_vec(), root, revision: 0, keys_made: false, tables: Default::default() }
    }

    /// Reads the row of `meta` and checks its seal.
    ///
    /// # Errors
    /// The row is missing, or another program changed it.
    pub fn read(rows: &mut dyn Rows, keys: &DigestKeys) -> Result<Self> {
        let row = rows.row("SELECT one, layout, master, root, revision, digests FROM meta", &[])?;
        let mut row = row.ok_or_else(no_meta)?;
        let (one, layout, master, root) = (row.int()?, row.int()?, row.bytes()?, row.bytes()?);
        let (revision, sealed) = (row.int()?, row.bytes()?);
        let opened = (one == 1 && layout == LAYOUT)
            .then(|| open(&keys.seal, &sealing(&master, &root, revision), &sealed))
            .flatten();
        let parts = opened.as_deref().and_then(|plain| plain.split_first());
        let Some((keys_made, digests)) = parts.filter(|(_, digests)| digests.len() == DIGEST * Table::ALL.len()) else {
            return Err(
                StoreError::new(Kind::Corrupt, "another program changed the table meta").hint("restore a backup")
            );
        };
        let mut tables = [TableDigest::default(); Table::ALL.len()];
        let each = digests.as_chunks::<DIGEST>().0;
        tables.iter_mut().zip(each).for_each(|(table, bytes)| *table = TableDigest::of_bytes(bytes));
        Ok(Self { master, root, revision, keys_made: *keys_made != 0, tables })
    }

    /// Returns the values to write: master, root, revision, digests.
    ///
    /// # Errors
    /// The system returned no random numbers.
    pub fn values(&self, keys: &DigestKeys) -> Result<[Value; 4]> {
        let mut plain = vec![u8::from(self.keys_made)];
        self.tables.iter().for_each(|table| plain.extend(table.bytes()));
        let sealed = seal(&keys.seal, &sealing(&self.master, &self.root, self.revision), &plain)?;
        Ok([self.master.clone().into(), self.root.clone().into(), self.revision.into(), sealed.into()])
    }

    /// Returns the digest that a table's rows must have.
    pub fn table(&self, table: Table) -> &TableDigest {
        &self.tables[table as usize]
    }
}

fn sealing(master: &[u8], root: &[u8], revision: i64) -> Context {
    Context::new("meta").number(1).number(LAYOUT).field(master).field(root).number(revision)
}

/// Returns the error for an empty table `meta`.
pub fn no_meta() -> StoreError {
    StoreError::new(Kind::Corrupt, "the table meta is empty: the database is no store, or another program changed it")
}

/// A transaction that updates the digest of each table that it changes.
pub struct Changes<'a> {
    rows: &'a mut dyn Rows,
    keys: &'a DigestKeys,
    before: Meta,
    /// The new row of `meta`; [`Changes::end`] writes it if it changed.
    pub meta: Meta,
    /// Entries for the journal, which [`Store::write`](super::Store) appends at the end of the transaction.
    pub entries: Vec<NewEntry>,
}

impl<'a> Changes<'a> {
    /// Reads `meta` and begins to record changes.
    ///
    /// # Errors
    /// Another program changed the table `meta`.
    pub fn begin(rows: &'a mut dyn Rows, keys: &'a DigestKeys) -> Result<Self> {
        let meta = Meta::read(rows, keys)?;
        Ok(Self { rows, keys, before: meta.clone(), meta, entries: Vec::new() })
    }

    /// Writes `meta` if it changed.
    ///
    /// # Errors
    /// The database refused.
    pub fn end(self) -> Result<()> {
        if self.meta == self.before {
            return Ok(());
        }
        let values = self.meta.values(self.keys)?;
        self.rows.run("UPDATE meta SET master = ?1, root = ?2, revision = ?3, digests = ?4", &values).map(|_| ())
    }

    /// Returns the rows, for reading only: a change made here would not reach the digests.
    pub fn rows(&mut self) -> &mut dyn Rows {
        self.rows
    }

    /// Changes rows of a table and returns how many. `select` must return exactly the rows that `statement`
    /// adds, removes or changes; its parameters are the first `by` values.
    ///
    /// # Errors
    /// The database refused.
    pub fn change(
        &mut self,
        table: Table,
        (select, by): (&'static str, usize),
        statement: &'static str,
        values: &[Value],
    ) -> Result<u64> {
        let digest = &mut self.meta.tables[table as usize];
        for row in self.rows.rows(select, &values[..by])? {
            digest.remove(&self.keys.row(table, row.columns()));
        }
        let changed = self.rows.run(statement, values)?;
        for row in self.rows.rows(select, &values[..by])? {
            digest.add(&self.keys.row(table, row.columns()));
        }
        Ok(changed)
    }

    /// Returns the next revision. Every change of a person gets its own revision, in the order of commits.
    pub fn next_revision(&mut self) -> i64 {
        self.meta.revision += 1;
        self.meta.revision
    }
}

#[cfg(test)]
mod tests {
    use super::super::seal::random_key;
    use super::*;

    #[test]
    fn a_digest_is_of_a_set_of_rows_by_table_type_and_every_column() {
        let keys = DigestKeys { rows: random_key().unwrap(), seal: random_key().unwrap() };
        let hash = |table, columns: &[Value]| keys.row(table, columns);
        let (a, b) = (Value::Int(7), Value::Bytes(b"ab".to_vec()));
        let row = hash(Table::Person, &[a.clone(), b.clone()]);
        let others = [
            ("table", hash(Table::Access, &[a.clone(), b.clone()])),
            ("order", hash(Table::Person, &[b.clone(), a.clone()])),
            ("fewer", hash(Table::Person, std::slice::from_ref(&a))),
            ("more", hash(Table::Person, &[a.clone(), b.clone(), Value::Int(0)])),
            ("type", hash(Table::Person, &[Value::Bytes(7_i64.to_le_bytes().to_vec()), b])),
            ("split", hash(Table::Person, &[a, Value::Bytes(b"a".to_vec()), Value::Bytes(b"b".to_vec())])),
        ];
        let alike: Vec<_> = others.iter().filter(|(_, other)| *other == row).map(|(name, _)| name).collect();
        assert!(alike.is_empty(), "{alike:?}");
        let mut digest = TableDigest::default();
        others.iter().for_each(|(_, other)| digest.add(other));
        let before = digest;
        digest.add(&row);
        assert_ne!(digest, before);
        let twice = {
            let mut twice = digest;
            twice.add(&row);
            twice
        };
        assert_ne!(twice, before, "the same row twice is not none");
        digest.remove(&row);
        assert_eq!((digest, TableDigest::of_bytes(&before.bytes())), (before, before));
    }
}
