//! Runs the developer's commands of `README.md`, with the programs and data that the tests have built.
#![expect(clippy::unwrap_used, reason = "a test's helpers may fail where they stand")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use testkit::data::own_data;
use testkit::need;

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

/// The developer's commands, after the function.
fn script() -> String {
    format!("{CARGO}{}", README.split("```sh\n").nth(2).unwrap().split("```").next().unwrap())
}

/// The folder of the generated test data, with its lock file.
fn own() -> &'static Path {
    let own = own_data();
    fs::write(own.root().join("weights.lock"), own.lock()).unwrap();
    own.root()
}

fn is_accepted(output: &Output) {
    let found = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && found.starts_with("accept\n"), "{output:?}");
    assert!(found.contains("the embedder is not a published one: accepted"), "{found}");
}

#[test]
fn the_developers_first_commands_print_a_verdict() {
    let mut shell = Command::new("bash");
    shell.args(["-euo", "pipefail", "-c", &script()]).env("OWN_DATA", own());
    is_accepted(&shell.env("LIKENESS", env!("CARGO_BIN_EXE_likeness")).output().unwrap());
}

#[test]
fn the_developers_first_commands_need_a_static_program_and_busybox_alone() {
    let test = "the_developers_first_commands_need_a_static_program_and_busybox_alone";
    let Some(likeness) = need::static_program(test, "likeness") else { return };
    let Some(root) = testkit::busybox::root(test, &[("likeness", &likeness)]) else { return };
    let copied = Command::new("cp").arg("-R").arg(own()).arg(root.path("own")).status().unwrap();
    assert!(copied.success());
    is_accepted(&root.shell(&script()).env("OWN_DATA", "/own").env("LIKENESS", "likeness").output().unwrap());
}

#[test]
fn each_key_that_a_document_shows_is_one_that_the_service_accepts() {
    let root = testkit::paths::repository();
    let documents = fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let documents = documents.filter(|path| path.extension().is_some_and(|end| end == "md"));
    let (mut shown, mut wrong) = (0, Vec::new());
    for path in documents.chain(["README.md", "compose.yaml"].map(|name| root.join(name))) {
        for line in fs::read_to_string(&path).unwrap().lines() {
            let Some(at) = line.find("API_KEY_SECRET=") else { continue };
            shown += 1;
            // Every wrong setting is named at once: the log level shows that the settings were read.
            let script = format!("export {}; LOG_LEVEL=none \"$LIKENESS\" serve", line[at..].trim());
            let mut shell = Command::new("bash");
            let output = shell.args(["-c", &script]).env("LIKENESS", env!("CARGO_BIN_EXE_likeness")).output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            if !said.contains("LOG_LEVEL") || said.contains("API_KEY_SECRET") {
                wrong.push(format!("{}: {line}: {said}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty() && shown > 1, "{shown} keys\n{}", wrong.join("\n"));
}
