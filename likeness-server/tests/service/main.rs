//! The service as its callers meet it, over loopback.

#![allow(clippy::unwrap_used, reason = "tests")]

mod access;
mod deepface;
mod incident;
mod inspect;
mod stateless;
mod support;
