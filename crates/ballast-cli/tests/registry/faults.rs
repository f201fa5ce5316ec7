//! Tests a pull through a proxy that cuts, stalls, flips, refuses, or returns wrong ranges. The result is a
//! named fault or the right bytes. Also tests how many bytes a repair and a resumed pull request.

use std::fs;
use std::io::Write as _;
use std::process::Output;
use std::sync::Arc;

use crate::between::{Between, Deed, Request};
use crate::ground::{Registry, World, made, ready};
use crate::support::{pin_of, stderr, stdout};

const MIB: usize = 1 << 20;

/// The registry, the proxy in front of it, and the image pushed as `models:v1`.
struct Stage {
    world: World,
    registry: Registry,
    digest: String,
}

impl Stage {
    fn new() -> Self {
        let (registry, world) = (Registry::start(), World::pair());
        let digest = world.push(&registry.url("models:v1"));
        Self { world, registry, digest }
    }

    fn between(&self, deed: Deed) -> Between {
        Between::start("127.0.0.1", &format!("127.0.0.1:{}", self.registry.port), deed)
    }

    fn pull(&self, between: &Between, options: &[&str]) -> Output {
        let url = format!("oci://127.0.0.1:{}/models:v1", between.port);
        self.world.ballast(&[&["pull", &url][..], options].concat())
    }

    /// Prepares an empty store, or a complete one with these bytes of the large weight changed.
    fn store(&self, flipped: &[usize]) {
        let _ = fs::remove_dir_all(self.world.path("mirror"));
        if flipped.is_empty() {
            return;
        }
        fs::create_dir_all(self.world.pulled("x").parent().unwrap()).unwrap();
        for name in ["large.bin", "small.bin"] {
            let mut bytes = fs::read(self.world.path("from").join(name)).unwrap();
            flipped.iter().filter(|_| name == "large.bin").for_each(|at| bytes[*at] ^= 1);
            fs::write(self.world.pulled(name), bytes).unwrap();
        }
    }

    fn right(&self) -> bool {
        self.world.right("large.bin") && self.world.right("small.bin")
    }
}

/// The proxy's deed, the damage before, the fault that must be named, the largest number of bytes, and more
/// options.
type Row = (Deed, &'static [usize], Option<&'static str>, usize, &'static [&'static str]);

const ROWS: &[Row] = &[
    (Deed::Nothing, &[], None, 9 * MIB, &[]),
    (Deed::Cut(1), &[], None, 9 * MIB, &[]),
    (Deed::Cut(99), &[], Some("cut"), 9 * MIB, &["--retries", "0"]),
    (Deed::Stall, &[], Some("stalled"), 9 * MIB, &["--idle-timeout", "0.7", "--retries", "0"]),
    (Deed::Flip(1), &[], None, 18 * MIB, &[]),
    (Deed::Flip(99), &[], Some("wrong-blob"), 18 * MIB, &[]),
    (Deed::Status(1, 503), &[], None, 9 * MIB, &[]),
    (Deed::Status(99, 503), &[], Some("status"), MIB, &[]),
    (Deed::Status(99, 401), &[], Some("denied"), MIB, &[]),
    (Deed::Status(99, 404), &[], Some("not-found"), MIB, &[]),
    (Deed::Longer, &[], Some("wrong-length"), 9 * MIB, &[]),
    (Deed::Shorter, &[], Some("wrong-length"), 9 * MIB, &[]),
    // One wrong chunk of nine costs one chunk; two neighbours are one request.
    (Deed::Nothing, &[5 * MIB], None, MIB + MIB / 10, &[]),
    (Deed::Nothing, &[MIB, 2 * MIB, 7 * MIB], None, 3 * MIB + MIB / 10, &[]),
    (Deed::Cut(1), &[5 * MIB], None, MIB + MIB / 10, &[]),
    (Deed::Flip(1), &[5 * MIB], None, 10 * MIB, &[]),
    (Deed::Flip(99), &[5 * MIB], Some("wrong-blob"), 10 * MIB, &[]),
    (Deed::WholeToRange, &[5 * MIB], None, 9 * MIB, &[]),
    (Deed::OtherRange, &[5 * MIB], None, 10 * MIB, &[]),
    (Deed::Status(99, 416), &[5 * MIB], Some("status"), MIB, &[]),
    (Deed::Longer, &[5 * MIB], Some("wrong-length"), 2 * MIB, &[]),
];

