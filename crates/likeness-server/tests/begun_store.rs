//! `likeness store init` continues an interrupted creation, and never takes what is another program's or another store's.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Command, Output};

use tempfile::TempDir;

struct World(TempDir);

impl World {
    fn new() -> Self {
        let world = Self(tempfile::tempdir().unwrap());
        fs::create_dir(world.path("data")).unwrap();
        world
    }

    /// A world whose `store init` was killed when the key file was there.
    fn unfinished() -> Self {
        let worlds = (1..20).map(|number| {
            let world = Self::new();
            let inject = format!("inject=fsync:signal=SIGKILL:when={number}");
            world.run(&["strace", "-f", "-qqq", "-o", "/dev/null", "-e", "trace=fsync", "-e", &inject], "init");
            world
        });
        let begun = |world: &Self| {
            fs::read_to_string(world.path("key")).is_ok_and(|key| key.contains("a store that is not made yet"))
        };
        worlds.into_iter().find(begun).expect("a killed init leaves an unfinished key")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, wrapper: &[&str], command: &str) -> Output {
        let mut words = wrapper.iter().copied().chain([env!("CARGO_BIN_EXE_likeness"), "store", command]);
        let mut program = Command::new(words.next().unwrap());
        program.args(words).arg("--store").arg(self.path("data/store.db")).arg("--key-file").arg(self.path("key"));
        program.output().unwrap()
    }

    /// Runs the command; returns its exit code and what it wrote to stderr.
    fn code(&self, command: &str) -> (i32, String) {
        let output = self.run(&[], command);
        (output.status.code().unwrap(), String::from_utf8_lossy(&output.stderr).into_owned())
    }

    fn write(&self, name: &str, bytes: &[u8], mode: u32) {
        fs::write(self.path(name), bytes).unwrap();
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }
}

/// System calls that change the disk, or follow such a call.
const CALLS: [&str; 10] =
    ["openat", "write", "pwrite64", "fsync", "fdatasync", "renameat2", "rename", "ftruncate", "unlink", "fchown"];

