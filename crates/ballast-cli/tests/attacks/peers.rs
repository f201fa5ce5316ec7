//! Attacks of a peer with the app's uid during a boot, and of the app after it: renames, old writers, a lock
//! that is never released.

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt, symlink};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::libc;

use crate::scene::{HUNG, Scene, everywhere};
use crate::support::{PAIR, TREE, bytes_of, is_root, stdout};

#[test]
fn attack_4_an_ancestor_is_swapped_for_a_symlink_during_the_boot() {
    everywhere("attack_4_during", |hold| {
        let mut wrong = Vec::new();
        for ancestor in ["", ".deepface", TREE] {
            let scene = Scene::new();
            scene.dirs();
            scene.give_all();
            let path = scene.world.cache().join(ancestor);
            let (away, link) = (scene.world.path("away"), scene.world.path("link"));
            symlink(scene.outside(if ancestor == TREE { "weights" } else { "" }), &link).unwrap();
            let stop = AtomicBool::new(false);
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        // Renames are atomic, so the path always exists.
                        let _ = fs::rename(&path, &away).and_then(|()| fs::rename(&link, &path));
                        let _ = fs::rename(&path, &link).and_then(|()| fs::rename(&away, &path));
                    }
                });
                for _ in 0..8 {
                    fs::remove_dir_all(scene.target()).ok();
                    let output = scene.boot(hold, &[]);
                    if output.status.code() == Some(HUNG) {
                        wrong.push(format!("{ancestor:?}: it hung"));
                    }
                    // If the attacker wins the race, the layer serves; a start with wrong bytes is a failure.
                    if !matches!(output.status.code(), Some(0 | 14)) {
                        wrong.push(format!("{ancestor:?}: {output:?}"));
                    }
                }
                stop.store(true, Ordering::Relaxed);
            });
            wrong.extend(scene.canary.changes().into_iter().map(|why| format!("{ancestor:?}: {why}")));
        }
        wrong
    });
}

#[test]
fn attack_4_and_7_each_ancestor_is_moved_aside_after_the_boot() {
    everywhere("attack_4_and_7_after", |hold| {
        let mut wrong = Vec::new();
        for ancestor in [".deepface", TREE, ".deepface/weights/large.bin"] {
            let scene = Scene::new();
            let move_aside =
                format!("mv $MODEL_HOME/{ancestor} $MODEL_HOME/moved 2>/dev/null && echo moved || echo kept");
            let output = scene.boot_by(&mut Command::new("timeout"), hold, &[], &move_aside);
            let expected = if hold == "sticky" { "kept" } else { "moved" };
            let protection = scene.world.reported()["weights"][0]["firmness"].clone();
            if stdout(&output) != expected || protection != hold {
                wrong.push(format!("{ancestor}: {} and reported as {protection}", stdout(&output)));
            }
            let again = scene.boot(hold, &[]);
            wrong.extend(scene.judge(&again).into_iter().map(|why| format!("{ancestor}, next boot: {why}")));
        }
        wrong
    });
}

#[test]
fn attack_7_and_8_and_11_a_writer_and_a_mapping_from_before_do_not_reach_a_kept_weight() {
    if !is_root("attack_8_and_11") {
        return;
    }
    let scene = Scene::new();
    let right = bytes_of(&PAIR[0]);
    fs::write(scene.dirs(), &right).unwrap();
    scene.give_all();
    let writer = File::options().read(true).write(true).open(scene.target()).unwrap();
    let mapping = Mapping::of(&writer, right.len());
    let output = scene.boot("sticky", &[]);
    assert_eq!(scene.judge(&output), Vec::<String>::new());
    writer.write_all_at(b"evil", 17).unwrap();
    mapping.store(99, 0xee);
    assert_eq!(fs::read(scene.target()).unwrap(), right, "an old descriptor reaches the kept weight");
    assert_eq!(fs::metadata(scene.target()).unwrap().uid(), 0);
}

/// A shared mapping of a file's first bytes. A store to it need not change the file's times.
struct Mapping(*mut libc::c_void, usize);

impl Mapping {
    #[expect(unsafe_code, reason = "the attack is a store through a mapping")]
    fn of(file: &File, len: usize) -> Self {
        // SAFETY: a new shared mapping of an open file; the result is checked.
        let at = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                len,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                file.as_raw_fd(),
                0,
            )
        };
        assert_ne!(at, libc::MAP_FAILED);
        Self(at, len)
    }

    #[expect(unsafe_code, reason = "the attack is a store through a mapping")]
    fn store(&self, at: usize, byte: u8) {
        assert!(at < self.1);
        // SAFETY: within the mapping, which lives as long as the process.
        unsafe { self.0.cast::<u8>().add(at).write_volatile(byte) };
    }
}

#[test]
fn attack_10_a_lock_that_is_never_released_delays_and_stops_nothing() {
    everywhere("attack_10", |hold| {
        let scene = Scene::new();
        let stranger = File::open(scene.world.cache()).unwrap();
        rustix::fs::flock(&stranger, rustix::fs::FlockOperation::LockExclusive).unwrap();
        let output = scene.boot(hold, &[]);
        scene.judge(&output)
    });
}
