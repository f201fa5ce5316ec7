//! Failed verifications, counted per tenant and subject whether enrolled or not.

use super::error::Result;
use super::person::{Subject, Tenant};
use super::seal::name;
use super::{Store, sql};

/// How long a failure counts, in seconds.
pub const COUNTED: i64 = 15 * 60;

impl Store {
    /// Notes a failed verification, and forgets those that no longer count.
    ///
    /// # Errors
    /// The database's refusal.
    pub fn note_failure(&self, tenant: &Tenant, subject: &Subject, now: i64) -> Result<()> {
        let name = self.failing(tenant, subject);
        self.write(|rows| {
            rows.run("DELETE FROM failure WHERE at <= ?1", &[(now - COUNTED).into()])?;
            rows.run("INSERT INTO failure (name, at) VALUES (?1, ?2)", &[(&name).into(), now.into()]).map(|_| ())
        })
    }

    /// The moments of the failures that still count, oldest first.
    ///
    /// # Errors
    /// The database's refusal.
    pub fn failures(&self, tenant: &Tenant, subject: &Subject, now: i64) -> Result<Vec<i64>> {
        let values = [(&self.failing(tenant, subject)).into(), (now - COUNTED).into()];
        let found =
            self.read(|rows| rows.rows("SELECT at FROM failure WHERE name = ?1 AND at > ?2 ORDER BY at", &values))?;
        found.into_iter().map(|mut row: sql::Row| row.int()).collect()
    }

    pub(super) fn failing(&self, tenant: &Tenant, subject: &Subject) -> [u8; 32] {
        name(&self.secrets.failures, &[tenant.as_str().as_bytes(), subject.as_str().as_bytes()])
    }
}
