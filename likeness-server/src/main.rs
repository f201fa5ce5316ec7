//! The program `likeness`: faces in photographs, from the command line.
//!
//! `args -> command -> report -> exit`. Only `print` prints; only `weights` reads weight files, and
//! only through Ballast's library.

mod args;
mod bench_report;
mod command;
mod draw;
mod exit;
mod models;
mod print;
mod report;
mod store;
mod weights;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Detect(args) => command::detect(&args),
        Command::Live(args) => command::live(&args),
        Command::Embed(args) => command::embed(&args),
        Command::Compare(args) => command::compare(&args),
        Command::Models(args) => command::models(&args),
        Command::Bench(args) => command::bench(&args),
    };
    match done {
        Ok(exit) => exit.into(),
        Err(failure) => {
            print::failure(&failure);
            failure.exit.into()
        }
    }
}