#[test]
fn each_fault_is_named_or_overcome_and_nothing_wrong_gets_the_name() {
    if !ready("each_fault_is_named_or_overcome_and_nothing_wrong_gets_the_name") {
        return;
    }
    let (stage, mut wrong) = (Stage::new(), Vec::new());
    for (deed, flipped, fault, most, options) in ROWS {
        stage.store(flipped);
        let before = fs::read(stage.world.pulled("large.bin")).ok();
        let between = stage.between(*deed);
        let output = stage.pull(&between, options);
        let row = format!("{deed:?} on {flipped:?}");
        match fault {
            None if !output.status.success() || !stage.right() => wrong.push(format!("{row}: {output:?}")),
            Some(name) if output.status.code() != Some(17) || !stderr(&output).contains(&format!("{name}: ")) => {
                wrong.push(format!("{row}: expected {name}: {output:?}"));
            }
            // The weight's name is unchanged; the other weight is in place.
            Some(_) if fs::read(stage.world.pulled("large.bin")).ok() != before => {
                wrong.push(format!("{row}: something got the weight's name"));
            }
            None if deed.is_overcome() && !stderr(&output).contains("; asking again") => {
                wrong.push(format!("{row}: nothing was reported"));
            }
            Some(_) if !stage.world.right("small.bin") => wrong.push(format!("{row}: the small weight is not there")),
            _ => {}
        }
        if between.bytes() > *most {
            wrong.push(format!("{row}: expected at most {most} bytes, {} were sent", between.bytes()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_pull_that_was_cut_is_gone_on_with_and_a_damaged_part_is_found_out() {
    if !ready("a_pull_that_was_cut_is_gone_on_with_and_a_damaged_part_is_found_out") {
        return;
    }
    let (stage, mut wrong) = (Stage::new(), Vec::new());
    for damaged in [false, true] {
        stage.store(&[]);
        let cut = stage.pull(&stage.between(Deed::Cut(99)), &["--retries", "0"]);
        let pin = pin_of(&fs::read(stage.world.path("from/large.bin")).unwrap());
        let part = stage.world.pulled(&format!(".ballast-part.{pin}"));
        assert!(cut.status.code() == Some(17) && part.exists(), "{cut:?}");
        if damaged {
            let file = fs::File::options().write(true).open(&part).unwrap();
            std::os::unix::fs::FileExt::write_all_at(&file, b"XXXX", 1000).unwrap();
        }
        let between = stage.between(Deed::Nothing);
        let output = stage.pull(&between, &[]);
        if !output.status.success() || !stage.right() {
            wrong.push(format!("damaged {damaged}: {output:?}"));
        }
        // The half that exists locally is not requested again, unless it is wrong.
        let most = if damaged { 14 * MIB } else { 5 * MIB };
        if between.bytes() > most {
            wrong.push(format!("damaged {damaged}: {} bytes were sent", between.bytes()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_file_that_was_cut_short_or_is_a_former_one_gives_what_is_good_of_it() {
    if !ready("a_file_that_was_cut_short_or_is_a_former_one_gives_what_is_good_of_it") {
        return;
    }
    let (stage, mut wrong) = (Stage::new(), Vec::new());
    let whole = fs::read(stage.world.path("from/large.bin")).unwrap();
    let longer = [&whole[..], b"and more"].concat();
    let shifted = [&b"x"[..], &whole[..whole.len() - 1]].concat();
    for (name, bytes, most, kept) in [
        ("cut short", whole[..3 * MIB + 5].to_vec(), 6 * MIB, true),
        ("empty", Vec::new(), 9 * MIB, false),
        ("longer", longer, MIB / 10, true),
        ("shifted by a byte", shifted, 9 * MIB, false),
        ("another", made(9, whole.len()), 9 * MIB, false),
    ] {
        stage.store(&[0]);
        fs::write(stage.world.pulled("large.bin"), bytes).unwrap();
        let between = stage.between(Deed::Nothing);
        let output = stage.pull(&between, &[]);
        if !output.status.success() || !stage.right() || between.bytes() > most {
            wrong.push(format!("{name}: {} bytes, {output:?}", between.bytes()));
        }
        if stderr(&output).contains("chunks kept") != kept {
            wrong.push(format!("{name}: {}", stderr(&output)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_tag_that_moves_after_it_was_resolved_changes_nothing() {
    if !ready("a_tag_that_moves_after_it_was_resolved_changes_nothing") {
        return;
    }
    let stage = Stage::new();
    let other = World::new(&[("large.bin", made(7, 3 << 20)), ("small.bin", made(8, 5000))]);
    let others = other.push(&stage.registry.url("models:next"));
    // Before the proxy forwards the manifest, the tag moves to another image.
    let (from, to) = (stage.registry.docker("models:next"), stage.registry.docker("models:v1"));
    let moved = Arc::new(move |request: &Request| {
        if request.line.starts_with("GET ") && request.line.contains("/manifests/v1") {
            let insecure = ["copy", "-q", "--src-tls-verify=false", "--dest-tls-verify=false"];
            crate::ground::tool("skopeo", &[&insecure[..], &[&from, &to]].concat());
        }
    });
    let upstream = format!("127.0.0.1:{}", stage.registry.port);
    let between = Between::with("127.0.0.1", &upstream, Deed::Nothing, None, Some(moved));
    let output = stage.pull(&between, &[]);
    assert!(output.status.success() && stage.right(), "{output:?}");
    assert!(stderr(&output).contains(&stage.digest), "{}", stderr(&output));
    assert_eq!(between.requests().iter().filter(|request| request.line.contains("/manifests/")).count(), 1);
    // From now on the tag names the other image, whose weights are not the lock file's.
    stage.store(&[]);
    let output = stage.pull(&stage.between(Deed::Nothing), &[]);
    let reported = stderr(&output);
    assert!(output.status.code() == Some(17) && reported.contains(&others) && !stage.right(), "{reported}");
    assert!(reported.contains("wrong-length: ") && reported.contains("wrong-bytes: "), "{reported}");
    // The digest still names the first image.
    let pinned = stage.registry.url(&format!("models@{}", stage.digest));
    let output = stage.world.ballast(&["pull", &pinned]);
    assert!(output.status.success() && stage.right() && stdout(&output).starts_with("2 of 2"), "{output:?}");
}

#[test]
fn a_manifest_or_a_small_layer_of_other_bytes_is_refused() {
    if !ready("a_manifest_or_a_small_layer_of_other_bytes_is_refused") {
        return;
    }
    let (stage, mut wrong) = (Stage::new(), Vec::new());
    let upstream = format!("127.0.0.1:{}", stage.registry.port);
    let pinned = stage.digest.clone();
    for (name, part, body, reported) in [
        ("a manifest that is not the digest's", "/manifests/", &b"{\"schemaVersion\":2}"[..], "wrong-blob"),
        ("a small layer that is not the digest's", "/blobs/", b"nothing", "wrong-"),
        ("no JSON", "/manifests/", b"<html>", "wrong-blob"),
    ] {
        stage.store(&[]);
        let answer = Arc::new(move |request: &Request| {
            let mut head = Vec::new();
            let hit = request.line.starts_with("GET ") && request.line.contains(part);
            write!(head, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len()).unwrap();
            hit.then(|| [&head[..], body].concat())
        });
        let between = Between::with("127.0.0.1", &upstream, Deed::Nothing, Some(answer), None);
        let url = format!("oci://127.0.0.1:{}/models@{pinned}", between.port);
        let output = stage.world.ballast(&["pull", &url]);
        let named = stderr(&output).contains(reported);
        if output.status.code() != Some(17) || !named || stage.world.pulled("small.bin").exists() {
            wrong.push(format!("{name}: {output:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_push_that_meets_faults_is_overcome_or_leaves_the_tag_as_it_was() {
    if !ready("a_push_that_meets_faults_is_overcome_or_leaves_the_tag_as_it_was") {
        return;
    }
    let (stage, mut wrong) = (Stage::new(), Vec::new());
    let other = World::new(&[("large.bin", made(7, 3 << 20)), ("small.bin", made(8, 5000))]);
    let upstream = format!("127.0.0.1:{}", stage.registry.port);
    for (name, method, part, times, code, reported) in [
        ("a busy upload", "PUT ", "/blobs/uploads/", 99, 503, Some("status")),
        ("a refused upload", "POST ", "/blobs/uploads/", 99, 403, Some("denied")),
        ("a busy manifest", "PUT ", "/manifests/", 99, 500, Some("status")),
        ("an upload that is busy once", "PUT ", "/blobs/uploads/", 1, 503, None),
        ("a manifest that is busy once", "PUT ", "/manifests/", 1, 502, None),
    ] {
        let count = std::sync::atomic::AtomicUsize::new(0);
        let answer = Arc::new(move |request: &Request| {
            let hit = request.line.starts_with(method) && request.line.contains(part);
            let hit = hit && count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < times;
            hit.then(|| format!("HTTP/1.1 {code} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").into_bytes())
        });
        let between = Between::with("127.0.0.1", &upstream, Deed::Nothing, Some(answer), None);
        let url = format!("oci://127.0.0.1:{}/models:v1", between.port);
        let output = other.ballast(&["push", &url, "--from", "from"]);
        stage.store(&[]);
        let before = stage.pull(&stage.between(Deed::Nothing), &[]);
        match reported {
            Some(reported) => {
                let named = stderr(&output).contains(&format!("{reported}: "));
                if output.status.code() != Some(17) || !named || !before.status.success() {
                    wrong.push(format!("{name}: {output:?}, then {before:?}"));
                }
            }
            None if !output.status.success() || before.status.success() => wrong.push(format!("{name}: {output:?}")),
            None => {
                stage.world.push(&stage.registry.url("models:v1"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
