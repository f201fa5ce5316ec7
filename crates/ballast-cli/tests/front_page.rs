//! Runs the operator's commands of `README.md` as written, in a project with a folder of models.
#![cfg(feature = "full")]
#![expect(clippy::unwrap_used, reason = "a test's helpers may fail where they stand")]

mod support;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use support::{program, stderr, stdout};
use testkit::ground::folder;
use testkit::need;

const README: &str = include_str!("../../../README.md");

/// The operator's commands.
fn block() -> &'static str {
    README.split("```sh\n").nth(1).unwrap().split("```").next().unwrap()
}

/// Writes the user's folder of models.
fn models(project: &Path) {
    fs::create_dir_all(project.join("models/nested")).unwrap();
    fs::write(project.join("models/nested/model.bin"), vec![7; 3_000_000]).unwrap();
}

#[test]
fn the_operators_first_commands_need_a_static_program_and_busybox_alone() {
    let test = "the_operators_first_commands_need_a_static_program_and_busybox_alone";
    let Some(full) = need::static_program(test, "full") else { return };
    let Some(root) = testkit::busybox::root(test, &[("ballast", &full)]) else { return };
    models(&root.path("work"));
    let output = root.shell(block()).output().unwrap();
    assert!(output.status.success() && stderr(&output).contains("1 of 1 right in "), "{output:?}");
    assert!(stdout(&output).trim_end().ends_with("\nnested"), "{output:?}");
}

#[test]
fn the_operators_first_commands_fill_an_empty_volume_and_start_the_command() {
    let project = folder("front-page");
    let at = |name: &str| project.path().join(name);
    models(project.path());
    fs::create_dir(at("bin")).unwrap();
    symlink(program(), at("bin/ballast")).unwrap();
    let mut shell = Command::new("bash");
    shell.args(["-euo", "pipefail", "-c", block()]).current_dir(project.path()).env_remove("BALLAST_LOCK");
    let output = shell.env("PATH", format!("{}:/usr/bin:/bin", at("bin").display())).output().unwrap();
    assert!(output.status.success() && stderr(&output).contains("1 of 1 right in "), "{output:?}");
    assert!(stdout(&output).trim_end().ends_with("\nnested"), "{output:?}");
}

#[test]
fn a_damaged_file_of_the_cache_is_repaired_as_the_readme_says() {
    let project = folder("front-page");
    let at = |name: &str| project.path().join(name);
    models(project.path());
    fs::create_dir(at("bin")).unwrap();
    symlink(program(), at("bin/ballast")).unwrap();
    let shell = |text: &str| {
        let mut shell = Command::new("bash");
        shell.args(["-euo", "pipefail", "-c", text]).current_dir(project.path()).env_remove("BALLAST_LOCK");
        let output = shell.env("PATH", format!("{}:/usr/bin:/bin", at("bin").display())).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        stderr(&output)
    };
    shell(block());
    let start = block().trim_end().lines().last().unwrap();
    let damage = "printf X | dd of=cache/nested/model.bin bs=1 seek=5000 conv=notrunc status=none\n";
    let own = shell(&format!("chmod -R u+w cache\n{damage}{start}"));
    assert!(own.contains("damaged: other bytes -> copied") && own.contains("1 of 1 right in "), "{own}");
    if nix::unistd::geteuid().is_root() {
        let start = start.replace("$(id -u):$(id -g)", "100:101");
        let app = shell(&format!("chown -R 100:101 cache\n{damage}{start}"));
        assert!(app.contains("damaged: 1 wrong chunk -> repaired: 1 of 3 chunks copied"), "{app}");
    }
}
