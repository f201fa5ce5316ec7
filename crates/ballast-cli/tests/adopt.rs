//! Tests `adopt`: which files of a cache become entries, which are left out and reported, and what the lock
//! file keeps. A cache is only read.
#![cfg(feature = "full")]
#![expect(clippy::unwrap_used, reason = "a test's helpers may fail where they stand")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::ops::Deref;
use std::os::unix::fs::symlink;
use std::process::{Command, Output};

use support::scratch::Scratch;
use support::{pin_of, stderr, stdout};
use testkit::need;

const REVISION: &str = "0123456789abcdef0123456789abcdef01234567";

/// A folder with a cache and room for a lock file.
struct World(Scratch);

impl Deref for World {
    type Target = Scratch;

    fn deref(&self) -> &Scratch {
        &self.0
    }
}

impl World {
    fn new() -> Self {
        Self(Scratch::new("adopt"))
    }

    fn adopt(&self, dir: &str) -> Output {
        self.ballast(&["adopt", "--lock", "weights.lock", dir])
    }

    fn text(&self) -> String {
        fs::read_to_string(self.path("weights.lock")).unwrap_or_default()
    }

    /// Returns the lock file's entries: path to digest, size and sources.
    fn entries(&self) -> BTreeMap<String, (String, i64, Vec<String>)> {
        let text: toml_edit::DocumentMut = self.text().parse().unwrap();
        let tables = text["weight"].as_array_of_tables().unwrap();
        let entry = |table: &toml_edit::Table| {
            let word = |key: &str| table[key].as_str().unwrap().to_owned();
            let sources = table["sources"].as_array().unwrap().iter().map(|source| source.as_str().unwrap().to_owned());
            (word("path"), (word("sha256"), table["size"].as_integer().unwrap(), sources.collect()))
        };
        tables.iter().map(entry).collect()
    }

    /// Creates a cache in the layout of Hugging Face's client.
    fn hub(&self) {
        let repository = "home/hub/models--org--tiny";
        for (name, bytes) in [("config.json", &b"{}"[..]), ("sub/model v1.bin", b"weights")] {
            let digest = pin_of(bytes);
            self.put(&format!("{repository}/blobs/{digest}"), bytes);
            let link = self.path(&format!("{repository}/snapshots/{REVISION}/{name}"));
            fs::create_dir_all(link.parent().unwrap()).unwrap();
            let up = "../".repeat(2 + name.matches('/').count());
            symlink(format!("{up}blobs/{digest}"), link).unwrap();
        }
        self.put(&format!("{repository}/refs/main"), REVISION.as_bytes());
        self.put(&format!("{repository}/.no_exist/{REVISION}/absent.json"), b"");
        self.put("home/token", b"hf_secret");
    }
}

