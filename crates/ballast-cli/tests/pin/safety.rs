//! Tests that a refused `pin` changes no file, and that an interrupted one is completed by `fetch` or by the same `pin`.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Output;

use super::World;
use super::support::{pin_of, stderr, stdout};

/// A safetensors file that is whole, and one that is cut.
fn tensors(seed: u8) -> (Vec<u8>, Vec<u8>) {
    let header = br#"{"w":{"dtype":"U8","shape":[100],"data_offsets":[0,100]}}"#;
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header);
    bytes.extend([seed; 100]);
    let cut = bytes[..bytes.len() - 50].to_vec();
    (bytes, cut)
}

/// Each path with its mode and bytes, or the target of its link.
fn tree(dir: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let mut left = vec![dir.to_owned()];
    while let Some(dir) = left.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let facts = fs::symlink_metadata(&path).unwrap();
            let content = match facts.file_type() {
                kind if kind.is_dir() => Vec::new(),
                kind if kind.is_symlink() => fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes(),
                _ => fs::read(&path).unwrap(),
            };
            left.extend(facts.is_dir().then(|| path.clone()));
            found.insert(path, (facts.permissions().mode(), content));
        }
    }
    found
}

fn entry(path: &str, bytes: &[u8], source: &str) -> String {
    let pin = pin_of(bytes);
    format!(
        "version = 1\n[store]\npath = \"/srv/models\"\n[[weight]]\npath = \"{path}\"\nsha256 = \"{pin}\"\nsources = [\"{source}\"]\n"
    )
}

fn put(world: &World, name: &str, bytes: &[u8]) {
    let path = world.dir.path().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// What a row prepares; the arguments; the exit code; a word of the error.
type Row<'a> = (&'a str, fn(&World), &'a [&'a str], i32, &'a str);

const BEGIN: [&str; 3] = ["pin", "--store", "/srv/models"];

/// Refused pins.
const REFUSED: [Row; 13] = [
    (
        "its source in the mirror",
        |w| put(w, "mirror/a.safetensors", &tensors(1).1),
        &["mirror/a.safetensors"],
        17,
        "contradiction",
    ),
    (
        "its source in the store",
        |w| put(w, "a.safetensors", &tensors(1).1),
        &["--into", ".", "a.safetensors"],
        17,
        "contradiction",
    ),
    (
        "a cut file, no mirror",
        |w| put(w, "a.safetensors", &tensors(1).1),
        &["--into", "m/n", "a.safetensors"],
        17,
        "contradiction",
    ),
    (
        "an unrelated file of that name",
        |w| {
            put(w, "a.safetensors", &tensors(1).0);
            put(w, "mirror/a.safetensors", b"of another program");
        },
        &["a.safetensors"],
        17,
        "it stays",
    ),
    (
        "a link of that name",
        |w| {
            put(w, "mirror/other", b"of another program");
            symlink("other", w.dir.path().join("mirror/b.onnx")).unwrap();
        },
        &["b.onnx"],
        17,
        "it stays",
    ),
    ("a folder of that name", |w| put(w, "mirror/b.onnx/other", b"x"), &["b.onnx"], 17, "it stays"),
    (
        "a file where the folder belongs",
        |w| put(w, "mirror/d", b"x"),
        &["b.onnx", "--path", "d/b.onnx"],
        17,
        "must keep its name",
    ),
    (
        "a link where the folder belongs",
        |w| {
            put(w, "mirror/other/x", b"x");
            symlink("other", w.dir.path().join("mirror/d")).unwrap();
        },
        &["b.onnx", "--path", "d/b.onnx"],
        17,
        "must keep its name",
    ),
    (
        "refresh from a cut source",
        |w| {
            put(w, "mirror/m.safetensors", &tensors(1).0);
            put(w, "up.safetensors", &tensors(1).1);
            fs::write(w.lock(), entry("m.safetensors", &tensors(1).0, "up.safetensors")).unwrap();
        },
        &["--refresh", "m.safetensors"],
        17,
        "contradiction",
    ),
    (
        "another pin",
        |w| fs::write(w.lock(), entry("b.onnx", b"other", "b.onnx")).unwrap(),
        &["b.onnx"],
        12,
        "another digest",
    ),
    ("a path of Ballast's own", |_| (), &["b.onnx", "--path", ".ballast/b.onnx"], 2, "Ballast's own files"),
    ("a name of a part", |_| (), &["b.onnx", "--path", "m/.ballast-part.b"], 2, "Ballast's own files"),
    ("no folder for the lock file", |_| (), &["--lock", "absent/weights.lock", "b.onnx"], 10, "can't write"),
];

