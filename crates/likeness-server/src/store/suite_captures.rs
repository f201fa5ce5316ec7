//! Tests of stored captures, for both databases: each state is followed once, and a capture is taken once.

use super::capture::{CaptureRow, unhex_capture};
use super::suite::{NOW, Place, Test};
use super::*;
use crate::hex::hex;

/// Tests of captures.
pub const CAPTURES: [Test; 2] = [
    ("of many who follow one state one does, and a capture is taken once", followed_once),
    ("a capture is gone at its end, and only then", swept),
];

/// Acts ten times at once on two replicas; returns how often the act succeeds.
fn at_once(replicas: &[Arc<Store>; 2], act: impl Fn(&Store) -> bool + Sync) -> usize {
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..10).map(|at| (&replicas[at % 2], &act)).map(|(store, act)| scope.spawn(move || act(store))).collect();
        threads.into_iter().map(|thread| usize::from(thread.join().unwrap())).sum()
    })
}

fn followed_once(place: &Place) {
    let replicas = [place.store(), place.store()];
    let id = replicas[0].begin_capture(NOW + 180, b"first").unwrap();
    let row = |turn, content: &[u8]| CaptureRow { ends_at: NOW + 180, turn, content: content.to_vec() };
    assert_eq!(replicas[1].capture(&id).unwrap(), Some(row(0, b"first")));
    let advanced = at_once(&replicas, |store| store.advance_capture(&id, 0, b"second").unwrap());
    assert_eq!((advanced, replicas[0].capture(&id).unwrap()), (1, Some(row(1, b"second"))));
    let taken = at_once(&replicas, |store| store.take_capture(&id).unwrap().is_some());
    assert_eq!((taken, replicas[0].capture(&id).unwrap()), (1, None));
    assert!(!replicas[0].advance_capture(&id, 1, b"third").unwrap() && replicas[0].check().unwrap().right());
}

fn swept(place: &Place) {
    let store = place.store();
    let ids = [10, 20].map(|end| store.begin_capture(NOW + end, b"state").unwrap());
    let there = || ids.map(|id| store.capture(&id).unwrap().is_some());
    // time, how many are deleted, which of the two are there
    for (at, deleted, expected) in [(9, 0, [true, true]), (10, 1, [false, true]), (20, 1, [false, false])] {
        assert_eq!((store.sweep_captures(NOW + at).unwrap(), there()), (deleted, expected), "at {at}");
    }
    for _ in 0..150 {
        store.begin_capture(NOW + 30, b"state").unwrap();
    }
    let swept = [30, 31, 32].map(|at| store.sweep_captures(NOW + at).unwrap());
    assert_eq!(swept, [100, 50, 0], "so many at a time");
    assert!(store.check().unwrap().right());
    let wrong = ["", "00", &hex(&ids[0]).to_uppercase(), &format!("+{}", &hex(&ids[0])[1..])].map(unhex_capture);
    assert_eq!((wrong, unhex_capture(&hex(&ids[0]))), ([None; 4], Some(ids[0])));
}
