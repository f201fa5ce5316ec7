//! Tests that what other processes do to other files changes no answer about a store.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use ballast::disk::{Disk, LinuxDisk};

/// The number of times that a link is followed: without another attempt, about one in a hundred fails during renames.
const TURNS: usize = 20_000;

#[test]
fn a_link_of_a_hub_cache_is_followed_while_other_processes_rename_other_files() {
    let (store, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::create_dir_all(store.path().join("snapshots/1")).unwrap();
    fs::create_dir(store.path().join("blobs")).unwrap();
    fs::write(store.path().join("blobs/pin"), "right").unwrap();
    symlink("../../blobs/pin", store.path().join("snapshots/1/model.bin")).unwrap();
    let disk = LinuxDisk::open(store.path()).unwrap();
    let (here, there, done) = (other.path().join("here"), other.path().join("there"), AtomicBool::new(false));
    fs::write(&here, "").unwrap();
    let faults: Vec<_> = thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                fs::rename(&here, &there).and_then(|()| fs::rename(&there, &here)).unwrap();
            }
        });
        let faults = (0..TURNS).filter_map(|_| disk.follow("snapshots/1/model.bin", false).err()).collect();
        done.store(true, Ordering::Relaxed);
        faults
    });
    assert!(faults.is_empty(), "{} of {TURNS} failed, the first: {}", faults.len(), faults[0]);
}
