//! The program `ballast`: verifies and repairs model weights, drops privilege, becomes the command.
//!
//! `args -> command -> report -> exit`. Only `print` prints, and only `launch` changes the user of the process.
//!
//! The C library calls [`entry`] itself. Rust's runtime would change the signal state that the
//! command must inherit, and prepare threads that most boots don't start.
#![cfg_attr(not(any(feature = "full", test)), deny(clippy::disallowed_types))]

#[cfg(feature = "full")]
mod adopted;
mod app_env;
mod args;
mod boot;
mod bounds;
mod command;
mod deepface;
mod dirs;
mod doctor;
mod dry_run;
mod errno;
mod exit;
mod extra;
mod facts;
#[cfg(feature = "full")]
mod first_trust;
mod hints;
#[cfg(feature = "full")]
mod image;
#[cfg(feature = "full")]
mod init;
mod launch;
mod mounts;
#[cfg(feature = "full")]
mod oms;
mod permit;
mod print;
#[cfg(test)]
mod reads_tests;
mod receipts;
mod record;
mod report;
mod seal;
mod secrets;
mod serial;
mod setting;
mod signature;
#[cfg(feature = "full")]
mod source;
#[cfg(feature = "full")]
mod statement;
mod target;
mod termination;
mod user;
mod walk;
#[cfg(feature = "full")]
mod whole_file;
mod wins;
mod write_access;

/// Readers of foreign bytes, for the fuzz targets of `fuzz/` only.
#[cfg(feature = "full")]
#[doc(hidden)]
pub mod fuzzing {
    pub use crate::bounds::{DEPLOYMENT, LAYERS, MANIFEST};
    pub use crate::doctor::deployment::examine;
    pub use crate::image::{entries, manifest};
    pub use crate::mounts::unwritable;
    pub use crate::report::Written;
    pub use crate::source::address;
    pub use crate::user::{Accounts, UserSpec};
}

use std::mem::ManuallyDrop;

use ballast::{escape, foreign, version};
use clap::{CommandFactory, FromArgMatches};

use args::{Cli, Command};
/// The program: reads the command line, runs the command, prints its failure, ends the process. `run` becomes
/// another program instead.
pub fn entry() -> ! {
    launch::receive();
    let command = parse().command;
    // A probe's result is its exit code.
    let heard = matches!(command, Command::Status(_));
    let done = match command {
        Command::Run(args) => command::run(&args),
        Command::Heal(args) => command::heal(&args),
        Command::Verify(args) => command::verify(&args),
        Command::Status(args) => command::status(&args),
        Command::Doctor(args) => command::doctor(&args),
        #[cfg(feature = "full")]
        Command::Init(args) => command::init(&args),
        #[cfg(feature = "full")]
        Command::Pin(args) => command::pin(&args),
        #[cfg(feature = "full")]
        Command::Adopt(args) => command::adopt(&args),
        #[cfg(feature = "full")]
        Command::Sign(args) => command::sign(&args),
        #[cfg(feature = "full")]
        Command::Fetch(args) => command::fetch(&args),
        #[cfg(feature = "full")]
        Command::Outdated(args) => command::outdated(&args),
        #[cfg(feature = "full")]
        Command::Bake(args) => command::bake(&args),
        #[cfg(feature = "full")]
        Command::Push(args) => command::push(&args),
        #[cfg(feature = "full")]
        Command::Pull(args) => command::pull(&args),
        #[cfg(feature = "full")]
        Command::Export(args) => command::export(&args),
        #[cfg(feature = "full")]
        Command::Import(args) => command::import(&args),
        #[cfg(feature = "full")]
        Command::Statement(args) => command::statement(&args),
        #[cfg(not(feature = "full"))]
        Command::Elsewhere(_) => Err(exit::not_in_this_build()),
    };
    let (exit, failures) = exit::ended(done, print::lost().filter(|_| !heard));
    failures.iter().for_each(print::failure);
    std::process::exit(exit.code())
}

/// The version, the commit and the build, which live as long as the program.
fn version() -> &'static str {
    let build = if cfg!(feature = "full") { None } else { Some("entrypoint build") };
    version::text(env!("CARGO_PKG_VERSION"), build).leak()
}

/// Returns the grammar of the command line, for man pages and completions.
#[must_use]
pub fn grammar() -> clap::Command {
    Cli::command()
}

/// Parses the command line, and ends the process for an invalid one or `--help`. The parser is
/// leaked on purpose: the process exits or execs before freeing it would pay off.
fn parse() -> Cli {
    let mut grammar = ManuallyDrop::new(Cli::command());
    let matches = grammar.try_get_matches_from_mut(std::env::args_os()).map(ManuallyDrop::new);
    let parsed = matches.and_then(|mut matches| Cli::from_arg_matches_mut(&mut matches));
    parsed.unwrap_or_else(|error| std::process::exit(print::usage(&error)))
}
