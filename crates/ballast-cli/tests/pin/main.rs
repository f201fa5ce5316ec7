//! Tests `pin`: it reports a first trust, keeps the lock file's comments, and does not replace a digest. Also
//! tests what the two builds link.
#![cfg(feature = "full")]
#![expect(clippy::unwrap_used, reason = "a test's helpers may fail where they stand")]

#[path = "../support/mod.rs"]
mod support;

mod safety;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use support::{pin_of, program, stderr, stdout};
use tempfile::TempDir;

const OTHER: &str = "3f76b5117a9ca574d536af8199e6720089eb4ad3dc7e93534496d88265de864f";

struct World {
    dir: TempDir,
}

impl World {
    fn new() -> Self {
        let world = Self { dir: testkit::ground::folder("scratch") };
        fs::write(world.dir.path().join("b.onnx"), b"weights of b").unwrap();
        world
    }

    fn with_lock(text: &str) -> Self {
        let world = Self::new();
        fs::write(world.lock(), text).unwrap();
        world
    }

    fn lock(&self) -> PathBuf {
        self.dir.path().join("weights.lock")
    }

    /// The whole path of a file, as it is written.
    fn whole(&self, name: &str) -> String {
        fs::canonicalize(self.dir.path()).unwrap().join(name).display().to_string()
    }

    fn text(&self) -> String {
        fs::read_to_string(self.lock()).unwrap()
    }

    fn ballast(&self, args: &[&str]) -> Output {
        let mut command = Command::new(program());
        command.current_dir(self.dir.path()).env_remove("BALLAST_LOCK").env_remove("BALLAST_MIRRORS");
        command.args(args).output().unwrap()
    }
}

fn lock(more: &str) -> String {
    format!(
        "# kept: the head\nversion = 1\n\n[store]\npath = \"/srv/models\" # kept: the root\n\n[[weight]]\n# kept: about a\npath = \"m/a.h5\"\nsha256 = \"{OTHER}\"\n{more}\n[[dir]] # kept: the end\npath = \"/srv/scratch\"\n"
    )
}

#[test]
fn a_new_entry_stands_beside_the_others_and_everything_else_is_kept() {
    let before = lock("");
    let world = World::with_lock(&before);
    let output = world.ballast(&["pin", "b.onnx", "--license", "MIT"]);
    let pin = pin_of(b"weights of b");
    let entry = format!(
        "\n[[weight]]\npath = \"m/b.onnx\"\nsha256 = \"{pin}\"\nsize = 12\nsources = [\"{}\"]\nlicense = \"MIT\"\n",
        world.whole("b.onnx")
    );
    assert!(output.status.success() && stdout(&output).contains("first trust"), "{output:?}");
    assert!(stdout(&output).contains(&pin), "{output:?}");
    assert_eq!(world.text(), before.replace("\n[[dir]]", &format!("{entry}\n[[dir]]")));
    let kept = fs::read(world.dir.path().join("mirror/m/b.onnx")).unwrap();
    assert_eq!(kept, b"weights of b", "fetch would ask for it again");
}

#[test]
fn an_entry_of_another_digest_is_refused_both_are_shown_and_nothing_is_written() {
    let world = World::with_lock(&lock("size = 5\n"));
    let before = world.text();
    let output = world.ballast(&["pin", "b.onnx", "--path", "m/a.h5"]);
    let (reported, found) = (stderr(&output), pin_of(b"weights of b"));
    assert_eq!(output.status.code(), Some(12), "{output:?}");
    assert!(reported.contains(OTHER) && reported.contains(&found) && reported.contains("hint: "), "{reported}");
    assert_eq!(world.text(), before);
    assert!(!world.dir.path().join("mirror/m/a.h5").exists());
}

#[test]
fn an_entry_of_the_same_digest_gets_its_size_and_another_source() {
    let pin = pin_of(b"weights of b");
    let world = World::with_lock(&lock("").replace(OTHER, &pin).replace("a.h5", "b.onnx"));
    fs::create_dir(world.dir.path().join("other")).unwrap();
    fs::copy(world.dir.path().join("b.onnx"), world.dir.path().join("other/b.onnx")).unwrap();
    for source in ["b.onnx", "other/b.onnx", "b.onnx"] {
        let output = world.ballast(&["pin", source]);
        assert!(output.status.success() && stdout(&output).contains("pinned already"), "{output:?}");
    }
    let text = world.text();
    let sources = ["b.onnx", "other/b.onnx"].map(|name| world.whole(name));
    assert!(text.contains(&format!("size = 12\nsources = {sources:?}")), "{text}");
    for comment in ["# kept: the head", "# kept: the root", "# kept: about a", "# kept: the end"] {
        assert!(text.contains(comment), "{comment} was lost: {text}");
    }
}

