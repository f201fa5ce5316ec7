//! Facts about this process and its file systems, read once and only read.

use std::fs;
use std::io::Read as _;
use std::num::NonZeroUsize;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::boot::plan::{Caps, Fs, Ids, Volume, VolumeFacts, Who};
use ballast::disk::{Kind, Stat};
use rustix::fs::{AtFlags, CWD, StatFs, StatVfsMountFlags, StatxAttributes, StatxFlags};

use crate::launch;

const TMPFS: u64 = 0x0102_1994;
const RAMFS: u64 = 0x8584_58f6;
const OVERLAY: u64 = 0x794c_7630;

/// Who this process is now.
pub fn who() -> Who {
    let effective = launch::capabilities();
    Who {
        ids: ids(),
        groups: rustix::process::getgroups()
            .unwrap_or_default()
            .into_iter()
            .map(rustix::process::Gid::as_raw)
            .collect(),
        caps: Caps {
            chown: effective.has(launch::CapSets::CHOWN),
            dac_override: effective.has(launch::CapSets::DAC_OVERRIDE),
            fowner: effective.has(launch::CapSets::FOWNER),
            setuid: effective.has(launch::CapSets::SETUID),
            setgid: effective.has(launch::CapSets::SETGID),
        },
        no_new_privs: launch::no_new_privs(),
    }
}

/// The link's target for the user namespace that has every id: the kernel's `USER_NS_INIT_INO`.
const FIRST_NAMESPACE: &str = "user:[4026531837]";

/// Returns whether this user namespace has these ids. If the map can't be read, the kernel decides later.
pub fn mapped(ids: Ids) -> bool {
    if fs::read_link("/proc/self/ns/user").is_ok_and(|link| link.as_os_str() == FIRST_NAMESPACE) {
        return true;
    }
    let has = |map: &str, id: u32| {
        let Ok(text) = text(map) else { return true };
        text.lines().any(|line| {
            let numbers: Vec<u64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
            matches!(numbers[..], [first, _, count] if (first..first + count).contains(&u64::from(id)))
        })
    };
    has("/proc/self/uid_map", ids.uid) && has("/proc/self/gid_map", ids.gid)
}

/// The effective user and group.
pub fn ids() -> Ids {
    Ids { uid: rustix::process::geteuid().as_raw(), gid: rustix::process::getegid().as_raw() }
}

/// Facts of a cache's root.
pub fn volume(root: &Path) -> Volume {
    match fs::symlink_metadata(root) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Volume::Absent { fs: nearest(root).map_or(Fs::Durable, |dir| file_system(&dir)) }
        }
        Err(error) => Volume::Unusable { errno: error.raw_os_error().unwrap_or(0) },
        Ok(meta) if !meta.is_dir() => Volume::Unusable { errno: rustix::io::Errno::NOTDIR.raw_os_error() },
        Ok(meta) => Volume::Present(volume_facts(root, &meta)),
    }
}

fn volume_facts(root: &Path, meta: &fs::Metadata) -> VolumeFacts {
    let mounted = rustix::fs::statfs(root).ok();
    VolumeFacts {
        owner: Ids { uid: meta.uid(), gid: meta.gid() },
        mode: meta.mode() & 0o7777,
        fs: mounted.as_ref().map_or(Fs::Durable, kind),
        read_only: mounted.as_ref().is_some_and(is_read_only),
        mount_point: mount_point(root),
        free: mounted.map(|facts| facts.f_bavail.saturating_mul(facts.f_frsize.cast_unsigned())),
    }
}

fn nearest(path: &Path) -> Option<PathBuf> {
    path.ancestors().skip(1).find(|dir| dir.is_dir()).map(Path::to_owned)
}

fn file_system(path: &Path) -> Fs {
    rustix::fs::statfs(path).map_or(Fs::Durable, |facts| kind(&facts))
}

fn kind(facts: &StatFs) -> Fs {
    match facts.f_type.cast_unsigned() {
        TMPFS | RAMFS => Fs::Memory,
        OVERLAY => Fs::Overlay,
        _ => Fs::Durable,
    }
}

