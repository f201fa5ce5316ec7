//! Tests that `heal --dry-run` ends with the code of the real heal that follows, that reports are short, and
//! that a hint names what is missing.
#![cfg(feature = "full")]
#![expect(clippy::unwrap_used, reason = "a test's helpers may fail where they stand")]

mod support;

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use support::{pin_of, program, stderr, stdout};
use tempfile::TempDir;

struct World {
    dir: TempDir,
}

impl World {
    /// Creates a lock file for `count` weights below `cache`, with more lines of `[store]`; `from` contains
    /// all weights.
    fn new(count: usize, store: &str) -> Self {
        let dir = testkit::ground::folder("scratch");
        let at = |name: &str| dir.path().join(name).display().to_string();
        let store = store.replace("DIR", &dir.path().display().to_string());
        let mut lock = format!("version = 1\n[store]\npath = \"{}\"\n{store}\n", at("cache"));
        fs::create_dir(at("from")).unwrap();
        for weight in 0..count {
            let bytes = format!("weight {weight}");
            fs::create_dir_all(at(&format!("from/d{weight}"))).unwrap();
            fs::write(at(&format!("from/d{weight}/w.bin")), &bytes).unwrap();
            let (pin, size) = (pin_of(bytes.as_bytes()), bytes.len());
            let _ = write!(lock, "[[weight]]\npath = \"d{weight}/w.bin\"\nsha256 = \"{pin}\"\nsize = {size}\n");
        }
        fs::write(at("weights.lock"), lock).unwrap();
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn ballast(&self, args: &[&str]) -> Output {
        let mut command = Command::new(program());
        command.current_dir(self.dir.path()).env_remove("BALLAST_LOCK").args(args);
        command.output().unwrap()
    }

    fn heal(&self, args: &[&str]) -> Output {
        self.ballast(&[&["heal", "--report", "report.json", "--user", &user()], args].concat())
    }
}

/// Returns the current user as `UID:GID`.
fn user() -> String {
    format!("{}:{}", rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw())
}

fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-r").arg(from).arg(to).status().unwrap().success());
}

const BAKED: &str = "baked = \"DIR/baked\"";

/// A name; more lines of `[store]`; the set-up; more options; the exit code; words of the error or the
/// report.
type Row<'a> = (&'a str, &'a str, fn(&World), &'a [&'a str], i32, &'a str);

fn empty(world: &World) {
    fs::create_dir(world.path("cache")).unwrap();
}

fn full(world: &World) {
    copy(&world.path("from"), &world.path("cache"));
}

fn damaged(world: &World) {
    full(world);
    fs::write(world.path("cache/d1/w.bin"), "other").unwrap();
}

fn layer(world: &World) {
    copy(&world.path("from"), &world.path("baked"));
}

fn other_layer(world: &World) {
    layer(world);
    fs::write(world.path("baked/d1/w.bin"), "other").unwrap();
}

fn file(world: &World) {
    fs::write(world.path("cache"), "x").unwrap();
}

fn link(world: &World) {
    copy(&world.path("from"), &world.path("real"));
    symlink("real", world.path("cache")).unwrap();
}

