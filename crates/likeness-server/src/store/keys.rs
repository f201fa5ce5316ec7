//! The file of the master keys. The key file contains one key, or two keys during a rotation, newest first.
//!
//! Promises: the file is created with mode 0600 and never overwrites another file. A change renames a
//! complete, synced file into place. Keys are wiped when dropped and never printed.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use zeroize::Zeroizing;

use super::error::{Kind, Result, StoreError};
use super::seal::{Key, random_key};
use crate::hex::{hex, unhex};
use crate::secrets;

const HEAD: &str = "# likeness: master keys of a store, newest first. Without them nothing in it can be read.\n\
                    # Keep a copy, apart from the database and its backups.\n";

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
    keys: RwLock<Vec<MasterKey>>,
}

impl Keyring {
    /// Reads a key file.
    ///
    /// # Errors
    /// The file is absent, unreadable, readable by others, owned by another user, or no key file.
    pub fn read(path: &Path) -> Result<Self> {
        Ok(Self { path: path.to_owned(), keys: RwLock::new(read(path)?) })
    }

    /// Creates a key file with one random key.
    ///
    /// # Errors
    /// The file exists already or can't be written.
    pub fn create(path: &Path) -> Result<Self> {
        let keys = vec![MasterKey::new(random_key()?)];
        write_new(path, &keys).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => {
                refused(path, "is there already").hint("an existing key file is never replaced")
            }
            _ => refused(path, &error.to_string()),
        })?;
        Ok(Self { path: path.to_owned(), keys: RwLock::new(keys) })
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
        let keys = read(&self.path)?;
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
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(".new");
        let staged = self.path.with_file_name(name);
        let swap = || {
            match fs::remove_file(&staged) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            write_new(&staged, &keys)?;
            let meta = fs::metadata(&self.path)?;
            std::os::unix::fs::chown(&staged, Some(meta.uid()), Some(meta.gid()))?;
            fs::rename(&staged, &self.path)?;
            sync_parent(&self.path)
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

fn read(path: &Path) -> Result<Vec<MasterKey>> {
    let unread = |refusal: secrets::Refusal| {
        let other = || "--key-file FILE, or LIKENESS_KEY_FILE; `likeness store init` makes one".to_owned();
        refused(path, &refusal.what).hint(refusal.hint.unwrap_or_else(other))
    };
    let text = secrets::read(path).map_err(unread)?;
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let read = |line: &str| {
        let mut key = Key::default();
        unhex(line, &mut key[..]).map(|()| MasterKey::new(key))
    };
    let keys: Option<Vec<_>> = lines.map(read).collect();
    match keys {
        Some(keys) if (1..=2).contains(&keys.len()) => Ok(keys),
        _ => Err(refused(path, "expected one or two lines of 64 hexadecimal digits")),
    }
}

fn write_new(path: &Path, keys: &[MasterKey]) -> io::Result<()> {
    let mut text = Zeroizing::new(String::with_capacity(512));
    text.push_str(HEAD);
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
