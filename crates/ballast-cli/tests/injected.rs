//! Makes system calls of a real boot fail with `strace`. Each row names the call, the error and the required
//! outcome. Wrong bytes are never visible and never served, and the next boot repairs the cache.
#![expect(clippy::unwrap_used, reason = "a test's helpers may fail where they stand")]

mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::process::{Command, Output};

use support::{PAIR, TREE, World, bytes_of, is_root, program, stderr, stdout};

/// The required outcome of a boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Must {
    /// The boot heals the cache, which serves.
    Heal,
    /// The cache can't be healed: the layer serves, and the report names the error.
    Layer(&'static str),
    /// The boot ends with this code, and the command does not run.
    Refuse(i32),
    /// The cache or the layer serves, depending on the order of calls.
    Serve,
    /// The command starts or the boot is refused; both are correct.
    Honest,
}

use Must::{Heal, Honest, Layer, Refuse, Serve};

/// The call, the injected error, and the outcome for a missing and for a damaged weight.
const ROWS: &[(&str, &str, Must, Must)] = &[
    ("openat2", "error=ENOSYS", Heal, Heal),
    ("openat2", "error=EPERM", Heal, Heal),
    ("openat2", "error=EINVAL", Heal, Heal),
    ("openat2", "error=EIO", Honest, Honest),
    ("linkat", "error=EPERM:when=1", Heal, Heal),
    ("linkat", "error=ENOENT:when=1", Heal, Heal),
    ("linkat", "error=EPERM", Layer("S8 publish"), Layer("S8 publish")),
    ("linkat", "error=ENOSPC", Layer("S8 publish"), Layer("S8 publish")),
    ("linkat", "error=EEXIST:when=1", Heal, Heal),
    ("renameat2", "error=ENOSYS", Heal, Heal),
    ("renameat2", "error=EINVAL", Heal, Heal),
    ("renameat2,renameat", "error=EIO", Heal, Serve),
    ("fallocate", "error=ENOSPC", Layer("S4 stage"), Layer("S4 stage")),
    ("fallocate", "error=EDQUOT", Layer("S4 stage"), Layer("S4 stage")),
    ("fallocate", "error=EOPNOTSUPP", Heal, Heal),
    ("fallocate", "error=ENOSYS", Heal, Heal),
    ("fdatasync", "error=EIO", Layer("S6 sync"), Layer("S6 sync")),
    ("fdatasync", "error=ENOSPC", Layer("S6 sync"), Layer("S6 sync")),
    ("fsync", "error=EIO", Layer("S8 sync the directory"), Layer("S8 sync the directory")),
    ("pread64", "error=EIO", Refuse(14), Refuse(14)),
    ("pread64", "error=EIO:when=1", Honest, Honest),
    ("pread64", "error=EIO:when=4", Honest, Honest),
    ("pread64", "error=EINTR:when=1..5", Heal, Heal),
    ("pread64", "retval=100:when=1", Honest, Honest),
    ("pread64", "retval=1000000:when=2", Honest, Honest),
    ("pwrite64", "error=ENOSPC", Layer("S5 write"), Layer("S5 write")),
    ("pwrite64", "error=EIO:when=3", Serve, Serve),
    ("pwrite64", "error=EINTR:when=1..5", Heal, Heal),
    ("pwrite64", "retval=0:when=2", Serve, Serve),
    ("pwrite64", "retval=1000000:when=2", Serve, Serve),
    ("fchmod", "error=EPERM", Layer("S1 make a directory"), Layer("S6 sync")),
    ("mkdirat", "error=ENOSPC", Layer("S1 make a directory"), Heal),
    ("mkdirat", "error=EACCES", Layer("S1 make a directory"), Heal),
    ("unlinkat", "error=EPERM", Serve, Serve),
    ("flock", "error=ENOLCK", Heal, Heal),
    ("flock", "error=ENOSYS", Heal, Heal),
    ("sync_file_range", "error=ENOSYS", Heal, Heal),
    ("sync_file_range", "error=EIO", Heal, Heal),
    ("fremovexattr", "error=EOPNOTSUPP", Heal, Heal),
    ("lgetxattr", "error=EOPNOTSUPP", Heal, Heal),
    ("getrandom", "error=ENOSYS", Heal, Heal),
    ("getrandom", "error=EAGAIN", Heal, Heal),
    ("close_range", "error=ENOSYS", Heal, Heal),
    ("close_range", "error=EPERM", Heal, Heal),
    ("faccessat2", "error=ENOSYS", Heal, Heal),
    ("statfs,fstatfs", "error=ENOSYS", Serve, Serve),
    ("statx", "error=ENOSYS", Serve, Serve),
    ("getdents64", "error=EIO", Serve, Serve),
    ("fchownat", "error=EPERM", Layer("chown of"), Heal),
    ("fchownat", "error=EROFS", Layer("read-only"), Heal),
    ("setresuid", "error=EPERM", Refuse(13), Refuse(13)),
    ("setresgid", "error=EPERM", Refuse(13), Refuse(13)),
    ("setgroups", "error=EPERM", Honest, Honest),
    ("setresuid", "retval=0", Refuse(13), Refuse(13)),
    ("clone3,clone", "error=EAGAIN", Heal, Heal),
];

