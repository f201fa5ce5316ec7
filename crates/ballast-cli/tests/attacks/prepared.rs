//! Attacks by files that an earlier run of the app left in the volume: links, devices, huge files, names,
//! modes.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use nix::libc;

use crate::scene::{Scene, everywhere, set_acl};
use crate::support::{PAIR, bytes_of};

type Plant = fn(&Scene);

/// The prepared files, by the number of the attack in `SECURITY.md`.
const FIXTURES: &[(&str, Plant)] = &[
    ("1 the volume's own directory is a symlink", |s| {
        symlink(s.outside(""), s.world.cache().join(".deepface")).unwrap()
    }),
    ("1 a directory below is a symlink", |s| {
        fs::create_dir(s.world.cache().join(".deepface")).unwrap();
        symlink(s.outside("weights"), s.weights()).unwrap();
    }),
    ("1 a symlink with .. in it", |s| symlink("../outside", s.world.cache().join(".deepface")).unwrap()),
    ("1 the cache itself is a symlink", |s| {
        fs::remove_dir(s.world.cache()).unwrap();
        symlink(s.outside("etc"), s.world.cache()).unwrap();
    }),
    ("1 a magic link to another process's root", |s| {
        symlink("/proc/1/root/etc", s.world.cache().join(".deepface")).unwrap();
    }),
    ("2 the weight is a symlink to a secret", |s| symlink(s.outside("etc/shadow"), s.dirs()).unwrap()),
    ("2 the weight is a symlink to nothing in a root-only directory", |s| {
        symlink(s.outside("spool/new"), s.dirs()).unwrap();
    }),
    ("2 the aside name is a symlink to a secret", |s| {
        fs::write(s.dirs(), b"wrong").unwrap();
        symlink(s.outside("etc/shadow"), s.weights().join(".ballast-aside.large.bin")).unwrap();
    }),
    ("3 the weight is a hard link to a secret", |s| fs::hard_link(s.outside("etc/shadow"), s.dirs()).unwrap()),
    ("3 the weight is a hard link to root's public file", |s| {
        fs::hard_link(s.outside("etc/passwd"), s.dirs()).unwrap();
    }),
    ("5 the weight is a FIFO", |s| node(&s.dirs(), libc::S_IFIFO, 0)),
    ("5 the weight is an endless device", |s| node(&s.dirs(), libc::S_IFCHR, libc::makedev(1, 5))),
    ("5 the weight is a socket", |s| drop(std::os::unix::net::UnixListener::bind(s.dirs()).unwrap())),
    ("5 a FIFO stands for a directory", |s| node(&s.world.cache().join(".deepface"), libc::S_IFIFO, 0)),
    ("5 a FIFO has a staged name", |s| {
        s.dirs();
        node(&s.weights().join(".ballast-staged.0"), libc::S_IFIFO, 0);
    }),
    ("6 a sparse giant", |s| File::create(s.dirs()).unwrap().set_len(64 << 30).unwrap()),
    ("6 a sparse giant of another weight's name aside", |s| {
        s.dirs();
        File::create(s.weights().join(".ballast-aside.large.bin")).unwrap().set_len(64 << 30).unwrap();
    }),
    ("9 staged names that lead outside", |s| {
        s.dirs();
        symlink(s.outside("etc/shadow"), s.weights().join(".ballast-staged.0000000000000000")).unwrap();
        symlink(s.outside("spool/new"), s.weights().join(".ballast-staged.1")).unwrap();
        fs::create_dir(s.weights().join(".ballast-staged.2")).unwrap();
        fs::hard_link(s.outside("etc/passwd"), s.weights().join(".ballast-staged.3")).unwrap();
    }),
    ("10 a lock's name leads outside", |s| {
        for name in [".lock", ".ballast-lock", "lock"] {
            symlink(s.outside("etc/passwd"), s.world.cache().join(name)).unwrap();
        }
    }),
    ("11 receipts and index of the app's own", |s| {
        fs::create_dir(s.world.cache().join(".ballast")).unwrap();
        fs::write(s.world.cache().join(".ballast/receipts.json"), b"{}").unwrap();
        fs::write(s.world.cache().join(".ballast/weights.index"), b"ballast-index-1\n").unwrap();
    }),
    ("11b the directory of receipts is a symlink", |s| {
        symlink(s.outside("etc"), s.world.cache().join(".ballast")).unwrap();
    }),
    ("15 a setuid weight with the right bytes", |s| {
        fs::write(s.dirs(), bytes_of(&PAIR[0])).unwrap();
        fs::set_permissions(s.target(), fs::Permissions::from_mode(0o6755)).unwrap();
    }),
    ("15 directories that the app can't enter", |s| {
        s.dirs();
        fs::set_permissions(s.world.cache().join(".deepface"), fs::Permissions::from_mode(0o000)).unwrap();
    }),
    ("15 the volume's root gives all to all by default", |s| {
        set_acl(&s.world.cache(), "system.posix_acl_default", 7, 7);
    }),
    ("a directory stands for the weight, another for its aside name", |s| {
        fs::create_dir_all(s.dirs().join("full")).unwrap();
        fs::create_dir_all(s.weights().join(".ballast-aside.large.bin/full")).unwrap();
    }),
];

fn node(path: &Path, kind: libc::mode_t, device: libc::dev_t) {
    let kind = rustix::fs::FileType::from_raw_mode(kind);
    rustix::fs::mknodat(rustix::fs::CWD, path, kind, 0o666.into(), device).unwrap();
}

#[test]
fn whatever_was_prepared_the_boot_heals_or_serves_the_layer_and_nothing_changes_outside() {
    everywhere("whatever_was_prepared", |hold| {
        let mut wrong = Vec::new();
        for (name, plant) in FIXTURES {
            let scene = Scene::new();
            plant(&scene);
            scene.give_all_but_the_root_link();
            for boot in ["first", "second"] {
                let output = scene.boot(hold, &["--trust", "receipt"]);
                wrong.extend(scene.judge(&output).into_iter().map(|why| format!("{name}, {boot} boot: {why}")));
            }
        }
        wrong
    });
}
