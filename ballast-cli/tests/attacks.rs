//! Attacks: the app of an earlier run, or a peer with its uid, prepared the volume; root boots.
//! Each fixture is named for its attack, and stands under the kernel's protections off and on,
//! held owned and held sticky. A tree outside the volume is compared before and after.
#![expect(clippy::unwrap_used, reason = "a test's helpers may fail where they stand")]

mod support;

use std::ffi::CString;
use std::fs::{self, File};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::libc;
use support::canary::{Canary, Protections};
use support::{PAIR, TREE, World, bytes_of, is_root, program, stderr, stdout};

const APP: u32 = 100;
const HOLDS: [&str; 2] = ["owned", "sticky"];
/// No attack may make a boot hang; `timeout` ends with this code when one does.
const HUNG: i32 = 124;

struct Scene {
    world: World,
    canary: Canary,
}

impl Scene {
    /// A volume that an earlier run handed to the app, still empty.
    fn new() -> Self {
        let world = World::new(&PAIR);
        chown(world.cache(), Some(APP), Some(101)).unwrap();
        let canary = Canary::plant(world.path("outside"));
        Self { world, canary }
    }

    fn weights(&self) -> PathBuf {
        self.world.cache().join(TREE)
    }

    fn target(&self) -> PathBuf {
        self.weights().join("large.bin")
    }

    fn outside(&self, name: &str) -> PathBuf {
        self.canary.path(name)
    }

    /// The directories down to the weights, the app's.
    fn dirs(&self) -> PathBuf {
        fs::create_dir_all(self.weights()).unwrap();
        self.target()
    }

    /// Everything in the volume is the app's, except where a link would lead.
    fn give_all(&self) {
        let mut left = vec![self.world.cache()];
        while let Some(path) = left.pop() {
            let meta = fs::symlink_metadata(&path).unwrap();
            if meta.is_dir() {
                left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            }
            if meta.nlink() == 1 || meta.is_dir() {
                lchown(&path, Some(APP), Some(101)).unwrap();
            }
        }
    }

    fn boot(&self, hold: &str, more: &[&str]) -> Output {
        self.boot_by(&mut Command::new("timeout"), hold, more, "echo \"started $(id -u):$(id -g) $MODEL_HOME\"")
    }

    fn boot_by(&self, timeout: &mut Command, hold: &str, more: &[&str], script: &str) -> Output {
        let report = self.world.report();
        timeout.args(["60", program().to_str().unwrap(), "run", "--hold", hold, "--report", report.to_str().unwrap()]);
        timeout.args(["--lock-wait", "1"]).args(more).args(["--", "/bin/sh", "-c", script]);
        timeout.env("BALLAST_LOCK", self.world.lock()).output().unwrap()
    }

    /// Started as the app, every weight right where the app was pointed, nothing changed outside.
    fn judge(&self, output: &Output) -> Vec<String> {
        let mut wrong = self.canary.changes();
        if output.status.code() == Some(HUNG) {
            wrong.push("it hung".into());
        }
        let answer = stdout(output);
        match answer.strip_prefix("started 100:101 ") {
            Some(root) if self.world.all_right(Path::new(root), &PAIR) => {}
            _ => wrong.push(format!("{:?}: {answer}\n{}", output.status.code(), stderr(output))),
        }
        wrong
    }
}