fn plant(world: &World, damaged: bool) -> Option<Vec<u8>> {
    fs::remove_dir_all(world.cache().join(".deepface")).ok();
    // Root owns the cache, so that it must be given to the app; its group may write, so that the access list
    // matters.
    chown(world.cache(), Some(0), Some(0)).unwrap();
    fs::set_permissions(world.cache(), fs::Permissions::from_mode(0o775)).unwrap();
    if !damaged {
        return None;
    }
    let mut bytes = bytes_of(&PAIR[0]);
    bytes[1_500_000] ^= 1;
    fs::create_dir_all(world.cache().join(TREE)).unwrap();
    fs::write(world.cache().join(TREE).join("large.bin"), &bytes).unwrap();
    for path in [".deepface", TREE, ".deepface/weights/large.bin"] {
        chown(world.cache().join(path), Some(100), Some(101)).unwrap();
    }
    Some(bytes)
}

fn boot(world: &World, calls: &str, inject: &str) -> Output {
    let mut strace = Command::new("strace");
    strace.args([
        "-f",
        "-qqq",
        "-o",
        "/dev/null",
        "-e",
        &format!("trace={calls}"),
        "-e",
        &format!("inject={calls}:{inject}"),
    ]);
    if calls == "pread64" {
        // Only reads of these paths count; the loader reads other files.
        for path in [world.cache(), world.baked()].iter().flat_map(|root| PAIR.map(|w| root.join(TREE).join(w.name))) {
            strace.arg("-P").arg(path);
        }
    }
    strace.arg(program()).args(["run", "--report", world.report().to_str().unwrap(), "--lock-wait", "1", "--"]);
    strace.args(["/bin/sh", "-c", "echo \"started $MODEL_HOME\""]);
    strace.env("BALLAST_LOCK", world.lock()).output().unwrap()
}

fn judge(world: &World, output: &Output, before: Option<&Vec<u8>>, must: Must) -> Vec<String> {
    let mut wrong = Vec::new();
    for weight in &PAIR {
        let found = fs::read(world.cache().join(TREE).join(weight.name)).ok();
        let as_before = weight.name == "large.bin" && found.as_ref() == before;
        if found.as_ref().is_some_and(|bytes| *bytes != bytes_of(weight)) && !as_before {
            wrong.push(format!("{} is wrong and visible", weight.name));
        }
    }
    let answer = stdout(output);
    let served = answer.strip_prefix("started ").map(std::path::PathBuf::from);
    if !answer.is_empty() && !served.as_ref().is_some_and(|root| world.all_right(root, &PAIR)) {
        wrong.push(format!("wrong weights were served: {answer}"));
    }
    let from_cache = served.as_ref() == Some(&world.cache());
    let from_layer = served.as_ref() == Some(&world.baked());
    let reported = stderr(output);
    let kept = match must {
        Heal => from_cache && world.all_right(&world.cache(), &PAIR),
        Layer(why) => from_layer && reported.contains(why),
        Refuse(code) => output.status.code() == Some(code) && served.is_none(),
        Serve => from_cache || from_layer,
        Honest => served.is_some() || matches!(output.status.code(), Some(10 | 13 | 14)),
    };
    if !kept {
        wrong.push(format!("expected {must:?}, found {:?} {answer}\n{reported}", output.status.code()));
    }
    wrong
}

#[test]
fn whatever_call_fails_nothing_wrong_is_visible_or_served_and_the_next_boot_converges() {
    if !is_root("whatever_call_fails")
        || !support::is_there("/usr/bin/strace".as_ref(), "whatever_call_fails", "apt-get install strace")
    {
        return;
    }
    let world = World::new(&PAIR);
    let mut wrong = Vec::new();
    for (calls, inject, missing, damaged) in ROWS {
        for (start, must) in [("missing", *missing), ("damaged", *damaged)] {
            let before = plant(&world, start == "damaged");
            let output = boot(&world, calls, inject);
            let row = format!("{calls}:{inject}, {start}");
            wrong.extend(judge(&world, &output, before.as_ref(), must).into_iter().map(|why| format!("{row}: {why}")));
            let again = world.run(&[]);
            let dir = fs::read_dir(world.cache().join(TREE)).map(|entries| {
                entries.flatten().filter(|entry| entry.file_name().to_string_lossy().contains("staged")).count()
            });
            if !again.status.success() || !world.all_right(&world.cache(), &PAIR) || !matches!(dir, Ok(0)) {
                wrong.push(format!("{row}: the next boot does not converge: {dir:?} left\n{}", stderr(&again)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Checks that `strace` really injects errors.
#[test]
fn each_row_names_a_call_that_a_boot_makes() {
    if !is_root("each_row_names_a_call")
        || !support::is_there("/usr/bin/strace".as_ref(), "each_row_names_a_call", "apt-get install strace")
    {
        return;
    }
    let world = World::new(&PAIR);
    let trace = world.path("trace");
    let mut made = String::new();
    for damaged in [false, true] {
        plant(&world, damaged);
        let mut strace = Command::new("strace");
        strace.args(["-f", "-qqq", "-o"]).arg(&trace).arg(program());
        strace.args(["run", "--report", world.report().to_str().unwrap(), "--", "/bin/true"]);
        assert!(strace.env("BALLAST_LOCK", world.lock()).output().unwrap().status.success());
        made += &fs::read_to_string(&trace).unwrap();
    }
    let idle = |calls: &&&str| !calls.split(',').any(|call| made.contains(&format!(" {call}(")));
    let names: Vec<_> = ROWS.iter().map(|(calls, ..)| calls).filter(|calls| idle(calls)).collect();
    assert!(names.is_empty(), "no boot makes these calls: {names:?}");
}