fn is_read_only(facts: &StatFs) -> bool {
    StatVfsMountFlags::from_bits_retain(facts.f_flags.cast_unsigned()).contains(StatVfsMountFlags::RDONLY)
}

/// Returns whether the path lies on a read-only mount.
pub fn read_only(path: &Path) -> bool {
    rustix::fs::statfs(path).is_ok_and(|facts| is_read_only(&facts))
}

fn mount_point(path: &Path) -> bool {
    let flags = AtFlags::SYMLINK_NOFOLLOW;
    let Ok(facts) = rustix::fs::statx(CWD, path, flags, StatxFlags::BASIC_STATS) else {
        return false;
    };
    let bit = StatxAttributes::MOUNT_ROOT;
    if facts.stx_attributes_mask.contains(bit) {
        return facts.stx_attributes.contains(bit);
    }
    // Before Linux 5.8 only a different device shows a mount; a bind mount of the same device is missed.
    let device = |path: &Path| fs::symlink_metadata(path).map(|meta| meta.dev()).ok();
    path.parent().is_some_and(|parent| device(parent) != device(path))
}

/// Reads a small file of the kernel, of unknown length, at once.
pub fn text(path: impl AsRef<Path>) -> std::io::Result<String> {
    let mut text = String::with_capacity(4096);
    fs::File::open(path)?.take(1 << 20).read_to_string(&mut text)?;
    Ok(text)
}

/// The memory limit of this container's control group, version 2 or 1.
pub fn memory_limit() -> Option<u64> {
    ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
        .iter()
        .find_map(|file| text(file).ok()?.trim().parse::<u64>().ok())
        .filter(|limit| *limit < 1 << 60)
}

/// The peak memory of this process, in KiB.
pub fn peak_kib() -> Option<u64> {
    let status = text("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

/// Facts of a path itself, for deciding its protection.
pub fn stat(path: &Path) -> Option<Stat> {
    fs::symlink_metadata(path).ok().as_ref().map(stat_of)
}

/// Facts of a path's target, to compare with the verified file.
pub fn stat_followed(path: &Path) -> Option<Stat> {
    fs::metadata(path).ok().as_ref().map(stat_of)
}

fn stat_of(meta: &fs::Metadata) -> Stat {
    let kind = match meta.file_type() {
        kind if kind.is_file() => Kind::File,
        kind if kind.is_dir() => Kind::Directory,
        kind if kind.is_symlink() => Kind::Symlink,
        _ => Kind::Special,
    };
    Stat {
        kind,
        size: meta.size(),
        uid: meta.uid(),
        gid: meta.gid(),
        mode: meta.mode() & 0o7777,
        links: meta.nlink(),
        id: (meta.dev(), meta.ino()),
        mtime_ns: meta.mtime().saturating_mul(1_000_000_000).saturating_add(meta.mtime_nsec()),
        ctime_ns: meta.ctime().saturating_mul(1_000_000_000).saturating_add(meta.ctime_nsec()),
    }
}

/// Facts of a path for judging who could change it. If an access list names more users, the mode's
/// group bits limit their rights: then these bits count for every user. If the group bits have no
/// write bit, no entry of the access list allows a write.
pub fn reach(path: &Path) -> Option<Stat> {
    let stat = stat(path)?;
    if stat.mode & 0o020 == 0 {
        return Some(stat);
    }
    // Any list is longer than this buffer: only its presence matters.
    let listed = rustix::fs::lgetxattr(path, "system.posix_acl_access", &mut [0u8; 4][..]);
    let listed = matches!(listed, Ok(_) | Err(rustix::io::Errno::RANGE));
    Some(if listed { Stat { mode: stat.mode | (stat.mode & 0o070) >> 3, ..stat } } else { stat })
}

/// Cores that this container may use, at most eight. Read once, because it takes several files.
pub fn threads() -> NonZeroUsize {
    static THREADS: OnceLock<NonZeroUsize> = OnceLock::new();
    const MOST: NonZeroUsize = NonZeroUsize::new(8).expect("not zero");
    *THREADS.get_or_init(|| std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN).min(MOST))
}
