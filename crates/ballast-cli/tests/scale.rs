//! Tests more weights than a process may have open files, and less room than a second copy needs.
#![expect(clippy::unwrap_used, reason = "a test's helpers may fail where they stand")]

#[path = "support/mod.rs"]
mod support;

use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Command, Output};

use support::{TREE, World, is_root, program, stderr};

const FILES: usize = 300;

/// Runs the program with few descriptors, by `ulimit -n`.
fn limited(world: &World, files: u32, args: &str) -> Output {
    let script = format!("ulimit -n {files} && exec \"$0\" {args}");
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &script]).arg(program()).env("BALLAST_LOCK", world.lock());
    command.env("HF_HOME", "").output().unwrap()
}

/// Creates a world with many small weights in the layer.
fn many() -> World {
    let world = World::new(&[]);
    let mut lock = fs::read_to_string(world.lock()).unwrap();
    let source = world.path("source");
    for at in 0..FILES {
        let bytes = format!("weight {at}\n");
        let (name, pin) = (format!("f{at}.bin"), support::pin_of(bytes.as_bytes()));
        fs::write(source.join(&name), bytes).unwrap();
        lock += &format!("[[weight]]\npath = \"{TREE}/{name}\"\nsha256 = \"{pin}\"\n");
    }
    fs::write(world.lock(), lock).unwrap();
    let baked = world.ballast(&["bake", "--from", source.to_str().unwrap(), world.baked().to_str().unwrap()]);
    assert!(baked.status.success(), "{}", stderr(&baked));
    world
}

#[test]
fn many_files_are_healed_and_verified_with_few_descriptors() {
    let mut wrong = Vec::new();
    for (files, linked) in [(48, false), (128, false), (1024, false), (128, true)] {
        let world = many();
        if linked {
            // Each name is a hard link, so the cache copies every weight from its own file.
            let dir = world.cache().join(TREE);
            fs::create_dir_all(&dir).unwrap();
            for at in 0..FILES {
                fs::copy(world.path("source").join(format!("f{at}.bin")), world.path(&format!("other{at}"))).unwrap();
                fs::hard_link(world.path(&format!("other{at}")), dir.join(format!("f{at}.bin"))).unwrap();
            }
        }
        let heal = limited(&world, files, "heal");
        let verified = limited(&world, files, &format!("verify {}", world.cache().display()));
        let there = fs::read_dir(world.cache().join(TREE)).map_or(0, |names| {
            names.filter(|name| !name.as_ref().unwrap().file_name().to_string_lossy().starts_with('.')).count()
        });
        if !heal.status.success() || !verified.status.success() || there != FILES {
            let said = stderr(&heal) + &stderr(&verified);
            wrong.push(format!("{files} descriptors, linked {linked}: {there} of {FILES}\n{said:.600}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_damaged_file_is_replaced_where_there_is_no_room_for_two() {
    if !is_root("a_damaged_file_is_replaced_where_there_is_no_room_for_two") {
        return;
    }
    // The file under the name of a weight of 2 MiB in a volume of 3 MiB, and the exit code of one boot.
    let rows = [
        ("one byte is wrong", "printf x | dd of=$w bs=1 seek=9 conv=notrunc 2>/dev/null", 0),
        ("a former file of that size", "head -c 2097229 /dev/zero > $w", 0),
        ("cut", "truncate -s 2000000 $w", 0),
        (
            "one byte is wrong and so is the layer",
            "printf x | dd of=$w bs=1 seek=9 conv=notrunc 2>/dev/null; \
            printf y | dd of=$l bs=1 seek=1500000 conv=notrunc 2>/dev/null",
            14,
        ),
    ];
    let mut wrong = Vec::new();
    for (name, damage, expected) in rows {
        let world =
            World::new(&[support::Weight { name: "large.bin", need: "required", size: (2 << 20) + 77, baked: true }]);
        let (cache, layer) = (world.cache(), world.baked());
        let script = format!(
            "mount -t tmpfs -o size=3m tmpfs {0} && mkdir -p {0}/{TREE} && w={0}/{TREE}/large.bin && \
             l={1}/{TREE}/large.bin && cp $l $w && {{ {damage}; }} && chown -R 100:101 {0} && exec \"$0\" heal",
            cache.display(),
            layer.display()
        );
        let mut command = Command::new("unshare");
        command.args(["-m", "--propagation", "private", "sh", "-c", &script]).arg(program());
        let healed = command.env("BALLAST_LOCK", world.lock()).output().unwrap();
        if healed.status.code() != Some(expected) {
            wrong.push(format!("{name}: expected {expected}, found {:?}\n{}", healed.status.code(), stderr(&healed)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_boot_on_a_hugging_face_cache_leaves_each_link() {
    let world = World::new(&support::PAIR);
    let (blobs, snapshot) = (world.cache().join("blobs"), world.cache().join(TREE));
    fs::create_dir_all(&blobs).unwrap();
    fs::create_dir_all(&snapshot).unwrap();
    for weight in &support::PAIR {
        fs::write(blobs.join(weight.name), support::bytes_of(weight)).unwrap();
        symlink(format!("../../blobs/{}", weight.name), snapshot.join(weight.name)).unwrap();
    }
    // No other source has the bytes.
    fs::remove_dir_all(world.baked()).unwrap();
    for args in
        [&["heal"][..], &["verify", world.cache().to_str().unwrap()], &["run", "--seal", "off", "--", "/bin/true"]]
    {
        let done = world.ballast(args);
        assert!(done.status.success(), "{args:?}: {}", stderr(&done));
        for weight in &support::PAIR {
            assert!(
                fs::symlink_metadata(snapshot.join(weight.name)).unwrap().is_symlink(),
                "{args:?}: {}",
                weight.name
            );
        }
    }
}
