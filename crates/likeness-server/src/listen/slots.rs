//! Counts places for connections: in all, of one address, and in a reserve that only probes can use.
//!
//! Promises: one address gets at most its share. A connection without a place uses the reserve; if the reserve is full,
//! the oldest connection of the address with the most connections in it is closed. Therefore a client that keeps many
//! connections does not prevent probes.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::AbortHandle;

/// The limits on connections.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionLimits {
    /// The listener's name in the metrics.
    pub name: &'static str,
    /// The largest number of connections at once.
    pub all: usize,
    /// The largest number of connections of one address.
    pub each: usize,
    /// The largest number of connections in the reserve.
    pub reserve: usize,
}

/// The places of a listener.
pub struct ConnectionSlots {
    limits: ConnectionLimits,
    taken: Mutex<Taken>,
    /// Connections without a place, oldest first.
    reserve: Mutex<Vec<(IpAddr, AbortHandle)>>,
}

#[derive(Default)]
struct Taken {
    all: usize,
    of: HashMap<IpAddr, usize>,
}

/// A place, released when dropped.
pub struct ConnectionSlot {
    places: Arc<ConnectionSlots>,
    of: Option<IpAddr>,
}

impl ConnectionSlots {
    /// Creates the places, all free.
    pub fn new(limits: ConnectionLimits) -> Arc<Self> {
        Arc::new(Self { limits, taken: Mutex::default(), reserve: Mutex::default() })
    }

    /// Takes a place for a connection of this address, if one is free. The share does not limit an address
    /// that sends for many clients (`shared`).
    pub fn take(self: &Arc<Self>, address: IpAddr, shared: bool) -> Option<ConnectionSlot> {
        let mut taken = self.taken();
        let of = (!shared).then_some(address);
        let share = of.map_or(0, |address| taken.of.get(&address).copied().unwrap_or(0));
        if taken.all >= self.limits.all || share >= self.limits.each {
            return None;
        }
        taken.all += 1;
        self.tell(&taken);
        if let Some(address) = of {
            *taken.of.entry(address).or_default() += 1;
        }
        Some(ConnectionSlot { places: self.clone(), of })
    }

    /// Adds a connection to the reserve; if the reserve is full, another connection there ends.
    pub fn keep(&self, address: IpAddr, connection: AbortHandle) {
        let mut reserve = self.reserve.lock().unwrap_or_else(PoisonError::into_inner);
        reserve.retain(|(_, kept)| !kept.is_finished());
        if reserve.len() >= self.limits.reserve
            && let Some(at) = crowding(&reserve.iter().map(|(address, _)| *address).collect::<Vec<_>>())
        {
            reserve.remove(at).1.abort();
        }
        reserve.push((address, connection));
    }

    fn tell(&self, taken: &Taken) {
        metrics::gauge!("likeness_connections", "listener" => self.limits.name).set(taken.all as f64);
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns which of these connections, oldest first, must end: the oldest of an address with the most
/// connections.
fn crowding(addresses: &[IpAddr]) -> Option<usize> {
    let count = |address: &IpAddr| addresses.iter().filter(|other| *other == address).count();
    let most = addresses.iter().map(count).max()?;
    addresses.iter().position(|address| count(address) == most)
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        taken.all -= 1;
        self.places.tell(&taken);
        if let Some(address) = self.of
            && let Some(count) = taken.of.get_mut(&address)
        {
            *count -= 1;
            if *count == 0 {
                taken.of.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn one_address_takes_its_share_and_no_more_and_all_together_the_rest() {
        let places = ConnectionSlots::new(ConnectionLimits { name: "test", all: 5, each: 2, reserve: 1 });
        let take = |last, shared| places.take(address(last), shared);
        let mut kept: Vec<_> = (0..2).map(|_| take(1, false).unwrap()).collect();
        assert!(take(1, false).is_none(), "its share is taken");
        kept.extend((0..3).map(|_| take(9, true).unwrap()));
        assert!(take(2, false).is_none() && take(9, true).is_none(), "all are taken");
        kept.remove(0);
        kept.push(take(1, false).unwrap());
        drop(kept);
        let taken = places.taken();
        assert_eq!((taken.all, taken.of.len()), (0, 0), "nothing is remembered of who has gone");
    }

    #[test]
    fn in_the_reserve_the_oldest_of_who_crowds_makes_room() {
        let table: [(&[u8], Option<usize>); 5] =
            [(&[], None), (&[1], Some(0)), (&[1, 2, 2], Some(1)), (&[2, 1, 1, 2], Some(0)), (&[1, 2, 3], Some(0))];
        let found = table.map(|(of, _)| crowding(&of.iter().map(|last| address(*last)).collect::<Vec<_>>()));
        assert_eq!(found, table.map(|(_, expected)| expected));
    }

    #[tokio::test]
    async fn a_full_reserve_ends_a_connection_of_the_crowd_and_keeps_a_probe() {
        let places = ConnectionSlots::new(ConnectionLimits { name: "test", all: 1, each: 1, reserve: 3 });
        let wait = || tokio::spawn(std::future::pending::<()>());
        let probe = wait();
        places.keep(address(1), probe.abort_handle());
        let crowd: Vec<_> = (0..20).map(|_| wait()).collect();
        crowd.iter().for_each(|one| places.keep(address(2), one.abort_handle()));
        let mut ended = Vec::new();
        for one in crowd.into_iter().take(18) {
            ended.push(one.await.is_err_and(|why| why.is_cancelled()));
        }
        assert!(ended.iter().all(|ended| *ended) && !probe.is_finished(), "{ended:?}");
    }
}
