//! Checks that each command of `likeness` has a man page and is completed in each shell.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "../../../tools/manual.rs"]
mod manual;

use std::fs;

#[test]
fn every_command_has_a_page_and_is_completed() {
    let folder = tempfile::tempdir().unwrap();
    let program = likeness_server::grammar();
    manual::write(program.clone(), folder.path()).unwrap();
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap_or_default();
    let shells = ["completions/likeness.bash", "completions/_likeness", "completions/likeness.fish"].map(read);
    let mut lacking = Vec::new();
    for command in program.get_subcommands().map(clap::Command::get_name).filter(|name| *name != "help") {
        let page = read(&format!("man1/likeness-{command}.1"));
        if !page.contains(".SH SYNOPSIS") || !page.contains(".SH DESCRIPTION") {
            lacking.push(format!("a page of {command}"));
        }
        lacking.extend(shells.iter().filter(|shell| !shell.contains(command)).map(|_| format!("{command} in a shell")));
    }
    assert!(lacking.is_empty(), "{lacking:?}");
    assert!(read("man1/likeness.1").contains(".TH likeness 1"));
    assert!(!folder.path().join("man1/likeness-help.1").exists());
}
