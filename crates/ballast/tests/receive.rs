//! Receives on a real file system: which bytes get a name, which stay in a part, and who may
//! continue the part.
#![expect(clippy::unwrap_used, reason = "a test's helpers may fail where they stand")]

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;

use ballast::digest::Digest;
use ballast::disk::{LinuxDisk, Staging};
use ballast::lock::RelPath;
use ballast::receive::{PART_PREFIX, ReceiveFault, Receiver};
use ballast::store::{Damage, WeightState};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

struct World {
    dir: TempDir,
    path: RelPath,
    bytes: Vec<u8>,
    pin: Digest,
}

impl World {
    fn new() -> Self {
        let bytes: Vec<u8> = (0..(9 << 20) + 11).map(|at: u32| (at * 31 % 251 + at / 65_536) as u8).collect();
        let pin = Digest::from_bytes(Sha256::digest(&bytes).into());
        let path = RelPath::try_from("models/w.bin".to_owned()).unwrap();
        Self { dir: TempDir::new().unwrap(), path, bytes, pin }
    }

    fn disk(&self) -> LinuxDisk {
        LinuxDisk::open(self.dir.path()).unwrap()
    }

    fn receiver<'a>(&'a self, disk: &'a LinuxDisk) -> Receiver<'a, LinuxDisk> {
        Receiver::open(disk, &self.path, Some(self.pin), Some(self.bytes.len() as u64), &[]).unwrap()
    }

    fn target(&self) -> PathBuf {
        self.dir.path().join("models/w.bin")
    }

    fn part(&self) -> PathBuf {
        self.dir.path().join(format!("models/{PART_PREFIX}{}", self.pin))
    }

    fn plant(&self, bytes: &[u8]) {
        fs::create_dir_all(self.part().parent().unwrap()).unwrap();
        fs::write(self.part(), bytes).unwrap();
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.dir.path().join("models")).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    /// Receives the missing bytes and publishes.
    fn finish(&self, mut receiver: Receiver<LinuxDisk>) {
        let from = usize::try_from(receiver.len()).unwrap();
        for piece in self.bytes[from..].chunks(100_000) {
            receiver.write(piece).unwrap();
        }
        receiver.publish(self.pin, &WeightState::Missing).unwrap();
        assert!(fs::read(self.target()).unwrap() == self.bytes, "other bytes");
        assert_eq!(fs::metadata(self.target()).unwrap().permissions().mode() & 0o7777, 0o644);
        assert_eq!(self.names(), ["w.bin"], "something was left beside the weight");
    }
}

#[test]
fn a_bad_copy_that_cannot_be_kept_stops_no_publication() {
    let world = World::new();
    let names = (0..10).map(|turn| if turn == 0 { String::new() } else { format!(".{turn}") });
    for more in names {
        fs::create_dir_all(world.dir.path().join(format!("models/.ballast-aside.w.bin{more}/full"))).unwrap();
    }
    fs::write(world.target(), b"wrong").unwrap();
    let disk = world.disk();
    let mut receiver = world.receiver(&disk);
    receiver.write(&world.bytes).unwrap();
    receiver.publish(world.pin, &WeightState::Damaged(Damage::Bytes { bad: Vec::new(), found: None })).unwrap();
    assert!(fs::read(world.target()).unwrap() == world.bytes, "other bytes");
}

#[test]
fn a_part_outlives_its_process_and_is_gone_on_from() {
    let world = World::new();
    let disk = world.disk();
    let mut first = world.receiver(&disk);
    first.write(&world.bytes[..5_000_000]).unwrap();
    drop(first);
    assert_eq!(fs::metadata(world.part()).unwrap().len(), 5_000_000);
    let second = world.receiver(&disk);
    assert_eq!(second.len(), 5_000_000);
    world.finish(second);
}

#[test]
fn what_was_received_is_handed_out_again_whole_and_changes_nothing() {
    let world = World::new();
    let disk = world.disk();
    let again = |receiver: &Receiver<LinuxDisk>| {
        let mut bytes = Vec::new();
        receiver.again(|piece| bytes.extend_from_slice(piece)).unwrap();
        bytes
    };
    let mut first = world.receiver(&disk);
    assert!(again(&first).is_empty());
    first.write(&world.bytes[..5_000_000]).unwrap();
    assert!(again(&first) == world.bytes[..5_000_000]);
    drop(first);
    let second = world.receiver(&disk);
    assert!(again(&second) == world.bytes[..5_000_000]);
    // A file that ends early is a fault.
    let file = fs::File::options().write(true).open(world.part()).unwrap();
    file.set_len(4_000_000).unwrap();
    assert!(second.again(|_| {}).is_err());
    fs::write(world.part(), &world.bytes[..5_000_000]).unwrap();
    world.finish(second);
}

