//! The types of a journal's entries, and the hash that links them. Uses no database.

use likeness::net::Digest;
use serde::{Deserialize, Serialize};

/// The hash that the first entry names as the previous one.
pub const NOTHING: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// An entry to write.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEntry {
    /// The id of the decision record, if the entry is one.
    pub id: Option<String>,
    /// The time of the entry, in seconds since 1970.
    pub at: i64,
    /// The kind of the entry.
    pub kind: &'static str,
    /// The content of the entry.
    pub body: serde_json::Value,
}

/// An entry as it is hashed, stored and exported.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JournalEntry {
    /// The number of the entry; the first is 1.
    pub seq: i64,
    /// The SHA-256 of the previous entry's text.
    pub previous: String,
    /// The time of the entry, in seconds since 1970.
    pub at: i64,
    /// The kind of the entry.
    pub kind: String,
    /// The content of the entry.
    pub body: serde_json::Value,
}

impl NewEntry {
    /// Creates the entry of a change, which is no decision record.
    pub fn of(kind: &'static str, at: i64, body: serde_json::Value) -> Self {
        Self { id: None, at, kind, body }
    }
}

/// Returns the hash of an entry's text, which the next entry contains.
pub fn hash(text: &str) -> String {
    Digest::of(text.as_bytes()).to_string()
}
