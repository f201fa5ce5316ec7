//! Limits the rate of requests: of an address without a valid key, and of a key with its own limit. Each
//! process counts in its own memory.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, NotUntil, Quota, RateLimiter};

use super::address::counted;
use crate::problem::Problem;
use crate::store::ApiKey;

/// From this number of addresses on, addresses without recent requests are removed.
const FORGET_AT: usize = 10_000;

/// The counters of addresses and keys.
#[derive(Default)]
pub struct Rates {
    addresses: Option<DefaultKeyedRateLimiter<IpAddr>>,
    keys: Mutex<HashMap<String, Arc<DefaultDirectRateLimiter>>>,
}

impl Rates {
    /// Limits each address to this number of requests a minute; `None` sets no limit.
    pub fn new(per_minute: Option<u32>) -> Self {
        let limiter = |count| DefaultKeyedRateLimiter::hashmap(Quota::per_minute(count));
        Self { addresses: per_minute.and_then(NonZeroU32::new).map(limiter), keys: Mutex::default() }
    }

    /// Counts a request without a valid key.
    ///
    /// # Errors
    /// `RATE_LIMIT_EXCEEDED`
    pub fn stranger(&self, address: IpAddr) -> Result<(), Problem> {
        let Some(limiter) = &self.addresses else { return Ok(()) };
        if limiter.len() >= FORGET_AT {
            limiter.retain_recent();
        }
        limiter.check_key(&counted(address)).map_err(|until| Problem::too_many("address", wait(&until)))
    }

    /// Counts a request with this key.
    ///
    /// # Errors
    /// `RATE_LIMIT_EXCEEDED`
    pub fn key(&self, key: &ApiKey) -> Result<(), Problem> {
        let Some(count) = key.grant.per_minute.and_then(NonZeroU32::new) else { return Ok(()) };
        let limiter = {
            let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
            let made = || Arc::new(RateLimiter::direct(Quota::per_minute(count)));
            keys.entry(key.id.clone()).or_insert_with(made).clone()
        };
        limiter.check().map_err(|until| Problem::too_many("key", wait(&until)))
    }
}

fn wait(until: &NotUntil<<DefaultClock as governor::clock::Clock>::Instant>) -> Duration {
    until.wait_time_from(DefaultClock::default().now())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Code;
    use crate::store::{Grant, Scopes};

    fn key(id: &str, per_minute: Option<u32>) -> ApiKey {
        let grant = Grant { tenant: None, scopes: Scopes::all(), expires_at: None, per_minute };
        ApiKey { id: id.into(), grant, made_at: 0, revoked_at: None }
    }

    #[test]
    fn each_address_and_each_key_has_its_own_count() {
        let rates = Rates::new(Some(3));
        let ask = |text: &str| rates.stranger(text.parse().unwrap()).map_err(|problem| problem.code());
        let exceeded = Err(Code::RateLimitExceeded);
        let first: Vec<_> = (0..4).map(|_| ask("192.0.2.1")).collect();
        assert_eq!(first, [Ok(()), Ok(()), Ok(()), exceeded]);
        assert_eq!(ask("192.0.2.2"), Ok(()));
        let network: Vec<_> = (0..4).map(|last| ask(&format!("2001:db8::{last}"))).collect();
        assert_eq!(network[3], exceeded);
        let limited = |id: &str| rates.key(&key(id, Some(1))).map_err(|problem| problem.code());
        assert_eq!([limited("a"), limited("a"), limited("b")], [Ok(()), exceeded, Ok(())]);
        assert!((0..100).all(|_| rates.key(&key("c", None)).is_ok()));
        assert!((0..100).all(|_| Rates::new(None).stranger("192.0.2.1".parse().unwrap()).is_ok()));
    }

    #[test]
    fn a_refusal_says_when_to_ask_again_and_whose_limit_it_was() {
        let body = Problem::too_many("key", Duration::from_millis(2500)).body("r");
        assert_eq!((&body["retry_after_seconds"], &body["scope"]), (&3.into(), &"key".into()));
    }
}
