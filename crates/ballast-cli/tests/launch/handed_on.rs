//! Tests what the command inherits (descriptors, signals, no_new_privs, the process), and how it is found.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use crate::stage::{Stage, idle_lock, out, output, status};
use testkit::need::skip;

use crate::support::stderr;

#[test]
fn extra_descriptors_are_closed() {
    let Some(stage) = Stage::root("extra_descriptors_are_closed") else {
        return;
    };
    let shell = |setup: &str, options: &str| {
        let list = "/bin/sh -c \"ls /proc/self/fd | sort -n | tr '\\n' ' '\"";
        let launcher = match options {
            "no ballast" => String::new(),
            _ => format!("{} run {options} --", stage.ballast()),
        };
        out(&output(&["/bin/sh", "-c", &format!("{setup} exec {launcher} {list}")]))
    };
    let open = "exec 3</dev/null 4</dev/null 5</dev/null 9</dev/null;";
    let ours = format!("{open} export LISTEN_PID=$$ LISTEN_FDS=2;");
    let other = format!("{open} export LISTEN_PID=1 LISTEN_FDS=2;");
    let absurd = format!("{open} export LISTEN_PID=$$ LISTEN_FDS=4294967295;");
    // All descriptors that are open in this test.
    let all = shell(open, "no ballast");
    assert!(all.starts_with("0 1 2 3 4 5 6 9"), "{all}");
    let mut wrong = Vec::new();
    // `ls` itself opens the directory as the lowest free descriptor.
    for (setup, options, wanted) in [
        (open, "", "0 1 2 3"),
        (open, "--user 100:101", "0 1 2 3"),
        (open, "--keep-fds", &all),
        (&ours, "--user 100:101", "0 1 2 3 4 5"),
        (&other, "--user 100:101", "0 1 2 3"),
        (&absurd, "", &all),
    ] {
        let found = shell(setup, options);
        if found != wanted {
            wrong.push(format!("{setup} {options}: wanted {wanted}, found {found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn descriptors_are_closed_without_close_range() {
    let stage = Stage::new();
    let program = stage.ballast();
    let script = format!(
        "exec 3</dev/null 7</dev/null; exec strace -f -o /dev/null -e trace=close_range -e inject=close_range:error=ENOSYS {program} run -- ls /proc/self/fd"
    );
    if Command::new("strace").args(["-o", "/dev/null", "true"]).status().is_err() {
        skip("descriptors_are_closed_without_close_range", "strace");
        return;
    }
    assert_eq!(out(&output(&["/bin/sh", "-c", &script])), "0\n1\n2\n3");
}

#[test]
fn signals_are_as_received() {
    let stage = Stage::new();
    let mut wrong = Vec::new();
    for setup in [
        "",
        "import signal; signal.signal(signal.SIGPIPE, signal.SIG_IGN)",
        "import signal; signal.signal(signal.SIGPIPE, signal.SIG_DFL)",
        "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.signal(signal.SIGHUP, signal.SIG_IGN)",
        "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGPIPE, signal.SIGTERM, 64})",
    ] {
        let exec = |line: &[&str]| {
            let line = line.iter().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(", ");
            let script = format!("{setup}\nimport os; os.execv([{line}][0], [{line}])");
            status(&output(&["python3", "-c", &script]))
        };
        let plain = exec(&["/bin/cat", "/proc/self/status"]);
        let ours = exec(&[&stage.ballast(), "run", "--", "/bin/cat", "/proc/self/status"]);
        if ["SigIgn", "SigBlk"].iter().any(|name| plain[*name] != ours[*name]) {
            wrong.push(format!("{setup}: wanted {plain:?}, found {ours:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_new_privs_is_kept_as_found_without_the_option() {
    let stage = Stage::new();
    let mut wrong = Vec::new();
    for (starter, options, wanted) in
        [(&[][..], &[][..], "0"), (&[], &["--no-new-privs"], "1"), (&["setpriv", "--no-new-privs"], &[], "1")]
    {
        let found = status(&stage.under(starter, options, "cat /proc/self/status"));
        if found["NoNewPrivs"] != wanted && fs::read_to_string("/proc/self/status").unwrap().contains("NoNewPrivs:\t0")
        {
            wrong.push(format!("{starter:?} {options:?}: {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn exec_keeps_the_process() {
    let stage = Stage::new();
    let script = format!("echo $$; exec {} run -- /bin/sh -c 'echo $$; ls /proc/self/task | wc -l'", stage.ballast());
    let text = out(&output(&["/bin/sh", "-c", &script]));
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], lines[1]);
    assert_eq!(lines[2].trim(), "1");
}

#[test]
fn commands_are_found_as_execvp_does() {
    let stage = Stage::new();
    let bin = stage.path("bin");
    let mode = |name: &str, mode| fs::set_permissions(bin.join(name), PermissionsExt::from_mode(mode)).unwrap();
    fs::create_dir_all(bin.join("folder")).unwrap();
    for (name, text, bits) in [
        ("good", "#!/bin/sh\necho good\n", 0o755),
        ("plain", "#!/bin/sh\n", 0o644),
        ("text", "no program\n", 0o755),
        ("lost", "#!/nosuch/interpreter\n", 0o755),
        ("sh", "", 0o644),
    ] {
        fs::write(bin.join(name), text).unwrap();
        mode(name, bits);
    }
    symlink("loop", bin.join("loop")).unwrap();
    let bin = bin.to_str().unwrap();
    let both = format!("/nosuch:/etc/passwd:{bin}:/bin");
    let mut wrong = Vec::new();
    for (path, command, wanted) in [
        (Some(bin), "good", 0),
        (Some(both.as_str()), "true", 0),
        (Some(both.as_str()), "good", 0),
        (Some(both.as_str()), "sh", 0),
        (None, "true", 0),
        (Some(bin), "nosuch", 127),
        (Some(bin), "true", 127),
        (Some(""), "true", 127),
        (Some(bin), "/nosuch/true", 127),
        (Some(bin), "/etc/passwd/true", 127),
        (Some(bin), "", 127),
        (Some(bin), "lost", 127),
        (Some(bin), "plain", 126),
        (Some(bin), "folder", 126),
        (Some(bin), "text", 126),
        (Some(bin), "loop", 126),
        (Some(bin), "/etc/passwd", 126),
        (Some(bin), "/", 126),
    ] {
        let mut line = Command::new(stage.path("ballast"));
        line.env_remove("PATH").env("BALLAST_LOCK", idle_lock()).args(["run", "--", command]);
        let found = line.envs(path.map(|path| ("PATH", path))).output().unwrap();
        let hinted = wanted == 0 || stderr(&found).contains("hint: ");
        if found.status.code() != Some(wanted) || !hinted {
            wrong.push(format!("PATH={path:?} {command:?}: wanted {wanted}, found {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
