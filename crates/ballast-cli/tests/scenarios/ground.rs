//! The files of one scenario: a volume, and a directory outside that only root may change.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use tempfile::TempDir;

use crate::image::{Image, TREE, WEIGHTS};

/// A volume and the files outside.
pub struct Ground {
    dir: TempDir,
    mounted: AtomicBool,
}

impl Ground {
    /// Creates an empty volume of root's, and a file of root's outside.
    pub fn new() -> Self {
        let dir = testkit::ground::folder("ground");
        let ground = Self { dir, mounted: AtomicBool::new(false) };
        fs::create_dir(ground.volume()).unwrap();
        fs::create_dir(ground.outside()).unwrap();
        fs::write(ground.secret(), "root's own").unwrap();
        mode(&ground.secret(), 0o600);
        mode(&ground.outside(), 0o700);
        ground
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn volume(&self) -> PathBuf {
        self.path("volume")
    }

    /// Returns the directory that a container sees as `/outside`.
    pub fn outside(&self) -> PathBuf {
        self.path("outside")
    }

    /// Returns the file of root's.
    pub fn secret(&self) -> PathBuf {
        self.outside().join("secret")
    }

    /// Returns the path of a weight in the volume.
    pub fn weight(&self, name: &str) -> PathBuf {
        self.volume().join(TREE).join(name)
    }

    /// Sets the owner of the volume's root.
    pub fn own(&self, uid: u32, gid: u32, bits: u32) {
        chown(self.volume(), Some(uid), Some(gid)).unwrap();
        mode(&self.volume(), bits);
    }

    /// Creates the directories of the weights, owned by the app, as after an earlier boot.
    pub fn directories(&self) {
        fs::create_dir_all(self.volume().join(TREE)).unwrap();
        for dir in ["", ".deepface", TREE] {
            chown(self.volume().join(dir), Some(100), Some(101)).unwrap();
        }
    }

    /// Fills the volume as after an earlier boot: all weights right and owned by the app.
    pub fn fill(&self, image: &Image) {
        self.directories();
        for (name, _) in WEIGHTS {
            fs::copy(image.baked(name), self.weight(name)).unwrap();
            self.set_owner(name, 0o644);
        }
    }

    /// Sets the mode of a weight, and makes the app its owner.
    pub fn set_owner(&self, name: &str, bits: u32) {
        chown(self.weight(name), Some(100), Some(101)).unwrap();
        mode(&self.weight(name), bits);
    }

    /// Mounts a tmpfs at the volume.
    pub fn mount_memory(&self, options: &str) {
        self.mount(&["-t", "tmpfs", "-o", options, "tmpfs"]);
    }

    /// Changes the size of the tmpfs.
    pub fn remount_memory(&self, options: &str) {
        must(Command::new("mount").arg("-o").arg(format!("remount,{options}")).arg(self.volume()));
    }

    /// Mounts an ext4 of this size at the volume, through a loop device.
    pub fn mount_disk(&self, bytes: u64) {
        let disk = self.disk();
        fs::File::create(&disk).unwrap().set_len(bytes).unwrap();
        must(Command::new("mkfs.ext4").args(["-q", "-F", "-m", "0"]).arg(&disk));
        self.mount(&["-o", "loop", disk.to_str().unwrap()]);
    }

    /// Enlarges the ext4, as between two starts of a container.
    pub fn enlarge_disk(&self, bytes: u64) {
        must(Command::new("sync").arg("-f").arg(self.volume()));
        let disk = self.take_disk();
        fs::OpenOptions::new().write(true).open(&disk).unwrap().set_len(bytes).unwrap();
        let check = Command::new("e2fsck").args(["-f", "-p"]).arg(&disk).output().unwrap();
        assert!(check.status.code() <= Some(1), "e2fsck: {check:?}");
        must(Command::new("resize2fs").arg(&disk));
        self.mount(&["-o", "loop", disk.to_str().unwrap()]);
    }

    /// Unmounts the ext4 and mounts its disk again.
    pub fn mount_disk_again(&self) {
        let disk = self.take_disk();
        self.mount(&["-o", "loop", disk.to_str().unwrap()]);
    }

    /// Copies the disk to another file, because another test's mount namespace may still use the old file
    /// system.
    fn take_disk(&self) -> PathBuf {
        self.unmount();
        let taken = self.path("taken.img");
        fs::copy(self.disk(), &taken).unwrap();
        taken
    }

    /// Returns the file of the ext4's disk.
    fn disk(&self) -> PathBuf {
        self.path("disk.img")
    }

    /// Unmounts the file system.
    pub fn unmount(&self) {
        if self.mounted.swap(false, Relaxed) {
            must(Command::new("umount").arg(self.volume()));
        }
    }

    fn mount(&self, args: &[&str]) {
        must(Command::new("mount").args(args).arg(self.volume()));
        self.mounted.store(true, Relaxed);
    }

    /// Describes everything outside the volume in lines that change if any file changes.
    pub fn outside_state(&self) -> Vec<String> {
        state(&self.outside(), |_| String::new())
    }

    /// Describes everything in the volume in the same way.
    pub fn volume_state(&self) -> Vec<String> {
        state(&self.volume(), |meta| format!("{} {}.{}", meta.ino(), meta.ctime(), meta.ctime_nsec()))
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        if self.mounted.load(Relaxed) {
            let _ = Command::new("umount").arg("--lazy").arg(self.volume()).status();
        }
    }
}

/// Runs a command that must not fail.
pub fn must(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

pub fn mode(path: &Path, bits: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(bits)).unwrap();
}

/// Returns one line for each entry: kind and mode, owner, time, length, and short contents.
fn state(path: &Path, inode: fn(&fs::Metadata) -> String) -> Vec<String> {
    let meta = fs::symlink_metadata(path).unwrap();
    let text = if meta.is_file() && meta.len() < 4096 { fs::read(path).unwrap() } else { vec![] };
    let (text, time) = (String::from_utf8_lossy(&text), (meta.mtime(), meta.mtime_nsec()));
    let owner = format!("{}:{}", meta.uid(), meta.gid());
    let place = path.display();
    let mut lines = vec![format!("{place} {:o} {owner} {time:?} {} {} {text}", meta.mode(), meta.len(), inode(&meta))];
    if meta.is_dir() {
        let mut below: Vec<_> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
        below.sort();
        lines.extend(below.iter().flat_map(|path| state(path, inode)));
    }
    lines
}
