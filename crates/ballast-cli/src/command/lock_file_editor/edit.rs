//! The one way to change a lock file: lock its folder, read it, change it, write it, unlock.
//!
//! Promise: the file on disk is the old one or the new one, never half. No other Ballast command edits a lock file of
//! that folder meanwhile, and the change of another program is not overwritten. Touches the lock file, its lists, and a
//! lock (`flock`) on their folder.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, FlockOperation, Mode, OFlags, flock, openat};
use rustix::io::Errno;

use super::LockFileEditor;
use crate::exit::{Exit, Failure};
use crate::whole_file::{Target, folder};
use crate::{bounds, foreign, print, setting};

/// The longest wait for another command, which may read a whole cache meanwhile.
const MOST: Duration = Duration::from_secs(600);
/// The wait before a remark names its reason.
const REMARK: Duration = Duration::from_secs(2);

/// The right to edit the lock files of one folder, until it is dropped.
pub struct EditLock {
    _folder: OwnedFd,
}

impl EditLock {
    /// Waits while another command has the right.
    fn take(file: &Path, most: Duration) -> Result<Self, Failure> {
        let bad = |error: io::Error| {
            Failure::new(Exit::BadLock, format!("can't write {}: its folder: {error}", file.display()))
        };
        let folder = openat(CWD, folder(file), OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
        let folder = folder.map_err(|error| bad(error.into()))?;
        let (start, mut is_said) = (Instant::now(), false);
        loop {
            match flock(&folder, FlockOperation::NonBlockingLockExclusive) {
                Err(Errno::WOULDBLOCK | Errno::INTR) if start.elapsed() < most => {}
                Err(Errno::WOULDBLOCK) => {
                    let what = format!("another command still edits {} after {most:?}", file.display());
                    return Err(Failure::new(Exit::BadLock, what).hint("wait until it ends, then repeat this command"));
                }
                // On a file system without locks, the comparison before the write remains.
                _ => return Ok(Self { _folder: folder }),
            }
            if start.elapsed() > REMARK && !is_said {
                is_said = true;
                print::remark(&format!("waiting for another command that edits {}", file.display()));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl LockFileEditor {
    /// Opens a lock file, or begins one for the store with this root, changes it and writes it. If `change` fails,
    /// nothing is written. The caller has the right to edit until it drops the [`EditLock`].
    ///
    /// # Errors
    /// Those of [`LockFileEditor::open`] and of `change`; [`Exit::Usage`] if the text is no longer a lock file;
    /// [`Exit::BadLock`] if it can't be written, or if another program changed it meanwhile.
    pub fn edit<T>(
        named: Option<&Path>,
        store: Option<&Path>,
        change: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<(T, EditLock), Failure> {
        let path = setting::lock_path(named).unwrap_or_else(|_| Self::begun_at(named));
        let lock = EditLock::take(&path, MOST)?;
        let mut book = Self::open(named, store)?;
        let done = change(&mut book)?;
        book.write()?;
        Ok((done, lock))
    }

    /// Writes the lists, then the lock file, so that a lock file never names a missing list.
    fn write(&self) -> Result<(), Failure> {
        let text = self.text.to_string();
        if self.before.as_ref() == Some(&text) && self.lists.is_empty() {
            return Ok(());
        }
        // `init` may begin a lock file without an entry.
        if ["weight", "group"].iter().any(|key| self.text.get(key).is_some()) {
            self.check()?;
        }
        let lists = self
            .lists
            .iter()
            .try_for_each(|(name, lines)| Target::at(&self.path.with_file_name(name), [])?.replace(lines));
        lists
            .and_then(|()| self.replace(&text))
            .map_err(|error| Failure::new(Exit::BadLock, format!("can't write {}: {error}", self.path.display())))
    }

    /// Replaces the lock file if it still has the text that was read.
    fn replace(&self, text: &str) -> io::Result<()> {
        let target = Target::at(&self.path, [])?;
        match &self.before {
            None => target.create(text),
            Some(before) if foreign::text_named(&self.path, bounds::LOCK)? == *before => target.replace(text),
            Some(_) => Err(io::Error::other("another program changed it meanwhile; repeat this command")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn world() -> tempfile::TempDir {
        testkit::ground::folder("edit")
    }

    fn first(book: &mut LockFileEditor) {
        book.store("owner", "100:101");
    }

    #[test]
    fn a_change_that_another_program_made_meanwhile_is_not_overwritten() {
        let dir = world();
        let file = dir.path().join("weights.lock");
        let text = "version = 1\n[store]\npath = \"/srv/m\"\n";
        let rows: [(&str, Option<&str>, &str); 2] =
            [("changed", Some(text), "another program changed it"), ("made", None, "exists")];
        let mut wrong = Vec::new();
        for (name, before, expected) in rows {
            let _ = fs::remove_file(&file);
            before.iter().for_each(|text| fs::write(&file, text).unwrap_or_default());
            let other = format!("{text}# of another program\n");
            let edited = LockFileEditor::edit(Some(&file), Some(Path::new("/srv/m")), |book| {
                first(book);
                fs::write(&file, &other).map_err(|error| Failure::new(Exit::BadLock, error.to_string()))
            });
            let found = foreign::text_named(&file, bounds::LOCK).unwrap_or_default();
            let said = edited.err().map(|failure| failure.what).unwrap_or_default();
            if found != other || !said.contains(expected) {
                wrong.push(format!("{name}: {said}: {found}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn a_lock_file_behind_a_symlink_is_edited_in_its_own_place_and_the_link_stays() {
        let dir = world();
        let (link, file) = (dir.path().join("weights.lock"), dir.path().join("shared.lock"));
        let text = "version = 1\n[store]\npath = \"/srv/m\"\n";
        let made = fs::write(&file, text).and_then(|()| symlink("shared.lock", &link));
        let edited = LockFileEditor::edit(Some(&link), Some(Path::new("/srv/m")), |book| {
            first(book);
            Ok(())
        });
        let said = edited.err().map(|failure| failure.what).unwrap_or_default();
        let found = fs::read_to_string(&file).unwrap_or_default();
        assert!(made.is_ok() && link.is_symlink() && found.contains("owner = \"100:101\""), "{said}: {found}");
    }

    #[test]
    fn a_second_editor_waits_no_longer_than_its_bound_and_says_why() {
        let dir = world();
        let file = dir.path().join("weights.lock");
        let first = EditLock::take(&file, Duration::ZERO).ok();
        let refused = EditLock::take(&file, Duration::from_millis(50)).err();
        let said = refused.map(|failure| failure.what).unwrap_or_default();
        assert!(first.is_some() && said.contains("another command still edits"), "{said}");
        drop(first);
        assert!(EditLock::take(&file, Duration::ZERO).is_ok());
    }
}
