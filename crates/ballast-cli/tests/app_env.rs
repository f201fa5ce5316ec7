//! Tests what the command of `run` gets and reads: constants of the lock file, values of the operator,
//! variables and arguments with other paths, and files that no entry names.
#![cfg(feature = "full")]
#![expect(clippy::unwrap_used, reason = "a test's helpers may fail where they stand")]

mod support;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use support::{pin_of, program, stderr, stdout};
use tempfile::TempDir;

struct World {
    dir: TempDir,
}

impl World {
    /// Creates a right weight in `cache` and in `baked`, and a lock file with these lines.
    fn new(store: &str, more: &str) -> Self {
        let world = Self { dir: testkit::ground::folder("scratch") };
        let place = |name: &str| world.path(name).display().to_string();
        for dir in ["cache/sub", "baked/sub"] {
            fs::create_dir_all(world.path(dir)).unwrap();
            fs::write(world.path(dir).join("w.bin"), "weight").unwrap();
        }
        let pin = pin_of(b"weight");
        let head = format!(
            "version = 1\n[store]\npath = \"{}\"\nbaked = \"{}\"\nenv = \"MODELS\"\n",
            place("cache"),
            place("baked")
        );
        let weight = format!("[[weight]]\npath = \"sub/w.bin\"\nsha256 = \"{pin}\"\nsize = 6\n");
        fs::write(world.path("weights.lock"), format!("{head}{store}\n{more}\n{weight}")).unwrap();
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn ballast(&self, env: &[(&str, &str)], args: &[&str]) -> Output {
        let mut command = Command::new(program());
        command.current_dir(self.dir.path()).env_clear().env("PATH", "/usr/bin:/bin");
        command.envs(env.iter().copied()).args(args).output().unwrap()
    }

    fn run(&self, env: &[(&str, &str)], options: &[&str], command: &[&str]) -> Output {
        self.ballast(env, &[&["run", "--seal", "off", "--report", "report.json"], options, &["--"], command].concat())
    }

    /// Puts a file in place of the cache, so that it can't be healed and the layer serves.
    fn layer_serves(self) -> Self {
        fs::remove_dir_all(self.path("cache")).unwrap();
        fs::write(self.path("cache"), "no directory").unwrap();
        self
    }
}

#[test]
fn the_command_gets_the_constants_and_the_operator_s_own_values_win() {
    // As another user the command can't have written the lock file; a test that is not root can't become one.
    let world = World::new("", "[env]\nHF_HUB_OFFLINE = \"1\"\nTOKENIZERS_PARALLELISM = \"false\"\n");
    let output = world.run(&[("TOKENIZERS_PARALLELISM", "true")], &[], &["env"]);
    let (env, said) = (stdout(&output), stderr(&output));
    let believed = rustix::process::geteuid().is_root();
    assert_eq!(env.lines().any(|line| line == "HF_HUB_OFFLINE=1"), believed, "{env}\n{said}");
    assert_eq!(said.contains("HF_HUB_OFFLINE is not set: the app could rewrite the lock file"), !believed, "{said}");
    assert!(env.contains("TOKENIZERS_PARALLELISM=true\n") && said.contains("TOKENIZERS_PARALLELISM stays"), "{said}");
    for refused in ["LD_PRELOAD", "HTTPS_PROXY", "HF_TOKEN", "MODELS"] {
        let world = World::new("", &format!("[env]\n{refused} = \"x\"\n"));
        let output = world.run(&[], &[], &["env"]);
        assert!(output.status.code() == Some(10) && stderr(&output).contains(refused), "{output:?}");
    }
}

/// A variable, an argument of the command, the exit code, words of the report.
type Row<'a> = (&'a str, Option<(&'a str, &'a str)>, &'a [&'a str], i32, &'a str);