#[test]
fn what_is_no_weight_is_not_pinned() {
    let mut wrong = Vec::new();
    for (name, content, args, code) in [
        ("page", "<!doctype html><p>Sign in", vec!["pin", "page"], 17),
        ("pointer", "version https://git-lfs.github.com/spec/v1\n", vec!["pin", "pointer"], 17),
        ("nowhere", "", vec!["pin", "absent.bin"], 17),
        ("odd source", "", vec!["pin", "ftp://host/w.bin"], 2),
        ("leads out", "", vec!["pin", "b.onnx", "--path", "../w.bin"], 2),
        ("two for one path", "", vec!["pin", "b.onnx", "page", "--path", "w.bin"], 2),
        ("no name", "", vec!["pin", "https://host/"], 2),
        ("a directory of another", "", vec!["pin", "b.onnx", "--path", "m/a.h5/x"], 2),
        ("too long", "", vec!["pin", "b.onnx", "--max-size", "11"], 17),
    ] {
        let world = World::with_lock(&lock(""));
        fs::write(world.dir.path().join(name), content).unwrap();
        let output = world.ballast(&args);
        if output.status.code() != Some(code) || world.text() != lock("") {
            wrong.push(format!("{name}: {output:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_first_pin_begins_a_lock_file_that_fetch_and_bake_obey() {
    let world = World::new();
    let refused = world.ballast(&["pin", "b.onnx"]);
    assert!(refused.status.code() == Some(10) && stderr(&refused).contains("--store DIR"), "{refused:?}");
    for args in [vec!["pin", "b.onnx", "--store", "/srv/models"], vec!["fetch"], vec!["bake", "layer"]] {
        let output = world.ballast(&args);
        assert!(output.status.success(), "{args:?}: {output:?}");
    }
    assert_eq!(fs::read(world.dir.path().join("layer/b.onnx")).unwrap(), b"weights of b");
}

/// Checks that the entrypoint build links no network, TLS, YAML, archives or progress bars.
#[test]
fn the_entrypoint_build_links_no_network() {
    let tree = |features: &[&str]| {
        let mut command = testkit::paths::cargo();
        command.args(["tree", "--locked", "--offline", "-e", "normal", "--prefix", "none", "-p", "ballast-cli"]);
        let output = command.args(features).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        stdout(&output)
    };
    let foreign = [
        "rustls",
        "ring",
        "ureq",
        "webpki",
        "zip",
        "indicatif",
        "saphyr",
        "yaml",
        "toml_edit",
        "tempfile",
        "tokio",
        "hyper",
        "reqwest",
        "oci",
        "tar ",
    ];
    let found = |tree: &str| -> Vec<&str> {
        foreign.into_iter().filter(|name| tree.lines().any(|line| line.starts_with(name))).collect()
    };
    assert_eq!(found(&tree(&["--no-default-features"])), Vec::<&str>::new());
    let full = found(&tree(&[]));
    let expected = ["ureq", "rustls", "oci", "tar "];
    assert!(expected.iter().all(|name| full.contains(name)), "this test would find nothing: {full:?}");
    assert!(!full.contains(&"tokio"), "an event loop: {full:?}");
}

/// Returns the files of the program and the library that contain one of these words before their tests.
fn with_words(words: &[&str]) -> Vec<String> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut left = vec![root.join("src"), root.join("../ballast/src")];
    let (mut found, mut seen) = (Vec::new(), 0);
    while let Some(path) = left.pop() {
        if path.is_dir() {
            left.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        seen += 1;
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        let code: Vec<_> = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        let code = code.join("\n");
        let name = path.strip_prefix(&root).unwrap_or(&path).display().to_string();
        if !name.ends_with("_tests.rs") && words.iter().any(|word| code.contains(word)) {
            found.push(name);
        }
    }
    found.sort();
    assert!(seen > 30, "only {seen} files were seen");
    found
}

/// Checks that one file opens sockets, two others handle addresses and secrets, and the library does neither.
#[test]
fn one_client_opens_sockets_and_one_file_decides_where_secrets_go() {
    let sockets = ["TcpStream", "UdpSocket", "UnixStream", "Agent", "ToSocketAddrs"];
    assert_eq!(with_words(&sockets), ["src/source/client.rs"]);
    assert_eq!(with_words(&["AUTHORIZATION"]), ["src/source/client.rs"]);
    assert_eq!(with_words(&["\"Bearer {", "\"Basic {"]), ["src/source/address.rs"]);
}

/// Checks that one file opens files of others. The exceptions read files of the kernel, or sync files that
/// the program created.
#[test]
fn one_file_opens_what_others_made() {
    let words = ["fs::read(", "fs::read_to_string(", " File::open(", "::File::open(", ".read(true)", "OFlags::RDONLY"];
    let expected = [
        "../ballast/src/disk/linux.rs",
        "../ballast/src/foreign.rs",
        "src/command/bake.rs",
        "src/dirs.rs",
        "src/facts.rs",
        "src/launch.rs",
        "src/serial.rs",
        "src/whole_file.rs",
    ];
    assert_eq!(with_words(&words), expected);
}
