//! Compares what `ballast` prints with the `*.txt` files beside this file: each command's help, main cases
//! and odd inputs. After a change of a message, `SNAPSHOTS=overwrite cargo test -p ballast-cli --test output`
//! writes these files again.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use sha2::{Digest as _, Sha256};
use testkit::transcript::Transcript;

const LARGE: &str = "models/large.bin";
const SMALL: &str = "models/small.bin";

fn bytes(name: &str) -> Vec<u8> {
    let size = if name == LARGE { (2 << 20) + 77 } else { 5000 };
    (0..size).map(|at: usize| (at * 31 % 251 + at / 65_536 + name.len()) as u8).collect()
}

fn entry(name: &str) -> String {
    let digest: String = Sha256::digest(bytes(name)).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("[[weight]]\npath = \"{name}\"\nsha256 = \"{digest}\"\nsize = {}\n", bytes(name).len())
}

/// Creates a lock file with two weights, the folder `from` with both, and an empty cache.
fn fixture() -> Transcript {
    let all = Transcript::new(env!("CARGO_BIN_EXE_ballast").as_ref());
    for name in [LARGE, SMALL] {
        all.put(&format!("from/{name}"), bytes(name));
    }
    let (cache, baked) = (all.path("cache"), all.path("baked"));
    let store = format!("version = 1\n[store]\npath = \"{}\"\nbaked = \"{}\"\n", cache.display(), baked.display());
    fs::create_dir(cache).unwrap();
    all.put("weights.lock", format!("{store}{}{}", entry(LARGE), entry(SMALL)));
    all
}

/// Creates the same with a baked layer; the baking is not in the transcript.
fn baked() -> Transcript {
    let all = fixture();
    let status = std::process::Command::new(env!("CARGO_BIN_EXE_ballast"))
        .args(["bake", "--lock", "weights.lock", "--from", "from", "baked"])
        .current_dir(all.path(""))
        .output()
        .unwrap();
    assert!(status.status.success(), "{status:?}");
    all
}