#[test]
fn a_pin_that_is_refused_changes_no_file_and_makes_no_folder() {
    let mut wrong = Vec::new();
    for (name, prepare, args, code, word) in REFUSED {
        let world = World::new();
        prepare(&world);
        let before = tree(world.dir.path());
        let output = world.ballast(&[&BEGIN, args].concat());
        let after = tree(world.dir.path());
        if output.status.code() != Some(code) || !stderr(&output).contains(word) || before != after {
            wrong.push(format!("{name}: {output:?}\nbefore {:?}\nafter {:?}", before.keys(), after.keys()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_lock_file_that_cannot_be_written_leaves_the_former_file_in_the_mirror() {
    if !testkit::need::root("a_lock_file_that_cannot_be_written_leaves_the_former_file_in_the_mirror") {
        return;
    }
    let world = World::new();
    let (old, new) = (tensors(1).0, tensors(2).0);
    put(&world, "mirror/m.safetensors", &old);
    put(&world, "up.safetensors", &new);
    fs::write(world.lock(), entry("m.safetensors", &old, "up.safetensors")).unwrap();
    let folder = world.dir.path().join("ro");
    fs::create_dir(&folder).unwrap();
    fs::copy(world.lock(), folder.join("w.lock")).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o555)).unwrap();
    std::process::Command::new("chown").args(["-R", "100:101"]).arg(world.dir.path().join("mirror")).status().unwrap();
    let before = tree(world.dir.path());
    let mut command = std::process::Command::new("setpriv");
    command.args(["--reuid", "100", "--regid", "101", "--clear-groups"]).arg(super::program());
    let output = command
        .current_dir(world.dir.path())
        .args(["pin", "--lock", "ro/w.lock", "--refresh", "m.safetensors"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(10), "{output:?}");
    assert!(before == tree(world.dir.path()), "{output:?}");
}

/// The state after a kill between the last two steps: the lock file has the new pin, the mirror the former file or none.
#[test]
fn what_a_killed_pin_left_is_completed_by_fetch_and_by_the_same_pin() {
    let (old, new) = (tensors(1).0, tensors(2).0);
    let again: [&[&str]; 3] = [&["fetch"], &["pin", "--refresh", "m.safetensors"], &["pin", "up/m.safetensors"]];
    let mut wrong = Vec::new();
    for (mirror, args) in again.iter().flat_map(|args| [(None, args), (Some(&old), args)]) {
        let world = World::new();
        put(&world, "up/m.safetensors", &new);
        let previous = format!("previous = [\"{}\"]\n", pin_of(&old));
        fs::write(world.lock(), entry("m.safetensors", &new, "up/m.safetensors") + &previous).unwrap();
        mirror.iter().for_each(|bytes| put(&world, "mirror/m.safetensors", bytes));
        let output = world.ballast(args);
        let found = fs::read(world.dir.path().join("mirror/m.safetensors")).unwrap_or_default();
        if !output.status.success() || found != new {
            wrong.push(format!("{args:?} with {:?}: {output:?}", mirror.map(Vec::len)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_file_that_is_in_the_mirror_already_is_pinned_where_it_is() {
    let world = World::new();
    put(&world, "mirror/b.onnx", b"weights of b");
    let file = world.dir.path().join("mirror/b.onnx");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let before = fs::metadata(&file).unwrap();
    let output = world.ballast(&[&BEGIN[..], &["mirror/b.onnx"]].concat());
    let after = fs::metadata(&file).unwrap();
    let same = |one: &fs::Metadata, other: &fs::Metadata| {
        use std::os::unix::fs::MetadataExt;
        (one.ino(), one.mode()) == (other.ino(), other.mode())
    };
    assert!(output.status.success() && same(&before, &after), "{output:?}");
}

/// Runs several commands at the same time.
fn at_once(world: &World, all: &[Vec<&str>]) -> Vec<Output> {
    std::thread::scope(|scope| {
        let running: Vec<_> = all.iter().map(|args| scope.spawn(|| world.ballast(args))).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

#[test]
fn entries_that_several_commands_write_at_once_are_all_in_the_lock_file() {
    let world = World::new();
    let names: Vec<_> = (0..8).map(|at| format!("f{at}.bin")).collect();
    names.iter().for_each(|name| put(&world, name, name.as_bytes()));
    put(&world, "c/adopted.bin", b"adopted");
    let mut all: Vec<_> = names.iter().map(|name| [&BEGIN[..], &[name.as_str()]].concat()).collect();
    all.push(vec!["adopt", "--lock", "weights.lock", "--store", "/srv/models", "c"]);
    let outputs = at_once(&world, &all);
    let failed: Vec<_> = outputs.iter().filter(|output| !output.status.success()).collect();
    let text = world.text();
    let lost: Vec<_> = names.iter().filter(|name| !text.contains(&format!("path = \"{name}\""))).collect();
    assert!(failed.is_empty() && lost.is_empty() && text.contains("adopted.bin"), "{lost:?} {failed:?}\n{text}");
    assert!(outputs.iter().all(|output| stdout(output).contains("first trust")), "{outputs:?}");
}
