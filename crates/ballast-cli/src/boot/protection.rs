//! Decides how well a verified weight is protected from its app: a pure function of owners and modes.

use std::fmt;

use serde::Serialize;

use crate::boot::plan::Ids;
use ballast::disk::Stat;

/// The protections, from the strongest to the weakest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protection {
    /// The app can write neither the file nor any ancestor; or the file lies in an image's layer.
    ImageLayer,
    /// Root's file in root's sticky directories.
    Sticky,
    /// Sealed for this process tree only.
    Landlock,
    /// The app could change it after the check.
    Owned,
}

impl fmt::Display for Protection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ImageLayer => "image-layer",
            Self::Sticky => "sticky",
            Self::Landlock => "landlock (this process tree only)",
            Self::Owned => "owned",
        })
    }
}

/// Returns whether the app may write this inode, or may give itself that right.
pub fn writable(stat: &Stat, app: Ids, groups: &[u32]) -> bool {
    let group = stat.gid == app.gid || groups.contains(&stat.gid);
    stat.uid == app.uid || stat.mode & 0o002 != 0 || (group && stat.mode & 0o020 != 0)
}

/// Judges a file and its directories, from the one that holds it up to `/`, by owners and modes.
///
/// A read-only mount does not count: the app may write to the same files through another mount.
pub fn judge(file: &Stat, ancestors: &[Stat], app: Ids, groups: &[u32]) -> Protection {
    if app.uid == 0 || writable(file, app, groups) {
        return Protection::Owned;
    }
    if ancestors.iter().all(|dir| !writable(dir, app, groups)) {
        return Protection::ImageLayer;
    }
    // In root's sticky directory the app can create entries, and remove only its own.
    let kept = |dir: &Stat| dir.uid == 0 && (dir.mode & 0o1000 != 0 || !writable(dir, app, groups));
    if ancestors.iter().all(kept) { Protection::Sticky } else { Protection::Owned }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ballast::disk::Kind;

    fn inode(uid: u32, gid: u32, mode: u32) -> Stat {
        Stat { kind: Kind::File, size: 1, uid, gid, mode, links: 1, id: (0, 0), mtime_ns: 0, ctime_ns: 0 }
    }

    #[test]
    fn protection_is_the_loosest_link_of_the_chain() {
        let app = Ids { uid: 100, gid: 101 };
        let root = inode(0, 0, 0o755);
        let rows = [
            ("root's file, root's tree", inode(0, 0, 0o444), vec![root, root], Protection::ImageLayer),
            ("app's file", inode(100, 101, 0o444), vec![root], Protection::Owned),
            (
                "root's file in app's directory",
                inode(0, 0, 0o444),
                vec![inode(100, 101, 0o755), root],
                Protection::Owned,
            ),
            (
                "root's tree below app's directory",
                inode(0, 0, 0o444),
                vec![root, inode(100, 101, 0o755), root],
                Protection::Owned,
            ),
            (
                "sticky all the way",
                inode(0, 0, 0o444),
                vec![inode(0, 101, 0o1775), inode(0, 0, 0o1777)],
                Protection::Sticky,
            ),
            (
                "sticky leaf only",
                inode(0, 0, 0o444),
                vec![inode(0, 101, 0o1775), inode(0, 101, 0o775)],
                Protection::Owned,
            ),
            ("app's own sticky directory", inode(0, 0, 0o444), vec![inode(100, 101, 0o1775)], Protection::Owned),
            ("file writable by everybody", inode(0, 0, 0o666), vec![root], Protection::Owned),
            ("file writable by the app's other group", inode(0, 50, 0o664), vec![root], Protection::Owned),
        ];
        let wrong: Vec<_> = rows
            .iter()
            .map(|(name, file, up, expected)| (name, expected, judge(file, up, app, &[50])))
            .filter(|(_, expected, found)| *expected != found)
            .collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    #[test]
    fn a_root_app_can_change_anything() {
        let app = Ids { uid: 0, gid: 0 };
        assert_eq!(judge(&inode(0, 0, 0o444), &[inode(0, 0, 0o755)], app, &[]), Protection::Owned);
    }
}
