//! A database for tests, which fails once at a chosen step.

use std::sync::atomic::{AtomicI64, Ordering};

use super::sql::{Row, Value, Work};
use super::suite::Place;
use super::*;

/// A database that fails once, at one step: a statement, a commit (before or after), a scrub, or a search of
/// the files.
pub struct Faulty {
    inner: Box<dyn Database>,
    /// The number of steps before the fault.
    left: Arc<AtomicI64>,
}

impl Faulty {
    /// Opens a store on such a database; returns it with the number of steps before the fault.
    pub fn store(place: &Place) -> (Store, Arc<AtomicI64>) {
        let left = Arc::new(AtomicI64::new(i64::MAX));
        let inner = place.location.open(Purpose::Manage).unwrap();
        let mut store = Arc::into_inner(place.store()).unwrap();
        store.database = Box::new(Self { inner, left: left.clone() });
        (store, left)
    }

    fn step(&self) -> Result<()> {
        match self.left.fetch_sub(1, Ordering::Relaxed) {
            0 => Err(StoreError::new(Kind::Unavailable, "a fault of the test")),
            _ => Ok(()),
        }
    }
}

struct Steps<'a>(&'a Faulty, &'a mut dyn Rows);

impl Rows for Steps<'_> {
    fn run(&mut self, sql: &'static str, values: &[Value]) -> Result<u64> {
        self.0.step()?;
        self.1.run(sql, values)
    }

    fn rows(&mut self, sql: &'static str, values: &[Value]) -> Result<Vec<Row>> {
        self.0.step()?;
        self.1.rows(sql, values)
    }
}

impl Database for Faulty {
    fn read(&self, work: Work<'_>) -> Result<()> {
        self.inner.read(&mut |rows| work(&mut Steps(self, rows)))
    }

    fn snapshot(&self, work: Work<'_>) -> Result<()> {
        self.inner.snapshot(&mut |rows| work(&mut Steps(self, rows)))
    }

    fn write(&self, work: Work<'_>) -> Result<()> {
        self.inner.write(&mut |rows| work(&mut Steps(self, rows)).and_then(|()| self.step()))?;
        self.step()
    }

    fn prepare(&self) -> Result<()> {
        self.inner.prepare()
    }

    fn scrub(&self) -> Result<Erasure> {
        self.step()?;
        self.inner.scrub()
    }

    fn residue(&self, pieces: &[[u8; 16]], longest: u64) -> Result<Option<Vec<(&'static str, u64)>>> {
        self.step()?;
        self.inner.residue(pieces, longest)
    }

    fn check(&self) -> Result<()> {
        self.inner.check()
    }
}
