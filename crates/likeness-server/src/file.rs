//! The one way to read a file that a person or a setting names: a regular file, opened without waiting, of a bounded
//! length. A FIFO without a writer would stop the program, a device would never end. Reads, changes nothing.

use std::fs::{File, OpenOptions};
use std::io::{self, Error, ErrorKind, Read as _};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;

/// Opens a regular file to read.
///
/// # Errors
/// Those of opening; `InvalidInput` for anything but a regular file.
pub fn open(path: &Path) -> io::Result<File> {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or(0);
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let kind = file.metadata()?.file_type();
    let found = match () {
        () if kind.is_file() => return Ok(file),
        () if kind.is_dir() => "a directory",
        () if kind.is_fifo() => "a FIFO",
        () => "a device or a socket",
    };
    Err(Error::new(ErrorKind::InvalidInput, format!("expected a regular file, found {found}")))
}

/// Reads a regular file of at most this many bytes.
///
/// # Errors
/// Those of [`open`] and of reading; `FileTooLarge` beyond the bound.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    let found = file.metadata()?.len();
    let mut bytes = Vec::new();
    if found <= most {
        file.take(most + 1).read_to_end(&mut bytes)?;
    }
    match u64::try_from(bytes.len()).unwrap_or(u64::MAX).max(found) {
        length if length <= most => Ok(bytes),
        length => Err(Error::new(ErrorKind::FileTooLarge, format!("expected at most {most} bytes, found {length}"))),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_is_no_regular_file_or_too_long_is_refused_without_waiting() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::write(at("right"), [7; 100]).unwrap();
        fs::write(at("long"), [7; 101]).unwrap();
        File::create(at("sparse")).unwrap().set_len(1 << 40).unwrap();
        fs::create_dir(at("folder")).unwrap();
        for (name, kind) in [("fifo", rustix::fs::FileType::Fifo), ("socket", rustix::fs::FileType::Socket)] {
            rustix::fs::mknodat(rustix::fs::CWD, at(name), kind, 0o600.into(), 0).unwrap();
        }
        std::os::unix::fs::symlink("fifo", at("link-to-fifo")).unwrap();
        std::os::unix::fs::symlink("right", at("link")).unwrap();
        let mut wrong = Vec::new();
        for (name, expected) in [
            ("right", "100"),
            ("link", "100"),
            ("long", "at most 100 bytes, found 101"),
            ("sparse", "at most 100 bytes, found 1099511627776"),
            ("folder", "found a directory"),
            ("fifo", "found a FIFO"),
            ("link-to-fifo", "found a FIFO"),
            ("socket", "No such device or address"),
            ("absent", "No such file"),
        ] {
            let found = read(&at(name), 100).map_or_else(|error| error.to_string(), |bytes| bytes.len().to_string());
            if !found.contains(expected) {
                wrong.push(format!("{name}: expected {expected:?}, found {found:?}"));
            }
        }
        let device = read(Path::new("/dev/zero"), 100).unwrap_err().to_string();
        assert!(wrong.is_empty() && device.contains("a device"), "{}\n{device}", wrong.join("\n"));
    }
}
