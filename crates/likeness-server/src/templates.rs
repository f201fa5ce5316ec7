//! The store and its index in the service.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use likeness::embed::FaceEncoder;

use crate::config;
use crate::exit::Failure;
use crate::models::ModelRegistry;
use crate::store::{Index, IndexState, Location, Purpose, Store};

/// The store, and the index for the embedder's space, which exists once the embedder is loaded.
pub struct Templates {
    /// The store.
    pub store: Arc<Store>,
    index: OnceLock<Arc<Index>>,
}

impl Templates {
    /// Opens the store in the settings; `None` if the settings name none.
    ///
    /// # Errors
    /// The store refused; then nothing was written.
    pub fn open(settings: &config::StoreSettings) -> Result<Option<Arc<Self>>, Failure> {
        let config::StoreSettings::At { url, key_file } = settings else { return Ok(None) };
        let location: Location = url.parse()?;
        let store = Store::open(&location, key_file, Purpose::Serve)?;
        Ok(Some(Arc::new(Self { store, index: OnceLock::new() })))
    }

    /// Returns the index for this embedder; the first call begins to load it.
    pub fn index(&self, encoder: &FaceEncoder) -> Arc<Index> {
        let space = *encoder.space().as_bytes();
        self.index.get_or_init(|| Index::start(self.store.clone(), space)).clone()
    }

    /// Returns the state of the index; `None` before an embedder is loaded.
    pub fn index_state(&self) -> Option<IndexState> {
        self.index.get().map(|index| index.state())
    }

    /// Starts a thread that begins to load the index as soon as a trusted embedder is loaded.
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
