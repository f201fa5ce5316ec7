//! The file of a store's master keys, or of an archive's key. The first lines of the file say what its keys are for. A
//! store has one key, or two keys during a rotation, newest first.
//!
//! Promises: the file is created with mode 0600, complete, and never overwrites another file. A change renames a
//! complete, synced file into place. Keys are wiped when dropped and never printed.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use rustix::fs::{CWD, RenameFlags};
use rustix::io::Errno;
use zeroize::Zeroizing;

use super::error::{Kind, Result, StoreError};
use super::seal::{Key, random, random_key};
use crate::hex::{hex, unhex};
use crate::secrets;

/// What the keys of a file are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyUse {
    /// A store.
    Store,
    /// A store that is being created, or whose creation was interrupted.
    UnfinishedStore,
    /// An archive of persons.
    Archive,
}

impl KeyUse {
    const ALL: [Self; 3] = [Self::Store, Self::UnfinishedStore, Self::Archive];

    /// Returns the first lines of the file.
    fn head(self) -> &'static str {
        match self {
            Self::Store => {
                "# likeness: master keys of a store, newest first. Without them nothing in it can be read.\n\
                 # Keep a copy, apart from the database and its backups.\n"
            }
            Self::UnfinishedStore => {
                "# likeness: master key of a store that is not made yet. `likeness store init`, with the same\n\
                 # arguments, continues.\n"
            }
            Self::Archive => {
                "# likeness: key of an archive of persons. Without it nothing in the archive can be read.\n\
                 # Keep it apart from the archive.\n"
            }
        }
    }

    /// Returns where an operator names the file.
    fn hint(self) -> &'static str {
        match self {
            Self::Store | Self::UnfinishedStore => {
                "--key-file FILE, or LIKENESS_KEY_FILE; `likeness store init` makes one"
            }
            Self::Archive => "--archive-key FILE: the key that `likeness store export` made with the archive",
        }
    }
}

/// Names a master key without revealing it.
pub type KeyId = [u8; 8];

/// A master key.
#[derive(Clone)]
pub struct MasterKey {
    /// The secret key.
    pub key: Key,
    id: KeyId,
}

impl MasterKey {
    fn new(key: Key) -> Self {
        let hash = Zeroizing::new(blake3::derive_key("likeness store 1 master key id", &*key));
        let mut id = KeyId::default();
        id.copy_from_slice(&hash[..8]);
        Self { key, id }
    }

    /// Returns the key's id.
    pub fn id(&self) -> KeyId {
        self.id
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", hex(&self.id()))
    }
}

/// The keys of a file. The file is read again if a key is missing.
pub struct Keyring {
    path: PathBuf,
    written: KeyFileHead,
    keys: RwLock<Vec<MasterKey>>,
}

impl Keyring {
    /// Reads a key file; `wanted` chooses the hint of an error.
    ///
    /// # Errors
    /// The file is absent, unreadable, readable by others, owned by another user, or no key file.
    pub fn read(path: &Path, wanted: KeyUse) -> Result<Self> {
        let (written, keys) = read(path, wanted)?;
        Ok(Self { path: path.to_owned(), written, keys: RwLock::new(keys) })
    }

    /// Reads the key file for a new store; returns `None` if there is no file.
    ///
    /// # Errors
    /// The file is no key file.
    pub fn before(path: &Path) -> Result<Option<Self>> {
        match fs::symlink_metadata(path) {
            Ok(meta) if meta.is_file() => Self::read(path, KeyUse::UnfinishedStore).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Ok(_) => Err(taken(path)),
            Err(error) => Err(refused(path, &error.to_string()).hint(KeyUse::Store.hint())),
        }
    }

    /// Returns the place of the unfinished store that the file was created for.
    pub fn unfinished_place(&self) -> Option<&str> {
        self.written.place.as_deref().filter(|_| self.written.for_use == Some(KeyUse::UnfinishedStore))
    }

