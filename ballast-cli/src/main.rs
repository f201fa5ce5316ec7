//! The program `ballast`: keeps model weights right, drops privilege, becomes the command.
//!
//! `args -> command -> report -> exit`. Only `print` prints, only `launch` changes who we are.

#[cfg(feature = "full")]
mod adopted;
mod apply;
mod args;
mod boot;
mod command;
mod custody;
mod dirs;
mod doctor;
mod exit;
mod facts;
mod launch;
mod print;
mod receipts;
mod report;
mod seal;
mod serial;
mod setting;
mod signature;
#[cfg(feature = "full")]
mod source;
mod user;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};
use exit::Exit;

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Run(args) => command::run(&args),
        Command::Heal(args) => command::heal(&args),
        Command::Verify(args) => command::verify(&args),
        Command::Status(args) => command::status(&args),
        Command::Doctor(args) => command::doctor(&args),
        #[cfg(feature = "full")]
        Command::Pin(args) => command::pin(&args),
        #[cfg(feature = "full")]
        Command::Adopt(args) => command::adopt(&args),
        #[cfg(feature = "full")]
        Command::Fetch(args) => command::fetch(&args),
        #[cfg(feature = "full")]
        Command::Bake(args) => command::bake(&args),
        #[cfg(not(feature = "full"))]
        Command::Pin(_) | Command::Adopt(_) | Command::Fetch(_) | Command::Bake(_) => Err(exit::not_in_this_build()),
    };
    match done {
        Ok(()) => Exit::Success.into(),
        Err(failure) => {
            print::failure(&failure);
            failure.exit.into()
        }
    }
}
