//! The file in which Kubernetes reads why a container ended: the failure of a boot, or the result of `heal`.
//!
//! Promise: only an existing regular file with one name is written, through no symlink, and at most 4096 bytes. Root
//! writes only below directories that only root can change: a boot can fail before the app's user is known. `run`
//! writes nothing if the command starts, since the file is then the command's. Touches this one file.

use std::fs::File;
use std::io::{self, Error, ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use ballast::disk::Stat;
use ballast::foreign;
use rustix::fs::{Mode, OFlags, openat};

use crate::exit::Failure;
use crate::{escape, facts, print, walk};

/// Where Kubernetes reads by default.
const DEFAULT: &str = "/dev/termination-log";
/// The bytes of it that Kubernetes reads.
const MOST: usize = 4096;

/// Writes a failure of a boot.
pub fn failed(named: Option<&Path>, failure: Failure) -> Failure {
    note(named, &print::words(&failure));
    failure
}

/// Writes to the named file, otherwise to Kubernetes' own if it exists.
pub fn note(named: Option<&Path>, text: &str) {
    let path = named.unwrap_or(Path::new(DEFAULT));
    match write(path, text) {
        Err(error) if named.is_some() || error.kind() != ErrorKind::NotFound => {
            print::remark(&format!("{} was not written: {error}", path.display()));
        }
        _ => {}
    }
}

/// Writes a text whole into such a file.
///
/// # Errors
/// A text of more than 4096 bytes; then, and for a file that may not be written, it is as before.
#[cfg(feature = "full")]
pub fn replace(path: &Path, text: &str) -> io::Result<()> {
    if text.len() > MOST {
        let what = format!("expected at most {MOST} bytes, which Kubernetes reads of it, found {}", text.len());
        return Err(Error::new(ErrorKind::FileTooLarge, what));
    }
    write(path, text)
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut file = open(path)?;
    let text = escape::lines(text);
    file.set_len(0)?;
    file.write_all(&text.as_bytes()[..text.floor_char_boundary(MOST)])
}

fn open(path: &Path) -> io::Result<File> {
    let path = std::path::absolute(path)?;
    let (parent, name) = path.parent().zip(path.file_name()).ok_or(ErrorKind::InvalidInput)?;
    let dir = walk::walk(parent).map_err(|fault| match fault.symlink {
        true => Error::other(fault.words("opening")),
        false => fault.errno.into(),
    })?;
    if facts::ids().uid == 0 && !dir.components.iter().all(|part| is_roots(&part.stat)) {
        return Err(Error::new(
            ErrorKind::PermissionDenied,
            "root writes only below directories that only root can change",
        ));
    }
    foreign::must_be_regular_at(&dir.dir, name)?;
    let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = File::from(openat(&dir.dir, name, flags, Mode::empty())?);
    foreign::must_be_regular(&file)?;
    match file.metadata()?.nlink() {
        1 => Ok(file),
        names => {
            Err(Error::new(ErrorKind::InvalidInput, format!("expected a file with one name, found {names} names")))
        }
    }
}

/// Returns whether only root can rename files in this directory.
fn is_roots(dir: &Stat) -> bool {
    dir.uid == 0 && (dir.mode & 0o022 == 0 || dir.mode & 0o1000 != 0)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn only_an_existing_regular_file_with_one_name_is_written() {
        let dir = testkit::ground::folder("termination");
        let at = |name: &str| dir.path().join(name);
        for name in ["plain", "target", "twice"] {
            fs::write(at(name), "as before, and longer than the text").unwrap();
        }
        for (name, mode) in [("dir", 0o755), ("open", 0o777)] {
            fs::create_dir(at(name)).unwrap();
            fs::set_permissions(at(name), fs::Permissions::from_mode(mode)).unwrap();
            fs::write(at(name).join("file"), "as before").unwrap();
        }
        symlink(at("target"), at("link")).unwrap();
        symlink(at("dir"), at("way")).unwrap();
        fs::hard_link(at("twice"), at("second")).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, at("fifo"), Mode::from_raw_mode(0o600)).unwrap();
        let rows = [
            ("plain", "written"),
            ("absent", "No such file"),
            ("link", "found a symlink"),
            ("way/file", "a symlink, which is not followed"),
            ("second", "found 2 names"),
            ("fifo", "found a FIFO"),
            ("dir", "found a directory"),
            ("open/file", if facts::ids().uid == 0 { "only root can change" } else { "written" }),
        ];
        let said = |name: &str| write(&at(name), "text").map_or_else(|error| error.to_string(), |()| "written".into());
        let rows = rows.map(|(name, expected)| (name, said(name), expected));
        let wrong: Vec<_> = rows.iter().filter(|(_, said, expected)| !said.contains(expected)).collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
        let kept = ["target", "twice", "dir/file"].map(|name| fs::read_to_string(at(name)).unwrap());
        assert!(kept.iter().all(|text| text.starts_with("as before")) && !at("absent").exists(), "{kept:?}");
        assert_eq!(fs::read_to_string(at("plain")).unwrap(), "text");
        #[cfg(feature = "full")]
        assert!(replace(&at("plain"), &"x".repeat(4097)).is_err() && replace(&at("absent"), "x").is_err());
        assert_eq!(fs::read_to_string(at("plain")).unwrap(), "text");
    }

    #[test]
    fn a_long_text_ends_within_the_bound_and_at_a_whole_character() {
        let dir = testkit::ground::folder("termination");
        let path = dir.path().join("log");
        fs::write(&path, "").unwrap();
        write(&path, &format!("x{}", "é".repeat(MOST))).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap().len(), MOST - 1);
    }
}
