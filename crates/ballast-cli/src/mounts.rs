//! Finds the mount of a path, and whether its content is an image's layer that no process can write.
//!
//! A read-only mount is not enough: other processes may write the same files through another mount.
//! Only two cases do: the mount is `/` itself, or its file system can't be written. Reads
//! `/proc/self`, changes nothing.

use std::os::fd::AsRawFd;
use std::path::Path;

use rustix::fs::{self, CWD, Mode, OFlags};

use crate::facts;

/// The mount that a path itself lies on, by the kernel's number.
pub fn id(path: &Path) -> Option<u64> {
    let opened = fs::openat(CWD, path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()).ok()?;
    id_of(&facts::text(format!("/proc/self/fdinfo/{}", opened.as_raw_fd())).ok()?)
}

/// Returns whether no other mount can write the content of this read-only mount.
pub fn is_layer(id: u64) -> bool {
    self::id(Path::new("/")) == Some(id)
        || facts::text("/proc/self/mountinfo").is_ok_and(|table| unwritable(&table, id))
}

fn id_of(fdinfo: &str) -> Option<u64> {
    fdinfo.lines().find_map(|line| line.strip_prefix("mnt_id:"))?.trim().parse().ok()
}

/// Returns whether the mount table has a row of this number whose file system has no writable side:
/// erofs, squashfs, or overlay without an upper directory. A row that can't be read, or that is
/// incomplete, counts as absent: the deciding option may be missing.
pub fn unwritable(table: &str, id: u64) -> bool {
    let mut rows = table.split_inclusive('\n').filter_map(|row| row.strip_suffix('\n'));
    let row = rows.find(|row| row.split(' ').next().and_then(|word| word.parse().ok()) == Some(id));
    let Some((_, file_system)) = row.and_then(|row| row.split_once(" - ")) else { return false };
    // The kernel escapes spaces, so it writes no row with more words.
    match file_system.split(' ').collect::<Vec<_>>()[..] {
        ["erofs" | "squashfs", _, _] => true,
        ["overlay", _, options] => !options.split(',').any(|option| option.starts_with("upperdir")),
        _ => false,
    }
}

/// Whether exactly one place below which a mount begins ends with these names.
pub fn is_alone(names: &Path) -> bool {
    facts::text("/proc/self/mountinfo").is_ok_and(|table| one_ends_with(&table, names))
}

/// A table that was cut, and names that the kernel escapes in it, count as several.
fn one_ends_with(table: &str, names: &Path) -> bool {
    let plain = names.to_str().filter(|names| !names.contains([' ', '\t', '\n', '\\', '#']));
    let places =
        table.lines().filter_map(|row| row.split(' ').nth(4)).filter(|place| Path::new(place).ends_with(names));
    let mut places: Vec<_> = places.collect();
    places.sort_unstable();
    places.dedup();
    plain.is_some() && table.ends_with('\n') && places.len() == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_a_layer_only_by_its_file_system() {
        let rows = [
            ("erofs", "41 1 7:1 / /opt/baked ro,relatime - erofs /dev/loop1 ro,user_xattr", true),
            ("squashfs", "41 1 7:1 / /opt/baked ro,relatime shared:3 - squashfs /dev/loop1 ro", true),
            ("overlay, image volume", "41 1 0:50 / /opt/baked ro - overlay overlay ro,lowerdir=/a:/b", true),
            (
                "overlay with an upper side",
                "41 1 0:50 / /opt/b ro - overlay o rw,lowerdir=/a,upperdir=/u,workdir=/w",
                false,
            ),
            ("overlay, more words", "41 1 0:50 / /opt/b ro - overlay o rw,ay o rw,lowerdir=/a,upperdir=/u", false),
            ("overlay, odd options", "41 1 0:50 / /opt/b ro - overlay o", false),
            ("a bind mount of ext4", "41 1 8:1 /var/lib/x /opt/baked ro,relatime - ext4 /dev/sda1 rw", false),
            ("tmpfs", "41 1 0:60 / /opt/baked ro,relatime - tmpfs tmpfs rw,size=64k", false),
            ("FUSE", "41 1 0:60 / /opt/baked ro - fuse.fuse-overlayfs fuse-overlayfs ro,lowerdir=/a", false),
            ("a name that looks like a separator", "41 1 8:1 / /a\\040-\\040erofs ro - ext4 /dev/sda1 rw", false),
            ("another mount", "4 1 7:1 / /opt/baked ro - erofs /dev/loop1 ro", false),
            ("a longer number", "410 1 7:1 / /opt/baked ro - erofs /dev/loop1 ro", false),
            ("no separator", "41 1 7:1 / /opt/baked ro erofs /dev/loop1 ro", false),
            ("nothing", "", false),
        ];
        let differs = |row: &str, layer: bool| unwritable(&format!("{row}\n"), 41) != layer || unwritable(row, 41);
        let wrong: Vec<_> = rows.iter().filter(|(_, row, layer)| differs(row, *layer)).collect();
        assert!(wrong.is_empty(), "wrong, or taken for a layer without the row's end: {wrong:?}");
    }

    #[test]
    fn a_mount_is_alone_only_if_no_other_place_ends_with_its_names() {
        let table = |places: &[&str]| {
            places.iter().map(|place| format!("1 0 8:1 / {place} rw - ext4 d rw\n")).collect::<String>()
        };
        let rows = [
            ("one", table(&["/data/hf/models"]), "models", true),
            ("one, mounted over", table(&["/data/hf/models", "/data/hf/models"]), "models", true),
            ("another name", table(&["/data/hf/models", "/data/pg/mymodels"]), "models", true),
            ("two", table(&["/data/hf/models", "/data/pg/models"]), "models", false),
            ("two of one name", table(&["/data/hf/models", "/models"]), "models", false),
            ("several names", table(&["/data/hf/a/models", "/data/pg/b/models"]), "a/models", true),
            ("a name that is escaped", table(&["/data/my\\040models"]), "my models", false),
            ("none", table(&["/data"]), "models", false),
            ("cut", "1 0 8:1 / /data/models rw".into(), "models", false),
        ];
        let wrong: Vec<_> =
            rows.iter().filter(|(_, table, names, alone)| one_ends_with(table, Path::new(names)) != *alone).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    #[test]
    fn the_mount_of_a_path_is_in_the_table() {
        let id = id(Path::new("/proc/self/mountinfo")).unwrap();
        let table = facts::text("/proc/self/mountinfo").unwrap();
        assert!(
            table.lines().any(|row| row.starts_with(&format!("{id} ")) && row.contains(" - proc ")),
            "{id}\n{table}"
        );
        assert_eq!(id_of("pos:\t0\nflags:\t012\nmnt_id:\t27\n"), Some(27));
        assert_eq!(id_of("pos:\t0\n"), None);
    }
}
