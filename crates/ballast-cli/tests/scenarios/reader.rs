//! Tests a real reader: Python with h5py and onnxruntime opens the replaced service's files as uid 100, under `ballast
//! run`, on a read-only root, without a network. The reader never gets a file with a flipped bit.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::need;

use crate::ground::Ground;
use crate::image::{self, WEIGHTS};
use crate::seen::Seen;
use crate::support::is_root;
use crate::table::{Line, compare_or_write};

const READER: &str = include_str!("reader.py");
/// A script that mounts the cache, the baked layer, the program and the reader over this machine's root.
const ENTER: &str = r#"
root=$1 image=$2 venv=$3 volume=$4
shift 4
mount --bind / "$root"
mount -t tmpfs -o mode=755 tmpfs "$root/opt"
mkdir "$root/opt/baked-models" "$root/opt/image" "$root/opt/reader"
mount --bind "$image/opt/baked-models" "$root/opt/baked-models"
mount --bind "$image" "$root/opt/image"
mount --bind "$venv" "$root/opt/reader"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mkdir "$root/tmp/.deepface"
mount --bind "$volume" "$root/tmp/.deepface"
mount --rbind /proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -o remount,bind,ro "$root"
exec chroot "$root" "$@"
"#;
/// What both libraries find in the real files: the arrays and values of h5py, the outputs of onnxruntime.
const READ: &str = "root: Read-only file system\nuid 100:101, 490 arrays of 23497424 values, 4 outputs";
const FLIPS: u64 = 40;

/// The folder of a Python environment that contains the reader's script. `None` if the test does not run as root, or
/// Python is missing.
fn possible(test: &str) -> Option<PathBuf> {
    if !is_root(test) {
        return None;
    }
    let venv = need::python(test, &["h5py==3.16.0", "onnxruntime==1.32.0"])?;
    fs::write(venv.join("reader.py"), READER).unwrap();
    Some(venv)
}

const BALLAST: &[&str] = &["/opt/image/usr/local/bin/ballast", "run", "--lock", "/opt/image/etc/ballast/weights.lock"];
const WITHOUT_A_SOURCE: &[&str] = &["--baked", "/opt/nothing"];
const PYTHON: &[&str] = &["/opt/reader/bin/python", "-B", "/opt/reader/reader.py"];
/// A command that only prints that it was started; a real reader takes a second.
const SAYS_SO: &[&str] = &["/bin/echo", "started"];

/// Boots on a read-only root.
fn boot(ground: &Ground, python: &Path, words: &[&[&str]]) -> Seen {
    let root = ground.path("root");
    fs::create_dir_all(&root).unwrap();
    let mut command = Command::new("unshare");
    command.args(["--mount", "--net", "--propagation", "private", "--", "/bin/sh", "-euc", ENTER, "enter"]);
    command.arg(root).arg(&image::whole().root).arg(python).arg(ground.volume()).args(words.concat());
    let path = "/opt/image/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    Seen::of_long(command.env_clear().env("PATH", path).env("DEEPFACE_HOME", "/tmp/.deepface"))
}

#[test]
fn a_real_reader_opens_what_was_healed() {
    let Some(python) = possible("a_real_reader_opens_what_was_healed") else { return };
    let ground = Ground::new();
    for turn in ["an empty volume", "a healthy volume"] {
        let seen = boot(&ground, &python, &[BALLAST, &["--"], PYTHON]);
        let right = seen.code == Some(0) && seen.out.trim() == format!("started\n{READ}");
        assert!(right && seen.err.contains("4 of 4 right in /tmp/.deepface"), "{turn}: {seen:?}");
    }
}

/// Returns the weight and the bit to flip in a turn, the same in every run.
fn flip(turn: u64) -> (&'static str, usize, u8) {
    let (name, size) = WEIGHTS[turn as usize % 4];
    let drawn = (turn + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (name, (drawn >> 8) as usize % size, 1 << (drawn % 8))
}

/// Prepares a right volume with one flipped bit.
fn plant(ground: &Ground, turn: u64) {
    let (name, at, bit) = flip(turn);
    let mut bytes = fs::read(image::whole().baked(name)).unwrap();
    bytes[at] ^= bit;
    fs::write(ground.weight(name), bytes).unwrap();
    ground.set_owner(name, 0o644);
}

/// How many of the flips reached the reader, for each entrypoint.
#[derive(Default)]
struct Tally {
    handed_on: usize,
    refused: usize,
    healed: usize,
}

#[test]
fn one_flipped_bit_is_refused_or_healed_and_never_read() {
    let Some(python) = possible("one_flipped_bit_is_refused_or_healed_and_never_read") else { return };
    let ground = Ground::new();
    ground.fill(image::whole());
    let (mut wrong, mut tally) = (Vec::new(), Tally::default());
    for turn in 0..FLIPS {
        let (name, at, bit) = flip(turn);
        let same = || fs::read(ground.weight(name)).ok() == fs::read(image::whole().baked(name)).ok();
        plant(&ground, turn);
        let shell = boot(&ground, &python, &[&["/opt/image/entrypoint.sh"], SAYS_SO]);
        tally.handed_on += usize::from(shell.out.starts_with("started") && !same());
        let without = boot(&ground, &python, &[BALLAST, WITHOUT_A_SOURCE, &["--"], PYTHON]);
        if without.code == Some(14) && without.out.is_empty() && without.err.contains(name) {
            tally.refused += 1;
        } else {
            wrong.push(format!("{name}, byte {at}, bit {bit:#x}, no source: {without:?}"));
        }
        plant(&ground, turn);
        // Python runs for one flip of each weight.
        let (app, said) = if turn < 4 { (PYTHON, format!("started\n{READ}\n")) } else { (SAYS_SO, "started\n".into()) };
        let with = boot(&ground, &python, &[BALLAST, &["--"], app]);
        if with.code == Some(0) && with.out == said && same() {
            tally.healed += 1;
        } else {
            wrong.push(format!("{name}, byte {at}, bit {bit:#x}, baked: {with:?}"));
        }
    }
    let Tally { handed_on, refused, healed } = tally;
    wrong.extend(compare_or_write(&[Line {
        row: "reader",
        name: "40 files with one bit flipped",
        tier: "plain",
        shell: (format!("{handed_on} handed to the app"), 0.0),
        ours: (format!("{refused} refused without a source, {healed} healed with the baked layer"), 0.0),
    }]));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
