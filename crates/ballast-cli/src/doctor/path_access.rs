//! Checks whether the app could write to a path. If this process runs as the app, the kernel decides;
//! otherwise owner and mode decide. Only reads.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::boot::plan::Ids;
use rustix::fs::{Access, AtFlags, CWD};

use crate::errno::named;
use crate::facts;

/// The user whose access is checked, and whether the kernel can decide.
pub struct PathAccess {
    /// The app's user and group.
    pub app: Ids,
    /// The app's supplementary groups.
    pub groups: Vec<u32>,
    /// Whether this process already runs as the app, so that the kernel can decide.
    pub ask: bool,
}

impl PathAccess {
    /// Checks whether the app could create files in this directory, or create the directory.
    ///
    /// # Errors
    /// The reason, with the name of the errno.
    pub fn can_write(&self, path: &Path) -> Result<(), String> {
        let (at, meta) = nearest(path).map_err(|error| named(&error))?;
        if !meta.is_dir() {
            return Err(format!("{} is no directory (ENOTDIR)", at.display()));
        }
        if facts::read_only(at) {
            return Err(format!("{} is on a read-only mount (EROFS)", at.display()));
        }
        if self.ask {
            let access = Access::WRITE_OK | Access::EXEC_OK;
            let answer = rustix::fs::accessat(CWD, at, access, AtFlags::EACCESS);
            answer.map_err(|errno| format!("{}: {}", at.display(), named(&errno.into())))?;
        } else if !self.by_mode(meta.uid(), meta.gid(), meta.mode()) {
            let (uid, owner, group, mode) = (self.app.uid, meta.uid(), meta.gid(), meta.mode() & 0o7777);
            return Err(format!(
                "{} is {owner}:{group} {mode:04o}, which uid {uid} can't write (EACCES)",
                at.display()
            ));
        }
        match rustix::fs::statvfs(at) {
            Ok(facts) if facts.f_blocks > 0 && facts.f_bavail == 0 => Err(format!("{} is full (ENOSPC)", at.display())),
            _ => Ok(()),
        }
    }

    fn by_mode(&self, uid: u32, gid: u32, mode: u32) -> bool {
        let shift = if uid == self.app.uid {
            6
        } else if gid == self.app.gid || self.groups.contains(&gid) {
            3
        } else {
            0
        };
        self.app.uid == 0 || mode >> shift & 0o3 == 0o3
    }
}

/// Returns the path, or the nearest ancestor that exists.
fn nearest(path: &Path) -> io::Result<(&Path, fs::Metadata)> {
    for at in path.ancestors() {
        match fs::metadata(at) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            found => return Ok((at, found?)),
        }
    }
    Err(io::ErrorKind::NotFound.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mode_bits_are_read_as_the_kernel_reads_them() {
        let access = PathAccess { app: Ids { uid: 100, gid: 101 }, groups: vec![101, 50], ask: false };
        let rows = [
            ("own", 100, 101, 0o755, true),
            ("own, locked", 100, 101, 0o577, false),
            ("group", 0, 101, 0o775, true),
            ("other group", 0, 50, 0o775, true),
            ("group, not for it", 0, 101, 0o757, false),
            ("everybody", 0, 0, 0o1777, true),
            ("everybody may write, not enter", 0, 0, 0o776, false),
            ("root's", 0, 0, 0o755, false),
        ];
        let wrong: Vec<_> =
            rows.iter().filter(|(_, uid, gid, mode, may)| access.by_mode(*uid, *gid, *mode) != *may).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }
}
