//! The compose files of `examples/` are what they say: accepted by compose, and `doctor` finds nothing
//! to change. Their Dockerfiles name commands that the program has.
#![cfg(feature = "full")]
#![expect(clippy::unwrap_used, reason = "a test's helpers may fail where they stand")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use support::{is_there, program, stdout};

const EXAMPLES: [&str; 2] = ["deepface-python", "huggingface"];

fn top() -> PathBuf {
    fs::canonicalize(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")).unwrap()
}

/// The lock file that an example is for: the repository's own, or one as its README has it written.
fn lock(example: &str, dir: &Path) -> PathBuf {
    if example == "deepface-python" {
        return top().join("weights.lock");
    }
    let (repository, revision) = ("home/hub/models--org--name", "0123456789abcdef0123456789abcdef01234567");
    for (path, text) in [("refs/main".to_owned(), revision), (format!("snapshots/{revision}/config.json"), "{}")] {
        let file = dir.join(repository).join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    let lock = dir.join("weights.lock");
    let words = ["adopt", "--store", "/models", "--lock"];
    let adopted = Command::new(program()).args(words).arg(&lock).arg(dir.join("home")).output().unwrap();
    assert!(adopted.status.success(), "{adopted:?}");
    let more = "[store]\nbaked = \"/opt/baked-models\"\nowner = \"100:101\"\n";
    fs::write(&lock, fs::read_to_string(&lock).unwrap().replacen("[store]\n", more, 1)).unwrap();
    lock
}

fn compose(example: &str) -> PathBuf {
    top().join("examples").join(example).join("compose.yaml")
}

#[test]
fn doctor_finds_nothing_to_change() {
    let dir = testkit::ground::folder("scratch");
    let examine = |example: &&str| -> Output {
        let lock = lock(example, dir.path());
        Command::new(program()).arg("doctor").arg("--lock").arg(lock).arg(compose(example)).output().unwrap()
    };
    let wrong: Vec<_> = EXAMPLES
        .iter()
        .map(|example| (example, examine(example)))
        .filter(|(_, o)| !stdout(o).ends_with("nothing found"))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn compose_accepts_them_and_asks_for_the_pin() {
    let engine = Path::new("/usr/bin/docker-compose");
    if !is_there(engine, "compose_accepts_them_and_asks_for_the_pin", "apt-get install docker-compose") {
        return;
    }
    let config = |example: &str, pin: Option<&str>| {
        let mut command = Command::new(engine);
        command.env_clear().env("PATH", "/usr/bin:/bin").envs(pin.map(|pin| ("DEEPFACE_FACENET512_SHA256", pin)));
        command.arg("-f").arg(compose(example)).arg("config").output().unwrap()
    };
    for example in EXAMPLES {
        let output = config(example, Some("3f76"));
        assert!(output.status.success(), "{example}: {output:?}");
    }
    let unset = config("deepface-python", None);
    assert!(!unset.status.success() && support::stderr(&unset).contains("the pin of facenet512"), "{unset:?}");
}

#[test]
fn their_dockerfiles_run_commands_that_the_program_has() {
    let mut seen = 0;
    for example in EXAMPLES {
        let text = fs::read_to_string(top().join("examples").join(example).join("Dockerfile")).unwrap();
        let words: Vec<_> =
            text.split(|c: char| c.is_whitespace() || "\"[],&".contains(c)).filter(|word| !word.is_empty()).collect();
        for pair in
            words.windows(2).filter(|pair| pair[0] == "ballast" && pair[1].chars().all(|c| c.is_ascii_lowercase()))
        {
            let output = Command::new(program()).args([pair[1], "--help"]).output().unwrap();
            assert!(output.status.success(), "{example}: ballast {}: {output:?}", pair[1]);
            seen += 1;
        }
        assert!(text.ends_with('\n') && text.contains("\nUSER 100:101\n"), "{example}");
    }
    assert!(seen >= 6, "only {seen} commands were found: this test would find nothing");
}