/// Runs one check under the protections off and on, and both ways of holding.
fn everywhere(test: &str, check: impl Fn(&str) -> Vec<String>) {
    if !is_root(test) {
        return;
    }
    let mut wrong = Vec::new();
    for value in ["0", "1"] {
        let _set = Protections::set(value);
        for hold in HOLDS {
            wrong.extend(check(hold).into_iter().map(|why| format!("protections {value}, hold {hold}: {why}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

type Plant = fn(&Scene);

/// What was prepared, by the number of the attack in `SECURITY.md`.
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

/// An access list that gives these rights to uid 100 by name, and to everybody.
fn set_acl(path: &Path, which: &str, named: u16, other: u16) {
    const ALL: u32 = u32::MAX;
    let entries = [(1u16, 7u16, ALL), (2, named, APP), (4, 5, ALL), (0x10, 7, ALL), (0x20, other, ALL)];
    let mut blob = 2u32.to_le_bytes().to_vec();
    for (tag, rights, id) in entries {
        blob.extend(tag.to_le_bytes());
        blob.extend(rights.to_le_bytes());
        blob.extend(id.to_le_bytes());
    }
    rustix::fs::setxattr(path, which, &blob, rustix::fs::XattrFlags::empty()).unwrap();
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

impl Scene {
    fn give_all_but_the_root_link(&self) {
        if fs::symlink_metadata(self.world.cache()).unwrap().is_dir() {
            self.give_all();
        } else {
            lchown(self.world.cache(), Some(APP), Some(101)).unwrap();
        }
    }
}

#[test]
fn attack_4_an_ancestor_is_swapped_for_a_symlink_during_the_boot() {
    everywhere("attack_4_during", |hold| {
        let mut wrong = Vec::new();
        for ancestor in ["", ".deepface", TREE] {
            let scene = Scene::new();
            scene.dirs();
            scene.give_all();
            let path = scene.world.cache().join(ancestor);
            let (away, link) = (scene.world.path("away"), scene.world.path("link"));
            symlink(scene.outside(if ancestor == TREE { "weights" } else { "" }), &link).unwrap();
            let stop = AtomicBool::new(false);
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        // Names change hands whole, so that the path always leads somewhere.
                        let _ = fs::rename(&path, &away).and_then(|()| fs::rename(&link, &path));
                        let _ = fs::rename(&path, &link).and_then(|()| fs::rename(&away, &path));
                    }
                });
                for _ in 0..8 {
                    fs::remove_dir_all(scene.target()).ok();
                    let output = scene.boot(hold, &[]);
                    if output.status.code() == Some(HUNG) {
                        wrong.push(format!("{ancestor:?}: it hung"));
                    }
                    // The swapper may win, and then the layer serves; a start with wrong bytes is no outcome.
                    if !matches!(output.status.code(), Some(0 | 14)) {
                        wrong.push(format!("{ancestor:?}: {output:?}"));
                    }
                }
                stop.store(true, Ordering::Relaxed);
            });
            wrong.extend(scene.canary.changes().into_iter().map(|why| format!("{ancestor:?}: {why}")));
        }
        wrong
    });
}

#[test]
fn attack_4_and_7_each_ancestor_is_moved_aside_after_the_boot() {
    everywhere("attack_4_and_7_after", |hold| {
        let mut wrong = Vec::new();
        for ancestor in [".deepface", TREE, ".deepface/weights/large.bin"] {
            let scene = Scene::new();
            let move_aside =
                format!("mv $MODEL_HOME/{ancestor} $MODEL_HOME/moved 2>/dev/null && echo moved || echo kept");
            let output = scene.boot_by(&mut Command::new("timeout"), hold, &[], &move_aside);
            let expected = if hold == "sticky" { "kept" } else { "moved" };
            let firmness = scene.world.told()["weights"][0]["firmness"].clone();
            if stdout(&output) != expected || firmness != hold {
                wrong.push(format!("{ancestor}: {} and told as {firmness}", stdout(&output)));
            }
            let again = scene.boot(hold, &[]);
            wrong.extend(scene.judge(&again).into_iter().map(|why| format!("{ancestor}, next boot: {why}")));
        }
        wrong
    });
}

#[test]
fn attack_7_and_8_and_11_a_writer_and_a_mapping_from_before_do_not_reach_a_kept_weight() {
    if !is_root("attack_8_and_11") {
        return;
    }
    let scene = Scene::new();
    let right = bytes_of(&PAIR[0]);
    fs::write(scene.dirs(), &right).unwrap();
    scene.give_all();
    let writer = File::options().read(true).write(true).open(scene.target()).unwrap();
    let mapping = Mapping::of(&writer, right.len());
    let output = scene.boot("sticky", &[]);
    assert_eq!(scene.judge(&output), Vec::<String>::new());
    writer.write_all_at(b"evil", 17).unwrap();
    mapping.store(99, 0xee);
    assert_eq!(fs::read(scene.target()).unwrap(), right, "an old descriptor reaches the kept weight");
    assert_eq!(fs::metadata(scene.target()).unwrap().uid(), 0);
}

/// A shared mapping of a file's first bytes, which moves neither of its times when stored to.
struct Mapping(*mut libc::c_void, usize);

impl Mapping {
    #[expect(unsafe_code, reason = "the attack is a store through a mapping")]
    fn of(file: &File, len: usize) -> Self {
        // SAFETY: a new shared mapping of an open file; the result is checked.
        let at = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                len,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                file.as_raw_fd(),
                0,
            )
        };
        assert_ne!(at, libc::MAP_FAILED);
        Self(at, len)
    }

    #[expect(unsafe_code, reason = "the attack is a store through a mapping")]
    fn store(&self, at: usize, byte: u8) {
        assert!(at < self.1);
        // SAFETY: within the mapping, which lives as long as the process.
        unsafe { self.0.cast::<u8>().add(at).write_volatile(byte) };
    }
}