#[test]
fn a_deepface_folder_is_found_from_its_root_and_from_below() {
    let rows = ["cache", "cache/.deepface", "cache/.deepface/weights"];
    let mut wrong = Vec::new();
    for dir in rows {
        let world = World::new();
        world.put("cache/.deepface/weights/a.h5", b"weights of a");
        world.put("cache/uploads/photo.jpg", b"no weight");
        let output = world.adopt(dir);
        let root = fs::canonicalize(world.path("cache")).unwrap();
        let head =
            format!("version = 1\n\n[store]\npath = \"{}\"\nenv = \"DEEPFACE_HOME\"\n\n[[weight]]\n", root.display());
        let entry = format!(
            "path = \".deepface/weights/a.h5\"\nsha256 = \"{}\"\nsize = 12\nsources = [] # unknown: fill in where it can be fetched\n",
            pin_of(b"weights of a")
        );
        let reported = stdout(&output);
        if !output.status.success() || world.text() != head + &entry || !reported.contains("first trust") {
            wrong.push(format!("{dir}: {output:?}\n{}", world.text()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_folder_whose_name_is_not_utf_8_is_refused_by_name_and_no_lock_file_is_written() {
    use std::os::unix::ffi::OsStrExt;
    let world = World::new();
    let odd = std::ffi::OsStr::from_bytes(b"n\xffx");
    fs::create_dir(world.0.dir.path().join(odd)).unwrap();
    fs::write(world.0.dir.path().join(odd).join("a.bin"), b"weights").unwrap();
    let mut wrong = Vec::new();
    for args in [&["adopt"][..], &["adopt", "--store"], &["pin", "w/a.bin", "--store"]] {
        let mut command = world.command(args);
        world.put("w/a.bin", b"weights");
        command.arg(odd).args(if args == ["adopt", "--store"] { &["w"][..] } else { &[] });
        let output = command.args(["--lock", "weights.lock"]).output().unwrap();
        let named = stderr(&output).contains("\\xff");
        if output.status.code() != Some(2) || !named || world.path("weights.lock").exists() {
            wrong.push(format!("{args:?}: {output:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_no_weight_is_left_out_and_said() {
    let world = World::new();
    let dir = "cache/.deepface/weights";
    world.put(&format!("{dir}/a.h5"), b"weights of a");
    world.put(&format!("{dir}/cut.h5"), b"");
    world.put(&format!("{dir}/.ballast-aside.a.h5"), b"a bad copy");
    symlink("/etc/hostname", world.path(&format!("{dir}/link.h5"))).unwrap();
    let fifo = world.path(&format!("{dir}/fifo.h5"));
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let output = world.adopt("cache");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(world.entries().keys().collect::<Vec<_>>(), [&format!("{}/a.h5", &dir[6..])]);
    let reported = stdout(&output);
    for (name, why) in
        [("cut.h5", "empty"), ("aside.a.h5", "in progress"), ("link.h5", "symlink"), ("fifo.h5", "no regular")]
    {
        assert!(
            reported.lines().any(|line| line.starts_with("left out: ") && line.contains(name) && line.contains(why)),
            "{reported}"
        );
    }
    let nothing = World::new();
    fs::create_dir(nothing.path("cache")).unwrap();
    for dir in ["cache", "absent"] {
        let output = nothing.adopt(dir);
        assert!(output.status.code() == Some(14) && !nothing.path("weights.lock").exists(), "{output:?}");
    }
}

/// Adopts a folder that contains files of Ballast and the lock file.
#[test]
fn neither_the_lock_file_nor_what_is_ballasts_own_becomes_a_weight() {
    let world = World::new();
    world.put("w/sub/a.bin", b"weights of a");
    world.put("w/.ballast/receipts.json", b"{}");
    world.put("w/.ballast-part.0123", b"half");
    for turn in ["a new lock file", "the same again"] {
        let output = world.ballast(&["adopt", "--lock", "w/weights.lock", "w"]);
        assert!(output.status.success(), "{turn}: {output:?}");
        let text = fs::read_to_string(world.path("w/weights.lock")).unwrap();
        assert!(text.matches("[[weight]]").count() == 1 && text.contains("\"sub/a.bin\""), "{turn}: {text}");
    }
}

#[test]
fn a_well_known_name_has_upstreams_sources_only_with_upstreams_bytes() {
    let test = "a_well_known_name_has_upstreams_sources_only_with_upstreams_bytes";
    let world = World::new();
    let (real, forged) = ("4_0_0_80x80_MiniFASNetV1SE.pth", "2.7_80x80_MiniFASNetV2.pth");
    let Some(weights) = need::shared_data(test).map(|data| data.join("weights").join(real)) else { return };
    world.put(&format!("w/.deepface/weights/{real}"), &fs::read(weights).unwrap());
    world.put(&format!("w/.deepface/weights/{forged}"), b"something else");
    let output = world.adopt("w");
    let (entries, reported) = (world.entries(), stdout(&output));
    let sources = |name: &str| entries[&format!(".deepface/weights/{name}")].2.clone();
    assert_eq!(
        sources(real),
        [
            "https://github.com/minivision-ai/Silent-Face-Anti-Spoofing/raw/master/resources/anti_spoof_models/4_0_0_80x80_MiniFASNetV1SE.pth"
        ]
    );
    assert!(world.text().contains("license = \"Apache-2.0\""), "{}", world.text());
    assert!(reported.contains("upstream's known digest"), "{reported}");
    assert_eq!(sources(forged), Vec::<String>::new());
    let upstream = "a5eb02e1843f19b5386b953cc4c9f011c3f985d0ee2bb9819eea9a142099bec0";
    assert!(
        reported.contains("another digest") && reported.contains(upstream) && reported.contains("1 without a source"),
        "{reported}"
    );
}

#[test]
fn a_cache_of_hugging_face_becomes_its_refs_and_snapshots_with_their_addresses() {
    let expected = |prefix: &str| {
        let at = format!("{prefix}models--org--tiny");
        let page = format!("https://huggingface.co/org/tiny/resolve/{REVISION}");
        BTreeMap::from([
            (format!("{at}/refs/main"), (pin_of(REVISION.as_bytes()), 40, vec![format!("data:,{REVISION}")])),
            (format!("{at}/snapshots/{REVISION}/config.json"), (pin_of(b"{}"), 2, vec![format!("{page}/config.json")])),
            (
                format!("{at}/snapshots/{REVISION}/sub/model v1.bin"),
                (pin_of(b"weights"), 7, vec![format!("{page}/sub/model%20v1.bin")]),
            ),
        ])
    };
    let mut wrong = Vec::new();
    for (dir, prefix, variable) in [
        ("home", "hub/", "HF_HOME"),
        ("home/hub", "hub/", "HF_HOME"),
        ("home/hub/models--org--tiny", "hub/", "HF_HOME"),
        ("cache", "", "HF_HUB_CACHE"),
    ] {
        let world = World::new();
        world.hub();
        if dir == "cache" {
            fs::rename(world.path("home/hub"), world.path("cache")).unwrap();
        }
        let output = world.adopt(dir);
        let env = format!("env = \"{variable}\"");
        if !output.status.success() || world.entries() != expected(prefix) || !world.text().contains(&env) {
            wrong.push(format!("{dir}: {output:?}\n{}", world.text()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn several_stores_below_one_folder_are_adopted_with_a_view_for_each() {
    let world = World::new();
    world.hub();
    world.put("home/torch/hub/checkpoints/r.pth", b"net");
    world.put("home/notes/a.txt", b"text");
    fs::create_dir(world.path("above")).unwrap();
    fs::rename(world.path("home"), world.path("above/hf")).unwrap();
    // The hub's client reads snapshots, so no blob has an entry.
    let output = world.adopt("above");
    let paths: Vec<_> = world.entries().into_keys().collect();
    let blobs = paths.iter().any(|path| path.contains("/blobs/"));
    let has = |path: &str| paths.iter().any(|found| found == path);
    let model = format!("hf/hub/models--org--tiny/snapshots/{REVISION}/config.json");
    assert!(output.status.success() && !blobs && has(&model), "{output:?}\n{paths:?}");
    assert!(world.text().contains("views = { HF_HOME = \"hf\" }") && world.text().contains("HF_HUB_OFFLINE"));
    // Beside a hub, other libraries' stores are views too, and other folders are named.
    fs::remove_file(world.path("weights.lock")).unwrap();
    let output = world.adopt("above/hf");
    let text = world.text();
    assert!(
        output.status.success() && text.contains("env = \"HF_HOME\"") && text.contains("torch/hub/checkpoints/r.pth")
    );
    assert!(text.contains("views = { TORCH_HOME = \"torch\" }") && !text.contains("notes"), "{text}");
    assert!(stdout(&output).contains("notes: not of the hub's cache"), "{output:?}");
    // A folder below the store's root keeps its place there.
    fs::remove_file(world.path("weights.lock")).unwrap();
    world.put("weights.lock", format!("version = 1\n[store]\npath = {:?}\n", world.path("above")).as_bytes());
    let output = world.adopt("above/hf/torch");
    let right = world.text().contains("path = \"hf/torch/hub/checkpoints/r.pth\"");
    assert!(output.status.success() && right && world.text().contains("TORCH_HOME = \"hf/torch\""), "{}", world.text());
    assert!(world.ballast(&["verify", "--lock", "weights.lock"]).status.success());
}

#[test]
fn a_hub_on_another_disk_is_found_through_its_link() {
    let world = World::new();
    world.hub();
    fs::create_dir_all(world.path("disk")).unwrap();
    fs::rename(world.path("home/hub"), world.path("disk/hub")).unwrap();
    symlink("../disk/hub", world.path("home/hub")).unwrap();
    let output = world.adopt("home");
    assert!(output.status.success() && world.entries().len() == 3, "{output:?}");
    let root = format!("path = {:?}", fs::canonicalize(world.path("disk")).unwrap());
    assert!(world.text().contains(&root) && world.text().contains("env = \"HF_HOME\""), "{}", world.text());
}

#[test]
fn a_link_out_of_the_cache_or_to_nothing_is_left_out() {
    let world = World::new();
    world.hub();
    let snapshot = world.path(&format!("home/hub/models--org--tiny/snapshots/{REVISION}"));
    symlink("/etc/passwd", snapshot.join("passwd")).unwrap();
    symlink("../../blobs/absent", snapshot.join("absent")).unwrap();
    symlink("../../blobs", snapshot.join("blobs")).unwrap();
    let output = world.adopt("home");
    let reported = stdout(&output);
    assert!(output.status.success() && world.entries().len() == 3, "{output:?}");
    for says in ["a link out of the cache", "a link that leads nowhere", "a link to what is no file"] {
        assert!(reported.contains(says), "{reported}");
    }
}

#[test]
fn what_was_adopted_is_fetched_from_the_cache_and_its_own_words_and_baked_as_plain_files() {
    let world = World::new();
    world.hub();
    for args in [&["adopt", "home"][..], &["fetch", "--mirror", "home"], &["bake", "layer"]] {
        let output = world.ballast(args);
        assert!(output.status.success(), "{args:?}: {output:?}");
    }
    let layer = world.path("layer/hub/models--org--tiny");
    assert_eq!(fs::read_to_string(layer.join("refs/main")).unwrap(), REVISION);
    let weights = layer.join(format!("snapshots/{REVISION}/sub/model v1.bin"));
    assert!(fs::symlink_metadata(&weights).unwrap().is_file() && !layer.join("blobs").exists());
    // The reference needs no mirror: the lock file contains its text.
    let reference = world.path("mirror/hub/models--org--tiny/refs/main");
    fs::remove_file(&reference).unwrap();
    let output = world.ballast(&["fetch"]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(fs::read_to_string(reference).unwrap(), REVISION);
}

#[test]
fn an_existing_lock_file_is_completed_and_no_digest_is_replaced() {
    let world = World::new();
    world.put("w/a.bin", b"weights of a");
    let pin = pin_of(b"weights of a");
    let lock = |pin: &str| {
        format!(
            "# kept\nversion = 1\n[store]\npath = \"/srv/models\" # kept\n[[weight]]\npath = \"a.bin\"\nsha256 = \"{pin}\"\n"
        )
    };
    fs::write(world.path("weights.lock"), lock(&pin)).unwrap();
    world.put("w/b.bin", b"weights of b");
    let output = world.adopt("w");
    let text = world.text();
    assert!(output.status.success() && stdout(&output).contains("a.bin: pinned already"), "{output:?}");
    assert!(
        text.starts_with("# kept\n") && text.contains("/srv/models\" # kept") && text.contains("size = 12"),
        "{text}"
    );
    assert_eq!(world.entries().len(), 2);
    let other = lock(&pin_of(b"other"));
    fs::write(world.path("weights.lock"), &other).unwrap();
    let refused = world.adopt("w");
    assert!(refused.status.code() == Some(12) && stderr(&refused).contains(&pin), "{refused:?}");
    assert_eq!(world.text(), other);
}
