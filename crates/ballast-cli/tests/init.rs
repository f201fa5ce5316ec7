//! Tests the lock file that `init` creates from typical project folders.
#![cfg(feature = "full")]
#![expect(clippy::unwrap_used, reason = "a test's helpers may fail where they stand")]

mod support;

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output};

use support::{program, stderr, stdout};
use testkit::ground::folder;

const REVISION: &str = "0123456789abcdef0123456789abcdef01234567";

fn put(dir: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

fn ballast(dir: &Path, args: &[&str]) -> Output {
    Command::new(program()).current_dir(dir).env_remove("BALLAST_LOCK").args(args).output().unwrap()
}

fn lock(dir: &Path) -> String {
    fs::read_to_string(dir.join("weights.lock")).unwrap_or_default()
}

/// The files of a project; the exit code; parts of the lock file; parts of the output.
type Row<'a> = (&'a [(&'a str, &'a str)], i32, &'a [&'a str], &'a [&'a str]);

#[test]
fn the_lock_file_follows_from_the_folder_the_dockerfile_and_the_compose_file() {
    let hub = format!("models/hub/models--org--m/snapshots/{REVISION}/model.bin");
    let reference = "models/hub/models--org--m/refs/main";
    let (below, torch) = (hub.replace("models/", "models/hf/"), "models/torch/hub/checkpoints/r.pth");
    let rows: [Row; 8] = [
        (
            &[(&below, "w"), (torch, "w"), ("Dockerfile", "FROM x\nENV HF_HOME=/data/hf TORCH_HOME=/data/torch\n")],
            0,
            &["path = \"/data\"", "views = { HF_HOME = \"hf\", TORCH_HOME = \"torch\" }", "HF_HUB_OFFLINE = \"1\""],
            &["HF_HOME in Dockerfile, line 2"],
        ),
        (
            &[("models/w.onnx", "\u{8}w"), ("Dockerfile", "FROM x\nUSER 100:101\n")],
            0,
            &["path = \"/models\"", "owner = \"100:101\"", "baked = \"/opt/baked-models\"", "path = \"w.onnx\""],
            &["Dockerfile, line 2", "COPY models /src/models", "bake --from models /opt/baked-models"],
        ),
        (
            &[(&hub, "w"), (reference, REVISION), ("Dockerfile", "FROM x\nENV HF_HOME=/data/hf\n")],
            0,
            &["path = \"/data/hf\"", "env = \"HF_HOME\"", "owner = \"1000:1000\"", "HF_HUB_OFFLINE = \"1\""],
            &["HF_HOME in Dockerfile, line 2"],
        ),
        (
            &[
                ("weights/a.pt", "w"),
                (
                    "compose.yaml",
                    "services:\n  app:\n    build: .\n    user: \"7:8\"\n    environment:\n      TORCH_HOME: /t\n",
                ),
                ("Dockerfile", "FROM x\nUSER 100\nENV TORCH_HOME=/other\n"),
            ],
            0,
            &["path = \"/t\"", "env = \"TORCH_HOME\"", "owner = \"7:8\""],
            &["compose.yaml, line 4", "COPY weights /src/weights"],
        ),
        (
            &[("Dockerfile", "FROM x\nUSER app\n")],
            0,
            &["owner = \"app\"", "path = \"/models\""],
            &["0 weights", "ballast pin URL|FILE", "bake --from mirror"],
        ),
        (&[], 0, &["owner = \"1000:1000\""], &["the default: no file names a user other than root"]),
        (
            &[("compose.yaml", "a: 1\n  b: {"), ("models/w.bin", "w")],
            0,
            &["path = \"w.bin\""],
            &["1 weights", "compose.yaml is ignored: line"],
        ),
        (&[("models/README.txt.lock", "")], 14, &[], &["no weight to pin"]),
    ];
    check(&rows);
}

#[test]
fn the_owner_is_the_compose_files_user_even_by_name_and_no_user_of_two_words() {
    check(&[
        (
            &[
                ("compose.yaml", "services:\n  app:\n    image: x\n    user: app\n"),
                ("Dockerfile", "FROM x\nUSER 7\n"),
                ("models/w.bin", "w"),
            ],
            0,
            &["owner = \"app\""],
            &["compose.yaml, line 4"],
        ),
        (
            &[("Dockerfile", "FROM x\nUSER two words\n"), ("models/w.bin", "w")],
            0,
            &["owner = \"1000:1000\""],
            &["Dockerfile, line 2 is ignored: the user \"two words\": expected user or user:group"],
        ),
    ]);
}

