//! Tests the files that a user starts with: docker-compose accepts them, `doctor` reports only the tag, and
//! `.env.example` contains every variable, with the lock file's pins.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::ship::{pins, top};
use crate::support::{is_there, program, stderr, stdout};
use crate::up::sums;

const FILES: [&str; 2] = ["compose.yaml", "deploy/compose.prod.yaml"];

/// Returns the variables of `.env.example`, with defaults for commented ones, and a key.
fn example() -> BTreeMap<String, String> {
    let text = fs::read_to_string(top().join(".env.example")).unwrap();
    let lines = text.lines().map(|line| line.strip_prefix('#').unwrap_or(line));
    let named = |line: &str| {
        line.split('=')
            .next()
            .is_some_and(|name| name.chars().all(|c| c == '_' || c.is_ascii_uppercase() || c.is_ascii_digit()))
    };
    let pairs = lines.filter(|line| named(line)).filter_map(|line| line.split_once('='));
    let mut all: BTreeMap<_, _> = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    for name in ["API_KEY_SECRET", "API_KEY_FILE"] {
        assert_eq!(all.insert(name.into(), "k".into()).as_deref(), Some(""), "{name}: a key has no default");
    }
    all
}

#[test]
fn the_example_environment_has_the_lock_files_own_pins() {
    let example = example();
    let lock = fs::read_to_string(top().join("weights.lock")).unwrap();
    let wrong: Vec<_> = sums(&pins(&lock)).into_iter().filter(|(name, sum)| example.get(*name) != Some(sum)).collect();
    assert!(wrong.is_empty(), "{wrong:?}: {example:?}");
    assert_eq!(example["DEEPFACE_SHA256_REQUIRED"], "true");
}

#[test]
fn the_example_environment_has_every_variable_of_the_compose_files() {
    let example = example();
    let mut seen = 0;
    for file in FILES {
        let text = fs::read_to_string(top().join(file)).unwrap();
        // podman-compose 1.0.3 passes `${NAME:-}` on as this text. A name without a value does the same everywhere.
        assert!(!text.contains(":-}"), "{file}: a default that is empty");
        let passed_on = text.lines().filter_map(|line| line.strip_prefix("      ")?.strip_suffix(':'));
        let parts = text.split("${").skip(1).chain(passed_on.filter(|name| !name.contains(|c: char| c.is_lowercase())));
        for part in parts {
            let name: String = part.chars().take_while(|c| *c == '_' || c.is_ascii_alphanumeric()).collect();
            assert!(example.contains_key(&name), "{file}: .env.example lacks {name}");
            seen += 1;
        }
    }
    assert!(seen > 30, "only {seen} were found: this test would find nothing");
}

#[test]
fn doctor_finds_nothing_to_change_but_the_tag() {
    let mut wrong = Vec::new();
    for file in FILES {
        let mut doctor = Command::new(program());
        doctor.arg("doctor").arg("--json").arg("--lock").arg(top().join("weights.lock")).arg(top().join(file));
        let reported = stdout(&doctor.envs(example()).output().unwrap());
        let json: serde_json::Value = serde_json::from_str(&reported).unwrap();
        let codes: Vec<_> = json["findings"].as_array().unwrap().iter().map(|finding| &finding["code"]).collect();
        if codes != ["image-by-tag"] {
            wrong.push(format!("{file}: expected only image-by-tag, found {reported}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Checks the production file: secrets are in files, only addresses of this machine are published, and there
/// is no swap and no core dump.
#[test]
fn the_production_file_keeps_secrets_out_of_the_environment_the_network_swap_and_dumps() {
    let text = fs::read_to_string(top().join("deploy/compose.prod.yaml")).unwrap();
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.starts_with('#')).collect();
    let missing: Vec<_> = [
        "API_KEY_SECRET_FILE: /run/secrets/api_key",
        "- \"127.0.0.1:8001:8001\"",
        "mem_limit: ${MEMORY_LIMIT:-4g}",
        "memswap_limit: ${MEMORY_LIMIT:-4g}",
        "core: 0",
    ]
    .into_iter()
    .filter(|line| !lines.contains(line))
    .collect();
    let ports: Vec<_> = lines.iter().filter(|line| line.ends_with(":8001\"")).collect();
    assert!(missing.is_empty() && ports.len() == 1, "{missing:?} {ports:?}");
    assert!(!text.contains("${API_KEY_SECRET"), "the key itself is not taken from the environment");
}

#[test]
fn docker_compose_accepts_each_file_and_asks_for_what_has_no_default() {
    let engine = Path::new("/usr/bin/docker-compose");
    let test = "docker_compose_accepts_each_file_and_asks_for_what_has_no_default";
    if !is_there(engine, test, "apt-get install docker-compose") {
        return;
    }
    let empty = tempfile::NamedTempFile::new().unwrap();
    let config = |file: &str, without: &str| {
        let mut command = Command::new(engine);
        command.env_clear().env("PATH", "/usr/bin:/bin").envs(example()).env_remove(without);
        command.arg("--env-file").arg(empty.path()).arg("-f").arg(top().join(file)).arg("config").output().unwrap()
    };
    for file in FILES {
        let output = config(file, "");
        assert!(output.status.success() && stdout(&output).contains("no-new-privileges"), "{file}: {output:?}");
        let output = config(file, if file == "compose.yaml" { "API_KEY_SECRET" } else { "API_KEY_FILE" });
        assert!(stderr(&output).contains("the key that callers send"), "{file}: {output:?}");
    }
    for (name, _) in sums(&pins(&fs::read_to_string(top().join("weights.lock")).unwrap())) {
        let output = config("deploy/compose.prod.yaml", name);
        assert!(!output.status.success() && stderr(&output).contains("see .env.example"), "{name}: {output:?}");
    }
}
