//! Decision records: what an answer that judges a face rests on, signed, so that it can be explained months later.
//!
//! A record has no photograph, no template and no name: photographs and subjects are keyed hashes. Numbers are texts
//! with all their digits, so that no reader of JSON rounds what was signed.

pub mod chain;
mod document;
pub mod jws;
mod keep;

pub use document::{KIND, ModelRecord, PhotographRecord, Program, Record, mode, policy};
pub use keep::{AnsweredRequest, Records};
