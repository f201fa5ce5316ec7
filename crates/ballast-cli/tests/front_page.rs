//! Runs the operator's commands of `README.md` as written, in a project with a folder of models.
#![cfg(feature = "full")]

mod support;

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use support::{program, stderr, stdout};
use testkit::ground::folder;

const README: &str = include_str!("../../../README.md");

#[test]
fn the_operators_first_commands_fill_an_empty_volume_and_start_the_command() {
    let block = README.split("```sh\n").nth(1).unwrap().split("```").next().unwrap();
    let project = folder("front-page");
    let at = |name: &str| project.path().join(name);
    fs::create_dir_all(at("models/nested")).unwrap();
    fs::write(at("models/nested/model.bin"), vec![7; 3_000_000]).unwrap();
    fs::create_dir(at("bin")).unwrap();
    symlink(program(), at("bin/ballast")).unwrap();
    let mut shell = Command::new("bash");
    shell.args(["-euo", "pipefail", "-c", block]).current_dir(project.path()).env_remove("BALLAST_LOCK");
    let output = shell.env("PATH", format!("{}:/usr/bin:/bin", at("bin").display())).output().unwrap();
    assert!(output.status.success() && stderr(&output).contains("1 of 1 right in "), "{output:?}");
    assert!(stdout(&output).trim_end().ends_with("\nnested"), "{output:?}");
}
