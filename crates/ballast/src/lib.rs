//! Ballast verifies model weights against pinned digests, and repairs them.
//!
//! A lock file pins each weight by its SHA-256. This program checks every byte of a folder against it and
//! prints a line for each weight:
//!
//! ```
//! use ballast::{disk::LinuxDisk, heal, lock::Lock, store::ExpectedWeight, store::Strictness};
//! use std::{error::Error, fs, num::NonZeroUsize, path::Path, thread};
//!
//! fn main() -> Result<(), Box<dyn Error>> {
//! #   let folder = tempfile::tempdir()?;
//! #   std::env::set_current_dir(folder.path())?;
//! #   fs::create_dir("models")?;
//! #   fs::write("models/a.bin", "abc")?;
//! #   fs::write("weights.lock", "version = 1\nstore = { path = \"/srv/models\" }\n[[weight]]\npath = \"a.bin\"\n\
//! #       sha256 = \"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"\n")?;
//!     let lock = Lock::parse(&fs::read_to_string("weights.lock")?)?;
//!     let expected: Vec<_> = lock.weights.iter().map(ExpectedWeight::by_pin).collect();
//!     let disk = LinuxDisk::open(Path::new("models"))?;
//!     let threads = || thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
//!     let outcomes = heal::verify(&disk, &expected, Strictness::Volume, threads);
//!     for (weight, outcome) in lock.weights.iter().zip(&outcomes) {
//!         println!("{}: {}", weight.path, outcome.found);
//!     }
//! #   assert!(outcomes.iter().all(heal::Outcome::is_right));
//!     Ok(())
//! }
//! ```
//!
//! The modules are in reading order: a [`lock`] lists the expected weights, a [`digest`] identifies
//! bytes, an [`index`] lets every boot check every byte at memory speed, a [`disk`] is the one place
//! that touches a file system, a [`store`] verifies, stages and publishes on it, and [`heal`]
//! verifies and repairs a whole store. [`receive`] takes bytes that arrive from elsewhere.
//! [`foreign`] opens and reads files of others outside a store; [`escape`] makes their text safe to print; [`version`]
//! names the source of a program.
//!
//! Sizes and offsets are bytes. Every error has a `kind()`, one [`ErrorKind`] for all of them; the calls of a
//! [`disk`] and of [`foreign`] return the kernel's [`std::io::Error`].
//!
//! This library opens no socket, knows no user database, prints nothing, and starts only scoped
//! threads that hash.
#![warn(missing_docs, clippy::missing_errors_doc, clippy::must_use_candidate, clippy::undocumented_unsafe_blocks)]
#![cfg_attr(not(test), deny(clippy::disallowed_types))]

pub mod bounds;
pub mod buffer;
pub mod constants;
pub mod copy;
pub mod digest;
pub mod disk;
mod error;
pub mod escape;
pub mod fault;
pub mod foreign;
pub mod heal;
pub mod index;
pub mod install;
pub mod lock;
mod names;
mod open;
mod quarantine;
pub mod receipt;
pub mod receive;
pub mod root_owned;
mod state;
pub mod store;
mod sync;
pub mod verified;
pub mod version;
mod ways;

pub use error::ErrorKind;
pub use quarantine::QUARANTINE_PREFIX;
