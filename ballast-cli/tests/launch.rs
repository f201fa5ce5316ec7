//! The launch as real processes: what the command finds, beside what gosu gives it.
//!
//! Most tests need root; without it each prints SKIP and counts itself in `skipped`. The
//! program under test is `BALLAST_BIN`, else the one that cargo built.
#![expect(clippy::unwrap_used, reason = "a test's helpers may fail where they stand")]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::TempDir;

static SKIPPED: AtomicUsize = AtomicUsize::new(0);

const PASSWD: &str = "\
root:x:0:0:root:/root:/bin/sh
app:x:100:101::/home/app:/bin/sh
lone:x:300:301::/:/bin/sh
100:x:555:555::/digits:
app:x:600:600::/second:
";
const GROUP: &str = "root:x:0:\napp:x:101:\nvideo:x:44:app,lone\naudio:x:29:app\nown:x:101:app\nwheel:x:10:root\n";

/// The program, copied to where every user may execute it, and the account files.
struct Stage {
    dir: TempDir,
}

impl Stage {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let program = std::env::var_os("BALLAST_BIN").unwrap_or(env!("CARGO_BIN_EXE_ballast").into());
        // By a process of its own: what another test forks meanwhile must not hold it open for writing.
        assert!(Command::new("cp").arg(program).arg(dir.path().join("ballast")).status().unwrap().success());
        fs::write(dir.path().join("passwd"), PASSWD).unwrap();
        fs::write(dir.path().join("group"), GROUP).unwrap();
        Self { dir }
    }

    /// A stage for a test that needs root, or a counted SKIP.
    fn root(test: &str) -> Option<Self> {
        if rustix::process::geteuid().is_root() {
            return Some(Self::new());
        }
        skip(test, "not root");
        None
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn ballast(&self) -> String {
        self.path("ballast").to_str().unwrap().to_owned()
    }

    /// `ballast run` with these options and this shell script as its command.
    fn run(&self, options: &[&str], script: &str) -> Output {
        self.under(&[], options, script)
    }

    /// The same, started by another program.
    fn under(&self, starter: &[&str], options: &[&str], script: &str) -> Output {
        let program = self.ballast();
        let mut line: Vec<&str> = starter.to_vec();
        line.extend([program.as_str(), "run"]);
        line.extend(options);
        line.extend(["--", "/bin/sh", "-c", script]);
        output(&line)
    }

    /// A line run in a mount namespace where this stage's account files are the real ones.
    fn with_accounts(&self, line: &[&str]) -> Output {
        let mount = "mount --bind \"$0/passwd\" /etc/passwd && mount --bind \"$0/group\" /etc/group && exec \"$@\"";
        let dir = self.dir.path().to_str().unwrap();
        let mut all = vec!["unshare", "--mount", "/bin/sh", "-c", mount, dir];
        all.extend(line);
        output(&all)
    }
}

fn skip(test: &str, why: &str) {
    assert!(std::env::var_os("BALLAST_ALLOW_SKIP").is_some(), "{test}: {why}; or BALLAST_ALLOW_SKIP=1");
    let count = SKIPPED.fetch_add(1, Ordering::Relaxed) + 1;
    // Past the harness, which keeps what a passing test prints to itself.
    std::io::stderr().write_all(format!("SKIP {test}: {why} (skipped so far: {count})\n").as_bytes()).unwrap();
}

/// A lock file that asks for nothing: these tests are about the launch alone.
fn idle_lock() -> PathBuf {
    static LOCK: OnceLock<PathBuf> = OnceLock::new();
    let write = || {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("launch.lock");
        let store = "version = 1\n[store]\npath = \"/nowhere/cache\"\n";
        let weight = format!("[[weight]]\npath = \"w\"\nsha256 = \"{}\"\nneed = \"optional\"\n", "0".repeat(64));
        fs::write(&path, format!("{store}{weight}")).unwrap();
        path
    };
    LOCK.get_or_init(write).clone()
}

fn output(line: &[&str]) -> Output {
    Command::new(line[0])
        .env("BALLAST_LOCK", idle_lock())
        .args(&line[1..])
        .output()
        .unwrap_or_else(|error| panic!("{line:?}: {error}"))
}

