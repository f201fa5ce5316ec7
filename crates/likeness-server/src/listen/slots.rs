//! Places for connections: how many at once, how many of one address, and a reserve that only probes can use.
//!
//! Promises: one address takes at most its share; a connection without a place gets one in the
//! reserve, where the oldest one of the address that has most there makes room. So no client that
//! keeps its connections keeps a probe from being answered. Touches nothing but a metric.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::AbortHandle;

/// How many connections there may be.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionLimits {
    /// Whose, in the metrics.
    pub name: &'static str,
    /// Connections at once.
    pub all: usize,
    /// Of them, of one address.
    pub each: usize,
    /// Connections without a place whose request is still read.
    pub reserve: usize,
}

/// The places.
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

/// A place, given back when it is dropped.
pub struct ConnectionSlot {
    places: Arc<ConnectionSlots>,
    of: Option<IpAddr>,
}

impl ConnectionSlots {
    /// All of them free.
    pub fn new(limits: ConnectionLimits) -> Arc<Self> {
        Arc::new(Self { limits, taken: Mutex::default(), reserve: Mutex::default() })
    }

    /// A place for a connection of this address, if there is one. An address that stands for many
    /// clients (`shared`) has no share.
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

    /// Keeps a connection without a place; where the reserve is full, another one ends.
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

/// Which of these, oldest first, makes room: the oldest one of the address that has most.
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
