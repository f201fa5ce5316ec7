//! Tests `doctor FILE` on a folder of deployments, each named for its fault. `#! code` at the end of a line
//! is the finding expected there; any other finding is a failure.
#![cfg(feature = "full")]
#![expect(clippy::unwrap_used, reason = "a test's helpers may fail where they stand")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

type Places = BTreeSet<(String, usize)>;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/deployments")
}

fn doctor(lock: &str, file: &Path, json: bool) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ballast"));
    command.arg("doctor").arg("--lock").arg(folder().join(lock)).arg(file);
    if json {
        command.arg("--json");
    }
    command.output().unwrap()
}

fn fixtures() -> Vec<PathBuf> {
    let kinds = ["compose", "kubernetes", "projects"].map(|kind| folder().join(kind));
    let mut all: Vec<_> = kinds.iter().flat_map(|dir| fs::read_dir(dir).unwrap()).map(|e| e.unwrap().path()).collect();
    all.sort();
    all
}

fn expected(text: &str) -> Places {
    let lines = text.lines().enumerate().filter_map(|(at, line)| Some((at + 1, line.split_once("#!")?.1)));
    lines.flat_map(|(at, codes)| codes.split_whitespace().map(move |code| (code.to_owned(), at))).collect()
}

/// Returns the lock file that the first line names, such as `# lock: small`.
fn lock_of(text: &str) -> String {
    let named = text.strip_prefix("# lock: ").and_then(|rest| rest.split_whitespace().next());
    format!("{}.lock", named.unwrap_or("weights"))
}

fn found(file: &Path, output: &Output) -> (Places, Vec<Value>) {
    let reported: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    let findings = reported["findings"].as_array().unwrap().clone();
    let places = findings.iter().map(|finding| {
        let (name, line) = finding["place"].as_str().unwrap().rsplit_once(':').unwrap();
        assert_eq!(Path::new(name), file);
        (finding["code"].as_str().unwrap().to_owned(), line.parse().unwrap())
    });
    (places.collect(), findings)
}

#[test]
fn each_fault_is_named_at_its_line_and_a_clean_file_has_none() {
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for file in fixtures() {
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(&file).unwrap();
        let expected = expected(&text);
        let output = doctor(&lock_of(&text), &file, true);
        let (found, findings) = found(&file, &output);
        let errors = findings.iter().any(|finding| finding["severity"] == "error");
        let code = if errors { 18 } else { 0 };
        let repaired = findings.iter().all(|finding| !finding["fix"].as_str().unwrap().is_empty());
        if found != expected || output.status.code() != Some(code) || !repaired {
            wrong.push(format!(
                "{name}: expected {expected:?}, found {}",
                serde_json::to_string_pretty(&findings).unwrap()
            ));
        }
        if name.starts_with("clean") != expected.is_empty() {
            wrong.push(format!("{name}: a clean file has no faults, and only a clean file"));
        }
        seen.extend(found.into_iter().map(|(code, _)| code));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let rows = fs::read_to_string(folder().join("../../../../docs/doctor.md")).unwrap();
    let files = rows.split("## A file").nth(1).unwrap();
    let documented = files.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next().map(str::to_owned));
    let documented: BTreeSet<_> = documented.collect();
    assert_eq!(seen, documented, "a fixture for each documented code of files, and a row for each code that was found");
}

#[test]
fn the_replaced_services_file_is_reported_as_a_person_reads_it() {
    let file = Path::new("tests/deployments/compose/replaced-service.yml");
    let output = doctor("weights.lock", file, false);
    let reported = String::from_utf8(output.stdout).unwrap();
    let expected = fs::read_to_string(folder().join("replaced-service.txt")).unwrap();
    assert_eq!(reported, expected);
    assert_eq!(output.status.code(), Some(18));
}

#[test]
fn the_lines_to_write_repair_the_replaced_services_file() {
    let text = fs::read_to_string(folder().join("compose/replaced-service.yml")).unwrap();
    let pin = "3f76b5117a9ca574d536af8199e6720089eb4ad3dc7e93534496d88265de864f";
    let repaired = text
        .replace("biometric-api:latest", &format!("biometric-api@sha256:{}", "ab".repeat(32)))
        .replace("    read_only: true", "    user: \"100:101\"\n    read_only: true")
        .replace("    volumes:\n      #", &format!("      DEEPFACE_FACENET512_SHA256: {pin}\n    volumes:\n      #"))
        .replace("- /var/log ", "- /var/log:uid=100,gid=101,mode=0755 ")
        .replace(
            "[\"CMD\", \"curl\", \"-f\", \"http://localhost:8001/api/v1/health\"]",
            "[\"CMD\", \"ballast\", \"status\"]",
        );
    let dir = testkit::ground::folder("scratch");
    let file = dir.path().join("compose.yml");
    fs::write(&file, repaired).unwrap();
    let output = doctor("weights.lock", &file, false);
    assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{}: nothing found\n", file.display()));
}

#[test]
fn an_unreadable_file_is_reported_and_is_no_finding() {
    let dir = testkit::ground::folder("scratch");
    let binary = dir.path().join("binary.yml");
    fs::write(&binary, [0xff, 0xfe]).unwrap();
    let long = dir.path().join("long.yml");
    fs::write(&long, "a: b\n".repeat(300_000)).unwrap();
    for (file, says) in
        [(dir.path().join("absent.yml"), "No such file"), (binary, "not UTF-8"), (long, "at most 1048576 bytes")]
    {
        let output = doctor("weights.lock", &file, false);
        let reported = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && reported.contains(says), "{output:?}");
    }
}