fn out(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    assert!(output.status.success(), "{output:?}");
    text
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// `/proc/self/status` as the command saw it, for the fields that an exec hands on.
fn status(output: &Output) -> BTreeMap<String, String> {
    let wanted = ["Uid", "Gid", "Groups", "NoNewPrivs", "SigIgn", "SigBlk"];
    let text = out(output);
    let fields = text.lines().filter_map(|line| line.split_once(':'));
    fields
        .filter(|(name, _)| name.starts_with("Cap") || wanted.contains(name))
        .map(|(name, value)| (name.to_owned(), value.split_whitespace().collect::<Vec<_>>().join(" ")))
        .collect()
}

fn zero(set: &str) -> bool {
    set.bytes().all(|byte| byte == b'0')
}

#[test]
fn root_is_gone() {
    let Some(stage) = Stage::root("root_is_gone") else {
        return;
    };
    let found = status(&stage.run(&["--user", "100:101"], "cat /proc/self/status"));
    assert_eq!(found["Uid"], "100 100 100 100");
    assert_eq!(found["Gid"], "101 101 101 101");
    assert_eq!(found["Groups"], "101");
    let kept: Vec<_> = found.iter().filter(|(name, set)| name.starts_with("Cap") && !zero(set)).collect();
    assert!(kept.is_empty(), "{kept:?}");
}

#[test]
fn root_that_was_asked_for_stays() {
    let Some(stage) = Stage::root("root_that_was_asked_for_stays") else {
        return;
    };
    let before = status(&output(&["cat", "/proc/self/status"]));
    let found = status(&stage.run(&["--user", "0:5"], "cat /proc/self/status"));
    assert_eq!((found["Uid"].as_str(), found["Gid"].as_str()), ("0 0 0 0", "5 5 5 5"));
    assert_eq!(found["CapEff"], before["CapEff"]);
}

#[test]
fn inherited_and_ambient_capabilities_are_cleared() {
    let Some(stage) = Stage::root("inherited_and_ambient_capabilities_are_cleared") else {
        return;
    };
    let asked = ["setpriv", "--inh-caps", "+chown,+kill", "--ambient-caps", "+chown,+kill"];
    let plain = [&asked[..], &["--reuid", "100", "--regid", "101", "--clear-groups"]].concat();
    let mut wrong = Vec::new();
    for (starter, options) in
        [(&asked[..], &["--user", "100:101"][..]), (&plain, &["--user", "100:101"]), (&plain, &[])]
    {
        let found = status(&stage.under(starter, options, "cat /proc/self/status"));
        let left = ["CapInh", "CapPrm", "CapEff", "CapAmb"].map(|name| found[name].clone());
        if found["Uid"] != "100 100 100 100" || !left.iter().all(|set| zero(set)) {
            wrong.push(format!("{starter:?} {options:?}: {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn two_capabilities_are_enough() {
    let Some(stage) = Stage::root("two_capabilities_are_enough") else {
        return;
    };
    let starter = ["setpriv", "--bounding-set", "-all,+setuid,+setgid"];
    let found = status(&stage.under(&starter, &["--user", "100:101"], "cat /proc/self/status"));
    assert_eq!((found["Uid"].as_str(), found["Groups"].as_str()), ("100 100 100 100", "101"));
    assert!(!zero(&found["CapBnd"]), "without SETPCAP the bounding set stays: {found:?}");
}

#[test]
fn an_impossible_drop_is_refused_with_the_line_to_change() {
    let Some(stage) = Stage::root("an_impossible_drop_is_refused_with_the_line_to_change") else {
        return;
    };
    let other = ["setpriv", "--reuid", "5", "--regid", "5", "--clear-groups"];
    let mut wrong = Vec::new();
    for (starter, facts) in [
        (&other[..], "without SETUID, without SETGID"),
        (&["setpriv", "--bounding-set", "-all,+setuid"], "with SETUID, without SETGID"),
        (&["setpriv", "--bounding-set", "-all,+setgid"], "without SETUID, with SETGID"),
    ] {
        let output = stage.under(starter, &["--user", "100:101"], "echo started");
        let said = err(&output);
        let hinted = said.contains("user: \"100:101\"") && said.contains("cap_add: [CHOWN, SETUID, SETGID]");
        if output.status.success() || !output.stdout.is_empty() || !hinted || !said.contains(facts) {
            wrong.push(format!("{starter:?}: {output:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn groups_that_the_platform_gave_to_the_right_user_stay() {
    let Some(stage) = Stage::root("groups_that_the_platform_gave_to_the_right_user_stay") else {
        return;
    };
    let fs_group = ["setpriv", "--reuid", "100", "--regid", "101", "--groups", "44"];
    let found = status(&stage.under(&fs_group, &["--user", "100:101"], "cat /proc/self/status"));
    assert_eq!(found["Groups"], "44");
}

#[test]
fn a_kernel_that_only_says_yes_is_not_believed() {
    let name = "a_kernel_that_only_says_yes_is_not_believed";
    let Some(stage) = Stage::root(name) else { return };
    if output(&["sh", "-c", "command -v strace"]).stdout.is_empty() {
        return skip(name, "no strace");
    }
    let mut wrong = Vec::new();
    for lie in [
        "setgroups:retval=0",
        "setresgid:retval=0",
        "setresuid:retval=0:when=1",
        "setresuid:retval=0:when=2",
        "capset:retval=0",
    ] {
        let inject = format!("inject={lie}");
        let inherited = ["setpriv", "--inh-caps", "+chown", "--groups", "0,27"];
        let liar = ["strace", "-f", "-o", "/dev/null", "-e", &inject];
        let found = stage.under(&[&inherited[..], &liar].concat(), &["--user", "100:101"], "echo started");
        let refused = err(&found).contains("cannot prove the drop to 100:101");
        if found.status.success() || !found.stdout.is_empty() || !refused {
            wrong.push(format!("{lie}: {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn who_is_the_user_already_needs_nothing() {
    let Some(stage) = Stage::root("who_is_the_user_already_needs_nothing") else {
        return;
    };
    for groups in [&["--clear-groups"][..], &["--groups", "101"]] {
        let starter = [&["setpriv", "--reuid", "100", "--regid", "101"], groups].concat();
        let found = status(&stage.under(&starter, &["--user", "100:101"], "cat /proc/self/status"));
        assert_eq!(found["Uid"], "100 100 100 100", "{groups:?}");
    }
}

#[test]
fn a_user_namespace_that_denies_setgroups_is_named() {
    let Some(stage) = Stage::root("a_user_namespace_that_denies_setgroups_is_named") else {
        return;
    };
    // With groups that match already there is nothing to deny.
    let plain = ["setpriv", "--reuid", "100", "--regid", "101", "--clear-groups"];
    let mapped = [&plain[..], &["unshare", "--user", "--map-root-user"]].concat();
    let probe = [&mapped[..], &["true"]].concat();
    if !output(&probe).status.success() {
        return skip("a_user_namespace_that_denies_setgroups_is_named", "no user namespaces");
    }
    assert_eq!(out(&stage.under(&mapped, &["--user", "0:0"], "id -u")), "0");
    let extra = ["setpriv", "--reuid", "100", "--regid", "101", "--groups", "44"];
    let mapped = [&extra[..], &["unshare", "--user", "--map-root-user"]].concat();
    let output = stage.under(&mapped, &["--user", "0:0"], "id -u");
    assert!(err(&output).contains("setgroups denied"), "{output:?}");
}

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
    // All that is open here, whatever this test was started with.
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
        return skip("descriptors_are_closed_without_close_range", "no strace");
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
fn no_new_privs_is_kept_as_found_unless_asked() {
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
        let hinted = wanted == 0 || err(&found).contains("hint: ");
        if found.status.code() != Some(wanted) || !hinted {
            wrong.push(format!("PATH={path:?} {command:?}: wanted {wanted}, found {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A row of the differential table: ours and gosu's status and HOME, for one spec.
fn compare(stage: &Stage, spec: &str) -> Vec<String> {
    let script = "cat /proc/self/status; echo \"Home: $HOME\"; exit 0";
    // gosu's runtime loses an ignored SIGQUIT, as a job in the background has it: both start without.
    let plain = ["env", "--default-signal"];
    let program = stage.ballast();
    let ours = [&plain[..], &[&program, "run", "--user", spec, "--", "/bin/sh", "-c", script]].concat();
    let theirs = [&plain[..], &["gosu", spec, "/bin/sh", "-c", script]].concat();
    let (ours, theirs) = (stage.with_accounts(&ours), stage.with_accounts(&theirs));
    if !ours.status.success() || !theirs.status.success() {
        return Vec::from_iter(
            (ours.status.success() != theirs.status.success()).then(|| format!("{spec}: {ours:?} {theirs:?}")),
        );
    }
    let home = |output: &Output| out(output).lines().last().map(str::to_owned);
    let (our_home, their_home) = (home(&ours), home(&theirs));
    let (ours, theirs) = (status(&ours), status(&theirs));
    let mut wrong: Vec<String> = ours
        .iter()
        .filter(|(name, value)| !agrees(name, value, &theirs))
        .map(|(name, value)| format!("{spec} {name}: ours {value}, gosu's {}", theirs[name]))
        .collect();
    if our_home != their_home {
        wrong.push(format!("{spec}: ours {our_home:?}, gosu's {their_home:?}"));
    }
    wrong
}

/// Equal, but for what `user.rs` and `launch.rs` document: the primary group is listed, and
/// whoever is not root has empty inheritable and bounding sets. Signals 32 and 33 are the C
/// library's own: spawning ignores both, and gosu's runtime loses the second.
fn agrees(name: &str, ours: &str, theirs: &BTreeMap<String, String>) -> bool {
    let root = theirs["Uid"].starts_with("0 ");
    match name {
        "CapInh" | "CapBnd" if !root => zero(ours),
        "SigIgn" => {
            let public = |set: &str| u64::from_str_radix(set, 16).unwrap() & !(3 << 31);
            public(ours) == public(&theirs[name])
        }
        "Groups" => {
            let with_primary = |groups: &str| {
                let all = format!("{groups} {}", theirs["Gid"].split(' ').next().unwrap());
                let mut all: Vec<u32> = all.split_whitespace().map(|id| id.parse().unwrap()).collect();
                all.sort_unstable();
                all.dedup();
                all
            };
            with_primary(ours) == with_primary(&theirs["Groups"])
        }
        _ => ours == theirs[name],
    }
}

#[test]
fn gosu_gives_the_same() {
    let name = "gosu_gives_the_same";
    let Some(stage) = Stage::root(name) else { return };
    if Command::new("gosu").arg("--version").output().is_err() {
        return skip(name, "no gosu");
    }
    if !stage.with_accounts(&["true"]).status.success() {
        return skip(name, "no mount namespace");
    }
    let specs = [
        "root",
        "0",
        "0:0",
        "0:5",
        "root:wheel",
        "app",
        "100",
        "0100",
        "app:app",
        "app:video",
        "app:44",
        "100:101",
        "100:video",
        "100:9999",
        "lone",
        "300",
        "lone:root",
        "300:0",
        "600",
        "1234",
        "1234:1235",
        "1234:audio",
        "2147483647:2147483647",
        "nosuch",
        "app:nosuch",
        "nosuch:app",
        "-1",
        "4294967295",
        "4294967296",
        "100:-1",
        " 100",
        "555",
    ];
    let wrong: Vec<String> = specs.iter().flat_map(|spec| compare(&stage, spec)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn gosu_takes_these_and_ballast_refuses_them() {
    let Some(stage) = Stage::root("gosu_takes_these_and_ballast_refuses_them") else {
        return;
    };
    for spec in ["", ":", ":101", "100:", "100:101:102", "+5"] {
        let output = stage.run(&["--user", spec], "echo started");
        assert!(!output.status.success() && output.stdout.is_empty(), "{spec:?}: {output:?}");
    }
}

#[test]
fn home_is_the_users() {
    let Some(stage) = Stage::root("home_is_the_users") else {
        return;
    };
    if !stage.with_accounts(&["true"]).status.success() {
        return skip("home_is_the_users", "no mount namespace");
    }
    let mut wrong = Vec::new();
    for (spec, wanted) in
        [(Some("app"), "/home/app"), (Some("100:44"), "/home/app"), (Some("1234"), "/"), (None, "/as/found")]
    {
        let program = stage.ballast();
        let user = spec.map(|spec| ["--user", spec]);
        let mut line = vec!["env", "HOME=/as/found", &program, "run"];
        line.extend(user.iter().flatten());
        line.extend(["--", "/bin/sh", "-c", "echo $HOME"]);
        let found = out(&stage.with_accounts(&line));
        if found != wanted {
            wrong.push(format!("{spec:?}: wanted {wanted}, found {found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn is_static(program: &Path) -> bool {
    let found = Command::new("ldd").arg(program).output();
    found.is_ok_and(|found| !String::from_utf8_lossy(&found.stdout).contains("=>"))
}

#[test]
fn no_name_service_is_asked() {
    let name = "no_name_service_is_asked";
    let Some(stage) = Stage::root(name) else { return };
    if output(&["sh", "-c", "command -v strace"]).stdout.is_empty() {
        return skip(name, "no strace");
    }
    if !stage.with_accounts(&["true"]).status.success() {
        return skip(name, "no mount namespace");
    }
    let trace = stage.path("trace");
    // The static build, which `tools/static` makes and images hold; without it, this one and a SKIP.
    let built = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(format!("../target/{}-unknown-linux-gnu/entrypoint/ballast", std::env::consts::ARCH));
    if built.exists() {
        assert!(Command::new("cp").arg("-f").arg(built).arg(stage.ballast()).status().unwrap().success());
    }
    let program = stage.ballast();
    let traced = ["strace", "-f", "-e", "trace=%file,%network", "-o", trace.to_str().unwrap(), &program];
    // The command can't be found, so every line of the trace is Ballast's own.
    let line = [&traced[..], &["run", "--user", "app", "--", "/nosuch/command"]].concat();
    assert_eq!(stage.with_accounts(&line).status.code(), Some(127));
    let text = fs::read_to_string(&trace).unwrap();
    assert!(text.contains("/etc/passwd") && text.contains("/etc/group"), "{text}");
    let linked = is_static(&stage.path("ballast"));
    let own = ["ld.so.cache", "ld.so.preload", "libc.so.6", "libgcc_s.so.1", "libm.so.6"];
    let foreign: Vec<&str> = text
        .lines()
        .filter(|line| line.contains(".so") || line.contains("nss") || line.contains("socket("))
        .filter(|line| linked || !own.iter().any(|own| line.contains(own)))
        .collect();
    assert!(foreign.is_empty(), "{}", foreign.join("\n"));
    if !linked {
        skip(name, "its strict half needs the static build: tools/static");
    }
}
