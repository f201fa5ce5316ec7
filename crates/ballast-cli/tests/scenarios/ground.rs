//! The ground of one scenario: a volume, and a place outside of it that only root may touch.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use tempfile::TempDir;

use crate::image::{Image, TREE, WEIGHTS};

/// A volume and what lies beside it.
pub struct Ground {
    dir: TempDir,
    mounted: AtomicBool,
}

impl Ground {
    /// An empty volume of root's, and root's own file outside of it.
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

    /// Seen as `/outside` in a container.
    pub fn outside(&self) -> PathBuf {
        self.path("outside")
    }

    /// Root's own file.
    pub fn secret(&self) -> PathBuf {
        self.outside().join("secret")
    }

    /// The place of a weight in the volume.
    pub fn weight(&self, name: &str) -> PathBuf {
        self.volume().join(TREE).join(name)
    }

    /// Sets the owner of the volume's root.
    pub fn own(&self, uid: u32, gid: u32, bits: u32) {
        chown(self.volume(), Some(uid), Some(gid)).unwrap();
        mode(&self.volume(), bits);
    }

    /// The directories of the weights, the app's, as an earlier boot left them.
    pub fn directories(&self) {
        fs::create_dir_all(self.volume().join(TREE)).unwrap();
        for dir in ["", ".deepface", TREE] {
            chown(self.volume().join(dir), Some(100), Some(101)).unwrap();
        }
    }

    /// A volume as an earlier boot left it: all weights right, the app's.
    pub fn fill(&self, image: &Image) {
        self.directories();
        for (name, _) in WEIGHTS {
            fs::copy(image.baked(name), self.weight(name)).unwrap();
            self.set_owner(name, 0o644);
        }
    }

    /// The mode of a weight, and the app as its owner.
    pub fn set_owner(&self, name: &str, bits: u32) {
        chown(self.weight(name), Some(100), Some(101)).unwrap();
        mode(&self.weight(name), bits);
    }

    /// Puts a file system in memory under the volume.
    pub fn mount_memory(&self, options: &str) {
        self.mount(&["-t", "tmpfs", "-o", options, "tmpfs"]);
    }

    /// Makes what `mount_memory` mounted another size.
    pub fn remount_memory(&self, options: &str) {
        must(Command::new("mount").arg("-o").arg(format!("remount,{options}")).arg(self.volume()));
    }

    /// Puts an ext4 of so many bytes under the volume, through a loop device.
    pub fn mount_disk(&self, bytes: u64) {
        let disk = self.disk();
        fs::File::create(&disk).unwrap().set_len(bytes).unwrap();
        must(Command::new("mkfs.ext4").args(["-q", "-F", "-m", "0"]).arg(&disk));
        self.mount(&["-o", "loop", disk.to_str().unwrap()]);
    }

    /// Makes the ext4 larger, as between two starts of a container.
    pub fn enlarge_disk(&self, bytes: u64) {
        must(Command::new("sync").arg("-f").arg(self.volume()));
        let disk = self.take_disk();
        fs::OpenOptions::new().write(true).open(&disk).unwrap().set_len(bytes).unwrap();
        let check = Command::new("e2fsck").args(["-f", "-p"]).arg(&disk).output().unwrap();
        assert!(check.status.code() <= Some(1), "e2fsck: {check:?}");
        must(Command::new("resize2fs").arg(&disk));
        self.mount(&["-o", "loop", disk.to_str().unwrap()]);
    }

    /// Unmounts the ext4 and mounts what its disk holds.
    pub fn mount_disk_again(&self) {
        let disk = self.take_disk();
        self.mount(&["-o", "loop", disk.to_str().unwrap()]);
    }

    /// The disk as it is, as another file: a mount namespace that a test beside this one made may
    /// hold the old file system open yet.
    fn take_disk(&self) -> PathBuf {
        self.unmount();
        let taken = self.path("taken.img");
        fs::copy(self.disk(), &taken).unwrap();
        taken
    }

    /// The file behind `mount_disk`.
    fn disk(&self) -> PathBuf {
        self.path("disk.img")
    }

    /// Takes the file system away again.
    pub fn unmount(&self) {
        if self.mounted.swap(false, Relaxed) {
            must(Command::new("umount").arg(self.volume()));
        }
    }

    fn mount(&self, args: &[&str]) {
        must(Command::new("mount").args(args).arg(self.volume()));
        self.mounted.store(true, Relaxed);
    }

    /// Everything outside the volume, as lines that change when anything does.
    pub fn outside_state(&self) -> Vec<String> {
        state(&self.outside(), |_| String::new())
    }

    /// Everything in the volume, likewise.
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

/// One line per entry: kind and mode, owner, time, length, and the content where it is short.
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