#[test]
fn attack_11_a_forged_receipt_vouches_for_nothing() {
    everywhere("attack_11", |hold| {
        let scene = Scene::new();
        let mut wrong_bytes = bytes_of(&PAIR[0]);
        wrong_bytes[5] ^= 1;
        fs::write(scene.dirs(), &wrong_bytes).unwrap();
        let meta = fs::metadata(scene.target()).unwrap();
        let told: serde_json::Value = serde_json::json!({
            "version": format!("ballast-receipts-1/{}", env!("CARGO_PKG_VERSION")),
            "entries": [{
                "pin": support::pin_of(&bytes_of(&PAIR[0])), "device": meta.dev(), "inode": meta.ino(),
                "size": meta.size(), "mtime_ns": meta.mtime() * 1_000_000_000 + meta.mtime_nsec(),
                "ctime_ns": meta.ctime() * 1_000_000_000 + meta.ctime_nsec(),
            }],
        });
        fs::create_dir(scene.world.cache().join(".ballast")).unwrap();
        let receipts = scene.world.cache().join(".ballast/receipts.json");
        fs::write(&receipts, told.to_string()).unwrap();
        scene.give_all();
        let output = scene.boot(hold, &["--trust", "receipt", "--receipts", receipts.to_str().unwrap()]);
        let mut wrong = scene.judge(&output);
        let found = scene.world.told()["weights"][0]["found"].as_str().unwrap().to_owned();
        if found == "vouched" {
            wrong.push(format!("the forged receipt was believed: {found}"));
        }
        wrong
    });
}

#[test]
fn attack_11b_a_lock_file_or_index_that_an_access_list_opens_is_not_believed() {
    if !is_root("attack_11b") {
        return;
    }
    let scene = Scene::new();
    let index = scene.world.baked().join(".ballast/weights.index");
    set_acl(&index, "system.posix_acl_access", 6, 4);
    let output = scene.boot("owned", &[]);
    assert!(stderr(&output).contains("index left aside"), "{output:?}");
    assert_eq!(scene.judge(&output), Vec::<String>::new());
    set_acl(&scene.world.lock(), "system.posix_acl_access", 6, 4);
    let output = scene.boot("owned", &[]);
    assert_eq!(output.status.code(), Some(11), "{output:?}");
}

#[test]
fn a_weight_that_an_access_list_opens_is_not_called_firm() {
    if !is_root("a_weight_that_an_access_list_opens") {
        return;
    }
    let scene = Scene::new();
    for weight in &PAIR {
        chown(scene.world.baked().join(TREE).join(weight.name), Some(0), Some(0)).unwrap();
    }
    set_acl(&scene.world.baked().join(TREE).join("large.bin"), "system.posix_acl_access", 6, 4);
    let nowhere = scene.world.path("nowhere");
    fs::write(&nowhere, b"no directory").unwrap();
    let output = scene.boot("owned", &["--store", nowhere.to_str().unwrap(), "--seal", "off"]);
    let told = scene.world.told();
    let firmness = |at: usize| told["weights"][at]["firmness"].clone();
    assert_eq!((firmness(0), firmness(1)), ("owned".into(), "image-layer".into()), "{output:?}");
}

