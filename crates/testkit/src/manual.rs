//! Writes the man pages and the shell completions of a program into a folder, and finds what they lack. An example of
//! each program writes them (`tools/manual`); a test of each program checks them.

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

/// Writes the manual into a temporary folder; returns the commands without a page or a completion.
///
/// # Panics
/// If the folder can't be written or has none of the files.
#[must_use]
pub fn lacking(program: &Command) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    write(program.clone(), folder.path()).expect("the manual");
    let name = program.get_name();
    let read = |file: String| fs::read_to_string(folder.path().join(file)).unwrap_or_default();
    let shells = [format!("{name}.bash"), format!("_{name}"), format!("{name}.fish")];
    let shells = shells.map(|file| read(format!("completions/{file}")));
    let mut lacking = Vec::new();
    for command in program.get_subcommands().map(Command::get_name).filter(|command| *command != "help") {
        let page = read(format!("man1/{name}-{command}.1"));
        if !page.contains(".SH SYNOPSIS") || !page.contains(".SH DESCRIPTION") {
            lacking.push(format!("a page of {command}"));
        }
        lacking.extend(shells.iter().filter(|shell| !shell.contains(command)).map(|_| format!("{command} in a shell")));
    }
    if !read(format!("man1/{name}.1")).contains(&format!(".TH {name} 1")) {
        lacking.push("the page of the program".into());
    }
    if folder.path().join(format!("man1/{name}-help.1")).exists() {
        lacking.push("no page of help, which repeats every command".into());
    }
    lacking
}