/// Runs `init` in each project.
fn check(rows: &[Row]) {
    let mut wrong = Vec::new();
    for (files, code, entries, words) in rows {
        let dir = folder("init");
        put(dir.path(), files);
        let output = ballast(dir.path(), &["init"]);
        let (lock, said) = (lock(dir.path()), stdout(&output) + &stderr(&output));
        let right = output.status.code() == Some(*code)
            && entries.iter().all(|entry| lock.contains(entry))
            && entries.is_empty() == lock.is_empty()
            && words.iter().all(|word| said.contains(word));
        if !right {
            wrong.push(format!("{files:?}: {:?}\n{lock}\n{said}", output.status));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_lock_file_that_is_there_stays_as_it_is() {
    let dir = folder("init");
    put(dir.path(), &[("models/w.bin", "w"), ("weights.lock", "anything")]);
    let output = ballast(dir.path(), &["init"]);
    assert_eq!((output.status.code(), lock(dir.path()).as_str()), (Some(10), "anything"), "{output:?}");
    assert!(stderr(&output).contains("a lock file already exists"), "{output:?}");
}

#[test]
fn what_init_begins_leads_to_a_layer_that_is_right_without_another_word() {
    for begun_with_models in [true, false] {
        let dir = folder("init");
        put(dir.path(), &[("models/sub/w.onnx", "\u{8}weights"), ("Dockerfile", "FROM x\nUSER 100:101\n")]);
        if !begun_with_models {
            fs::rename(dir.path().join("models"), dir.path().join("elsewhere")).unwrap();
        }
        assert!(ballast(dir.path(), &["init"]).status.success());
        let mut from = "models";
        if !begun_with_models {
            let unfinished = ballast(dir.path(), &["verify", "layer"]);
            assert!(
                unfinished.status.code() == Some(10) && stderr(&unfinished).contains("at least one"),
                "{unfinished:?}"
            );
            let pinned = ballast(dir.path(), &["pin", "elsewhere/sub/w.onnx", "--path", "sub/w.onnx"]);
            assert!(pinned.status.success(), "{pinned:?}");
            from = "mirror";
        }
        let baked = ballast(dir.path(), &["bake", "--from", from, "layer"]);
        assert!(baked.status.success(), "{baked:?}");
        let verified = ballast(dir.path(), &["verify", "layer"]);
        assert!(verified.status.success(), "{verified:?}");
    }
}

/// Runs a program as root, and as uid 100 if this process is root.
fn as_each_user(mut run: impl FnMut(&Path, Option<(u32, u32)>)) {
    let root = nix::unistd::geteuid().is_root();
    for user in [None, root.then_some((100, 101))].into_iter().take(if root { 2 } else { 1 }) {
        let dir = folder("init");
        if let Some((uid, gid)) = user {
            chown(dir.path(), Some(uid), Some(gid)).unwrap();
        }
        run(dir.path(), user);
    }
}

#[test]
fn whatever_user_a_project_has_the_next_commands_work_and_the_layer_is_the_same_on_each_machine() {
    let user = |line: &str| vec![("Dockerfile", format!("FROM x\n{line}\n"))];
    let compose = |user: &str| vec![("compose.yaml", format!("services:\n  a:\n    image: x\n    user: \"{user}\"\n"))];
    // The owner of a file that root bakes.
    let rows = [
        (vec![], (1000, 1000)),
        (user("USER app"), (0, 0)),
        (user("USER app:app"), (0, 0)),
        (user("USER www-data"), (0, 0)),
        (user("USER 1234"), (1234, 0)),
        (user("USER 1234:app"), (0, 0)),
        (user("USER 1234:5678"), (1234, 5678)),
        (user("USER root"), (1000, 1000)),
        (user("USER 0"), (1000, 1000)),
        (user("USER $APP"), (1000, 1000)),
        (user("USER two words"), (1000, 1000)),
        (compose("1234"), (1234, 0)),
        (compose("app"), (0, 0)),
        (compose("4294967295"), (1000, 1000)),
        (compose("${APP_UID:-7}:8"), (7, 8)),
    ];
    let mut wrong = Vec::new();
    for (files, owner) in rows {
        as_each_user(|dir, user| {
            fs::create_dir(dir.join("models")).unwrap();
            fs::write(dir.join("models/w.onnx"), "\u{8}weights").unwrap();
            files.iter().for_each(|(name, text)| fs::write(dir.join(name), text).unwrap());
            let (uid, gid) = user.unwrap_or((nix::unistd::getuid().as_raw(), nix::unistd::getgid().as_raw()));
            let me = format!("{uid}:{gid}");
            let steps: [&[&str]; 6] = [
                &["init"],
                &["bake", "--from", "models", "layer"],
                &["verify", "layer"],
                &["run", "--store", "cache", "--baked", "layer", "--user", &me, "--", "true"],
                &["export", "--from", "models", "weights.tar"],
                &["doctor", "compose.yaml"],
            ];
            fs::create_dir(dir.join("cache")).unwrap();
            if let Some((uid, gid)) = user {
                chown(dir.join("cache"), Some(uid), Some(gid)).unwrap();
            }
            for step in &steps[..if files.iter().any(|(name, _)| *name == "compose.yaml") { 6 } else { 5 }] {
                let mut command = Command::new(program());
                command.current_dir(dir).env_remove("BALLAST_LOCK").args(*step);
                if let Some((uid, gid)) = user {
                    command.uid(uid).gid(gid);
                }
                let output = command.output().unwrap();
                let expected = if step[0] == "doctor" { [Some(0), Some(18)] } else { [Some(0), Some(0)] };
                if !expected.contains(&output.status.code())
                    || (owner != (1000, 1000) && stdout(&output).contains("user-differs"))
                {
                    wrong.push(format!("{files:?} as {me}: {step:?}: {output:?}"));
                }
            }
            let meta = fs::metadata(dir.join("layer/w.onnx")).unwrap();
            let expected = if uid == 0 { owner } else { (uid, gid) };
            if (meta.uid(), meta.gid()) != expected {
                wrong.push(format!("{files:?} as {me}: {}:{}", meta.uid(), meta.gid()));
            }
        });
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_owner_that_no_command_can_use_is_named_with_its_file_and_the_way_out() {
    let dir = folder("init");
    put(dir.path(), &[("models/w.onnx", "\u{8}weights")]);
    assert!(ballast(dir.path(), &["init"]).status.success());
    let rows: [(&str, &[&str], &str); 4] = [
        ("two words", &["bake", "--from", "models", "layer"], "--owner UID:GID"),
        ("4294967295:1", &["export", "--from", "models", "a.tar"], "--owner UID:GID"),
        ("no-such-user", &["run", "--baked", "layer", "--", "true"], "--user UID:GID"),
        ("1000:1000", &["bake", "--from", "models", "layer", "--owner", "app"], "expected UID:GID in numbers"),
    ];
    let mut wrong = Vec::new();
    for (owner, args, way_out) in rows {
        let before = lock(dir.path());
        let text = before.lines().map(|line| match line.starts_with("owner") {
            true => format!("owner = \"{owner}\"\n"),
            false => format!("{line}\n"),
        });
        let text = text.collect::<String>();
        fs::write(dir.path().join("weights.lock"), text).unwrap();
        let output = ballast(dir.path(), args);
        let said = stderr(&output);
        let named =
            args.contains(&"--owner") || said.contains("weights.lock: owner under [store]: ") && said.contains(owner);
        if output.status.code() != Some(2) || !named || !said.contains(way_out) {
            wrong.push(format!("{owner} {args:?}: {output:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_lines_name_the_models_where_the_build_can_copy_them_from() {
    let rows = [
        (".", "deep/er", "COPY deep/er /src/deep/er"),
        ("deep", "deep/er", "COPY er /src/er"),
        ("deep", "models", "the models lie outside the folder of the Dockerfile"),
    ];
    let mut wrong = Vec::new();
    for (project, models, line) in rows {
        let dir = folder("init");
        put(dir.path(), &[("deep/er/w.bin", "w"), ("models/w.bin", "w")]);
        let output = ballast(dir.path(), &["init", project, "--models", models]);
        if !output.status.success() || !stdout(&output).contains(line) {
            wrong.push(format!("{project} {models}: {output:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
