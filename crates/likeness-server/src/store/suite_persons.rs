//! Tests of consents, expiry, lists and receipts of erasures, for both databases.

use crate::hex::hex;
use std::sync::atomic::Ordering;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{ED25519, UnparsedPublicKey};

use super::faulty::Faulty;
use super::person::Person;
use super::suite::{NEW, NOW, Place, Test, enroll, enrollment, fresh, subject, tenant};
use super::suite_index::{found_by, index};
use super::*;

/// Tests of persons.
pub const PERSONS: [Test; 6] = [
    ("a consent and an end are kept with the person, and what an enrolment leaves open stays", terms_are_kept),
    ("whose time is over is found by no read, and is swept", over_is_gone),
    ("whose time is over can be enrolled again, as another enrolment", enrolled_again),
    ("pages hold everybody of the tenant once, whatever comes and goes between them", pages),
    ("a receipt says where nothing was found, is signed, and names no person without its salt", receipts),
    ("a fault at any step of an erasure yields no receipt for a person who is there", faults),
];

fn consent(version: &str) -> Consent {
    Consent { reference: "form 7".into(), version: version.into(), given_at: NOW - 5 }
}

fn enroll_under(store: &Store, name: &str, seed: u64, terms: Terms, now: i64) {
    let (tenant, subject) = (tenant(), subject(name));
    let seen = store.load(&tenant, &subject, now).unwrap().map(|person| person.version);
    let mode = Mode::Add { seen, displace: true };
    let base = enrollment(&tenant, &subject, vec![fresh(seed, 80.0)], mode);
    let outcome = store.enroll(&Enrollment { terms, now, ..base }).unwrap();
    assert!(matches!(outcome, Outcome::Stored { .. }), "{name}: {outcome:?}");
}

fn load(store: &Store, name: &str, now: i64) -> Option<Person> {
    store.load(&tenant(), &subject(name), now).unwrap()
}

fn until(end: i64) -> Terms {
    Terms { consent: None, expires_at: Some(end) }
}

fn terms_are_kept(place: &Place) {
    let store = place.store();
    let first = Terms { consent: Some(consent("1")), expires_at: Some(NOW + 100) };
    enroll_under(&store, "ada", 1, first.clone(), NOW);
    assert_eq!(load(&place.store(), "ada", NOW).unwrap().terms, first);
    enroll_under(&store, "ada", 2, Terms::default(), NOW);
    assert_eq!(load(&store, "ada", NOW).unwrap().terms, first, "nothing was said");
    let second = Terms { consent: Some(consent("2")), expires_at: None };
    enroll_under(&store, "ada", 3, second.clone(), NOW);
    let person = load(&store, "ada", NOW).unwrap();
    assert_eq!(person.terms, Terms { expires_at: Some(NOW + 100), ..second });
    assert_eq!(person.templates.len(), 3);
    store.rotate(&place.key_file).unwrap();
    assert_eq!(load(&store, "ada", NOW), Some(person), "under another master key");
}

fn over_is_gone(place: &Place) {
    let store = place.store();
    for (seed, end) in [(1, 10), (2, 20), (3, 0)] {
        let terms = if end == 0 { Terms::default() } else { until(NOW + end) };
        enroll_under(&store, &format!("p{seed}"), seed, terms, NOW);
    }
    let index = index(&store);
    // time, which of the three persons a read finds
    for (at, there) in [(9, [true, true, true]), (10, [false, true, true]), (20, [false, false, true])] {
        let now = NOW + at;
        let names = ["p1", "p2", "p3"];
        assert_eq!(names.map(|name| load(&store, name, now).is_some()), there, "load at {at}");
        let listed = store.list(&tenant(), None, 10, now).unwrap().unwrap();
        let (listed, total) = (listed.persons.iter().map(|one| one.subject.as_str()).collect::<Vec<_>>(), listed.total);
        assert_eq!(names.map(|name| listed.contains(&name)), there, "list at {at}");
        let count = there.iter().filter(|there| **there).count() as u64;
        assert_eq!((total, store.tenants(now).unwrap()), (count, vec![(tenant(), count)]), "counts at {at}");
        let kept = names.map(|name| store.holdings(&tenant(), &subject(name), now).unwrap().is_some());
        assert_eq!(kept, there, "export at {at}");
        let searched = [1, 2, 3].map(|seed| found_by(&index, seed, now).contains(&format!("p{seed}")));
        assert_eq!(searched, there, "search at {at}");
    }
    assert_eq!(store.check().unwrap().persons, 3, "not swept yet");
    assert_eq!((store.sweep(NOW + 9).unwrap(), store.sweep(NOW + 20).unwrap()), (0, 2));
    let checked = store.check().unwrap();
    assert!(checked.right() && checked.persons == 1, "{checked:?}");
    index.follow().unwrap();
    assert_eq!(index.state().persons, 1);
}

