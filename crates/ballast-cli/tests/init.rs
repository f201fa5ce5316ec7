//! Tests the lock file that `init` creates from typical project folders.
#![cfg(feature = "full")]
#![expect(clippy::unwrap_used, reason = "a test's helpers may fail where they stand")]

mod support;

use std::fs;
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
    let mut wrong = Vec::new();
    for (files, code, entries, words) in rows {
        let dir = folder("init");
        put(dir.path(), files);
        let output = ballast(dir.path(), &["init"]);
        let (lock, said) = (lock(dir.path()), stdout(&output) + &stderr(&output));
        let right = output.status.code() == Some(code)
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
