//! Tests of captures with an examiner of their own: films of landmarks, which no network has seen.

#![allow(clippy::unwrap_used, reason = "tests")]

mod actor;
mod film;
mod films;
mod protocol;