#[test]
fn attack_12_neither_command_line_nor_environment_makes_root_own_a_system_directory_over() {
    if !is_root("attack_12_roots") {
        return;
    }
    let world = World::new(&PAIR);
    let mut wrong = Vec::new();
    for root in [
        "/",
        "/etc",
        "/etc/ssl",
        "/usr",
        "/usr/bin",
        "/proc/1",
        "/sys",
        "/dev",
        "/dev/shm",
        "/run",
        "/var",
        "/lib",
        "/bin",
        "/home",
        "/root",
        "/srv/../etc",
    ] {
        let flag = world.command(&["heal", "--dry-run", "--store", root]).output().unwrap();
        let variable = world.command(&["heal", "--dry-run"]).env("BALLAST_STORE", root).output().unwrap();
        let text = fs::read_to_string(world.lock()).unwrap();
        let cache = format!("path = \"{}\"\n", world.cache().display());
        let lock = world.path("odd.lock");
        fs::write(&lock, text.replacen(&cache, &format!("path = \"{root}\"\n"), 1)).unwrap();
        let locked = world.command(&["heal", "--dry-run", "--lock", lock.to_str().unwrap()]).output().unwrap();
        let codes = [&flag, &variable, &locked].map(|output| output.status.code());
        if codes != [Some(2), Some(2), Some(10)] {
            wrong.push(format!("{root}: {codes:?}\n{}", stderr(&flag)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn attack_12_a_hostile_environment_chooses_neither_paths_nor_programs() {
    everywhere("attack_12_environment", |hold| {
        let scene = Scene::new();
        let etc = scene.outside("etc");
        let mut timeout = Command::new("timeout");
        for name in ["MODEL_HOME", "HOME", "TMPDIR", "DEEPFACE_HOME", "XDG_CACHE_HOME", "HOSTALIASES", "LOCPATH", "PWD"]
        {
            timeout.env(name, &etc);
        }
        timeout.env("PATH", format!("/usr/bin:/bin:{}", etc.display())).env("RUST_BACKTRACE", "full");
        timeout.env("GLIBC_TUNABLES", "glibc.malloc.check=3").env("LANG", "../../etc").env("IFS", "/");
        let output = scene.boot_by(&mut timeout, hold, &[], "echo \"started $(id -u):$(id -g) $MODEL_HOME\"");
        scene.judge(&output)
    });
}

#[test]
fn attack_13_and_14_the_command_inherits_no_descriptor_and_no_privilege() {
    everywhere("attack_13_and_14", |hold| {
        let scene = Scene::new();
        let secret = File::open(scene.outside("etc/shadow")).unwrap();
        let leaked = secret.as_raw_fd();
        let script = "ls -l /proc/self/fd | grep -c etc/shadow; grep -E '^(Uid|Gid|Groups|Cap)' /proc/self/status";
        let mut timeout = Command::new("timeout");
        #[expect(unsafe_code, reason = "a leaked descriptor is one without close-on-exec")]
        // SAFETY: fcntl is safe between fork and exec.
        unsafe {
            use std::os::unix::process::CommandExt;
            timeout.pre_exec(move || {
                libc::fcntl(leaked, libc::F_SETFD, 0);
                Ok(())
            });
        }
        let output = scene.boot_by(&mut timeout, hold, &[], script);
        let answer = stdout(&output);
        let lines: Vec<&str> = answer.lines().collect();
        let mut wrong = scene.canary.changes();
        let ids = ["Uid:\t100\t100\t100\t100", "Gid:\t101\t101\t101\t101"];
        let no_capability =
            lines.iter().filter(|line| line.starts_with("Cap")).all(|line| line.ends_with("0000000000000000"));
        if lines.first() != Some(&"0") || !ids.iter().all(|id| lines.contains(id)) || !no_capability {
            wrong.push(answer.clone());
        }
        wrong
    });
}

#[test]
fn attack_15_umask_and_inherited_access_lists_decide_no_mode() {
    everywhere("attack_15", |hold| {
        let mut wrong = Vec::new();
        for umask in ["0777", "0077", "0000"] {
            let scene = Scene::new();
            set_acl(&scene.world.cache(), "system.posix_acl_default", 7, 7);
            let run = format!(
                "umask {umask}; exec {} run --hold {hold} --report {} -- /bin/sh -c umask",
                program().display(),
                scene.world.report().display()
            );
            let output =
                Command::new("/bin/sh").args(["-c", &run]).env("BALLAST_LOCK", scene.world.lock()).output().unwrap();
            let (file, dir) = if hold == "sticky" { (0o444, 0o1775) } else { (0o644, 0o755) };
            for (path, expected) in [(".deepface", dir), (TREE, dir), (".deepface/weights/large.bin", file)] {
                let path = scene.world.cache().join(path);
                let mode = fs::metadata(&path).map(|meta| meta.mode() & 0o7777);
                let listed = acl_names(&path);
                if mode.as_ref().ok() != Some(&expected) || !listed.is_empty() {
                    wrong.push(format!("umask {umask}: {}: {mode:?}, {listed:?}\n{}", path.display(), stderr(&output)));
                }
            }
            if stdout(&output) != umask {
                wrong.push(format!("umask {umask}: the command found {}", stdout(&output)));
            }
            wrong.extend(scene.canary.changes());
        }
        wrong
    });
}

/// The access lists that a path has.
fn acl_names(path: &Path) -> Vec<&'static str> {
    let path = CString::new(path.as_os_str().as_bytes()).unwrap();
    let has = |name: &&str| rustix::fs::getxattr(&path, *name, &mut [0u8; 256][..]).is_ok();
    ["system.posix_acl_access", "system.posix_acl_default"].into_iter().filter(has).collect()
}

#[test]
fn attack_16_an_odd_lock_file_is_refused_before_anything_is_touched() {
    if !is_root("attack_16") {
        return;
    }
    let scene = Scene::new();
    let text = fs::read_to_string(scene.world.lock()).unwrap();
    let pin = support::pin_of(&bytes_of(&PAIR[0]));
    let name = format!("{TREE}/large.bin");
    let mut wrong = Vec::new();
    for (what, from, to) in [
        ("parent", name.as_str(), "../outside/etc/passwd"),
        ("parent within", name.as_str(), "a/../../outside/etc/passwd"),
        ("absolute", name.as_str(), "/etc/passwd"),
        ("dot", name.as_str(), "./large.bin"),
        ("empty part", name.as_str(), "a//large.bin"),
        ("control character", name.as_str(), "a\\nb"),
        ("short digest", pin.as_str(), "abcd"),
        ("digest of letters", pin.as_str(), &"g".repeat(64)),
        ("digest with a path", pin.as_str(), &format!("../{}", &pin[3..])),
        ("loader variable", "MODEL_HOME", "LD_PRELOAD"),
    ] {
        fs::write(scene.world.lock(), text.replace(from, to)).unwrap();
        let output = scene.boot("owned", &[]);
        if output.status.code() != Some(10) || fs::read_dir(scene.world.cache()).unwrap().count() != 0 {
            wrong.push(format!("{what}: {output:?}"));
        }
    }
    wrong.extend(scene.canary.changes());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_report_through_the_apps_symlink_is_not_written_by_root() {
    everywhere("a_report_through_the_apps_symlink", |hold| {
        let scene = Scene::new();
        let logs = scene.world.path("logs");
        fs::create_dir(&logs).unwrap();
        chown(&logs, Some(APP), Some(101)).unwrap();
        symlink(scene.outside("etc"), logs.join("ballast")).unwrap();
        let report = logs.join("ballast/passwd");
        let args = ["run", "--hold", hold, "--report", report.to_str().unwrap(), "--", "/bin/sh", "-c", "echo started"];
        let output = scene.world.ballast(&args);
        let mut wrong = scene.canary.changes();
        if stdout(&output) != "started" || !stderr(&output).contains("report: ") {
            wrong.push(format!("{output:?}"));
        }
        wrong
    });
}

#[test]
fn attack_10_a_lock_held_for_ever_delays_and_stops_nothing() {
    everywhere("attack_10", |hold| {
        let scene = Scene::new();
        let stranger = File::open(scene.world.cache()).unwrap();
        rustix::fs::flock(&stranger, rustix::fs::FlockOperation::LockExclusive).unwrap();
        let output = scene.boot(hold, &[]);
        scene.judge(&output)
    });
}

/// An LD_PRELOAD is the loader's, and a static program has none.
#[test]
fn attack_12_a_preloaded_object_is_loaded_by_no_static_build() {
    let built = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(format!("../target/{}-unknown-linux-gnu/entrypoint/ballast", std::env::consts::ARCH));
    if !is_root("attack_12_preload") || !support::is_there(&built, "attack_12_preload", "tools/static builds it") {
        return;
    }
    let scene = Scene::new();
    let (source, object, mark) = (scene.world.path("evil.c"), scene.world.path("evil.so"), scene.world.path("mark"));
    let code = format!(
        "#include <stdio.h>\n__attribute__((constructor)) static void evil(void) {{ FILE *f = fopen(\"{}\", \"a\"); \
         FILE *p = fopen(\"/proc/self/comm\", \"r\"); char name[64] = \"\"; fgets(name, 64, p); fputs(name, f); fclose(f); }}\n",
        mark.display()
    );
    File::create(&source).unwrap().write_all(code.as_bytes()).unwrap();
    let cc = Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([&object, &source]).status().unwrap();
    assert!(cc.success());
    File::create(&mark).unwrap().set_permissions(fs::Permissions::from_mode(0o666)).unwrap();
    let report = scene.world.report();
    let args = ["run", "--report", report.to_str().unwrap(), "--", "/bin/true"];
    let output = Command::new(&built)
        .args(args)
        .env("BALLAST_LOCK", scene.world.lock())
        .env("LD_PRELOAD", &object)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let loaded = fs::read_to_string(&mark).unwrap();
    assert_eq!(loaded, "true\n", "only the command, which is dynamic, may have loaded it");
}
