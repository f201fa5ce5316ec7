//! Tests `examples/`: compose accepts the files, `doctor` finds nothing to change, and their Dockerfiles use
//! commands that the program has.
#![cfg(feature = "full")]
#![expect(clippy::unwrap_used, reason = "a test's helpers may fail where they stand")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use support::{is_there, program, stderr, stdout};
use testkit::need;

const EXAMPLES: [&str; 3] = ["deepface-python", "huggingface", "any-model"];

fn top() -> PathBuf {
    fs::canonicalize(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")).unwrap()
}

/// Returns the lock file of an example: the repository's own, or the one that the README creates.
fn lock(example: &str, dir: &Path) -> PathBuf {
    if example == "deepface-python" {
        return top().join("weights.lock");
    }
    if example == "any-model" {
        return copied(example, dir, "python3 make_model.py && ballast init");
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

/// Copies an example and runs a script in the copy; returns its lock file.
fn copied(example: &str, dir: &Path, script: &str) -> PathBuf {
    let copy = dir.join(example);
    assert!(
        Command::new("cp").arg("-r").arg(top().join("examples").join(example)).arg(dir).status().unwrap().success()
    );
    let done = with_ballast(&copy).args(["-euc", script]).output().unwrap();
    assert!(done.status.success(), "{done:?}");
    copy.join("weights.lock")
}

/// Returns a shell in a folder, with `ballast` in the PATH.
fn with_ballast(folder: &Path) -> Command {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new("/bin/sh");
    command.current_dir(folder).env("PATH", format!("{}:{path}", program().parent().unwrap().display()));
    command.env_remove("BALLAST_LOCK");
    command
}

/// Runs the commands of a README in a copy of all examples; returns their output.
fn as_written(example: &str, more: impl Fn(&mut Command)) -> Output {
    let dir = testkit::ground::folder("examples");
    let copy = dir.path().join("examples");
    assert!(Command::new("cp").arg("-r").arg(top().join("examples")).arg(&copy).status().unwrap().success());
    let text = fs::read_to_string(copy.join(example).join("README.md")).unwrap();
    let (_, rest) = text.split_once("\n```sh\n").expect("a block of lines to type");
    let (script, _) = rest.split_once("\n```").expect("its end");
    let mut command = with_ballast(&copy.join(example));
    more(&mut command);
    command.args(["-euc", script]).output().unwrap()
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

#[test]
fn any_model_is_pinned_baked_served_and_repaired_by_the_lines_of_its_readme() {
    let test = "any_model_is_pinned_baked_served_and_repaired_by_the_lines_of_its_readme";
    let Some(venv) = need::python(test, &["h5py==3.16.0", "onnxruntime==1.32.0"]) else { return };
    if !is_there(Path::new("/usr/bin/curl"), test, "apt-get install curl") {
        return;
    }
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let output = as_written("any-model", |command| {
        let path = std::env::var("PATH").unwrap_or_default();
        let (ballast, python) = (program(), venv.join("bin"));
        let path = format!("{}:{}:{path}", ballast.parent().unwrap().display(), python.display());
        command.env("PATH", path).env("PORT", port.to_string());
    });
    let served = stdout(&output).contains("[2.0, 4.0, 6.0]");
    let repaired = stderr(&output).contains("damaged: other bytes -> ");
    assert!(output.status.success() && served && repaired, "{output:?}");
}

#[test]
fn any_model_s_dockerfile_has_the_lines_that_init_prints() {
    let dir = testkit::ground::folder("examples");
    let lock = copied("any-model", dir.path(), "python3 make_model.py && ballast init > printed");
    let text = fs::read_to_string(lock.with_file_name("Dockerfile")).unwrap();
    let printed = fs::read_to_string(lock.with_file_name("printed")).unwrap();
    let (_, lines) = printed.split_once("\n\n").expect("lines for the Dockerfile");
    let lines = lines.lines().skip(2).filter(|line| !line.starts_with('#') && !line.is_empty());
    // Without a volume there is nothing to repair, so the example does not start as root.
    let lacking: Vec<_> = lines.filter(|line| *line != "USER root" && !text.lines().any(|has| has == *line)).collect();
    assert!(lacking.is_empty() && printed.contains("MODEL_DIR"), "{lacking:?}\n{printed}");
}

#[test]
fn a_store_of_ollama_is_adopted_served_and_repaired_by_the_lines_of_its_readme() {
    let output = as_written("ollama", |_| {});
    let served =
        stdout(&output).lines().filter(|line| line.starts_with("tiny sha256:") && line.ends_with("GGUF")).count();
    assert!(output.status.success() && served == 2, "{output:?}");
}

#[test]
fn an_image_for_kserve_is_exported_and_doctor_finds_nothing_in_its_pod() {
    let output = as_written("kserve", |_| {});
    assert!(output.status.success() && stdout(&output).ends_with("nothing found"), "{output:?}");
}
