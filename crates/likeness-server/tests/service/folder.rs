//! Tests `likeness enroll DIR`: enrols persons from folders into the store of a service.

use std::fs;
use std::process::Output;

use serde_json::{Value, json};

use crate::support::{Ground, Request};

/// Runs the command on the store that `serve_with_store` created.
fn enroll(ground: &Ground, more: &[&str]) -> (Option<i32>, Vec<Value>) {
    let store = format!("sqlite:{}", ground.dir.path().join("data/templates.db").display());
    let mut program = ground.program("enroll");
    program.args(["--store", &store, "--key-file"]).arg(ground.dir.path().join("key"));
    let Output { status, stdout, stderr } =
        program.args(more).arg("--json").arg(ground.dir.path().join("people")).output().unwrap();
    let lines = String::from_utf8(stdout).unwrap();
    let reports: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(!reports.is_empty(), "{}", String::from_utf8_lossy(&stderr));
    (status.code(), reports)
}

#[test]
fn folders_become_persons_once_and_what_can_t_be_used_is_named() {
    let ground = Ground::new();
    let service = ground.serve_with_store(&[], &[]).ready();
    let people = ground.dir.path().join("people");
    for (person, files) in [
        ("anna", &["anna.jpg", "anna_again.jpg", "two.jpg"][..]),
        ("bert", &["bert.jpg"]),
        ("fake", &["bert.jpg", "anna_fake.jpg"]),
        ("nothing", &[]),
    ] {
        fs::create_dir_all(people.join(person)).unwrap();
        for file in files {
            fs::copy(ground.photograph(file), people.join(person).join(file)).unwrap();
        }
    }
    fs::write(people.join("bert/notes.txt"), "no photograph").unwrap();
    std::os::unix::fs::symlink("absent.jpg", people.join("bert/link.jpg")).unwrap();
    fs::write(people.join("list.csv"), "no person").unwrap();
    let terms = ["--consent-reference", "form 7", "--consent-version", "1", "--expires-at", "2999-01-01T00:00:00Z"];
    let (code, reports) = enroll(&ground, &terms);
    let of = |reports: &[Value], who: &str| reports.iter().find(|report| report["user_id"] == who).unwrap().clone();
    let left_out = |report: &Value| -> Vec<String> {
        let codes = report["left_out"].as_array().unwrap().iter();
        codes.map(|left| left["error_code"].as_str().unwrap().to_owned()).collect()
    };
    let mut wrong = Vec::new();
    for (who, outcome, templates, codes) in [
        ("anna", "enrolled", 2, vec!["MULTIPLE_FACES"]),
        ("bert", "enrolled", 1, vec!["FILE_FAILED", "UNSUPPORTED_MEDIA_TYPE"]),
        ("fake", "refused", 0, vec!["LIVENESS_FAILED"]),
        ("nothing", "refused", 0, vec!["FILE_FAILED"]),
    ] {
        let report = of(&reports, who);
        let mut found = left_out(&report);
        found.sort();
        if (&report["outcome"], &report["templates"]) != (&json!(outcome), &json!(templates)) || found != codes {
            wrong.push(report);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!((code, reports.last()), (Some(22), Some(&json!({"enrolled": 2, "already": 0, "refused": 2}))));
    let verify = Request::post("/api/v1/verify").text("user_id", "bert").file("file", &ground.image("bert.jpg"));
    assert_eq!(service.ask(verify).json()["verified"], true, "the running service answers at once");
    let one = service.get("/api/v1/persons/anna").json();
    assert_eq!((&one["consent"]["reference"], &one["template_count"]), (&json!("form 7"), &json!(2)), "{one}");
    // The second run continues the first one.
    fs::remove_dir_all(people.join("fake")).unwrap();
    fs::copy(ground.photograph("carl.jpg"), people.join("nothing/carl.jpg")).unwrap();
    let (code, reports) = enroll(&ground, &[]);
    assert_eq!((code, reports.last()), (Some(0), Some(&json!({"enrolled": 1, "already": 2, "refused": 0}))));
    assert_eq!(service.get("/api/v1/persons/anna").json()["templates"], one["templates"], "left as they are");
}
