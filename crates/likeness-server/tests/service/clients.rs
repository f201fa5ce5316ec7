//! Clients that people have: curl, Python's `requests`, Schemathesis; against a running service.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::Ground;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// A program of a Python with Schemathesis and `requests`; `None` where it can't be made.
fn tool(test: &str, name: &str) -> Option<PathBuf> {
    let pinned = std::fs::read_to_string(Path::new(ROOT).join("tools/schemathesis/requirements.txt")).unwrap();
    Some(testkit::need::python(test, &pinned.lines().collect::<Vec<_>>())?.join("bin").join(name))
}

fn succeeded(output: &Output) -> String {
    let printed = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{printed}");
    printed
}

#[test]
fn the_calls_with_curl_are_answered_as_they_say() {
    let ground = Ground::new();
    let service = ground.serve_with_store(&[], &[]).ready();
    let photograph = ground.photograph("anna.jpg");
    let script = Path::new(ROOT).join("examples/http/calls.sh");
    let output = Command::new(script).args([&photograph, &photograph]).arg(&service.url).output().unwrap();
    let printed = succeeded(&output);
    assert_eq!(printed.lines().count(), 23, "{printed}");
}

#[test]
fn a_deepface_user_with_requests_changes_only_the_host() {
    let name = "a_deepface_user_with_requests_changes_only_the_host";
    let Some(python) = tool(name, "python") else { return };
    let ground = Ground::new();
    let service = ground.serve(&["--deepface-root"], &[]).ready();
    let image = |file: &str| ground.photograph(file);
    for url in [service.url.clone(), format!("{}/deepface", service.url)] {
        let mut client = Command::new(&python);
        client.arg(Path::new(ROOT).join("examples/http/deepface_client.py"));
        client.args([image("anna.jpg"), image("bert.jpg"), image("anna_fake.jpg")]).arg(url);
        let printed = succeeded(&client.output().unwrap());
        assert_eq!(printed.lines().count(), 7, "{printed}");
    }
}

#[test]
fn the_description_is_valid_for_programs_that_make_clients() {
    let name = "the_description_is_valid_for_programs_that_make_clients";
    let Some(tool) = tool(name, "openapi-spec-validator") else { return };
    let description = Path::new(ROOT).join("docs/openapi.json");
    let valid = Command::new(&tool).arg(&description).output().unwrap();
    succeeded(&valid);
    // The validator notices what generators refused: a response that does not say what it is.
    let text = std::fs::read_to_string(&description).unwrap();
    let broken = text.replacen("\"description\": \"the person is enrolled\"", "\"x-none\": \"\"", 1);
    assert_ne!(text, broken);
    let ground = Ground::without(&[]);
    let file = ground.dir.path().join("broken.json");
    std::fs::write(&file, broken).unwrap();
    assert!(!Command::new(tool).arg(file).output().unwrap().status.success());
}

#[test]
fn schemathesis_finds_no_answer_beside_the_description() {
    let name = "schemathesis_finds_no_answer_beside_the_description";
    let Some(tool) = tool(name, "schemathesis") else { return };
    let ground = Ground::new();
    let service = ground.serve_with_store(&[], &[]).ready();
    let mut run = Command::new(Path::new(ROOT).join("tools/schemathesis/run"));
    run.arg(tool).arg(&service.url).env("LIKENESS_TESTDATA", &ground.data).current_dir(ground.dir.path());
    let printed = succeeded(&run.output().unwrap());
    assert!(printed.contains("No issues found"), "{printed}");
}
