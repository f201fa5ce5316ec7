//! Tests `--require-signature` with lock files signed by `minisign`, and with each way to forge, exchange or
//! roll back such a file.
#![expect(clippy::unwrap_used, reason = "a test's helpers may fail where they stand")]

mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use support::{PAIR, World, is_root, is_there, stderr};
use testkit::need;

const MINISIGN: &str = "/usr/bin/minisign";

/// A world whose lock file has a serial, and two keys.
struct Signed {
    world: World,
}

impl Signed {
    /// Creates a world; returns `None` and records a skip if `minisign` is missing.
    fn new(test: &str) -> Option<Self> {
        if !is_there(Path::new(MINISIGN), test, "apt-get install minisign") {
            return None;
        }
        let signed = Self { world: World::new(&PAIR) };
        for name in ["ours", "other"] {
            let (public, secret) = (signed.key(name), signed.secret(name));
            minisign(&["-G", "-W", "-p", public.to_str().unwrap(), "-s", secret.to_str().unwrap()]);
        }
        signed.write(Some(5));
        signed.sign("ours", &[]);
        Some(signed)
    }

    fn key(&self, name: &str) -> PathBuf {
        self.world.path(&format!("{name}.pub"))
    }

    fn secret(&self, name: &str) -> PathBuf {
        self.world.path(&format!("{name}.key"))
    }

    /// Returns a public key as one word.
    fn word(&self, name: &str) -> String {
        fs::read_to_string(self.key(name)).unwrap().lines().nth(1).unwrap().to_owned()
    }

    fn signature(&self) -> PathBuf {
        self.world.path("weights.lock.minisig")
    }

    /// Writes the lock file with this serial, without a signature.
    fn write(&self, serial: Option<u64>) {
        let text = fs::read_to_string(self.world.lock()).unwrap();
        let kept: Vec<_> = text.lines().filter(|line| !line.starts_with("serial")).collect();
        let line = serial.map(|serial| format!("serial = {serial}\n")).unwrap_or_default();
        fs::write(self.world.lock(), format!("{line}{}\n", kept.join("\n"))).unwrap();
    }

    fn sign(&self, key: &str, more: &[&str]) {
        let (secret, lock) = (self.secret(key), self.world.lock());
        minisign(&[&["-S", "-s", secret.to_str().unwrap(), "-m", lock.to_str().unwrap()], more].concat());
    }

    /// Writes and signs the lock file with this serial.
    fn edition(&self, serial: Option<u64>) {
        self.write(serial);
        self.sign("ours", &[]);
    }

    /// Runs `run --require-signature` with this world's key.
    fn run(&self, more: &[&str]) -> Output {
        let key = self.word("ours");
        self.world.run(&[&["--require-signature", &key], more].concat())
    }
}

