//! Clean ground: folders whose ancestors all belong to root and are closed to other users, wherever
//! the clone lies.
//!
//! Tests that start programs as uid 100, or that judge the directories above a file, must not
//! depend on where the repository was cloned: below `/tmp` (sticky), below `/root` (closed), or
//! below a path with a space. As root each thread enters a mount namespace of its own and sees
//! `TARGET/tmp/ground` at `/mnt`; the processes that it starts see the same. All threads share the
//! folder's content, and nothing outside the target folder changes. Without root it is an ordinary
//! folder below the target folder, or below `/tmp` if that path contains a space, since shells,
//! lists of mirrors and Python environments split there. `./test` removes it.

use std::cell::OnceCell;
use std::ffi::CStr;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_bind, mount_change};
use rustix::thread::UnshareFlags;
use tempfile::TempDir;

use crate::paths;

/// The mount point of the ground in the namespaces of root's threads. Every Debian has this directory, empty.
const PLACE: &str = "/mnt";
const NO_TYPE: &CStr = c"";

thread_local! {
    static ENTERED: OnceCell<Option<PathBuf>> = const { OnceCell::new() };
}

/// A new folder on clean ground, mode 0755, removed when dropped.
///
/// # Panics
/// If the target folder is not writable.
#[must_use]
pub fn folder(name: &str) -> TempDir {
    let dir = tempfile::Builder::new().prefix(&format!("{name}.")).tempdir_in(place()).expect("the ground is writable");
    fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).expect("our own folder");
    dir
}

/// A folder of this name on clean ground that outlives the test: for what suites build once.
///
/// # Panics
/// If the target folder is not writable.
#[must_use]
pub fn lasting(name: &str) -> PathBuf {
    let dir = place().join(name);
    fs::create_dir_all(&dir).expect("the ground is writable");
    dir
}

/// A path at which uid 100 may execute a program: the file itself, mounted on clean ground.
///
/// # Panics
/// If the mount is refused.
#[must_use]
pub fn program(path: &Path) -> PathBuf {
    let Some(ground) = entered() else { return path.to_owned() };
    let real = fs::canonicalize(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let dir = ground.join("programs").join(real.to_string_lossy().replace(|c: char| !c.is_ascii_alphanumeric(), "_"));
    let shown = dir.join(real.file_name().expect("a program has a name"));
    if !is_same_file(&real, &shown) {
        fs::create_dir_all(&dir).expect("the ground is writable");
        fs::OpenOptions::new().create(true).append(true).open(&shown).expect("the ground is writable");
        mount_bind(&real, &shown).unwrap_or_else(|error| panic!("bind {}: {error}", shown.display()));
    }
    shown
}

/// Returns whether the ground is clean: this thread is root's and has its own mount namespace.
#[must_use]
pub fn is_clean() -> bool {
    entered().is_some()
}

fn is_same_file(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let inode = |path| fs::metadata(path).map(|meta: fs::Metadata| (meta.dev(), meta.ino())).ok();
    inode(one) == inode(other)
}

/// The ground as this thread sees it.
fn place() -> PathBuf {
    entered().unwrap_or_else(|| {
        let ground = ground();
        if !ground.to_string_lossy().contains(char::is_whitespace) {
            return ground;
        }
        let plain = PathBuf::from(format!("/tmp/ballast-tests-{}", rustix::process::geteuid().as_raw()));
        fs::create_dir_all(&plain).expect("/tmp is writable");
        plain
    })
}

/// The folder behind it.
fn ground() -> PathBuf {
    let ground = paths::scratch().join("ground");
    fs::create_dir_all(&ground).expect("the target folder is writable");
    let _ = fs::set_permissions(&ground, Permissions::from_mode(0o755));
    ground
}

/// Enters the namespace at a thread's first call.
fn entered() -> Option<PathBuf> {
    ENTERED.with(|known| known.get_or_init(enter).clone())
}

fn enter() -> Option<PathBuf> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let ground = ground();
    // SAFETY: a mount namespace and the directory state of this thread alone; no descriptor table is unshared.
    #[expect(unsafe_code, reason = "rustix marks unshare unsafe because of FILES, which is not among these flags")]
    unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNS | UnshareFlags::FS) }.ok()?;
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).ok()?;
    // The ground keeps only what tests need: an outer `noexec` or `nosuid` of the target's file system stays as it is.
    mount(&ground, PLACE, NO_TYPE, MountFlags::BIND, None).ok()?;
    Some(PathBuf::from(PLACE))
}
