//! The store of templates keeps the enrolled persons, sealed, in a database.
//!
//! [`Store`] is one blocking interface over two databases (`sqlite`, `postgres`); `docs/templates.md`
//! describes the layout and the guarantees. Many threads may call it. Uses the database, the key file, and
//! the system's random numbers.

mod access;
mod archive;
mod beside;
mod capture;
mod check;
mod digest;
mod enroll;
mod entry;
mod erase;
mod error;
mod failures;
mod handle;
mod index;
mod journal;
mod keys;
mod listing;
mod location;
mod person;
mod postgres;
mod receipt;
mod record;
mod residue;
mod rotate;
mod seal;
mod sql;
mod sqlite;
mod terms;
mod tls;
mod transfer;
mod uncompared;
mod vectors;

pub use access::{ApiKey, Grant, Scope, Scopes};
pub use archive::Archive;
pub use capture::{CaptureId, CaptureLimit, CaptureRow, CapturesFull, Opening, unhex_capture};
pub use check::Checked;
pub use enroll::{Answered, Enrollment, Idempotency, Mode, Outcome};
pub use entry::{JournalEntry, NOTHING, NewEntry, hash as hash_of_entry};
pub use erase::{Erased, ErasureId, ErasureState, unhex_erasure};
pub use error::{Kind, Result, StoreError};
pub use failures::{ComparedSubject, Limit, Source, Spent};
pub use handle::Store;
pub use index::{Index, IndexState, Query, SearchResult};
pub use listing::{Holdings, MOST_LISTED};
pub use location::Location;
pub use person::{BadId, MOST_TEMPLATES, NotCompared, Person, Subject, TemplateData, Tenant};
pub use receipt::Receipt;
pub use seal::random_key;
pub use sql::{Erasure, Purpose};
pub use terms::{Consent, LONGEST, Terms};
pub use transfer::{Exported, Imported, archive_keys};
#[cfg(test)]
use {
    failures::COUNTED,
    person::{DIMENSION, SpaceBytes},
};

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
mod faulty;
#[cfg(test)]
mod postgres_tests;
#[cfg(test)]
mod sqlite_tests;
#[cfg(test)]
pub(crate) mod suite;
#[cfg(test)]
mod suite_captures;
#[cfg(test)]
mod suite_index;
#[cfg(test)]
mod suite_journal;
#[cfg(test)]
mod suite_persons;
#[cfg(test)]
mod tamper_tests;
#[cfg(test)]
mod transfer_kill_tests;
#[cfg(test)]
mod transfer_tests;
