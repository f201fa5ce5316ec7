//! A file inside an archive: a zip archive, a wheel, a tar archive, plain or under gzip.
//!
//! An archive is kept as long as its [`Archives`], so that its next member needs no second
//! download. The archive's bytes, its list of members and its unpacked size are limited. Members
//! are written only into the sink.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use ballast::lock::Source;
use flate2::read::MultiGzDecoder;
use zip::ZipArchive;
use zip::result::ZipError;

use super::fault::Fault;
use super::local;
use super::sink::Sink;
use crate::image::entries::{self, Metered};
use crate::print::ProgressLine;
use crate::{bounds, foreign};

/// The limits of the search for a member in a tar archive.
const WALK: entries::ArchiveLimits =
    entries::ArchiveLimits { entries: bounds::ARCHIVE_ENTRIES, headers: bounds::ARCHIVE_HEADERS };

/// The archives that were opened, by their sources.
#[derive(Default)]
pub struct Archives(Mutex<BTreeMap<String, File>>);

impl Archives {
    /// Takes a member, from the archive that was opened before, or that `open` opens now.
    ///
    /// # Errors
    /// The errors of `open`; the archive has no such member, or is invalid.
    pub fn take(
        &self,
        archive: &Source,
        member: &str,
        most: u64,
        sink: &mut Sink,
        open: impl FnOnce(&ProgressLine) -> Result<File, Fault>,
    ) -> Result<(), Fault> {
        // Only one download runs: a second member of the same archive waits for the first one's download.
        let mut opened = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = archive.to_string();
        if !opened.contains_key(&key) {
            opened.insert(key.clone(), unpacked(open(sink.line)?, most)?);
        }
        match opened.get(&key) {
            Some(file) => take(file, member, sink),
            None => Err(Fault::Unreadable("the archive".into())),
        }
    }
}

/// The archive itself, or its unpacked form; its content decides, not its name.
fn unpacked(mut file: File, most: u64) -> Result<File, Fault> {
    let mut head = [0; 2];
    let got = file.read(&mut head).map_err(|error| local::unreadable(&error))?;
    file.rewind().map_err(|error| local::unreadable(&error))?;
    if head[..got] != [0x1f, 0x8b] {
        return Ok(file);
    }
    let mut plain = tempfile::tempfile().map_err(|error| Fault::Store("make a temporary file", error))?;
    let copied = io::copy(&mut MultiGzDecoder::new(file).take(most.saturating_add(1)), &mut plain);
    match copied {
        Ok(bytes) if bytes > most => Err(Fault::TooLong { most }),
        Ok(_) => Ok(plain),
        Err(error) if error.kind() == io::ErrorKind::StorageFull => Err(Fault::DiskFull),
        Err(error) => Err(Fault::Unreadable(format!("the archive: {error}"))),
    }
}

/// Takes one member out of an archive of either kind.
///
/// # Errors
/// No such member; an archive that makes no sense, or is above its bounds.
pub fn take(archive: &File, member: &str, sink: &mut Sink) -> Result<(), Fault> {
    let mut file = archive.try_clone().map_err(|error| local::unreadable(&error))?;
    file.rewind().map_err(|error| local::unreadable(&error))?;
    let mut head = [0; 2];
    let got = file.read(&mut head).map_err(|error| local::unreadable(&error))?;
    file.rewind().map_err(|error| local::unreadable(&error))?;
    if head[..got] == *b"PK" { of_zip(file, member, sink) } else { of_tar(file, member, sink) }
}

fn of_zip(file: File, member: &str, sink: &mut Sink) -> Result<(), Fault> {
    let left = Cell::new(bounds::ZIP_DIRECTORY);
    let mut archive = ZipArchive::new(Metered { from: file, left: &left })
        .map_err(|error| Fault::Unreadable(format!("the archive: {error}")))?;
    // The directory is read; from here on the sink bounds the member.
    left.set(u64::MAX);
    let entry = archive.by_name(member).map_err(|error| match error {
        ZipError::FileNotFound => no_member(member),
        other => Fault::Unreadable(format!("{member} in the archive: {other}")),
    })?;
    let size = entry.size();
    local::stream(entry, size, sink)
}

fn of_tar(mut file: File, member: &str, sink: &mut Sink) -> Result<(), Fault> {
    let mut found = None;
    entries::each(&file, WALK, |entry| {
        if entry.is_file && entry.path.trim_start_matches("./") == member {
            found = Some((entry.at, entry.size));
        }
        Ok(found.is_none())
    })
    .map_err(|error| Fault::Unreadable(format!("the archive: {error}")))?;
    let (at, size) = found.ok_or_else(|| no_member(member))?;
    file.seek(SeekFrom::Start(at)).map_err(|error| local::unreadable(&error))?;
    local::stream(file.take(size), size, sink)
}

fn no_member(member: &str) -> Fault {
    Fault::NoMember(format!("the archive has no {member}"))
}

/// An archive of this machine.
///
/// # Errors
/// The reason why the archive can't be opened.
pub fn local(path: &Path) -> Result<File, Fault> {
    foreign::open_named(path).map_err(|error| local::unreadable(&error))
}
