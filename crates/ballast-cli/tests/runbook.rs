//! Runs the clean-up commands of `docs/operations.md` on a volume with old files. They find what no entry
//! names and remove it, and the next start is right.
#![cfg(feature = "full")]
#![expect(clippy::unwrap_used, reason = "a test's helpers may fail where they stand")]

mod support;

use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Command, Output};

use support::{PAIR, TREE, World, stdout};

const RUNBOOK: &str = include_str!("../../../docs/operations.md");

/// Returns the shell blocks in order: used space, quarantined copies, remains of a kill.
fn blocks() -> Vec<&'static str> {
    let blocks: Vec<_> = RUNBOOK.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert_eq!(blocks.len(), 3, "{blocks:#?}");
    blocks
}

fn shell(world: &World, block: &str) -> Output {
    let mut command = Command::new("bash");
    command.args(["-euo", "pipefail", "-c", block]).env("V", world.cache()).env("LOCK", world.lock());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{block}\n{output:?}");
    output
}

/// Creates a volume with both weights right, and old files.
fn old() -> World {
    let world = World::new(&PAIR);
    let healed = world.run(&[]);
    assert!(healed.status.success(), "{healed:?}");
    let tree = world.cache().join(TREE);
    fs::write(tree.join("of an old pin.bin"), "old").unwrap();
    fs::write(tree.join(".ballast-aside.large.bin"), "bad").unwrap();
    fs::create_dir_all(tree.join(".ballast-aside.small.bin.1/below")).unwrap();
    fs::write(tree.join(".ballast-aside.small.bin.1/below/file"), "bad").unwrap();
    fs::write(tree.join(".ballast-staged.0123"), "half").unwrap();
    symlink(world.path("outside"), tree.join(".ballast-aside.link")).unwrap();
    fs::create_dir(world.path("outside")).unwrap();
    fs::write(world.path("outside/kept"), "kept").unwrap();
    world
}

#[test]
fn the_space_is_found_file_by_file_and_no_pinned_weight_is_listed() {
    let world = old();
    let reported = stdout(&shell(&world, blocks()[0]));
    let mut listed: Vec<_> = reported.lines().skip(1).collect();
    listed.sort_unstable();
    let at = |name: &str, size: usize| format!("{size} {TREE}/{name}");
    let expected = [
        at(".ballast-aside.large.bin", 3),
        at(".ballast-aside.small.bin.1/below/file", 3),
        at("of an old pin.bin", 3),
        at(".ballast-staged.0123", 4),
    ];
    assert_eq!(listed, expected, "{reported}");
}

#[test]
fn copies_aside_and_what_a_kill_left_are_removed_and_nothing_else() {
    let world = old();
    shell(&world, blocks()[1]);
    shell(&world, blocks()[2]);
    let mut left: Vec<_> = fs::read_dir(world.cache().join(TREE))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, ["large.bin", "of an old pin.bin", "small.bin"]);
    assert_eq!(fs::read_to_string(world.path("outside/kept")).unwrap(), "kept", "a link was followed");
    let again = world.run(&[]);
    assert!(again.status.success() && world.all_right(&world.cache(), &PAIR), "{again:?}");
}

#[test]
fn a_removed_volume_is_healed() {
    let world = old();
    fs::remove_dir_all(world.cache()).unwrap();
    fs::create_dir(world.cache()).unwrap();
    let again = world.run(&[]);
    assert!(again.status.success() && world.all_right(&world.cache(), &PAIR), "{again:?}");
}