fn minisign(args: &[&str]) {
    let output = Command::new(MINISIGN).args(args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {output:?}");
}

/// Exchanges one byte of a file.
fn change(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(path, text.replacen(from, to, 1)).unwrap();
}

#[test]
fn only_what_the_key_signed_is_obeyed() {
    if Signed::new("only_what_the_key_signed_is_obeyed").is_none() {
        return;
    }
    type Act = fn(&Signed);
    let rows: [(&str, Act, i32, &str); 11] = [
        ("the right key", |_| (), 0, ""),
        ("the older mode, that signs the file itself", |it| it.sign("ours", &["-l"]), 0, ""),
        ("a trusted comment of ours", |it| it.sign("ours", &["-t", "edition of May"]), 0, ""),
        ("no signature", |it| fs::remove_file(it.signature()).unwrap(), 40, "No such file"),
        ("a changed byte", |it| change(&it.world.lock(), "large.bin", "lArge.bin"), 40, "was changed"),
        (
            "a changed trusted comment",
            |it| change(&it.signature(), "trusted comment: timestamp", "trusted comment: timestamq"),
            40,
            "was changed",
        ),
        ("another key's signature", |it| it.sign("other", &[]), 40, "another key"),
        (
            "the signature of another edition",
            |it| {
                let old = fs::read(it.signature()).unwrap();
                it.edition(Some(6));
                fs::write(it.signature(), old).unwrap();
            },
            40,
            "was changed",
        ),
        ("an empty signature", |it| fs::write(it.signature(), "").unwrap(), 40, "not a minisign signature"),
        (
            "a page for a signature",
            |it| fs::write(it.signature(), "<html>\n".repeat(4)).unwrap(),
            40,
            "not a minisign signature",
        ),
        (
            "a giant for a signature",
            |it| fs::write(it.signature(), vec![b'A'; 1 << 20]).unwrap(),
            40,
            "at most 8192 bytes",
        ),
    ];
    let mut wrong = Vec::new();
    for (name, act, code, says) in rows {
        let signed = Signed::new("only_what_the_key_signed_is_obeyed").unwrap();
        act(&signed);
        let output = signed.run(&[]);
        let started = support::stdout(&output).contains("started");
        if output.status.code() != Some(code) || started != (code == 0) || !stderr(&output).contains(says) {
            wrong.push(format!("{name}: {output:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_key_is_a_word_or_a_file_and_nothing_else() {
    let Some(signed) = Signed::new("the_key_is_a_word_or_a_file_and_nothing_else") else { return };
    let (word, other) = (signed.word("ours"), signed.word("other"));
    let (file, lock) = (signed.key("ours").display().to_string(), signed.world.lock().display().to_string());
    let mut wrong = Vec::new();
    for (name, key, code) in [
        ("a word", word.as_str(), 0),
        ("a file", &file, 0),
        ("another word", &other, 40),
        ("empty, as of an unset variable", "", 2),
        ("half a word", &word[..40], 2),
        ("a file that is none", "/nowhere/key.pub", 2),
        ("a file of something else", &lock, 2),
    ] {
        let reported = signed.world.run_with(&["--require-signature", key], &[]);
        let by_variable = signed.world.run_with(&[], &[("BALLAST_REQUIRE_SIGNATURE", key)]);
        for output in [reported, by_variable] {
            if output.status.code() != Some(code) {
                wrong.push(format!("{name}: {output:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_command_that_obeys_the_lock_file_asks_for_the_signature() {
    let Some(signed) = Signed::new("every_command_that_obeys_the_lock_file_asks_for_the_signature") else { return };
    let (key, layer) = (signed.word("ours"), signed.world.path("layer").display().to_string());
    let (source, into) =
        (signed.world.path("source").display().to_string(), signed.world.path("mirror").display().to_string());
    let report = signed.world.report().display().to_string();
    let mut commands: Vec<Vec<&str>> = vec![
        vec!["heal", "--report", &report],
        vec!["verify"],
        vec!["verify", "--long"],
        vec!["status", "--report", &report],
    ];
    if cfg!(feature = "full") {
        commands.push(vec!["fetch", "--mirror", &source, "--into", &into]);
        commands.push(vec!["bake", "--from", &source, &layer]);
    }
    let ask = |words: &[&str]| signed.world.ballast(&[words, &["--require-signature", &key]].concat());
    let good: Vec<_> = commands.iter().map(|words| (words, ask(words))).collect();
    fs::remove_file(signed.signature()).unwrap();
    let bad: Vec<_> = commands.iter().map(|words| (words, ask(words))).collect();
    let code = |output: &Output| output.status.code();
    let wrong: Vec<_> = good
        .iter()
        .filter(|(_, output)| code(output) != Some(0))
        .chain(bad.iter().filter(|(_, output)| code(output) != Some(40)))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let asked_nothing = signed.world.run(&[]);
    assert_eq!(code(&asked_nothing), Some(0), "nothing was required: {asked_nothing:?}");
}

#[test]
fn a_serial_below_the_remembered_one_is_refused_and_a_higher_one_is_remembered() {
    let test = "a_serial_below_the_remembered_one_is_refused_and_a_higher_one_is_remembered";
    let Some(signed) = Signed::new(test).filter(|_| is_root(test)) else { return };
    let file = signed.world.path("serial");
    let with = ["--serial-file", file.to_str().unwrap()];
    let mut wrong = Vec::new();
    for (serial, code, then) in [
        (Some(5), 0, 5),
        (Some(5), 0, 5),
        (Some(4), 41, 5),
        (None, 41, 5),
        (Some(7), 0, 7),
        (Some(5), 41, 7),
        (Some(9_007_199_254_740_993), 0, 9_007_199_254_740_993_u64),
        (Some(7), 41, 9_007_199_254_740_993),
    ] {
        signed.edition(serial);
        let output = signed.run(&with);
        let kept: u64 = fs::read_to_string(&file).unwrap().trim().parse().unwrap();
        if output.status.code() != Some(code) || kept != then {
            wrong.push(format!("{serial:?}: expected {code} and {then}, found {kept} and {output:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let without = signed.world.run(&with);
    assert_eq!(without.status.code(), Some(2), "a serial without a signature proves nothing: {without:?}");
}

#[test]
fn what_remembers_a_serial_is_kept_from_the_app_and_read_or_refused() {
    let test = "what_remembers_a_serial_is_kept_from_the_app_and_read_or_refused";
    if !is_root(test) || Signed::new(test).is_none() {
        return;
    }
    type Act = fn(&Path);
    let rows: [(&str, Act, i32); 8] = [
        ("a person's own number", |file| fs::write(file, "5\n").unwrap(), 0),
        ("a higher floor", |file| fs::write(file, "6").unwrap(), 41),
        ("made empty", |file| fs::write(file, "").unwrap(), 0),
        ("no number", |file| fs::write(file, "five").unwrap(), 41),
        ("a symlink", |file| std::os::unix::fs::symlink("/etc/hostname", file).unwrap(), 41),
        ("a directory", |file| fs::create_dir(file).unwrap(), 41),
        (
            "the app's own file",
            |file| {
                fs::write(file, "1").unwrap();
                chown(file, Some(100), Some(101)).unwrap();
            },
            11,
        ),
        (
            "in the app's own directory",
            |file| {
                let dir = file.parent().unwrap();
                chown(dir, Some(100), Some(101)).unwrap();
            },
            11,
        ),
    ];
    let mut wrong = Vec::new();
    for (name, act, code) in rows {
        let signed = Signed::new(test).unwrap();
        let dir = signed.world.path("state");
        fs::create_dir(&dir).unwrap();
        let file = dir.join("serial");
        act(&file);
        let output = signed.run(&["--serial-file", file.to_str().unwrap()]);
        if output.status.code() != Some(code) {
            wrong.push(format!("{name}: expected {code}: {output:?}"));
        }
        if code == 11 && fs::metadata(dir.join("serial")).is_ok_and(|facts| facts.len() == 21) {
            wrong.push(format!("{name}: it was written all the same"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A plain user can't remember a serial, but a serial that root wrote is the minimum.
#[test]
fn a_floor_that_can_only_be_read_holds_for_a_plain_user() {
    let test = "a_floor_that_can_only_be_read_holds_for_a_plain_user";
    let Some(signed) = Signed::new(test).filter(|_| is_root(test)) else { return };
    let (file, key) = (signed.world.path("floor"), signed.word("ours"));
    chown(signed.world.cache(), Some(100), Some(101)).unwrap();
    let run = || {
        let program = support::program();
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "100", "--regid", "101", "--clear-groups", program.to_str().unwrap(), "run"]);
        command.arg("--lock").arg(signed.world.lock()).args(["--require-signature", &key, "--serial-file"]);
        command.arg(&file).args(["--", "/bin/true"]).output().unwrap()
    };
    let mut wrong = Vec::new();
    for (floor, code, says) in [("5", 0, ""), ("4", 0, "not updated"), ("6", 41, "expected serial 6 or more")] {
        fs::write(&file, floor).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o444)).unwrap();
        let output = run();
        if output.status.code() != Some(code) || !stderr(&output).contains(says) {
            wrong.push(format!("{floor}: {output:?}"));
        }
    }
    fs::remove_file(&file).unwrap();
    let absent = run();
    if absent.status.code() != Some(41) {
        wrong.push(format!("no floor, and none can be made: {absent:?}"));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
#[cfg(feature = "full")]
fn the_baked_layer_remembers_the_serial_that_it_was_baked_with() {
    let Some(signed) = Signed::new("the_baked_layer_remembers_the_serial_that_it_was_baked_with") else { return };
    let (source, baked) = (signed.world.path("source"), signed.world.baked());
    let bake = |key: &str| {
        let key = ["--require-signature", key];
        let from = ["bake", "--from", source.to_str().unwrap(), baked.to_str().unwrap()];
        signed.world.ballast(&[&from[..], &key].concat()).status.code()
    };
    let (key, layer) = (signed.word("ours"), baked.join(".ballast/serial"));
    let remembered = || fs::read_to_string(&layer).ok().map(|text| text.trim().parse::<u64>().unwrap());
    signed.edition(Some(6));
    assert_eq!((bake(&key), remembered()), (Some(0), Some(6)));
    assert_eq!(fs::metadata(&layer).unwrap().permissions().mode() & 0o7777, 0o444);
    signed.edition(Some(5));
    let older = signed.run(&[]);
    assert!(older.status.code() == Some(41) && stderr(&older).contains("higher serial"), "{older:?}");
    assert_eq!((bake(&key), remembered()), (Some(41), Some(6)), "an older edition bakes over no newer one");
    signed.edition(Some(8));
    let newer = signed.run(&[]);
    assert_eq!(newer.status.code(), Some(0), "{newer:?}");
    fs::write(&layer, "damaged").unwrap();
    let damaged = signed.run(&[]);
    assert_eq!(damaged.status.code(), Some(41), "{damaged:?}");
}

/// Root refuses a key or a signature that the app could change, as it refuses such a lock file.
#[test]
fn a_signature_or_a_key_file_that_the_app_could_exchange_is_refused() {
    let test = "a_signature_or_a_key_file_that_the_app_could_exchange_is_refused";
    let Some(signed) = Signed::new(test).filter(|_| is_root(test)) else { return };
    let key = signed.key("ours");
    let run = || signed.world.run(&["--require-signature", key.to_str().unwrap()]);
    assert_eq!(run().status.code(), Some(0));
    for path in [signed.signature(), key.clone()] {
        chown(&path, Some(100), Some(101)).unwrap();
        let output = run();
        let reported = stderr(&output);
        assert!(output.status.code() == Some(11) && reported.contains(path.to_str().unwrap()), "{output:?}");
        chown(&path, Some(0), Some(0)).unwrap();
    }
}

/// The entrypoint build, which images contain, must verify signatures; what only the full build does ends with 19.
#[test]
fn the_entrypoint_build_asks_for_the_signature_too() {
    let test = "the_entrypoint_build_asks_for_the_signature_too";
    let Some(signed) = Signed::new(test) else { return };
    let Some(built) = need::static_program(test, "entrypoint") else { return };
    let verify = || {
        let mut command = Command::new(&built);
        command.arg("verify").arg("--lock").arg(signed.world.lock()).arg("--require-signature");
        command.arg(signed.key("ours")).arg(signed.world.baked()).output().unwrap()
    };
    let good = verify();
    assert_eq!(good.status.code(), Some(0), "{good:?}");
    signed.sign("other", &[]);
    let bad = verify();
    assert!(bad.status.code() == Some(40) && stderr(&bad).contains("another key"), "{bad:?}");
    for absent in
        [["pin", "--help"].as_slice(), &["verify", "--signed", "b", "--key", "k", "."], &["verify", "--key=k"]]
    {
        let absent = Command::new(&built).args(absent).output().unwrap();
        assert!(absent.status.code() == Some(19) && stderr(&absent).contains("full build"), "{absent:?}");
    }
}