#[test]
fn killed_at_every_system_call_that_changes_something_it_is_repeated() {
    let (mut wrong, mut killed) = (Vec::new(), 0);
    for call in CALLS {
        for number in 1.. {
            let world = World::new();
            // An older version's name for a file of its own.
            world.write("key.new", b"the key of another store", 0o600);
            let (trace, inject) = (format!("trace={call}"), format!("inject={call}:signal=SIGKILL:when={number}"));
            let strace = ["strace", "-f", "-qqq", "-o", "/dev/null", "-e", &trace, "-e", &inject];
            let output = world.run(&strace, "init");
            if output.status.success() {
                break;
            }
            assert!(
                output.status.signal() == Some(9) || output.status.code() == Some(137),
                "{call} {number}: {output:?}"
            );
            killed += 1;
            let finished =
                fs::read_to_string(world.path("key")).is_ok_and(|text| text.contains("master keys of a store"));
            let again = world.code("init");
            // Where only the answer was lost, the store is made.
            let right = if finished { again.0 == 56 && again.1.contains("the store is made") } else { again.0 == 0 };
            let (checked, rotated) = (world.code("check"), world.code("rotate"));
            let other = fs::read(world.path("key.new")).unwrap() == b"the key of another store";
            if !right || (checked.0, rotated.0, other) != (0, 0, true) {
                wrong.push(format!("{call} {number}: {again:?}, then {checked:?}, {rotated:?}, other key {other}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(killed >= 30, "only {killed} calls were met");
}

#[test]
fn what_is_another_programs_or_another_stores_is_refused_and_stays() {
    let made = World::new();
    assert_eq!(made.code("init").0, 0);
    let (key, database) = (fs::read(made.path("key")).unwrap(), fs::read(made.path("data/store.db")).unwrap());
    let other = rusqlite::Connection::open(made.path("other.db")).unwrap();
    other.execute("CREATE TABLE notes (text BLOB)", []).unwrap();
    drop(other);
    let foreign = fs::read(made.path("other.db")).unwrap();
    let planted = |name: &str, sql: &str| {
        let planted = rusqlite::Connection::open(made.path(name)).unwrap();
        planted.execute_batch(sql).unwrap();
        drop(planted);
        fs::read(made.path(name)).unwrap()
    };
    let meta = planted("meta.db", "CREATE TABLE meta (k BLOB, v BLOB)");
    let small = planted("small.db", "PRAGMA page_size = 512; CREATE TABLE a (b); DROP TABLE a");
    /// A file's bytes and mode.
    type File<'a> = Option<(&'a [u8], u32)>;
    let elsewhere = World::unfinished();
    let of_elsewhere = fs::read(elsewhere.path("key")).unwrap();
    let table: [(&str, File<'_>, File<'_>, i32); 13] = [
        ("nothing", None, None, 0),
        ("an empty private file", None, Some((b"", 0o600)), 0),
        ("an empty file that others read", None, Some((b"", 0o644)), 24),
        ("another program's file", None, Some((b"no database at all, but long enough to be read", 0o600)), 24),
        ("another program's database", None, Some((&foreign, 0o600)), 24),
        ("a store without its key", None, Some((&database, 0o600)), 24),
        ("a key whose store is absent", Some((&key, 0o600)), None, 56),
        ("a key whose store is there", Some((&key, 0o600)), Some((&database, 0o600)), 56),
        ("no key", Some((b"", 0o600)), None, 56),
        ("a key of an unfinished store elsewhere", Some((&of_elsewhere, 0o600)), None, 56),
        ("that key beside its own former store", Some((&of_elsewhere, 0o600)), Some((&database, 0o600)), 56),
        ("a database with a table of another program's `meta`", None, Some((&meta, 0o600)), 24),
        ("a database of small pages", None, Some((&small, 0o600)), 24),
    ];
    let mut wrong = Vec::new();
    for (row, key, database, expected) in table {
        let world = World::new();
        for (name, file) in [("key", key), ("data/store.db", database)] {
            if let Some((bytes, mode)) = file {
                world.write(name, bytes, mode);
            }
        }
        let (code, said) = world.code("init");
        let same =
            |name: &str, before: File<'_>| fs::read(world.path(name)).ok().as_deref() == before.map(|(bytes, _)| bytes);
        let kept = expected == 0 || (same("key", key) && (database.is_none() || same("data/store.db", database)));
        let works = expected != 0 || world.code("check").0 == 0;
        if code != expected || !kept || !works || (expected != 0 && !said.contains("hint: ")) {
            wrong.push(format!("{row}: expected {expected}, found {code}; kept {kept}, works {works}: {said}"));
        }
        let stray = |name: std::ffi::OsString| !["key", "key.lock", "data"].iter().any(|known| name == *known);
        if fs::read_dir(world.0.path()).unwrap().any(|file| stray(file.unwrap().file_name())) {
            wrong.push(format!("{row}: a file is left beside the key"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_key_of_an_interrupted_creation_goes_on_to_its_own_place_alone_and_one_at_a_time() {
    let world = World::unfinished();
    let lock = fs::File::open(world.path("key.lock")).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive).unwrap();
    let (locked, said) = world.code("init");
    assert!(locked == 50 && said.contains("another rotation or `store init` runs"), "{locked}: {said}");
    drop(lock);
    fs::create_dir(world.path("elsewhere")).unwrap();
    let other = |command: &str| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_likeness"));
        program.args(["store", command, "--store"]).arg(world.path("elsewhere/store.db"));
        program.arg("--key-file").arg(world.path("key")).output().unwrap().status.code()
    };
    assert_eq!(other("init"), Some(56), "a second database under the same key");
    assert!(!world.path("elsewhere/store.db").exists());
    assert_eq!((world.code("init").0, world.code("check").0, other("init")), (0, 0, Some(56)));
}

#[test]
fn a_store_that_was_whole_when_its_creation_was_killed_works_and_its_key_file_says_so() {
    let world = World::new();
    let kill =
        ["strace", "-f", "-qqq", "-o", "/dev/null", "-e", "trace=rename", "-e", "inject=rename:signal=SIGKILL:when=1"];
    world.run(&kill, "init");
    let key = || fs::read_to_string(world.path("key")).unwrap();
    assert!(key().contains("not made yet"), "{}", key());
    assert_eq!(world.code("check").0, 0);
    assert!(key().contains("master keys of a store"), "{}", key());
}
