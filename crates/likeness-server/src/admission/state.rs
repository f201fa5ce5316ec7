//! What admission remembers between requests: keys, bodies on their way in, and rates.

use std::sync::Arc;
use std::time::Duration;

use super::body::Bodies;
use super::keys::Keys;
use super::rate::Rates;
use crate::config::Settings;
use crate::routes::ANSWERING;
use crate::store::Store;
use crate::work::Work;

/// Headers come, and a body goes on, within this time.
pub const SILENCE: Duration = Duration::from_secs(10);

/// Photographs of the largest size that bodies may hold, for each core.
const BUFFERED: usize = 6;

/// What is remembered between requests.
pub struct Admission {
    /// The keys that are good.
    pub keys: Arc<Keys>,
    /// The bodies on their way in.
    pub bodies: Arc<Bodies>,
    /// How often each key and address asks.
    pub rates: Rates,
}

impl Admission {
    /// Before this work, for the keys of this store and of the settings.
    pub fn new(settings: &Settings, work: &Work, store: Option<Arc<Store>>) -> Self {
        let keys = Arc::new(Keys::new(store, settings.access.secret.as_ref()));
        let most = (work.cores() * BUFFERED * settings.limits.file).max(largest(settings));
        let bodies = Bodies::new(most, SILENCE.min(settings.limits.time));
        Self { keys, bodies, rates: Rates::new(settings.limits.per_minute) }
    }
}

/// The largest body of any route.
pub fn largest(settings: &Settings) -> usize {
    ANSWERING.iter().map(|route| route.body(settings.limits.file)).max().unwrap_or(0)
}
