//! Which names are written, and what stays of an older file.

use std::os::unix::fs::{chown, symlink};

use rustix::fs::{CWD, FileType, Mode, mkfifoat, mknodat};

use super::*;
use crate::facts;

/// A folder with one name of each kind.
fn every_kind() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    for name in ["regular", "kept", "target"] {
        fs::write(at(name), "as before").unwrap();
    }
    fs::create_dir(at("dir")).unwrap();
    symlink(".", at("way")).unwrap();
    symlink("target", at("link")).unwrap();
    symlink("absent", at("dangling")).unwrap();
    fs::hard_link(at("kept"), at("second")).unwrap();
    mkfifoat(CWD, at("fifo"), Mode::from_raw_mode(0o600)).unwrap();
    drop(std::os::unix::net::UnixListener::bind(at("socket")).unwrap());
    dir
}

#[test]
fn only_a_regular_file_or_a_free_name_that_is_no_kept_file_is_written() {
    let rows = [
        ("regular", "written"),
        ("new", "written"),
        ("way/new", "written"),
        ("kept", "which Ballast reads"),
        ("way/kept", "which Ballast reads"),
        ("second", "which Ballast reads"),
        ("absent", "which Ballast reads"),
        ("way/absent", "which Ballast reads"),
        ("link", "found a symlink"),
        ("dangling", "found a symlink"),
        ("fifo", "found a FIFO"),
        ("socket", "found a socket"),
        ("device", "found a device"),
        ("dir", "found a directory"),
        ("no/folder", "No such file"),
    ];
    let mut wrong = Vec::new();
    for (name, expected) in rows {
        let dir = every_kind();
        let at = |name: &str| dir.path().join(name);
        let path = at(name);
        if name == "device" {
            let mode = Mode::from_raw_mode(0o600);
            if mknodat(CWD, &path, FileType::CharacterDevice, mode, rustix::fs::makedev(1, 3)).is_err() {
                continue;
            }
        }
        let kind = || fs::symlink_metadata(&path).map(|facts| facts.file_type()).ok();
        let before = kind();
        let done = Target::at(&path, [at("kept"), at("absent")]).and_then(|target| target.replace("new"));
        let found = done.map_or_else(|error| error.to_string(), |()| "written".to_owned());
        // A FIFO is not read, which would block.
        let text = || foreign::read(&path, 99).unwrap_or_default();
        let is_as_said = (expected == "written") == (text() == b"new");
        let others = ["kept", "target"].iter().all(|name| fs::read(at(name)).is_ok_and(|text| text == b"as before"));
        if !found.contains(expected) || !is_as_said || !others || (before.is_some() && kind() != before) {
            wrong.push(format!("{name}: expected {expected:?}, found {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_name_that_becomes_a_symlink_after_it_was_examined_is_not_written() {
    let dir = every_kind();
    let path = dir.path().join("regular");
    let target = Target::at(&path, []).unwrap();
    fs::remove_file(&path).unwrap();
    symlink("target", &path).unwrap();
    assert!(target.replace("new").unwrap_err().to_string().contains("found a symlink"));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), every_kind().path().read_dir().unwrap().count());
}

#[test]
fn an_older_file_keeps_its_mode_and_its_owner() {
    let dir = every_kind();
    let path = dir.path().join("regular");
    let owner = if facts::ids().uid == 0 { (100, 101) } else { (facts::ids().uid, facts::ids().gid) };
    let mut wrong = Vec::new();
    for mode in [0o600, 0o640, 0o444, 0o666] {
        chown(&path, Some(owner.0), Some(owner.1)).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        Target::at(&path, []).unwrap().replace("new").unwrap();
        let now = fs::metadata(&path).unwrap();
        if (now.mode() & 0o7777, now.uid(), now.gid()) != (mode, owner.0, owner.1) {
            wrong.push(format!("{mode:o}: {now:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
