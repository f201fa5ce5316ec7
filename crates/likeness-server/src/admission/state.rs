//! The state of admission between requests: keys, bodies and rates.

use std::sync::Arc;
use std::time::Duration;

use super::body::Bodies;
use super::keys::Keys;
use super::rate::Rates;
use crate::config::Settings;
use crate::routes::ANSWERING;
use crate::store::Store;
use crate::work::Work;

/// The longest time for the headers of a request, and the longest silence in a body.
pub const SILENCE: Duration = Duration::from_secs(10);

/// The number of photographs of the largest size that all bodies may contain, for each core.
const BUFFERED: usize = 6;

/// The state of admission.
pub struct Admission {
    /// The valid keys.
    pub keys: Arc<Keys>,
    /// The limits on the bodies of requests.
    pub bodies: Arc<Bodies>,
    /// The rates of keys and addresses.
    pub rates: Rates,
}

impl Admission {
    /// Creates the state for the keys of this store and of the settings; the number of cores limits the
    /// bodies.
    pub fn new(settings: &Settings, work: &Work, store: Option<Arc<Store>>) -> Self {
        let keys = Arc::new(Keys::new(store, settings.access.secret.as_ref()));
        let most = (work.cores() * BUFFERED * settings.limits.file).max(largest(settings));
        let bodies = Bodies::new(most, SILENCE.min(settings.limits.time));
        Self { keys, bodies, rates: Rates::new(settings.limits.per_minute) }
    }
}

/// Returns the largest body that any route accepts.
pub fn largest(settings: &Settings) -> usize {
    ANSWERING.iter().map(|route| route.body(settings.limits.file)).max().unwrap_or(0)
}
