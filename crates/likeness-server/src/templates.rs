//! The store and its index, as the service holds them.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use likeness::embed::FaceEncoder;

use crate::config;
use crate::exit::Failure;
use crate::models::ModelRegistry;
use crate::store::{Index, IndexState, Location, Purpose, Store};

/// The store, and the index of the embedder's space once that is loaded.
pub struct Templates {
    /// The store.
    pub store: Arc<Store>,
    index: OnceLock<Arc<Index>>,
}

impl Templates {
    /// Opens the store that was set; `None` where none was.
    ///
    /// # Errors
    /// The store's own, by name, before anything was written.
    pub fn open(settings: &config::StoreSettings) -> Result<Option<Arc<Self>>, Failure> {
        let config::StoreSettings::At { url, key_file } = settings else { return Ok(None) };
        let location: Location = url.parse()?;
        let store = Store::open(&location, key_file, Purpose::Serve)?;
        Ok(Some(Arc::new(Self { store, index: OnceLock::new() })))
    }

    /// The index for this embedder, whose loading begins at the first call.
    pub fn index(&self, encoder: &FaceEncoder) -> Arc<Index> {
        let space = *encoder.space().as_bytes();
        self.index.get_or_init(|| Index::start(self.store.clone(), space)).clone()
    }

    /// What the index tells of itself; `None` before an embedder is loaded.
    pub fn index_state(&self) -> Option<IndexState> {
        self.index.get().map(|index| index.state())
    }

    /// Begins to load the index as soon as a trusted embedder is loaded.
    pub fn prepare(self: &Arc<Self>, models: ModelRegistry) {
        let templates = Arc::downgrade(self);
        std::thread::spawn(move || {
            while let Some(templates) = templates.upgrade() {
                if let Ok(encoder) = models.now().encoder() {
                    templates.index(&encoder);
                    return;
                }
                drop(templates);
                std::thread::sleep(Duration::from_millis(20));
            }
        });
    }
}
