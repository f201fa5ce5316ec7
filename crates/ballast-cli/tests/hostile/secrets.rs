//! Attack: the command searches for Ballast's secrets in its environment and in its session keyring.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use testkit::need;

use crate::support::{PAIR, World, is_root, program, stderr, stdout};

const SECRET: &str = "s3cret";

#[test]
fn the_command_finds_no_secret_of_ballasts_and_all_else() {
    let world = World::new(&PAIR);
    let report = world.report().display().to_string();
    let run = |options: &[&str]| {
        let mut command = world.command(&["run", "--report", &report]);
        command.args(options).args([
            "--",
            "/bin/sh",
            "-c",
            "tr '\\0' '\\n' </proc/self/environ; cat /proc/self/cmdline",
        ]);
        command.env("BALLAST_TOKENS", format!("h={SECRET}")).env("BALLAST_TOKENS_FILE", format!("/run/{SECRET}"));
        command.env("BALLAST_REGISTRY_USER", SECRET).env("BALLAST_REGISTRY_PASSWORD", SECRET);
        command.env("BALLAST_MIRRORS", format!("/m https://user:{SECRET}@mirror.example/"));
        command.env("HF_TOKEN", "for-the-app").env("APP_SETTING", "kept");
        stdout(&command.output().unwrap())
    };
    let kept = run(&[]);
    let right =
        kept.contains("HF_TOKEN=for-the-app") && kept.contains("APP_SETTING=kept") && kept.contains("MODEL_HOME=");
    assert!(right && !kept.contains(SECRET), "{kept}");
    let dropped = run(&["--drop-env", "HF_TOKEN", "--drop-env", "NOT_SET"]);
    assert!(!dropped.contains("HF_TOKEN") && dropped.contains("APP_SETTING=kept"), "{dropped}");
}

/// Puts a key into a new session keyring, then becomes the command.
const KEEP: &str = "
import ctypes, os, platform, sys
numbers = {'x86_64': (248, 250), 'aarch64': (217, 219)}[platform.machine()]
call = ctypes.CDLL(None, use_errno=True).syscall
if call(numbers[1], 1, None) < 0 or call(numbers[0], b'user', b'ballast-test', b's3cret', 6, ctypes.c_long(-3)) < 0:
    print('no keys:', os.strerror(ctypes.get_errno())); sys.exit(77)
os.execv(sys.argv[1], sys.argv[1:])
";

/// Searches the session keyring for the key and reads it.
const FIND: &str = "
import ctypes, os, platform
number = {'x86_64': 250, 'aarch64': 219}[platform.machine()]
call = ctypes.CDLL(None, use_errno=True).syscall
key = call(number, 10, ctypes.c_long(-3), b'user', b'ballast-test', 0)
room = ctypes.create_string_buffer(64)
got = call(number, 11, key, room, 64) if key > 0 else -1
print(os.getuid(), room.raw[:got].decode() if got > 0 else 'nothing')
";

#[test]
fn roots_session_keyring_is_left_at_the_drop() {
    let test = "roots_session_keyring_is_left_at_the_drop";
    if !is_root(test) {
        return;
    }
    let world = World::new(&PAIR);
    let (lock, report) = (world.lock().display().to_string(), world.report().display().to_string());
    let program = program().display().to_string();
    let find = |words: &[&str]| {
        let mut command = Command::new("python3");
        command.args(["-c", KEEP]).args(words).args(["/usr/bin/python3", "-c", FIND]);
        command.env("BALLAST_LOCK", &lock).output().unwrap()
    };
    let without = find(&["/usr/bin/setpriv", "--reuid", "100", "--regid", "101", "--clear-groups"]);
    if without.status.code() == Some(77) {
        need::skip(test, &format!("a kernel with keys ({})", stdout(&without)));
        return;
    }
    assert_eq!(stdout(&without), "100 s3cret", "the attack itself: {without:?}");
    let run = |user: &str| find(&[&program, "run", "--user", user, "--report", &report, "--"]);
    assert_eq!(stdout(&run("100:101")), "100 nothing");
    // Root that stays root keeps its keyring.
    assert_eq!(stdout(&run("0:0")), "0 s3cret");
}

#[test]
fn a_file_of_tokens_that_others_can_read_is_refused_by_name() {
    let world = World::new(&PAIR);
    let tokens = world.path("tokens");
    fs::write(&tokens, format!("h={SECRET}\n")).unwrap();
    let mut wrong = Vec::new();
    for (mode, code) in [(0o600, 0), (0o400, 0), (0o640, 2), (0o604, 2), (0o666, 2)] {
        fs::set_permissions(&tokens, Permissions::from_mode(mode)).unwrap();
        let from = world.path("source").display().to_string();
        let mut command = world.command(&["fetch", "--mirror", &from, "--into", "fetched"]);
        let output = command.current_dir(world.dir.path()).env("BALLAST_TOKENS_FILE", &tokens).output().unwrap();
        let named = code == 0 || stderr(&output).contains("0600");
        if output.status.code() != Some(code) || !named || stderr(&output).contains(SECRET) {
            wrong.push(format!("{mode:o}: {output:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