#[test]
fn a_dry_run_ends_as_the_real_heal_does_and_names_what_is_missing() {
    const SERVES: &str = "baked = \"DIR/baked\"\nenv = \"MODELS\"";
    const MIRROR: &[&str] = &["--mirror", "from"];
    let rows: [Row; 12] = [
        ("no layer named", "", empty, &[], 14, "names no baked layer"),
        ("no layer there", BAKED, empty, &[], 14, "no layer is at"),
        ("no cache either", "", |_| (), &[], 14, "names no baked layer"),
        ("a layer", BAKED, layer, &[], 0, "2 of 2 right"),
        ("a mirror", "", |_| (), MIRROR, 0, "2 of 2 right"),
        ("all right already", "", full, &[], 0, "2 of 2 right"),
        ("a layer of other bytes", BAKED, other_layer, &[], 14, "ballast verify"),
        ("one damaged, and a mirror that has it", "", damaged, MIRROR, 0, "2 of 2 right"),
        ("one damaged, and no source", "", damaged, &[], 14, "d1/w.bin (damaged"),
        ("a layer that can serve itself", SERVES, layer, &[], 0, "2 of 2 right"),
        ("a file in the cache's place", "", file, MIRROR, 14, "mount a directory at"),
        ("a symlink in the cache's place", "", link, &[], 14, "is a symlink to"),
    ];
    let mut wrong = Vec::new();
    for (name, store, prepare, options, code, word) in rows {
        let world = World::new(2, store);
        prepare(&world);
        let foreseen = world.heal(&[options, &["--dry-run"]].concat());
        let real = world.heal(options);
        if foreseen.status.code() != Some(code) || real.status.code() != Some(code) || !stderr(&real).contains(word) {
            wrong.push(format!("{name}: expected {code}\n  foreseen {foreseen:?}\n  real {real:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_dry_run_foresees_a_directory_that_can_not_be_written() {
    let world = World::new(1, "");
    copy(&world.path("from"), &world.path("cache"));
    fs::write(world.path("file"), "no directory").unwrap();
    let lock = fs::read_to_string(world.path("weights.lock")).unwrap();
    let dir = format!("[[dir]]\npath = \"{}\"\n", world.path("file/uploads").display());
    fs::write(world.path("weights.lock"), lock + &dir).unwrap();
    let codes = [world.heal(&["--dry-run"]), world.heal(&[])].map(|output| output.status.code());
    assert_eq!(codes, [Some(15), Some(15)]);
}

#[test]
fn reports_of_many_weights_have_the_lines_of_what_was_not_simply_right() {
    let world = World::new(200, "");
    copy(&world.path("from"), &world.path("cache"));
    let mut lines = vec![("healthy", stderr(&world.heal(&[])))];
    fs::write(world.path("cache/d7/w.bin"), "other").unwrap();
    lines.push(("one wrong", stderr(&world.heal(&["--mirror", "from"]))));
    fs::remove_dir_all(world.path("cache")).unwrap();
    lines.push(("all missing", stderr(&world.heal(&[]))));
    fs::create_dir_all(world.path("cache")).unwrap();
    lines.push(("an empty tree", stdout(&world.ballast(&["verify", "from"]))));
    let counts: Vec<_> = lines.iter().map(|(name, text)| (*name, text.lines().count())).collect();
    let most = [("healthy", 4), ("one wrong", 5), ("all missing", 50), ("an empty tree", 1)];
    assert!(counts.iter().zip(most).all(|((_, found), (_, most))| *found <= most), "{counts:?}\n{lines:#?}");
    assert!(lines[1].1.contains("d7/w.bin"), "{}", lines[1].1);
    assert!(lines[3].1.contains("200 of 200 right"), "{}", lines[3].1);
}

#[test]
fn what_verify_can_not_open_is_not_called_missing() {
    let world = World::new(1, "");
    copy(&world.path("from"), &world.path("real"));
    symlink("real", world.path("linked")).unwrap();
    for (dir, word) in [("absent", "can't open absent"), ("linked", "is a symlink to"), ("weights.lock", "can't open")]
    {
        let output = world.ballast(&["verify", dir]);
        let said = stderr(&output);
        assert!(output.status.code() == Some(14) && said.contains(word) && !said.contains("missing"), "{said}");
    }
}

/// Follows a user with an own model: each command's hint names the next step.
#[test]
fn pin_bake_and_run_end_with_the_line_that_is_missing() {
    let world = World::new(1, "");
    fs::remove_file(world.path("weights.lock")).unwrap();
    let cache = world.path("cache").display().to_string();
    let layer = world.path("layer").display().to_string();
    for args in [vec!["pin", "--store", &cache, "from/d0/w.bin"], vec!["bake", &layer]] {
        let output = world.ballast(&args);
        assert!(output.status.success(), "{args:?}: {output:?}");
    }
    let heal = || world.heal(&[]);
    let before = heal();
    assert!(before.status.code() == Some(14) && stderr(&before).contains("write baked = "), "{before:?}");
    let lock = fs::read_to_string(world.path("weights.lock")).unwrap();
    fs::write(world.path("weights.lock"), lock.replace("[store]\n", &format!("[store]\nbaked = \"{layer}\"\n")))
        .unwrap();
    let after = heal();
    assert!(after.status.success(), "{after:?}");
}
