//! What may lie under the name of a file that a program opens, and is no file: a FIFO, a device, a circle of links.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};

/// The kinds, for [`place`]. Only root can make a device.
pub const KINDS: &[&str] =
    &["fifo", "device", "link to a device", "link to a fifo", "socket", "directory", "sparse", "circle", "dangling"];

/// Puts this kind under a name, in place of what was there.
///
/// # Panics
/// If it can't be made, or the kind is unknown.
pub fn place(kind: &str, at: &Path) {
    let beside = at.with_extension("beside");
    remove(at);
    remove(&beside);
    let parent = at.parent().unwrap_or(at);
    fs::create_dir_all(parent).unwrap_or_else(|why| panic!("{}: {why}", parent.display()));
    let node = |at: &Path, kind, device| Ok(mknodat(CWD, at, kind, Mode::from_raw_mode(0o600), device)?);
    let zero = || makedev(1, 5);
    let made = match kind {
        "fifo" => node(at, FileType::Fifo, 0),
        "device" => node(at, FileType::CharacterDevice, zero()),
        "socket" => node(at, FileType::Socket, 0),
        "directory" => fs::create_dir(at),
        "sparse" => File::create(at).and_then(|file| {
            file.set_len(1 << 40)?;
            file.set_permissions(Permissions::from_mode(0o600))
        }),
        "link to a device" => symlink("/dev/zero", at),
        "circle" => symlink(at.file_name().unwrap_or_default(), at),
        "dangling" => symlink("nowhere", at),
        "link to a fifo" => {
            node(&beside, FileType::Fifo, 0).and_then(|()| symlink(beside.file_name().unwrap_or_default(), at))
        }
        _ => panic!("unknown kind {kind}"),
    };
    made.unwrap_or_else(|why| panic!("{kind} at {}: {why}", at.display()));
}

/// Removes what [`place`] put there.
pub fn remove(at: &Path) {
    let _ = fs::remove_file(at).or_else(|_| fs::remove_dir(at));
}
