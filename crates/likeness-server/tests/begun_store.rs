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
            // Where only the answer was lost, the store is made.
            let again = if finished { (0, String::new()) } else { world.code("init") };
            let checked = world.code("check");
            if (again.0, checked.0) != (0, 0) {
                wrong.push(format!("{call} {number}: {again:?}, then {checked:?}"));
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
    let unfinished: String = [
        "# likeness: master key of a store that is not made yet. `likeness store init`, with the same\n\
         # arguments, continues.\n",
        &"5a".repeat(32),
        "\n",
    ]
    .concat();
    let other = rusqlite::Connection::open(made.path("other.db")).unwrap();
    other.execute("CREATE TABLE notes (text BLOB)", []).unwrap();
    drop(other);
    let foreign = fs::read(made.path("other.db")).unwrap();
    /// A file's bytes and mode.
    type File<'a> = Option<(&'a [u8], u32)>;
    let table: [(&str, File<'_>, File<'_>, i32); 12] = [
        ("nothing", None, None, 0),
        ("an empty private file", None, Some((b"", 0o600)), 0),
        ("an empty file that others read", None, Some((b"", 0o644)), 24),
        ("another program's file", None, Some((b"no database at all, but long enough to be read", 0o600)), 52),
        ("another program's database", None, Some((&foreign, 0o600)), 24),
        ("a store without its key", None, Some((&database, 0o600)), 24),
        ("a key whose store is absent", Some((&key, 0o600)), None, 56),
        ("a key whose store is there", Some((&key, 0o600)), Some((&database, 0o600)), 56),
        ("no key", Some((b"", 0o600)), None, 56),
        ("an unfinished key", Some((unfinished.as_bytes(), 0o600)), None, 0),
        ("an unfinished key that others read", Some((unfinished.as_bytes(), 0o644)), None, 56),
        ("an unfinished key beside another store", Some((unfinished.as_bytes(), 0o600)), Some((&database, 0o600)), 51),
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
        if fs::read_dir(world.0.path()).unwrap().any(|file| file.unwrap().path().extension().is_some()) {
            wrong.push(format!("{row}: a file is left beside the key"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
