//! Tests of stored captures, for both databases: each state is followed once, and a capture is taken once.

use super::capture::{CaptureId, CaptureRow, unhex_capture};
use super::suite::{NOW, Place, Test, enrollment, fresh, subject, tenant};
use super::*;
use crate::hex::hex;

/// Tests of captures.
pub const CAPTURES: [Test; 3] = [
    ("of many who follow one state one does, and a capture is taken once", followed_once),
    ("a capture is gone at its end, and only then", swept),
    ("who is erased, or expires, leaves no open capture, and others keep theirs", erased),
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
    let id = replicas[0].begin_capture("acme", Some("ann"), NOW + 180, b"first").unwrap();
    let first = replicas[1].capture(&id).unwrap().unwrap();
    let row = |turn, content: &[u8]| CaptureRow { turn, content: content.to_vec(), ..first.clone() };
    assert_eq!((&first, first.ends_at), (&row(0, b"first"), NOW + 180));
    let advanced = at_once(&replicas, |store| store.advance_capture(&id, 0, b"second").unwrap());
    assert_eq!((advanced, replicas[0].capture(&id).unwrap()), (1, Some(row(1, b"second"))));
    let taken = at_once(&replicas, |store| store.take_capture(&id).unwrap().is_some());
    assert_eq!((taken, replicas[0].capture(&id).unwrap()), (1, None));
    assert!(!replicas[0].advance_capture(&id, 1, b"third").unwrap() && replicas[0].check().unwrap().right());
}

fn swept(place: &Place) {
    let store = place.store();
    let ids = [10, 20].map(|end| store.begin_capture("acme", None, NOW + end, b"state").unwrap());
    let there = || ids.map(|id| store.capture(&id).unwrap().is_some());
    // time, how many are deleted, which of the two are there
    for (at, deleted, expected) in [(9, 0, [true, true]), (10, 1, [false, true]), (20, 1, [false, false])] {
        assert_eq!((store.sweep_captures(NOW + at).unwrap(), there()), (deleted, expected), "at {at}");
    }
    for _ in 0..150 {
        store.begin_capture("acme", None, NOW + 30, b"state").unwrap();
    }
    let swept = [30, 31, 32].map(|at| store.sweep_captures(NOW + at).unwrap());
    assert_eq!(swept, [100, 50, 0], "so many at a time");
    assert!(store.check().unwrap().right());
    let wrong = ["", "00", &hex(&ids[0]).to_uppercase(), &format!("+{}", &hex(&ids[0])[1..])].map(unhex_capture);
    assert_eq!((wrong, unhex_capture(&hex(&ids[0]))), ([None; 4], Some(ids[0])));
}

fn erased(place: &Place) {
    let store = place.store();
    let (acme, ann) = (tenant(), subject("ann"));
    let begin = |tenant: &str, subject| store.begin_capture(tenant, subject, NOW + 180, b"a state of ann").unwrap();
    let there = |ids: &[CaptureId]| ids.iter().filter(|id| store.capture(id).unwrap().is_some()).count();
    let mut wrong = Vec::new();
    for (how, expires_at) in [("by request", None), ("by its end", Some(NOW + 5))] {
        let person = enrollment(&acme, &ann, vec![fresh(1, 80.0)], Mode::Replace);
        store.enroll(&Enrollment { terms: Terms { consent: None, expires_at }, ..person }).unwrap();
        let hers = [begin(acme.as_str(), Some("ann")), begin(acme.as_str(), Some("ann"))];
        let others = [begin(acme.as_str(), Some("bob")), begin("other", Some("ann")), begin(acme.as_str(), None)];
        let looked = match expires_at {
            None => store.erase_for("key", &acme, &ann, NOW).unwrap().unwrap().receipt.unwrap().looked,
            Some(end) => store.sweep(end + 1).map(|_| Vec::new()).unwrap(),
        };
        let named = looked.iter().find(|finding| finding.place == "table capture").map(|it| (it.sought, it.found));
        let found = (there(&hers), there(&others), named, store.check().unwrap().right());
        if found != (0, 3, expires_at.is_none().then_some((2, 0)), true) {
            wrong.push(format!("{how}: {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