fn check(all: Transcript, command: &str) {
    all.check(&Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/output/{command}.txt")));
}

/// Creates wrong inputs in place of files, by name.
fn plant_odd_files(all: &Transcript) {
    all.put("odd/empty", "");
    all.put("odd/picture", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR");
    all.put("odd/not-utf8", b"version = 1 # \xff\xfe\n");
    all.put("odd/control", "version = 1\n\u{1b}]0;title\u{7}[store]\n");
    fs::create_dir(all.path("odd/folder")).unwrap();
    let mode = rustix::fs::Mode::from_raw_mode(0o644);
    rustix::fs::mknodat(rustix::fs::CWD, all.path("odd/fifo"), rustix::fs::FileType::Fifo, mode, 0).unwrap();
    fs::File::create(all.path("odd/huge")).unwrap().set_len(1 << 40).unwrap();
    all.put("odd/closed", "version = 1\n");
    fs::set_permissions(all.path("odd/closed"), fs::Permissions::from_mode(0o0)).unwrap();
    std::os::unix::fs::symlink("loop", all.path("odd/loop")).unwrap();
}

const ODD: [&str; 11] = [
    "odd/absent",
    "odd/empty",
    "odd/folder",
    "odd/fifo",
    "odd/picture",
    "odd/not-utf8",
    "odd/control",
    "odd/huge",
    "odd/closed",
    "odd/loop",
    "/dev/null",
];

#[test]
fn help_of_every_command() {
    let mut all = fixture();
    let commands =
        ["run", "heal", "verify", "status", "doctor", "init", "pin", "adopt", "sign", "fetch", "outdated", "bake"];
    all.run("--help");
    for command in commands.into_iter().chain(["push", "pull", "export", "import", "statement"]) {
        all.run(&format!("{command} --help"));
    }
    all.run("--version");
    all.run("");
    all.run("heel");
    all.run("heal --dry");
    check(all, "help");
}

#[test]
fn bake() {
    let mut all = fixture();
    all.run("bake --from from baked");
    all.note("twice the same");
    all.run("bake --from from baked");
    all.note("a weight is missing");
    fs::remove_file(all.path(&format!("from/{SMALL}"))).unwrap();
    all.run("bake --from from other");
    all.note("a weight has other bytes");
    all.put(&format!("from/{SMALL}"), "other");
    all.run("bake --from from other");
    all.run("bake --from absent other");
    all.run("bake --from weights.lock other");
    check(all, "bake");
}

#[test]
fn verify() {
    let mut all = baked();
    all.run("verify baked");
    all.run("verify --long baked");
    all.note("the cache is empty");
    all.run("verify cache");
    all.note("a weight has other bytes, another is cut short");
    let mut wrong = bytes(LARGE);
    wrong[70_000] ^= 1;
    all.put(&format!("cache/{LARGE}"), wrong);
    all.put(&format!("cache/{SMALL}"), &bytes(SMALL)[..4000]);
    all.run("verify cache");
    all.run("verify --long cache");
    all.run("verify absent");
    all.run("verify weights.lock");
    all.run("verify baked cache");
    check(all, "verify");
}

#[test]
fn heal() {
    let mut all = baked();
    all.run("heal --report report.json --dry-run");
    all.run("heal --report report.json");
    all.note("again: nothing to do");
    all.run("heal --report report.json");
    all.note("one wrong byte, one file missing");
    let mut wrong = bytes(LARGE);
    wrong[70_000] ^= 1;
    all.put(&format!("cache/{LARGE}"), wrong);
    fs::remove_file(all.path(&format!("cache/{SMALL}"))).unwrap();
    all.run("heal --report report.json");
    all.note("nothing to heal from");
    fs::remove_dir_all(all.path("baked")).unwrap();
    fs::remove_file(all.path(&format!("cache/{SMALL}"))).unwrap();
    all.run("heal --report report.json");
    all.run("heal --report report.json --dry-run");
    check(all, "heal");
}

#[test]
fn run() {
    let mut all = baked();
    all.run("run --report report.json --seal off -- echo started");
    all.run("run --report report.json --seal off -- false");
    all.run("run --report report.json --seal off -- no-such-command");
    all.run("run --report report.json --seal off");
    all.run("run --report report.json --seal off --user no-such-user -- echo started");
    all.note("no weight is there and none can be brought");
    fs::remove_dir_all(all.path("baked")).unwrap();
    fs::remove_dir_all(all.path("cache")).unwrap();
    all.run("run --report report.json --seal off -- echo started");
    all.run("run --report report.json --seal off --on-failure start -- echo started");
    check(all, "run");
}

#[test]
fn status() {
    let mut all = baked();
    all.note("no boot yet");
    all.run("status --report report.json");
    all.run("heal --report report.json");
    all.run("status --report report.json");
    all.note("a weight is gone since the boot");
    fs::remove_file(all.path(&format!("cache/{SMALL}"))).unwrap();
    all.run("status --report report.json");
    all.note("a report that is no report");
    all.put("report.json", "[]");
    all.run("status --report report.json");
    check(all, "status");
}

#[test]
fn doctor() {
    let mut all = baked();
    all.put("good.yaml", "services:\n  app:\n    image: app\n    user: \"100:101\"\n    read_only: true\n");
    all.put(
        "bad.yaml",
        "services:\n  app:\n    image: app\n    cap_drop: [ALL]\n    volumes: [\"models:/srv/cache\"]\n",
    );
    all.put("broken.yaml", "services: [\n");
    for file in ["good.yaml", "bad.yaml", "broken.yaml"] {
        all.run(&format!("doctor {file}"));
    }
    plant_odd_files(&all);
    for file in ODD {
        all.run(&format!("doctor {file}"));
    }
    check(all, "doctor");
}

#[test]
fn first_trust() {
    let mut all = fixture();
    all.run(&format!("pin from/{SMALL} --path models/other.bin"));
    all.note("twice the same");
    all.run(&format!("pin from/{SMALL} --path models/other.bin"));
    all.run("pin absent");
    all.run("pin from");
    all.run("pin https://127.0.0.1:1/w.bin");
    all.run("pin ftp://127.0.0.1/w.bin");
    all.put("empty/nothing", "");
    fs::remove_file(all.path("empty/nothing")).unwrap();
    for folder in ["from", "empty", "absent", "weights.lock"] {
        all.run(&format!("adopt {folder}"));
    }
    check(all, "first-trust");
}

#[test]
fn sources() {
    let mut all = fixture();
    all.run_in_any_order("fetch --mirror from --into mirror");
    all.note("again: nothing to do");
    all.run_in_any_order("fetch --mirror from --into mirror");
    all.note("no source");
    all.run_in_any_order("fetch --into other");
    all.note("a closed port");
    all.run_in_any_order("fetch --mirror http://127.0.0.1:1 --into other --retries 0");
    all.run("pull oci://127.0.0.1:1/models:v1 --into other");
    all.run("pull models:v1 --into other");
    all.run("push oci://127.0.0.1:1/models:v1 --from from");
    all.run("export weights.tar --from from");
    all.run_in_any_order("import weights.tar --into imported");
    all.run_in_any_order("import weights.lock --into other");
    all.run_in_any_order("import absent.tar --into other");
    check(all, "sources");
}

#[test]
fn odd_lock_files() {
    let mut all = baked();
    plant_odd_files(&all);
    for file in ODD {
        all.run(&format!("verify --lock {file} baked"));
    }
    all.note("a name that is not UTF-8");
    let name = OsStr::from_bytes(b"odd/\xff.lock");
    all.run_shown(
        &["verify".as_ref(), "--lock".as_ref(), name, "baked".as_ref()],
        "verify --lock odd/\\xff.lock baked",
    );
    all.note("twice the same option");
    all.run("verify --lock weights.lock --lock weights.lock baked");
    for (why, from, to) in [
        ("a key that does not exist", "size =", "sise ="),
        ("a digest of the wrong length", "sha256 = \"", "sha256 = \"ab"),
        ("a path that leads out", "models/small.bin", "../small.bin"),
        ("a version of the future", "version = 1", "version = 9"),
        ("the same path twice", "models/large.bin", "models/small.bin"),
    ] {
        all.note(why);
        let text = fs::read_to_string(all.path("weights.lock")).unwrap();
        all.put("changed.lock", text.replace(from, to));
        all.run("verify --lock changed.lock baked");
    }
    check(all, "odd-lock-files");
}