#[test]
fn where_the_layer_serves_what_leads_below_the_cache_is_named_and_ends_the_boot() {
    let rows: [Row; 6] = [
        ("nothing", None, &["true"], 0, "1 of 1 right"),
        ("the store's own variable", Some(("MODELS", "cache")), &["true"], 0, "1 of 1 right"),
        ("a second variable", Some(("TORCH_HOME", "cache/sub")), &["true"], 14, "TORCH_HOME leads to"),
        ("to what no entry names", Some(("TORCH_HOME", "cache/other")), &["true"], 0, "TORCH_HOME leads to"),
        ("an argument", None, &["true", "--model=DIR/cache/sub/w.bin"], 14, "the argument --model="),
        ("a variable elsewhere", Some(("TORCH_HOME", "elsewhere")), &["true"], 0, "1 of 1 right"),
    ];
    let mut wrong = Vec::new();
    for (name, variable, command, code, word) in rows {
        let world = World::new("", "").layer_serves();
        let dir = world.dir.path().display().to_string();
        let value = variable.map(|(name, path)| (name, format!("{dir}/{path}")));
        let env: Vec<_> = value.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let command: Vec<_> = command.iter().map(|word| word.replace("DIR", &dir)).collect();
        let command: Vec<_> = command.iter().map(String::as_str).collect();
        let stopped = world.run(&env, &[], &command);
        let started = world.run(&env, &["--on-failure", "start"], &command);
        let said = stderr(&stopped);
        if stopped.status.code() != Some(code) || !started.status.success() || !said.contains(word) {
            wrong.push(format!("{name}: {stopped:?}\n{started:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn another_value_of_the_store_s_variable_and_one_that_wins_are_named() {
    let world = World::new("", "");
    let output = world.run(&[("MODELS", "/mine")], &[], &["env"]);
    assert!(stderr(&output).contains("MODELS was /mine, and is "), "{output:?}");
    let lock = fs::read_to_string(world.path("weights.lock")).unwrap();
    fs::write(world.path("weights.lock"), lock.replace("\"MODELS\"", "\"HF_HOME\"")).unwrap();
    let output = world.run(&[("HF_HUB_CACHE", "/elsewhere")], &[], &["true"]);
    assert!(stderr(&output).contains("HF_HUB_CACHE has priority over HF_HOME"), "{output:?}");
    let output = world.ballast(&[("HF_HUB_CACHE", "/elsewhere")], &["doctor"]);
    assert!(stdout(&output).contains("warning [variable-wins]"), "{output:?}");
}

#[test]
fn files_that_no_entry_names_are_reported_refused_or_ignored() {
    let mut wrong = Vec::new();
    for (policy, code, reported) in [
        ("", 0, true),
        ("extra = \"report\"", 0, true),
        ("extra = \"refuse\"", 42, true),
        ("extra = \"ignore\"", 0, false),
    ] {
        let world = World::new(policy, "");
        fs::write(world.path("cache/sub/modeling_x.py"), "import os").unwrap();
        fs::write(world.path("cache/sub/.ballast-part.0"), "half").unwrap();
        for args in [
            &["verify", "cache"][..],
            &["heal", "--report", "report.json"],
            &["heal", "--report", "report.json", "--dry-run"],
            &["run", "--seal", "off", "--report", "report.json", "--", "true"],
        ] {
            let output = world.ballast(&[], args);
            let said = stderr(&output);
            let named = said.contains("1 file that no entry names") && said.contains("sub/modeling_x.py");
            if output.status.code() != Some(code) || named != reported || said.contains(".ballast-part") {
                wrong.push(format!("{policy} {args:?}: {output:?}"));
            }
        }
        let started = world.run(&[], &["--on-failure", "start"], &["true"]);
        let doctor = stdout(&world.ballast(&[], &["doctor"]));
        if !started.status.success() || doctor.contains("[extra-files]") != reported {
            wrong.push(format!("{policy}: {started:?}\n{doctor}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_lock_file_of_a_hub_s_cache_keeps_its_client_from_the_hub() {
    let world = World::new("", "");
    let snapshot = "h/hub/models--o--n/snapshots/0123456789abcdef0123456789abcdef01234567";
    fs::create_dir_all(world.path(snapshot)).unwrap();
    fs::write(world.path(snapshot).join("config.json"), "{}").unwrap();
    let adopted = world.ballast(&[], &["adopt", "--lock", "hub.lock", "h"]);
    let lock = fs::read_to_string(world.path("hub.lock")).unwrap();
    assert!(
        adopted.status.success() && lock.contains("[env]\nHF_HUB_OFFLINE = \"1\"\nTRANSFORMERS_OFFLINE = \"1\""),
        "{lock}"
    );
    let online =
        world.ballast(&[("HF_HUB_OFFLINE", "0")], &["run", "--seal", "off", "--lock", "hub.lock", "--", "true"]);
    assert!(stderr(&online).contains("HF_HUB_OFFLINE is not 1"), "{online:?}");
    let again = world.ballast(&[], &["adopt", "--lock", "hub.lock", "h"]);
    assert!(again.status.success(), "{again:?}");
    assert_eq!(fs::read_to_string(world.path("hub.lock")).unwrap(), lock, "a second adopt changes nothing");
}
