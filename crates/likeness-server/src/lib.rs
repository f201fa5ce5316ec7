//! The program `likeness`: faces in photographs, from the command line and over HTTP.
//!
//! `args -> command -> report -> exit`; the service is `config -> app -> admission -> handler -> problem`.
//! Only `print` writes to stdout and stderr. Only `models/weights` reads weight files, through Ballast's
//! library.

mod admission;
mod app;
mod args;
mod bench_report;
mod calibrate_args;
mod calibrate_report;
mod calibration;
mod captures;
mod certificates;
mod clock;
mod codes;
mod command;
mod config;
mod det;
mod draw;
mod examiner;
mod exit;
mod form;
mod handler;
mod hex;
mod jws;
mod listen;
mod models;
mod openapi;
mod print;
mod problem;
mod process;
mod pseudonym;
mod record;
mod reload;
mod report;
mod router;
mod routes;
mod secrets;
mod series;
mod shared_args;
mod store;
mod store_args;
mod templates;
mod trace;
mod trail;
mod work;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser};

use args::{Cli, Command};
use ballast::version;
use exit::{Exit, Failure};

/// The version and the commit, which live as long as the program.
fn version() -> &'static str {
    version::text(env!("CARGO_PKG_VERSION"), None).leak()
}

/// Returns the grammar of the command line, for man pages and completions.
#[must_use]
pub fn grammar() -> clap::Command {
    Cli::command()
}

/// Reads the command line, runs the command, and prints its error.
#[must_use]
pub fn main() -> ExitCode {
    print::panics();
    process::return_large_blocks();
    process::survive_file_limits();
    let command = match Cli::try_parse() {
        Ok(cli) => cli.command,
        Err(error) => return print::usage(&error),
    };
    let json = command.json();
    let report = |failure: Failure| {
        print::failure(&failure, json);
        failure.exit
    };
    let exit = run(command).unwrap_or_else(report);
    // A lost result is always reported, and changes no exit code but 0.
    let lost = print::lost().map(report);
    lost.filter(|_| exit == Exit::Success).unwrap_or(exit).into()
}

fn run(command: Command) -> Result<Exit, Failure> {
    if matches!(
        command,
        Command::Serve(_)
            | Command::Enroll(_)
            | Command::Calibrate(_)
            | Command::Store(_)
            | Command::Key(_)
            | Command::Journal(_)
    ) {
        let refused = |why| Failure::new(Exit::BadSetting, format!("core dumps can't be turned off: {why}"));
        secrets::protect_memory().map_err(refused)?;
    }
    match command {
        Command::Detect(args) => command::detect(&args),
        Command::Live(args) => command::live(&args),
        Command::Embed(args) => command::embed(&args),
        Command::Enroll(args) => command::enroll(&args),
        Command::Compare(args) => command::compare(&args),
        Command::Calibrate(args) => command::calibrate(&args),
        Command::Models(args) => command::models(&args),
        Command::Bench(args) => command::bench(&args),
        Command::Serve(args) => command::serve(&args),
        Command::Probe(args) => command::probe(&args),
        Command::Explain(args) => command::explain(&args),
        Command::Journal(command) => command::journal(&command),
        Command::Store(command) => command::store(&command),
        Command::Key(command) => command::key(&command),
    }
}
