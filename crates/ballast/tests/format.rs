//! Files that 0.1 made, read today: the same verdicts.
//!
//! `format/` has a lock file with the keys of commit de215e1, the index of its two weights, whose layout that commit has
//! too, and that commit's receipts.

use std::fs;
use std::path::Path;

use ballast::disk::LinuxDisk;
use ballast::index::Index;
use ballast::lock::{Lock, Need};
use ballast::receipt::Receipts;
use ballast::store::{self, Damage, ExpectedWeight, Strictness, WeightState};

const LOCK: &str = include_str!("format/weights.lock");
const INDEX: &str = include_str!("format/weights.index.hex");
const RECEIPTS: &str = include_str!("format/receipts.json");

fn index() -> Vec<u8> {
    let digits: String = INDEX.split_whitespace().collect();
    let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).expect("hex");
    (0..digits.len()).step_by(2).map(byte).collect()
}

/// The two weights.
fn lay(dir: &Path) {
    let large: Vec<u8> = (0..(2_usize << 20) + 5).map(|at| (at * 7 % 251) as u8).collect();
    fs::write(dir.join("a.bin"), large).expect("write");
    fs::write(dir.join("b.bin"), "two").expect("write");
}

fn found(dir: &Path, lock: &Lock, index: &Index) -> Vec<WeightState> {
    let disk = LinuxDisk::open(dir).expect("open");
    let mut wanted: Vec<_> = lock.weights.iter().map(ExpectedWeight::by_pin).collect();
    wanted.iter_mut().for_each(|wanted| wanted.tree = index.tree(&wanted.weight.sha256));
    let threads = || std::num::NonZeroUsize::MIN;
    store::verify(&disk, &wanted, Strictness::Volume, threads).into_iter().map(|examined| examined.found).collect()
}

#[test]
fn an_index_of_0_1_is_written_today_with_the_same_bytes_and_finds_the_same_chunk() {
    let dir = tempfile::tempdir().expect("tempdir");
    lay(dir.path());
    let lock = Lock::parse(LOCK).expect("lock");
    let believed = Index::from_bytes(&index()).expect("index");
    let mut made = Index::default();
    for weight in &lock.weights {
        let disk = LinuxDisk::open(dir.path()).expect("open");
        made.add(weight.sha256, store::tree_of(&disk, &ExpectedWeight::by_pin(weight)).expect("tree"));
    }
    assert!(made.to_bytes() == index(), "the index has other bytes");
    assert_eq!(found(dir.path(), &lock, &believed), [WeightState::Right, WeightState::Right]);
    let mut bytes = fs::read(dir.path().join("a.bin")).expect("read");
    bytes[1_500_000] ^= 1;
    fs::write(dir.path().join("a.bin"), bytes).expect("spoil");
    let spoiled = found(dir.path(), &lock, &believed);
    assert!(matches!(&spoiled[0], WeightState::Damaged(Damage::Bytes { bad, .. }) if bad == &[1]), "{spoiled:?}");
}

#[test]
fn an_index_of_0_1_with_any_other_byte_is_refused_whole() {
    let whole = index();
    let mut accepted: Vec<String> = Vec::new();
    for at in 0..whole.len() {
        let mut other = whole.clone();
        other[at] ^= 1;
        accepted.extend(Index::from_bytes(&other).is_ok().then(|| format!("byte {at}")));
        accepted.extend(Index::from_bytes(&whole[..at]).is_ok().then(|| format!("cut at {at}")));
    }
    accepted.extend(Index::from_bytes(&[&whole[..], b"x"].concat()).is_ok().then(|| "one byte more".to_owned()));
    assert!(accepted.is_empty(), "{accepted:?}");
}

#[test]
fn a_lock_file_of_0_1_means_what_it_meant() {
    let lock = Lock::parse(LOCK).expect("lock");
    let a = &lock.weights[0];
    assert_eq!((lock.weights.len(), lock.dirs.len(), lock.groups.len(), lock.serial), (2, 0, 0, None));
    assert_eq!(lock.pointed(Path::new("/r")), [("MODELS".to_owned(), Path::new("/r").to_owned())]);
    assert_eq!((a.size, a.previous.len(), a.sources.len(), a.pin_env_required), (Some(2_097_157), 1, 3, true));
    assert_eq!((lock.weights[1].need, lock.weights[1].size), (Need::DegradedOk, None));
    let faults = lock.check_pins(|name| (name == "PINS_REQUIRED").then(|| "yes".into())).expect_err("a pin is missing");
    assert_eq!(faults.len(), 1);
    let refused = [
        ("another version", LOCK.replace("version = 1", "version = 2"), "expected version 1"),
        ("a key of another program", LOCK.replace("[pins]", "[pins]\nsigned = true"), "unknown field"),
        ("a climbing path", LOCK.replace("\"b.bin\"", "\"../b.bin\""), "plain names"),
    ];
    for (name, text, why) in refused {
        let error = Lock::parse(&text).expect_err(name).to_string();
        assert!(error.contains(why), "{name}: {error}");
    }
}

#[test]
fn receipts_of_0_1_are_read_and_those_of_another_version_count_for_nothing() {
    let receipts: Receipts = serde_json::from_str(RECEIPTS).expect("receipts");
    let pin = ballast::digest::Digest::from_bytes([7; 32]);
    assert!(receipts.current() && receipts.of(&pin).is_some());
    let other: Receipts = serde_json::from_str(&RECEIPTS.replace("0.2.0", "0.0.9")).expect("receipts");
    assert!(!other.current() && other.of(&pin).is_none());
}
