//! Compares what `likeness` prints with the `*.txt` files beside this file: each command's help, main cases
//! and odd inputs. After a change of a message, `SNAPSHOTS=overwrite cargo test -p likeness-server --test
//! output` writes these files again.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use testkit::data::{self, OwnData, own_data};
use testkit::transcript::Transcript;

/// Creates the generated networks, a lock file with their pins, and a few photographs. Fixes the kernels,
/// because others may differ in the last digits.
fn fixture() -> Transcript {
    let mut all = Transcript::new(env!("CARGO_BIN_EXE_likeness").as_ref());
    let mut lock = format!("version = 1\n[store]\npath = \"{}\"\n", all.path("weights").display());
    for name in [data::EMBEDDER, data::DETECTOR, data::SPOOF_NEAR, data::SPOOF_FAR] {
        all.put(&format!("weights/{name}"), own_data().weight(name));
        lock += &format!("[[weight]]\npath = \"{name}\"\nsha256 = \"{}\"\n", OwnData::sha256(name));
    }
    all.put("weights.lock", lock);
    for name in ["anna.jpg", "anna_again.jpg", "bert.jpg", "anna_fake.jpg", "unsure.jpg"] {
        all.put(name, own_data().image(name));
    }
    all.set("LIKENESS_KERNEL", "portable");
    all.set("LIKENESS_ACCEPT_EMBEDDER", OwnData::sha256(data::EMBEDDER));
    all
}

fn check(all: Transcript, command: &str) {
    all.check(&Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/output/{command}.txt")));
}

#[test]
fn help_of_every_command() {
    let mut all = fixture();
    all.run("--help");
    for command in ["detect", "live", "embed", "compare", "calibrate", "models", "bench", "serve", "probe", "explain"] {
        all.run(&format!("{command} --help"));
    }
    for command in ["init", "check", "rotate", "unlock"] {
        all.run(&format!("store {command} --help"));
    }
    for command in ["verify", "export"] {
        all.run(&format!("journal {command} --help"));
    }
    for command in ["public", "new", "list", "revoke"] {
        all.run(&format!("key {command} --help"));
    }
    all.run("--version");
    all.run("");
    all.run("compair");
    all.run("compare anna.jpg");
    check(all, "help");
}

#[test]
fn photographs() {
    let mut all = fixture();
    all.run("detect anna.jpg");
    all.run("live anna.jpg");
    all.run("live anna_fake.jpg");
    all.run("live unsure.jpg");
    all.run("compare anna.jpg anna_again.jpg");
    all.run("compare anna.jpg bert.jpg");
    all.run("compare anna.jpg anna_fake.jpg");
    all.note("twice the same");
    all.run("compare anna.jpg anna.jpg");
    check(all, "photographs");
}

#[test]
fn models() {
    let mut all = fixture();
    all.run("models");
    all.note("an embedder that is not accepted");
    all.set("LIKENESS_ACCEPT_EMBEDDER", "");
    all.run("compare anna.jpg anna_again.jpg");
    all.set("LIKENESS_ACCEPT_EMBEDDER", OwnData::sha256(data::EMBEDDER));
    all.note("one missing, one cut short, one not readable");
    fs::remove_file(all.path("weights").join(data::SPOOF_FAR)).unwrap();
    all.put(&format!("weights/{}", data::SPOOF_NEAR), &own_data().weight(data::SPOOF_NEAR)[..1000]);
    fs::set_permissions(all.path("weights").join(data::DETECTOR), fs::Permissions::from_mode(0o0)).unwrap();
    all.run("models");
    all.run("live anna.jpg");
    check(all, "models");
}

/// Files that are no photograph, no record and no journal.
const ODD: [&str; 10] = ["absent", "empty", "text", "cut.jpg", "gif", "heic", "folder", "fifo", "huge", "closed"];

/// Adds the odd files, but `absent`.
fn odd() -> Transcript {
    let all = fixture();
    all.put("odd/empty", "");
    all.put("odd/text", "this is no picture\n");
    all.put("odd/cut.jpg", &own_data().image("anna.jpg")[..3000]);
    all.put("odd/gif", b"GIF89a\x01\0\x01\0\0\0\0;");
    all.put("odd/heic", b"\0\0\0\x18ftypheic\0\0\0\0heicmif1");
    fs::create_dir(all.path("odd/folder")).unwrap();
    let mode = rustix::fs::Mode::from_raw_mode(0o644);
    rustix::fs::mknodat(rustix::fs::CWD, all.path("odd/fifo"), rustix::fs::FileType::Fifo, mode, 0).unwrap();
    fs::File::create(all.path("odd/huge")).unwrap().set_len(1 << 40).unwrap();
    all.put("odd/closed", "x");
    fs::set_permissions(all.path("odd/closed"), fs::Permissions::from_mode(0o0)).unwrap();
    all
}

#[test]
fn odd_photographs() {
    let mut all = odd();
    for name in ODD {
        all.run(&format!("live odd/{name}"));
    }
    all.run("live /dev/null");
    all.run("live --largest --largest anna.jpg");
    check(all, "odd-photographs");
}

#[test]
fn odd_records_and_journals() {
    let mut all = odd();
    for name in ODD {
        all.run(&format!("explain odd/{name}"));
        all.run(&format!("journal verify odd/{name}"));
        all.run(&format!("journal verify --head odd/{name} odd/empty"));
    }
    all.run("journal verify /dev/zero");
    check(all, "odd-records");
}

#[test]
fn stores_and_services() {
    let mut all = fixture();
    for folder in ["data", "keys"] {
        fs::create_dir(all.path(folder)).unwrap();
    }
    all.run("store init --store sqlite:data/store.db --key-file keys/key");
    all.note("twice the same");
    all.run("store init --store sqlite:data/store.db --key-file keys/key");
    all.run("store check --store sqlite:data/store.db --key-file keys/key");
    all.run("store check --store sqlite:data/absent.db --key-file keys/key");
    all.run("store check --store sqlite:data/store.db --key-file absent");
    all.run("store check --store mysql://db --key-file keys/key");
    all.note("a key file that others can read");
    fs::set_permissions(all.path("keys/key"), fs::Permissions::from_mode(0o644)).unwrap();
    all.run("store check --store sqlite:data/store.db --key-file keys/key");
    all.run("probe http://127.0.0.1:1/api/v1/health");
    all.run("serve --host 0.0.0.0 --port 0");
    all.run("serve --port 99999");
    check(all, "stores-and-services");
}
