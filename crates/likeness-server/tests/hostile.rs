//! Attack: a name that the program opens is a FIFO, a device, an endless file or a circle of links; a name or a file
//! contains control sequences. Each command ends by itself, and orders no terminal about.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;
use testkit::data::{self, OwnData, own_data};
use testkit::line::words;
use testkit::odd_files::{KINDS, place, remove};

/// A file's name below the ground, the command that opens it, and its exit codes. `@` is the ground's folder, `+` the
/// store with its key; first words NAME=VALUE are variables.
type Role = (&'static str, &'static str, &'static [i32]);

const ROLES: &[Role] = &[
    ("photo.jpg", "detect @/photo.jpg", &[20]),
    ("folder/photo.jpg", "live @/folder", &[20]),
    ("persons/ann/photo.jpg", "calibrate @/persons", &[20, 28]),
    ("persons/ann/photo.jpg", "enroll + @/persons", &[22]),
    ("other.lock", "models --lock @/other.lock", &[10]),
    ("weights/centerface.onnx", "detect @/anna.jpg", &[14]),
    ("policy", "LIKENESS_POLICY_FILE=@/policy serve --port 0 --store none", &[24]),
    (
        "calibration",
        "LIKENESS_CALIBRATION_KEY=0 LIKENESS_CALIBRATION_FILE=@/calibration serve --port 0 --store none",
        &[24],
    ),
    ("secret", "API_KEY_SECRET_FILE=@/secret serve --port 0 --store none", &[24]),
    ("own.pem", "serve --port 0 --store none --tls-cert @/own.pem --tls-key @/own.key", &[24]),
    ("own.key", "serve --port 0 --store none --tls-cert @/good.pem --tls-key @/own.key", &[24]),
    ("ca.pem", "probe --ca @/ca.pem https://127.0.0.1:1/", &[20]),
    ("ca.pem", "store check --store postgres://db.invalid/x?sslrootcert=@/ca.pem --key-file @/keys/one", &[24]),
    ("keys/odd", "store check --store sqlite:@/stores/one --key-file @/keys/odd", &[56]),
    ("stores/odd", "store check --store sqlite:@/stores/odd --key-file @/keys/one", &[52, 53]),
    ("stores/one-wal", "store check +", &[53]),
    ("stores/one-journal", "store check +", &[53]),
    ("stores/one-shm", "store check +", &[53]),
    ("stores/one.lock", "serve --port 0 +", &[55]),
    ("keys/one.lock", "store rotate +", &[56]),
    ("archives/odd", "store import + --archive-key @/keys/archive @/archives/odd", &[52, 53]),
    ("keys/other", "store import + --archive-key @/keys/other @/archives/good", &[56]),
    ("journal", "journal verify @/journal", &[20]),
    ("record", "explain @/record", &[20]),
];

struct Ground(TempDir);

impl Ground {
    fn new() -> Self {
        let ground = Self(tempfile::tempdir().unwrap());
        for folder in ["weights", "stores", "keys", "archives", "persons/ann"] {
            fs::create_dir_all(ground.at(folder)).unwrap();
        }
        let mut lock = format!("version = 1\n[store]\npath = \"{}\"\n", ground.at("weights"));
        for name in [data::EMBEDDER, data::DETECTOR, data::SPOOF_NEAR, data::SPOOF_FAR] {
            fs::write(ground.at("weights/") + name, own_data().weight(name)).unwrap();
            lock += &format!("[[weight]]\npath = \"{name}\"\nsha256 = \"{}\"\n", OwnData::sha256(name));
        }
        fs::write(ground.at("weights.lock"), lock).unwrap();
        fs::write(ground.at("anna.jpg"), own_data().image("anna.jpg")).unwrap();
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(ground.at("good.pem"), made.cert.pem()).unwrap();
        for line in ["store init +", "store export + --archive-key @/keys/archive @/archives/good"] {
            let made = ground.run(line);
            assert!(made.status.success(), "{line}: {made:?}");
        }
        ground
    }

    fn at(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    /// Runs a command for at most a minute.
    fn run(&self, line: &str) -> Output {
        let line = line.replace('+', "--store sqlite:@/stores/one --key-file @/keys/one");
        let words = words(&line, &[('@', self.0.path().to_str().unwrap())]);
        self.words(&words.iter().map(String::as_str).collect::<Vec<_>>()).output().unwrap()
    }

    fn words(&self, words: &[&str]) -> Command {
        let is_variable = |word: &&str| word.split('=').next().is_some_and(|name| name == name.to_uppercase());
        let (variables, words) = words.split_at(words.iter().take_while(|word| is_variable(word)).count());
        let mut command = Command::new("timeout");
        command.args(["--signal=KILL", "60", env!("CARGO_BIN_EXE_likeness")]).args(words);
        command.envs(variables.iter().filter_map(|word| word.split_once('='))).current_dir(self.0.path());
        command.env("LIKENESS_ACCEPT_EMBEDDER", OwnData::sha256(data::EMBEDDER));
        command
    }
}

#[test]
fn what_is_no_plain_file_hangs_no_command_and_is_read_by_none() {
    if !testkit::need::time("what_is_no_plain_file_hangs_no_command_and_is_read_by_none") {
        return;
    }
    let ground = Ground::new();
    let detector = fs::read(ground.at("weights/centerface.onnx")).unwrap();
    let is_root = rustix::process::geteuid().is_root();
    let mut wrong = Vec::new();
    for (name, line, codes) in ROLES {
        let at = ground.at(name);
        // A regular file beside a database is SQLite's own to judge.
        let usual = |kind: &str| name.contains("/one") && kind == "sparse";
        for kind in KINDS.iter().filter(|kind| (is_root || **kind != "device") && !usual(kind)) {
            place(kind, Path::new(&at));
            let output = ground.run(line);
            let panicked = String::from_utf8_lossy(&output.stderr).contains("internal error");
            if panicked || !output.status.code().is_some_and(|code| codes.contains(&code)) {
                wrong.push(format!("{line}: {kind}: {output:?}"));
            }
            remove(Path::new(&at));
        }
        if name.starts_with("weights") {
            fs::write(&at, &detector).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Clears the screen, sets the window's title, reverses the text that follows, and forges a line.
const EVIL: &str = "\u{1b}[2J\u{1b}]0;x\u{7}\u{9b}31m\u{202e}\u{2066}\r\u{8}\u{200b}\naccept";

#[test]
fn what_others_named_or_wrote_orders_no_terminal_about_and_forges_no_line() {
    if !testkit::need::time("what_others_named_or_wrote_orders_no_terminal_about_and_forges_no_line") {
        return;
    }
    let ground = Ground::new();
    let (photograph, folder) = (ground.at(EVIL) + ".jpg", ground.at("persons/ann/"));
    fs::copy(ground.at("anna.jpg"), &photograph).unwrap();
    fs::write(folder + EVIL + ".jpg", "no photograph").unwrap();
    fs::write(ground.at("policy"), format!("{}=1\n", EVIL.replace('\n', ""))).unwrap();
    let (photograph, anna, policy) = (photograph.as_str(), ground.at("anna.jpg"), ground.at("policy"));
    let policy = format!("LIKENESS_POLICY_FILE={policy}");
    let (store, key, absent) = (format!("sqlite:{}", ground.at("stores/one")), ground.at("keys/one"), ground.at(EVIL));
    let persons = ground.at("persons");
    let rows: &[&[&str]] = &[
        &["detect", photograph],
        &["detect", "--json", photograph],
        &["live", photograph],
        &["live", "--json", &absent],
        &["embed", photograph],
        &["compare", photograph, &anna],
        &["compare", &anna, &absent],
        &["models", "--weights", &absent],
        &["models", "--lock", &absent],
        &["enroll", "--store", &store, "--key-file", &key, &persons],
        &["enroll", "--json", "--store", &store, "--key-file", &key, &persons],
        &["calibrate", &persons],
        &["store", "check", "--store", &absent, "--key-file", &key],
        &["store", "check", "--store", &store, "--key-file", &absent],
        &["journal", "verify", &absent],
        &["explain", &absent],
        &[EVIL],
        &[&policy, "serve", "--port", "0", "--store", "none"],
    ];
    let odd =
        |letter: &char| (letter.is_control() && *letter != '\n') || (!letter.is_ascii() && EVIL.contains(*letter));
    let mut wrong = Vec::new();
    for words in rows {
        let output = ground.words(words).output().unwrap();
        let text = String::from_utf8([output.stdout.as_slice(), &output.stderr].concat()).unwrap();
        let found: String = text.chars().filter(odd).collect();
        let forged =
            words[0] != "compare" && output.status.success() && text.lines().any(|line| line.starts_with("accept"));
        if !found.is_empty() || forged || output.status.code() == Some(137) {
            wrong.push(format!("{words:?}: {} {found:?}\n{text:?}", output.status));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
