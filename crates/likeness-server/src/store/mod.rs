//! The store of templates: who was enrolled, sealed in a database that holds ciphertext only.
//!
//! One interface, blocking, over two databases (`sqlite`, `postgres`); `docs/templates.md` has the
//! layout and what is guaranteed. Calls come from many threads. Touches the database, the key file,
//! and the system's randomness.

mod access;
mod check;
mod digest;
mod enroll;
mod error;
mod failures;
mod handle;
mod index;
mod keys;
mod location;
mod person;
mod postgres;
mod record;
mod rotate;
mod seal;
mod sql;
mod sqlite;
mod tls;
mod uncompared;
mod vectors;

pub use access::{ApiKey, Grant, Scope, Scopes};
pub use check::Checked;
pub use enroll::{Answered, Enrollment, Idempotency, Mode, Outcome};
pub use error::{Kind, Result, StoreError};
pub use failures::{Source, Spent};
pub use handle::Store;
pub use index::{Index, IndexState, Query, SearchResult};
pub use location::Location;
#[cfg(test)]
use person::{DIMENSION, SpaceBytes};
pub use person::{NotCompared, Person, Subject, TemplateData, Tenant};
pub use sql::{Erasure, Purpose};

#[cfg(test)]
use {
    sql::{Database, Rows},
    std::sync::Arc,
    std::time::Duration,
};

#[cfg(test)]
mod bench;
#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod postgres_tests;
#[cfg(test)]
mod sqlite_tests;
#[cfg(test)]
mod suite;
#[cfg(test)]
mod suite_index;
#[cfg(test)]
mod tamper_tests;
