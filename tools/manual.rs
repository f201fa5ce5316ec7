//! Writes the man pages and the shell completions of a program into a folder. The examples `manual` of both programs
//! use it, and their tests.

use std::fs;
use std::io;
use std::path::Path;

use clap::Command;
use clap_complete::{Shell, generate_to};

/// The shells with completions.
const SHELLS: [Shell; 3] = [Shell::Bash, Shell::Zsh, Shell::Fish];

/// Writes `man1` with a page for the program and for each of its commands, and `completions`.
///
/// # Errors
/// The folder can't be written.
pub fn write(program: Command, folder: &Path) -> io::Result<()> {
    let [pages, completions] = ["man1", "completions"].map(|name| folder.join(name));
    fs::create_dir_all(&pages)?;
    fs::create_dir_all(&completions)?;
    let name = program.get_name().to_owned();
    for shell in SHELLS {
        generate_to(shell, &mut program.clone(), &name, &completions)?;
    }
    // `help` repeats every command; a page for each of these would say nothing.
    clap_mangen::generate_to(program.disable_help_subcommand(true), &pages)
}