fn enrolled_again(place: &Place) {
    let store = place.store();
    let first = Terms { consent: Some(consent("1")), expires_at: Some(NOW + 10) };
    enroll_under(&store, "ada", 1, first, NOW);
    let before = load(&store, "ada", NOW).unwrap();
    assert_eq!(store.erase(&tenant(), &subject("bob"), NOW).unwrap(), None);
    enroll_under(&store, "ada", 2, Terms::default(), NOW + 10);
    let after = load(&store, "ada", NOW + 1000).unwrap();
    assert!(after.id > before.id && after.templates.len() == 1, "nothing of the former enrolment");
    assert_eq!(after.terms, Terms::default(), "neither its consent nor its end");
    enroll_under(&store, "eve", 3, until(NOW + 10), NOW);
    assert_eq!(store.erase(&tenant(), &subject("eve"), NOW + 10).unwrap(), None, "gone already");
    assert_eq!(store.check().unwrap().persons, 1);
}

fn pages(place: &Place) {
    let store = place.store();
    let other = Tenant::new("other").unwrap();
    (0..25).for_each(|seed| enroll(&store, &format!("p{seed}"), seed));
    store.enroll(&enrollment(&other, &subject("p1"), vec![fresh(1, 80.0)], NEW)).unwrap();
    let (mut names, mut cursor, mut pages) = (Vec::new(), None::<String>, 0);
    loop {
        let page = store.list(&tenant(), cursor.as_deref(), 10, NOW).unwrap().unwrap();
        names.extend(page.persons.iter().map(|person| person.subject.as_str().to_owned()));
        pages += 1;
        let Some(next) = page.next else { break };
        assert_eq!(store.list(&other, Some(&next), 10, NOW).unwrap(), None, "a cursor of another tenant");
        cursor = Some(next);
        // A listed person is erased, an unlisted one changes, and a new one is enrolled.
        if pages == 1 {
            store.erase(&tenant(), &subject("p3"), NOW).unwrap();
            enroll_under(&store, "p20", 99, Terms::default(), NOW);
            enroll(&store, "late", 100);
        }
    }
    let expected: Vec<String> = (0..25).map(|at| format!("p{at}")).chain(["late".to_owned()]).collect();
    assert_eq!((names, pages), (expected, 3));
    for wrong in ["", "00", "zz", "ä", &"0".repeat(96)] {
        assert_eq!(store.list(&tenant(), Some(wrong), 10, NOW).unwrap(), None, "{wrong:?}");
    }
    let counted = store.tenants(NOW).unwrap();
    assert_eq!(counted, vec![(tenant(), 25), (other, 1)]);
}

/// Verifies the receipt's signature and returns its claims.
fn claims(receipt: &Receipt) -> serde_json::Value {
    let (text, signature) = receipt.jws.rsplit_once('.').unwrap();
    let number = |at: usize| u8::from_str_radix(&receipt.public_key[at..at + 2], 16).unwrap();
    let key: Vec<u8> = (0..64).step_by(2).map(number).collect();
    let key = UnparsedPublicKey::new(&ED25519, key);
    key.verify(text.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap()).unwrap();
    assert!(key.verify(&text.as_bytes()[1..], &URL_SAFE_NO_PAD.decode(signature).unwrap()).is_err());
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text.split_once('.').unwrap().1).unwrap()).unwrap()
}

