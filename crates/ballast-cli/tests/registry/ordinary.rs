//! Tests that a pushed image is an ordinary one: the same each time, with the same bytes, modes and owners
//! for other tools. The real weights are pushed and pulled.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::{Duration, SystemTime};

use testkit::data;

use crate::ground::{Registry, World, digest_in, large, made, ready, tool};
use crate::support::{is_root, pin_of, stderr, stdout};

#[test]
fn two_pushes_give_one_digest_and_the_second_sends_nothing() {
    if !ready("two_pushes_give_one_digest_and_the_second_sends_nothing") {
        return;
    }
    let (registry, world, other) = (Registry::start(), World::pair(), World::pair());
    let first = world.push(&registry.url("models:one"));
    // Another folder, other times and modes, each weight under its digest.
    for name in ["large.bin", "small.bin"] {
        let from = other.path("from").join(name);
        let named = other.path("from").join(pin_of(&fs::read(&from).unwrap()));
        fs::rename(&from, &named).unwrap();
        fs::set_permissions(&named, fs::Permissions::from_mode(0o600)).unwrap();
        aged(&named);
    }
    let output = other.ballast(&["push", &registry.url("models:two"), "--from", "from"]);
    let reported = stderr(&output);
    assert!(output.status.success() && !reported.contains(": pushed,"), "{reported}");
    assert_eq!(reported.matches(": there already,").count(), 4, "{reported}");
    assert_eq!(digest_in(&stdout(&output)), first);
    let seen = tool("skopeo", &["inspect", "--tls-verify=false", &registry.docker("models:two")]);
    assert!(seen.contains(&first), "the registry knows it by another digest: {seen}");
    // Other input is another image.
    for args in [vec!["--owner", "0:0"], vec!["--architecture", "arm64"]] {
        let mut all = vec!["push", "", "--from", "from"];
        let target = registry.url("models:other");
        all[1] = &target;
        all.extend(args);
        let output = world.ballast(&all);
        assert!(output.status.success() && digest_in(&stdout(&output)) != first, "{output:?}");
    }
}

#[test]
fn an_index_gives_each_architecture_its_image_and_shares_the_weights() {
    if !ready("an_index_gives_each_architecture_its_image_and_shares_the_weights") {
        return;
    }
    let (registry, world) = (Registry::start(), World::pair());
    let [amd, arm, both] = ["models:1-amd64", "models:1-arm64", "models:1"].map(|name| registry.url(name));
    world.push(&amd);
    let second = world.ballast(&["push", &arm, "--from", "from", "--architecture", "arm64"]);
    let reported = stderr(&second);
    assert_eq!(reported.matches(": there already,").count(), 3, "{reported}");
    let pushed = world.ballast(&["push", &both, "--index", &amd, "--index", &arm]);
    assert!(pushed.status.success(), "{pushed:?}");
    let digest = digest_in(&stdout(&pushed));
    assert_eq!(digest_in(&stdout(&world.ballast(&["push", &both, "--index", &amd, "--index", &arm]))), digest);
    for name in ["amd64", "arm64"] {
        let image = registry.docker("models:1");
        let config = tool("skopeo", &["inspect", "--tls-verify=false", "--override-arch", name, "--config", &image]);
        assert!(config.replace(": ", ":").contains(&format!("\"architecture\":\"{name}\"")), "{config}");
    }
    for name in ["models:1".to_owned(), format!("models@{digest}")] {
        let _ = fs::remove_dir_all(world.path("mirror"));
        let pulled = world.ballast(&["pull", &registry.url(&name)]);
        assert!(pulled.status.success() && world.right("large.bin") && world.right("small.bin"), "{pulled:?}");
        assert!(stdout(&pulled).contains(&digest) || stderr(&pulled).contains(&digest), "{name}: {pulled:?}");
    }
    let rows = [
        (vec!["--index", &amd, "--index", &amd], 2, "two images are for amd64"),
        (vec!["--index", "oci://127.0.0.1:1/other:1"], 2, "expected an image of"),
        (vec!["--index", &amd, "--architecture", "arm64"], 2, "cannot be used with"),
    ];
    for (args, code, words) in rows {
        let refused = world.ballast(&[&["push", &both][..], &args].concat());
        assert!(refused.status.code() == Some(code) && stderr(&refused).contains(words), "{args:?}: {refused:?}");
    }
    let absent = registry.url("models:absent");
    let refused = world.ballast(&["push", &both, "--index", &absent]);
    assert!(!refused.status.success() && stderr(&refused).contains("models:absent"), "{refused:?}");
}

/// Changes the times of a file to another day.
pub fn aged(path: &Path) {
    let day = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    fs::File::options().write(true).open(path).unwrap().set_modified(day).unwrap();
}

