//! Runs the developer's commands of `README.md`, with the programs and data that the tests have built.

use std::fs;
use std::process::Command;

use testkit::data::own_data;

const README: &str = include_str!("../../../README.md");

/// A shell function in place of cargo, because the programs are built already.
const CARGO: &str = r#"cargo() {
    case "$*" in
        "run -q -p testkit --example own-data") echo "$OWN_DATA" ;;
        "run -q -p likeness-server -- "*) shift 5; "$LIKENESS" "$@" ;;
        *) echo "not expected: cargo $*" >&2; return 1 ;;
    esac
}
"#;

#[test]
fn the_developers_first_commands_print_a_verdict() {
    let block = README.split("```sh\n").nth(2).unwrap().split("```").next().unwrap();
    let own = own_data();
    fs::write(own.root().join("weights.lock"), own.lock()).unwrap();
    let mut shell = Command::new("bash");
    shell.args(["-euo", "pipefail", "-c", &format!("{CARGO}{block}")]).env("OWN_DATA", own.root());
    let output = shell.env("LIKENESS", env!("CARGO_BIN_EXE_likeness")).output().unwrap();
    let found = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && found.starts_with("accept\n"), "{output:?}");
    assert!(found.contains("the embedder is not a published one: accepted"), "{found}");
}