fn receipts(place: &Place) {
    let store = place.store();
    ["ada", "petronella", "bob"].into_iter().zip(0..).for_each(|(name, seed)| enroll(&store, name, seed));
    let erased = store.erase(&tenant(), &subject("petronella"), NOW).unwrap().unwrap();
    let receipt = erased.receipt.clone().unwrap();
    let said = claims(&receipt);
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &erased.salt);
    let commitment = hex(ring::hmac::sign(&key, b"acme/petronella").as_ref());
    assert_eq!((&said["erasure_id"], &said["subject_commitment"]), (&hex(&erased.id).into(), &commitment.into()));
    let looked = said["looked"].as_array().unwrap();
    assert!(looked.len() >= 3 && looked.iter().all(|place| place["found"] == 0), "{said}");
    let pieces = looked.iter().find(|place| place["place"] == "database file");
    let in_files = matches!(place.location, Location::Sqlite(_));
    assert_eq!(pieces.is_some_and(|found| found["sought"].as_u64() == Some(6)), in_files, "{said}");
    let state = place.store().erasure(&erased.id).unwrap().unwrap();
    assert_eq!((state.erased_at, state.tenant, state.receipt), (NOW, tenant(), Some(receipt.clone())));
    // The kept note does not name the person, even when every key of the store is known.
    let kept = store.read(|rows| rows.row("SELECT data FROM erasure", &[])).unwrap().unwrap().bytes().unwrap();
    let (name, failing) =
        (store.name(&tenant(), &subject("petronella")), store.failing(&tenant(), &subject("petronella")));
    let note = store.note_text(&erased.id).unwrap();
    assert!(note.contains(&receipt.commitment) && !kept.is_empty());
    for named in
        [hex(&name), hex(&failing), format!("{name:?}"), format!("{failing:?}"), "petronella".into(), hex(&erased.salt)]
    {
        assert!(!note.replace(' ', "").contains(&named.replace(' ', "")), "{named}: {note}");
    }
    assert_eq!(store.erasure(&[7; 16]).unwrap(), None);
}

/// Returns the number of receipts, and of erasures.
fn notes(store: &Store) -> (i64, i64) {
    let count = |sql| store.read(|rows| rows.row(sql, &[])?.unwrap().int()).unwrap();
    (count("SELECT count(*) FROM erasure WHERE done = 1"), count("SELECT count(*) FROM erasure"))
}

fn faults(place: &Place) {
    let good = place.store();
    let (mut whole, mut outcomes) = (false, [0, 0, 0]);
    for step in 0..200 {
        let name = format!("p{step}");
        enroll(&good, &name, step);
        let before = notes(&good);
        let (faulty, left) = Faulty::store(place);
        left.store(i64::try_from(step).unwrap(), Ordering::Relaxed);
        let outcome = faulty.erase(&tenant(), &subject(&name), NOW);
        let there = load(&good, &name, NOW).is_some();
        let receipt = outcome.as_ref().is_ok_and(|erased| erased.as_ref().is_some_and(|one| one.receipt.is_some()));
        let (done, all) = notes(&good);
        outcomes[if there { 0 } else { 1 + usize::from(receipt) }] += 1;
        assert!(!(there && (receipt || done > before.0 || all > before.1)), "step {step}: {outcome:?}");
        assert!(there || all == before.1 + 1, "step {step}: an erasure without a note");
        assert_eq!(done - before.0, i64::from(done > before.0), "step {step}");
        // The next attempt finishes a pending erasure, and only then it has a receipt.
        good.finish_erasures(NOW + 1).unwrap();
        let (done, all) = notes(&good);
        assert_eq!(done, all, "step {step}: pending for ever");
        // No erasure takes this step, so this one was complete.
        let left = faulty.database.scrub();
        if receipt && left.is_err() {
            whole = true;
            break;
        }
    }
    let [there, pending, receipts] = outcomes;
    assert!(there > 5 && pending > 5 && receipts > 0, "{there} still there, {pending} pending, {receipts} receipts");
    assert!(whole, "no erasure of 200 was without a fault");
    assert!(good.check().unwrap().right());
}