    /// Creates a key file with one random key. `place` names the database of an unfinished store.
    ///
    /// # Errors
    /// The file exists already or can't be written.
    pub fn create(path: &Path, wanted: KeyUse, place: Option<&str>) -> Result<Self> {
        let keys = vec![MasterKey::new(random_key()?)];
        let written = KeyFileHead { for_use: Some(wanted), place: place.map(str::to_owned) };
        put_new(path, &written, &keys).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => taken(path),
            _ => refused(path, &error.to_string()).hint("--key-file FILE, in a folder that exists and can be written"),
        })?;
        Ok(Self { path: path.to_owned(), written, keys: RwLock::new(keys) })
    }

    /// Returns what the file says that its keys are for; `None` if it says nothing, as another program may have written
    /// it.
    pub fn written_for(&self) -> Option<KeyUse> {
        self.written.for_use
    }

    /// Returns whether a key is in both files.
    pub fn shares(&self, other: &Self) -> bool {
        self.keys().iter().any(|key| other.keys().iter().any(|other| other.id() == key.id()))
    }

    /// Changes the first lines of the file: the store is created.
    ///
    /// # Errors
    /// The file can't be replaced.
    pub fn finish(&self) -> Result<()> {
        let keys = self.keys().clone();
        self.replace(keys)
    }

    /// Returns the path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the newest key.
    pub fn newest(&self) -> MasterKey {
        self.keys()[0].clone()
    }

    /// Returns the key with this id. If it is missing, the file is read again: a rotation may have begun.
    pub fn find(&self, id: &[u8]) -> Option<MasterKey> {
        let find = |keys: &[MasterKey]| keys.iter().find(|key| key.id() == id).cloned();
        let known = find(&self.keys());
        known.or_else(|| {
            self.reread().ok()?;
            find(&self.keys())
        })
    }

    /// Reads the file again.
    ///
    /// # Errors
    /// The file is no longer a key file.
    pub fn reread(&self) -> Result<()> {
        let (_, keys) = read(&self.path, self.written.for_use.unwrap_or(KeyUse::Store))?;
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
        Ok(())
    }

    /// Returns the number of keys.
    pub fn count(&self) -> usize {
        self.keys().len()
    }

    /// Adds a random key to the file, as the newest.
    ///
    /// # Errors
    /// The file can't be replaced.
    pub fn add(&self) -> Result<()> {
        let mut keys = self.keys().clone();
        keys.insert(0, MasterKey::new(random_key()?));
        self.replace(keys)
    }

    /// Removes every key except the newest from the file.
    ///
    /// # Errors
    /// The file can't be replaced.
    pub fn forget_former(&self) -> Result<()> {
        self.replace(vec![self.newest()])
    }

    fn replace(&self, keys: Vec<MasterKey>) -> Result<()> {
        let swap = || {
            // A link stays, and leads to the new keys.
            let real = fs::canonicalize(&self.path)?;
            let meta = fs::metadata(&real)?;
            staged(&real, &KeyFileHead { for_use: Some(KeyUse::Store), place: None }, &keys, |staged| {
                std::os::unix::fs::chown(staged, Some(meta.uid()), Some(meta.gid()))?;
                fs::rename(staged, &real)
            })
        };
        swap().map_err(|error: io::Error| refused(&self.path, &format!("can't be replaced: {error}")))?;
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
        Ok(())
    }

    fn keys(&self) -> std::sync::RwLockReadGuard<'_, Vec<MasterKey>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner)
    }
}

fn refused(path: &Path, why: &str) -> StoreError {
    StoreError::new(Kind::KeyFile, format!("key file {}: {why}", path.display()))
}

pub(super) fn taken(path: &Path) -> StoreError {
    refused(path, "is there already")
        .hint("an existing key file is never replaced: name another file, or remove this one if nothing needs its key")
}

/// What the comment lines of a key file say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct KeyFileHead {
    for_use: Option<KeyUse>,
    place: Option<String>,
}

/// Begins the line that names the place of an unfinished store.
const PLACE: &str = "# place ";

impl KeyFileHead {
    fn of(text: &str) -> Self {
        let first = |known: &KeyUse| known.head().lines().next().unwrap_or_default();
        let is = |known: &KeyUse| text.lines().any(|line| line.trim() == first(known));
        let place = text.lines().find_map(|line| line.trim().strip_prefix(PLACE)).map(str::to_owned);
        Self { for_use: KeyUse::ALL.into_iter().find(is), place }
    }

    fn text(&self) -> String {
        let head = self.for_use.map_or("", KeyUse::head);
        let place = self.place.as_ref().map(|place| format!("{PLACE}{place}\n")).unwrap_or_default();
        format!("{head}{place}")
    }
}

fn read(path: &Path, wanted: KeyUse) -> Result<(KeyFileHead, Vec<MasterKey>)> {
    let unread = |refusal: secrets::Refusal| {
        refused(path, &refusal.what).hint(refusal.hint.unwrap_or_else(|| wanted.hint().to_owned()))
    };
    let text = secrets::read(path).map_err(unread)?;
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let read = |line: &str| {
        let mut key = Key::default();
        unhex(line, &mut key[..]).map(|()| MasterKey::new(key))
    };
    let keys: Option<Vec<_>> = lines.map(read).collect();
    match keys {
        Some(keys) if (1..=2).contains(&keys.len()) => Ok((KeyFileHead::of(&text), keys)),
        _ => Err(refused(path, "expected one or two lines of 64 hexadecimal digits").hint(wanted.hint())),
    }
}

fn put_new(path: &Path, written: &KeyFileHead, keys: &[MasterKey]) -> io::Result<()> {
    staged(path, written, keys, |staged| {
        match rustix::fs::renameat_with(CWD, staged, CWD, path, RenameFlags::NOREPLACE) {
            // This file system has no such call.
            Err(Errno::INVAL | Errno::NOSYS) => fs::hard_link(staged, path)?,
            renamed => return Ok(renamed?),
        }
        fs::remove_file(staged)
    })
}

/// Writes a file under a name that no other program uses; `publish` renames it, so that no part of a key file is ever
/// under the key file's name.
fn staged(
    path: &Path,
    written: &KeyFileHead,
    keys: &[MasterKey],
    publish: impl FnOnce(&Path) -> io::Result<()>,
) -> io::Result<()> {
    let random = random::<8>().map_err(|error| io::Error::other(error.to_string()))?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", hex(&random)));
    let staged = path.with_file_name(name);
    let made = write_new(&staged, written, keys).and_then(|()| publish(&staged));
    if made.is_err() {
        let _ = fs::remove_file(&staged);
    }
    made.and_then(|()| sync_parent(path))
}

fn write_new(path: &Path, written: &KeyFileHead, keys: &[MasterKey]) -> io::Result<()> {
    let mut text = Zeroizing::new(String::with_capacity(512));
    text.push_str(&written.text());
    for key in keys {
        text.push_str(&Zeroizing::new(hex(&*key.key)));
        text.push('\n');
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    sync_parent(path)
}

/// Syncs the directory of this file, so that a power cut does not undo a new name.
///
/// # Errors
/// The directory can't be opened or synced.
pub fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}
