//! Ballast: model weights that are always there and always the right bytes.
//!
//! The modules are in reading order: a [`lock`] says what must be there, [`digest`] names
//! bytes, an [`index`] lets every boot check every byte at memory speed, a [`disk`] is the one
//! place that touches a file system, a [`store`] verifies, stages and publishes on it,
//! and [`heal`] verifies and repairs a whole store. [`receive`] takes bytes that arrive from elsewhere.
//! [`foreign`] opens and reads what others wrote outside a store, for every program.
//!
//! This library opens no socket, knows no user database, prints nothing and spawns nothing
//! but scoped hashing threads.
#![warn(missing_docs)]

mod aside;
pub mod bounds;
pub mod buffer;
pub mod constants;
pub mod copy;
pub mod digest;
pub mod disk;
pub mod fault;
pub mod foreign;
pub mod heal;
pub mod index;
pub mod kept;
pub mod lock;
mod names;
mod open;
pub mod place;
pub mod receipt;
pub mod receive;
mod state;
pub mod store;
pub mod verified;
