//! The valid API keys: those of the store, and one from the environment.
//!
//! Promises: the store is read on another thread than the event loop's. A valid key is remembered for
//! [`REMEMBERED`], so a revocation takes effect within that time. If the store can't be read, only the
//! environment's key and remembered results count. This module keeps only hashes of keys.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use secrecy::{ExposeSecret as _, SecretString};

use crate::clock::now;
use crate::problem::Problem;
use crate::store::{self, ApiKey, Grant, Scopes, Store};

/// The time that a result of the store is remembered.
pub const REMEMBERED: Duration = Duration::from_secs(2);

/// The hash of the environment's key, and the key's rights.
type Imported = (blake3::Hash, Arc<ApiKey>);

fn imported(secret: &SecretString) -> Imported {
    let grant = Grant { tenant: None, scopes: Scopes::all(), expires_at: None, per_minute: None };
    let key = ApiKey { id: "environment".into(), grant, made_at: 0, revoked_at: None };
    (blake3::hash(secret.expose_secret().as_bytes()), Arc::new(key))
}

/// The source of valid keys.
pub struct Keys {
    store: Option<Arc<Store>>,
    /// The hash of the environment's key; hashes compare in constant time.
    imported: RwLock<Option<Imported>>,
    good: Mutex<HashMap<blake3::Hash, (Arc<ApiKey>, Instant)>>,
    /// Whether the store ever contained a key, and the time when this was read.
    any: Mutex<Option<(bool, Instant)>>,
}

impl Keys {
    /// Uses the keys of this store, and this key of the environment.
    pub fn new(store: Option<Arc<Store>>, secret: Option<&SecretString>) -> Self {
        let imported = RwLock::new(secret.map(imported));
        Self { store, imported, good: Mutex::default(), any: Mutex::new(None) }
    }

    /// Replaces the environment's key, and forgets the remembered keys.
    pub fn replace(&self, secret: Option<&SecretString>) {
        *self.imported.write().unwrap_or_else(PoisonError::into_inner) = secret.map(imported);
        self.good.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn imported(&self) -> Option<Imported> {
        self.imported.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns whether the environment has a key or the store ever contained one; `serve` calls this once before it
    /// listens.
    ///
    /// # Errors
    /// The store can't be read.
    pub fn any(&self) -> store::Result<bool> {
        let Some(store) = self.store.as_ref().filter(|_| self.imported().is_none()) else {
            return Ok(self.imported().is_some());
        };
        let any = store.keys_made()?;
        *self.any.lock().unwrap_or_else(PoisonError::into_inner) = Some((any, Instant::now()));
        Ok(any)
    }

    /// Returns whether requests need a key. Keys are needed as soon as one was ever created.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE` if the store can't be read.
    pub async fn needed(self: &Arc<Self>) -> Result<bool, Problem> {
        let imported = self.imported().is_some();
        if self.store.is_none() || imported {
            return Ok(imported);
        }
        match *self.any.lock().unwrap_or_else(PoisonError::into_inner) {
            Some((true, _)) => return Ok(true),
            Some((false, at)) if at.elapsed() < REMEMBERED => return Ok(false),
            _ => {}
        }
        let keys = self.clone();
        away(move || keys.any()).await
    }

    /// Returns the valid key with this text.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`
    pub async fn find(&self, text: &str) -> Result<Option<Arc<ApiKey>>, Problem> {
        let hash = blake3::hash(text.as_bytes());
        if let Some((_, key)) = self.imported().filter(|(imported, _)| *imported == hash) {
            return Ok(Some(key));
        }
        if let Some(key) = self.remembered(&hash) {
            return Ok(Some(key));
        }
        let Some(store) = self.store.clone() else { return Ok(None) };
        let text = zeroize::Zeroizing::new(text.to_owned());
        let found = away(move || store.authenticate(&text, now())).await?.map(Arc::new);
        let mut good = self.good.lock().unwrap_or_else(PoisonError::into_inner);
        match &found {
            Some(key) => good.insert(hash, (key.clone(), Instant::now())),
            None => good.remove(&hash),
        };
        Ok(found)
    }

    fn remembered(&self, hash: &blake3::Hash) -> Option<Arc<ApiKey>> {
        let good = self.good.lock().unwrap_or_else(PoisonError::into_inner);
        let (key, at) = good.get(hash)?;
        (at.elapsed() < REMEMBERED && key.is_good(now())).then(|| key.clone())
    }
}

/// Reads the store on a thread for blocking work.
async fn away<T: Send + 'static>(ask: impl FnOnce() -> store::Result<T> + Send + 'static) -> Result<T, Problem> {
    tokio::task::spawn_blocking(ask).await.map_err(|why| Problem::internal(&why))?.map_err(Problem::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_environments_key_is_good_as_a_whole_and_nothing_else_is() {
        let keys = Arc::new(Keys::new(None, Some(&"0123456789abcdef".to_owned().into())));
        assert!(keys.any().unwrap() && keys.needed().await.unwrap());
        let table = [("0123456789abcdef", true), ("0123456789abcde", false), ("0123456789abcdefg", false), ("", false)];
        for (text, good) in table {
            assert_eq!(keys.find(text).await.unwrap().is_some(), good, "{text:?}");
        }
        let none = Arc::new(Keys::new(None, None));
        assert!(!none.any().unwrap() && !none.needed().await.unwrap());
        assert!(none.find("0123456789abcdef").await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_key_of_the_store_is_good_until_it_is_revoked_or_expired() {
        let (data, aside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let location = format!("sqlite:{}", data.path().join("t.db").display()).parse().unwrap();
        let store = Arc::new(Store::init(&location, &aside.path().join("key")).unwrap());
        let made = |expires_at| {
            let grant = Grant { tenant: None, scopes: Scopes::all(), expires_at, per_minute: None };
            store.create_key(&grant, now()).unwrap()
        };
        let keys = Arc::new(Keys::new(Some(store.clone()), None));
        assert!(!keys.any().unwrap());
        let ((revoked, text), (_, lasting), (_, expired)) =
            (made(None), made(Some(now() + 600)), made(Some(now() - 1)));
        assert!(keys.any().unwrap() && keys.needed().await.unwrap());
        store.revoke_key(&revoked.id, now()).unwrap();
        for (text, good) in [(text, false), (lasting, true), (expired, false)] {
            for time in ["from the store", "remembered"] {
                assert_eq!(keys.find(&text).await.unwrap().is_some(), good, "{time}");
            }
        }
    }
}