/// Returns every entry below a root: kind, mode, owner and content.
fn tree(root: &Path) -> BTreeMap<String, (bool, u32, u32, u32, Vec<u8>)> {
    let (mut all, mut left) = (BTreeMap::new(), vec![root.to_owned()]);
    while let Some(path) = left.pop() {
        let facts = fs::symlink_metadata(&path).unwrap();
        let content = if facts.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
        if facts.is_dir() {
            left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        let name = path.strip_prefix(root).unwrap().display().to_string();
        if !name.is_empty() {
            all.insert(name, (facts.is_dir(), facts.mode() & 0o7777, facts.uid(), facts.gid(), content));
        }
    }
    all
}

#[test]
fn other_tools_unpack_what_bake_lays_out_and_the_lock_file() {
    let test = "other_tools_unpack_what_bake_lays_out_and_the_lock_file";
    if !ready(test) || !is_root(test) {
        return;
    }
    let (registry, world) = (Registry::start(), World::pair());
    world.push(&registry.url("models:v1"));
    let layout = format!("oci:{}:v1", world.path("layout").display());
    tool("skopeo", &["copy", "-q", "--src-tls-verify=false", &registry.docker("models:v1"), &layout]);
    let (image, bundle) = (layout.strip_prefix("oci:").unwrap(), world.path("bundle"));
    tool("umoci", &["unpack", "--image", image, bundle.to_str().unwrap()]);
    let baked = world.ballast(&["bake", "baked", "--from", "from"]);
    assert!(baked.status.success(), "{baked:?}");
    let mut unpacked = tree(&bundle.join("rootfs"));
    let lock = unpacked.remove(".ballast/weights.lock");
    let local = fs::read(world.path("weights.lock")).unwrap();
    assert_eq!(lock, Some((false, 0o444, 0, 0, local)));
    let (unpacked_names, baked) = (unpacked.keys().cloned().collect::<Vec<_>>(), tree(&world.path("baked")));
    assert_eq!(unpacked_names, baked.keys().cloned().collect::<Vec<_>>());
    let differ: Vec<_> =
        baked.iter().filter(|(name, entry)| unpacked.get(*name) != Some(entry)).map(|(n, _)| n).collect();
    assert!(differ.is_empty(), "{differ:?} differ between bake and the image");
    // Verifies with Ballast what an engine would mount.
    let root = bundle.join("rootfs");
    let verified = world.ballast(&["verify", root.to_str().unwrap()]);
    assert!(verified.status.success(), "{verified:?}");
}

#[test]
fn weights_of_full_size_go_there_and_come_back() {
    if !ready("weights_of_full_size_go_there_and_come_back") {
        return;
    }
    let names = [data::EMBEDDER, data::DETECTOR, data::SPOOF_NEAR, data::SPOOF_FAR];
    let weights = names.map(|name| (name, data::own_data().weight(name)));
    let (registry, world) = (Registry::start(), World::new(&weights));
    let digest = world.push(&registry.url("face/models:v1"));
    let output = world.ballast(&["pull", &registry.url("face/models:v1")]);
    assert!(output.status.success() && stdout(&output).starts_with("4 of 4 right"), "{output:?}");
    assert!(stderr(&output).contains(&registry.url(&format!("face/models@{digest}"))), "{}", stderr(&output));
    let wrong: Vec<_> = weights.iter().filter(|(name, _)| !world.right(name)).map(|(name, _)| name).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn many_weights_share_layers_and_each_is_pulled_by_its_range() {
    if !ready("many_weights_share_layers_and_each_is_pulled_by_its_range") {
        return;
    }
    let names: Vec<_> = (0..60).map(|at| format!("part-{at}.json")).collect();
    let small = names.iter().enumerate().map(|(at, name)| (name.as_str(), made(at as u32 + 1, 900 + at)));
    let weights: Vec<_> = small.chain([("large.bin", large())]).collect();
    let (registry, world) = (Registry::start(), World::new(&weights));
    let target = registry.url("models:many");
    world.push(&target);
    let wrong = || weights.iter().filter(|(name, _)| !world.right(name)).map(|(name, _)| *name).collect::<Vec<_>>();
    let output = world.ballast(&["pull", &target]);
    assert!(output.status.success() && wrong().is_empty(), "{:?} {output:?}", wrong());
    // One byte of a large file in a pack, and a small file of another length.
    let mut bytes = large();
    bytes[1_500_000] ^= 1;
    fs::write(world.pulled("large.bin"), bytes).unwrap();
    fs::write(world.pulled("part-7.json"), "other").unwrap();
    let output = world.ballast(&["pull", &target]);
    assert!(output.status.success() && wrong().is_empty(), "{:?} {output:?}", wrong());
    assert!(stderr(&output).contains("chunks kept"), "{output:?}");
}

#[test]
fn what_can_not_be_an_image_is_refused_before_anything_is_sent() {
    if !ready("what_can_not_be_an_image_is_refused_before_anything_is_sent") {
        return;
    }
    let registry = Registry::start();
    let url = registry.url("models:v1");
    let pinned = registry.url(&format!("models@sha256:{}", "0".repeat(64)));
    let mut wrong = Vec::new();
    for (name, world, target, code, reported) in [
        ("a weight that is missing", World::pair(), &url, 14, "no folder has it"),
        ("a weight of other bytes", World::pair(), &url, 14, "no folder has it"),
        ("a name that deletes", World::new(&[(".wh.large.bin", large())]), &url, 2, ".wh."),
        ("an owner of two words", World::of(&[("large.bin", large())], "owner = \"an app\"\n"), &url, 2, "--owner"),
        ("a digest as a target", World::pair(), &pinned, 2, "expected a tag"),
        ("no host", World::pair(), &"oci://models/face:v1".to_owned(), 2, "found no host"),
        ("another scheme", World::pair(), &"docker://x/y".to_owned(), 2, "oci://"),
    ] {
        match name {
            "a weight that is missing" => fs::remove_file(world.path("from/large.bin")).unwrap(),
            "a weight of other bytes" => fs::write(world.path("from/large.bin"), b"others").unwrap(),
            _ => {}
        }
        let output = world.ballast(&["push", target, "--from", "from"]);
        if output.status.code() != Some(code) || !stderr(&output).contains(reported) {
            wrong.push(format!("{name}: {output:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(!registry.dir.path().join("blobs").exists(), "something was sent");
}

#[test]
fn an_image_that_others_made_is_named_and_leaves_nothing() {
    if !ready("an_image_that_others_made_is_named_and_leaves_nothing") {
        return;
    }
    let (registry, world) = (Registry::start(), World::pair());
    world.push(&registry.url("models:v1"));
    let (plain, packed) = (registry.docker("models:v1"), registry.docker("models:packed"));
    let dir = format!("dir:{}", world.path("packed").display());
    let insecure = ["copy", "-q", "--src-tls-verify=false", "--dest-tls-verify=false"];
    tool("skopeo", &[&insecure[..], &["--dest-compress", &plain, &dir]].concat());
    tool("skopeo", &[&insecure[..], &[&dir, &packed]].concat());
    let other = World::new(&[("other.bin", made(3, 5000))]);
    other.push(&registry.url("models:other"));
    // A copy to another registry keeps the image only with --preserve-digests.
    let second = Registry::start();
    let (anew, kept) = (second.docker("models:anew"), second.docker("models:kept"));
    tool("skopeo", &[&insecure[..], &[&plain, &anew]].concat());
    tool("skopeo", &[&insecure[..], &["--preserve-digests", &plain, &kept]].concat());
    let output = world.ballast(&["pull", &second.url("models:kept"), "--into", "kept"]);
    assert!(output.status.success(), "{output:?}");
    let mut wrong = Vec::new();
    for (from, tag, reported) in [
        (&registry, "packed", "bad-image"),
        (&second, "anew", "bad-image"),
        (&registry, "other", "not-found"),
        (&registry, "absent", "not-found"),
    ] {
        let output = world.ballast(&["pull", &from.url(&format!("models:{tag}"))]);
        if output.status.code() != Some(17) || !stderr(&output).contains(&format!("{reported}: ")) {
            wrong.push(format!("{tag}: {output:?}"));
        }
        if world.pulled("large.bin").exists() {
            wrong.push(format!("{tag}: a weight got its name"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(
        Path::new(&world.pulled("x"))
            .parent()
            .is_none_or(|dir| !dir.exists() || fs::read_dir(dir).unwrap().count() == 0)
    );
}

#[test]
fn an_image_is_a_mirror_of_fetch_and_a_missing_one_is_reported_and_skipped() {
    if !ready("an_image_is_a_mirror_of_fetch_and_a_missing_one_is_reported_and_skipped") {
        return;
    }
    let (registry, world) = (Registry::start(), World::pair());
    let digest = world.push(&registry.url("models:v1"));
    let (url, gone) = (registry.url("models:v1"), registry.url("absent:v1"));
    let output = world.ballast(&["fetch", "--mirror", &gone, "--mirror", &url]);
    let reported = stderr(&output);
    assert!(output.status.success() && world.right("large.bin") && world.right("small.bin"), "{output:?}");
    assert!(reported.contains(&digest) && reported.contains(&gone) && reported.contains("not-found: "), "{reported}");
    // If the images have nothing, the other mirrors follow.
    fs::remove_dir_all(world.path("mirror")).unwrap();
    let output = world.command(&["fetch", "--mirror", "from"]).env("BALLAST_MIRRORS", &gone).output().unwrap();
    assert!(output.status.success() && world.right("large.bin"), "{output:?}");
}