#[test]
fn a_part_with_other_bytes_gets_no_name_and_another_start_does() {
    let world = World::new();
    world.plant(&vec![7; 4096]);
    let disk = world.disk();
    let mut receiver = world.receiver(&disk);
    assert_eq!(receiver.len(), 4096);
    receiver.write(&world.bytes[4096..]).unwrap();
    assert_ne!(receiver.digest(), world.pin);
    let refused = receiver.publish(world.pin, &WeightState::Missing);
    assert!(matches!(refused, Err(ReceiveFault::Bytes(found)) if found != world.pin), "{refused:?}");
    assert!(!world.target().exists());
    let mut again = world.receiver(&disk);
    again.restart().unwrap();
    world.finish(again);
}

#[test]
fn whatever_lies_under_the_name_of_a_part_is_not_written_to() {
    let world = World::new();
    let outside = world.dir.path().join("outside");
    let plants: [(&str, &dyn Fn()); 6] = [
        ("symlink", &|| symlink(&outside, world.part()).unwrap()),
        ("hard link", &|| fs::hard_link(&outside, world.part()).unwrap()),
        ("writable by all", &|| {
            world.plant(b"x");
            fs::set_permissions(world.part(), fs::Permissions::from_mode(0o666)).unwrap();
        }),
        ("fifo", &|| {
            rustix::fs::mknodat(rustix::fs::CWD, world.part(), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        }),
        // Made as a node: the path of a socket that is bound may have 107 bytes at most.
        ("socket", &|| {
            rustix::fs::mknodat(rustix::fs::CWD, world.part(), rustix::fs::FileType::Socket, 0o600.into(), 0).unwrap();
        }),
        ("too long", &|| world.plant(&vec![0; world.bytes.len() + 1])),
    ];
    let mut wrong = Vec::new();
    for (name, plant) in plants {
        fs::create_dir_all(world.dir.path().join("models")).unwrap();
        fs::write(&outside, b"untouched").unwrap();
        plant();
        // Kept open, so that its number is not given to a new inode.
        let planted = rustix::fs::open(world.part(), rustix::fs::OFlags::PATH | rustix::fs::OFlags::NOFOLLOW, 0.into());
        let planted = rustix::fs::fstat(planted.as_ref().unwrap()).unwrap().st_ino;
        let disk = world.disk();
        let receiver = world.receiver(&disk);
        let fresh = fs::symlink_metadata(world.part()).unwrap().ino() != planted || matches!(name, "fifo" | "too long");
        let plain = fs::symlink_metadata(world.part()).unwrap().is_file();
        if !receiver.is_empty() || !fresh || !plain {
            wrong.push(format!("{name}: {} bytes, fresh {fresh}, plain {plain}", receiver.len()));
        }
        world.finish(receiver);
        if fs::read(&outside).unwrap() != b"untouched" {
            wrong.push(format!("{name}: written through"));
        }
        fs::remove_dir_all(world.dir.path().join("models")).unwrap();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_part_that_another_fetch_holds_is_left_to_it_and_both_finish() {
    let world = World::new();
    let (one, two) = (world.disk(), world.disk());
    let mut first = world.receiver(&one);
    first.write(&world.bytes[..1_000_000]).unwrap();
    let mut second = world.receiver(&two);
    assert!(second.is_empty());
    second.write(&world.bytes).unwrap();
    second.publish(world.pin, &WeightState::Missing).unwrap();
    assert!(fs::read(world.target()).unwrap() == world.bytes, "other bytes");
    world.finish(first);
}

#[test]
fn a_part_that_was_published_is_no_part_any_more() {
    let world = World::new();
    let (one, two) = (world.disk(), world.disk());
    world.finish(world.receiver(&one));
    let published = File::open(world.target()).unwrap().metadata().unwrap().ino();
    let mut second = world.receiver(&two);
    assert_ne!(fs::metadata(world.part()).unwrap().ino(), published);
    second.write(b"other").unwrap();
    assert!(fs::read(world.target()).unwrap() == world.bytes, "other bytes");
}

#[test]
fn what_was_there_is_set_aside_or_replaced_and_a_first_trust_takes_any_digest() {
    let world = World::new();
    let disk = world.disk().with_staging(Staging::Named);
    fs::create_dir(world.dir.path().join("models")).unwrap();
    fs::write(world.target(), b"wrong").unwrap();
    let mut receiver = Receiver::open(&disk, &world.path, None, None, &[]).unwrap();
    receiver.write(b"never").unwrap();
    receiver.restart().unwrap();
    receiver.write(&world.bytes).unwrap();
    let digest = receiver.digest();
    receiver.publish(digest, &WeightState::Damaged(Damage::Bytes { bad: vec![], found: None })).unwrap();
    assert!(fs::read(world.target()).unwrap() == world.bytes, "other bytes");
    assert_eq!(fs::read(world.dir.path().join("models/.ballast-aside.w.bin")).unwrap(), b"wrong");
    assert_eq!(world.names().len(), 2, "{:?}", world.names());
}
