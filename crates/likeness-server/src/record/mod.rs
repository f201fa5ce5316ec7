//! A decision record is a signed text of all that a judgement of a face rests on, so that the judgement can
//! be explained later.
//!
//! A record contains no photograph, no template and no subject name, but keyed hashes of photographs and the pseudonym of a person.
//! Numbers of measurements are texts with all their digits, so that a JSON reader does not round them.

pub mod chain;
mod document;
mod keep;

pub use document::{KIND, ModelRecord, PhotographRecord, Program, Record, mode, policy};
pub use keep::{AnsweredRequest, Records};
