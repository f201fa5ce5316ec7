//! Tests of stored captures, for both databases: each state is followed once, and a capture is taken once.

use super::capture::{CaptureId, CaptureLimit, CaptureRow, CapturesFull, Opening, unhex_capture};
use super::suite::{NOW, Place, Test, enrollment, fresh, subject, tenant};
use super::*;
use crate::hex::hex;

/// Tests of captures.
pub const CAPTURES: [Test; 4] = [
    ("of many who follow one state one does, and a capture is taken once", followed_once),
    ("a key and a person have only so many captures at a time, and others are not refused", limited),
    ("a capture is gone at its end, and only then", swept),
    ("who is erased, or expires, leaves no open capture, and others keep theirs", erased),
];

/// Who begins a capture with the key `key`.
pub fn opening<'a>(tenant: &'a str, subject: Option<&'a str>) -> Opening<'a> {
    Opening { key: "key", tenant, subject }
}

fn begin(store: &Store, opening: Opening<'_>, ends_at: i64) -> CaptureId {
    store.begin_capture(&opening, (NOW, ends_at), b"first").unwrap().unwrap()
}

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
    let id = begin(&replicas[0], opening("acme", Some("ann")), NOW + 180);
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
    let ids = [10, 20].map(|end| begin(&store, opening("acme", None), NOW + end));
    let there = || ids.map(|id| store.capture(&id).unwrap().is_some());
    // time, how many are deleted, which of the two are there
    for (at, deleted, expected) in [(9, 0, [true, true]), (10, 1, [false, true]), (20, 1, [false, false])] {
        assert_eq!((store.sweep_captures(NOW + at).unwrap(), there()), (deleted, expected), "at {at}");
    }
    for _ in 0..150 {
        begin(&store, opening("acme", None), NOW + 30);
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
    let begin = |tenant: &str, subject| begin(&store, opening(tenant, subject), NOW + 180);
    let there = |ids: &[CaptureId]| ids.iter().filter(|id| store.capture(id).unwrap().is_some()).count();
    let mut wrong = Vec::new();
    let early = begin(acme.as_str(), Some("ann"));
    assert_eq!((store.erase_for("key", &acme, &ann, NOW).unwrap(), there(&[early])), (None, 0), "not enrolled yet");
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

fn limited(place: &Place) {
    let replicas = [place.store(), place.store()];
    let [person, key] = [CaptureLimit::Person, CaptureLimit::Key].map(CaptureLimit::most);
    let ask = |at: i64, opening: &Opening<'_>| {
        let store = &replicas[usize::from(at % 2 == 0)];
        store.begin_capture(opening, (NOW + at, NOW + at + 180), b"state").unwrap()
    };
    let ann = opening("acme", Some("ann"));
    let own: Vec<_> = (0..person).map(|at| ask(at, &ann).unwrap()).collect();
    let full = |limit, seconds| Err(CapturesFull { limit, seconds });
    let other_key = Opening { key: "other", ..ann };
    for opening in [ann, other_key] {
        assert_eq!(ask(person, &opening), full(CaptureLimit::Person, 180 - person), "{opening:?}");
    }
    for opening in [opening("other", Some("ann")), opening("acme", Some("bob")), opening("acme", None)] {
        assert!(ask(person, &opening).is_ok(), "{opening:?}");
    }
    // A capture that is used, or whose time is over, makes room.
    replicas[0].take_capture(&own[5]).unwrap().unwrap();
    assert!(ask(person, &ann).is_ok() && ask(person, &ann).is_err() && ask(180, &ann).is_ok());
    let there = person + 4;
    (there..key).for_each(|at| assert!(ask(100, &opening("acme", None)).is_ok(), "{at}"));
    assert_eq!(ask(100, &opening("third", None)), full(CaptureLimit::Key, 80));
    assert!(ask(100, &Opening { key: "other", ..opening("third", None) }).is_ok());
    assert!(replicas[1].check().unwrap().right());
}
