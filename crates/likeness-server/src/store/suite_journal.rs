//! Tests of the journal's entries about changes of the store, for both databases.

use std::sync::atomic::Ordering;

use super::digest::{Meta, Table};
use super::faulty::Faulty;
use super::suite::{NEW, NOW, Place, Test, enrollment, fresh, subject, tenant};
use super::transfer_tests::Aside;
use super::*;

/// Tests of the journal.
pub const JOURNAL: [Test; 3] = [
    ("who is swept has an entry, under the pseudonym of the enrolment's entry", swept),
    ("a pseudonym stays until the erasure, and no later one is like it", pseudonyms),
    ("a fault at any step leaves neither a change without its entry nor an entry without its change", faults),
];

/// Returns kind and body of each entry after the first `skip`, and checks that the entries are a chain.
fn entries(store: &Store, skip: usize) -> Vec<(String, serde_json::Value)> {
    let (mut found, mut previous) = (Vec::new(), NOTHING.to_owned());
    let right = store.journal(|text| {
        let entry: JournalEntry = serde_json::from_str(text).unwrap();
        assert_eq!(entry.previous, previous, "entry {}", entry.seq);
        previous = hash_of_entry(text);
        found.push((entry.kind, entry.body));
        Ok(())
    });
    assert!(right.unwrap(), "the table is not what its digest says");
    found.split_off(skip)
}

fn add(store: &Store, name: &str, mode: Mode, terms: Terms, now: i64) -> Result<()> {
    let (tenant, subject) = (tenant(), subject(name));
    let base = enrollment(&tenant, &subject, vec![fresh(7, 80.0)], mode);
    let outcome = store.enroll(&Enrollment { terms, now, ..base })?;
    assert_eq!(outcome.templates(), Some(1));
    Ok(())
}

const SHORT: Terms = Terms { consent: None, expires_at: Some(NOW + 10) };

fn swept(place: &Place) {
    let store = place.store();
    add(&store, "ada", NEW, SHORT, NOW).unwrap();
    add(&store, "eve", NEW, Terms::default(), NOW).unwrap();
    add(&store, "bob", NEW, SHORT, NOW).unwrap();
    assert_eq!(store.sweep(NOW + 10).unwrap(), 2);
    let entries = entries(&store, 0);
    let kinds: Vec<_> = entries.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["enrolled", "enrolled", "enrolled", "expired", "expired"]);
    let pseudonym = |at: usize| entries[at].1["subject"].as_str().unwrap();
    assert_eq!((pseudonym(3), pseudonym(4)), (pseudonym(0), pseudonym(2)));
    assert_ne!(pseudonym(0), pseudonym(2));
}

/// Once a person is erased, only a copy of the old row connects the entries with the names: neither the names and all keys
/// of the store do, nor an enrolment under the same names, nor the erasure's own entry.
fn pseudonyms(place: &Place) {
    let store = place.store();
    let (acme, ada) = (tenant(), subject("ada"));
    let known = || store.pseudonym(&acme, &ada, NOW).unwrap().map(|pseudonym| pseudonym.to_string());
    assert_eq!(known(), None);
    add(&store, "ada", NEW, Terms::default(), NOW).unwrap();
    let first = known().unwrap();
    add(&store, "ada", Mode::Replace, Terms::default(), NOW).unwrap();
    store.rotate(&place.key_file).unwrap();
    assert_eq!(known().as_ref(), Some(&first), "other templates and another master key, but the same person");
    store.erase(&acme, &ada, NOW).unwrap();
    assert_eq!(known(), None);
    add(&store, "ada", NEW, Terms::default(), NOW).unwrap();
    let second = known().unwrap();
    assert_ne!(first, second);
    let entries = entries(&store, 0);
    let found: Vec<_> = entries.iter().map(|(kind, body)| (kind.as_str(), body["subject"].as_str())).collect();
    let (first, second) = (Some(first.as_str()), Some(second.as_str()));
    let expected = [
        ("enrolled", first),
        ("enrolled", first),
        ("master_key_changed", None),
        ("erased", None),
        ("enrolled", second),
    ];
    assert_eq!(found, expected);
}

/// What a change changes.
enum Of {
    Rows(Table),
    MasterKey,
}

impl Of {
    fn state(&self, store: &Store) -> Vec<u8> {
        let meta = store.read(|rows| Meta::read(rows, &store.secrets.digests)).unwrap();
        match self {
            Self::Rows(table) => format!("{:?}", meta.table(*table)).into_bytes(),
            Self::MasterKey => meta.master,
        }
    }
}

/// The surroundings of a change: the store and its keys.
struct Scene<'a> {
    place: &'a Place,
    aside: &'a Aside,
    /// The name of a person of this step.
    name: String,
    /// The id of an API key of this step.
    key: String,
}

/// A change of the store, by name.
struct Change {
    name: &'static str,
    of: Of,
    prepare: fn(&Store, &mut Scene<'_>),
    act: fn(&Store, &Scene<'_>) -> Result<()>,
    /// The kinds of the change's entries.
    kinds: &'static [&'static str],
}

fn grant() -> Grant {
    Grant { tenant: None, scopes: Scopes::all(), expires_at: None, per_minute: None }
}

/// Changes of keys. Changes of keys come first, while a new master key wraps few rows.
fn of_keys() -> [Change; 3] {
    let nothing = |_: &Store, _: &mut Scene<'_>| {};
    [
        Change {
            name: "new master key",
            of: Of::MasterKey,
            // Ends what the step before began.
            prepare: |store, scene| drop(store.rotate(&scene.place.key_file).unwrap()),
            act: |store, scene| store.rotate(&scene.place.key_file).map(|_| ()),
            kinds: &["master_key_changed"],
        },
        Change {
            name: "new API key",
            of: Of::Rows(Table::Access),
            prepare: nothing,
            act: |store, _| store.create_key(&grant(), NOW).map(|_| ()),
            kinds: &["key_made"],
        },
        Change {
            name: "revocation",
            of: Of::Rows(Table::Access),
            prepare: |store, scene| scene.key = store.create_key(&grant(), NOW).unwrap().0.id,
            act: |store, scene| store.revoke_key(&scene.key, NOW).map(|_| ()),
            kinds: &["key_revoked"],
        },
    ]
}

/// Changes of persons.
fn of_persons() -> [Change; 6] {
    let short = |store: &Store, scene: &mut Scene<'_>| add(store, &scene.name, NEW, SHORT, NOW).unwrap();
    let persons = || Of::Rows(Table::Person);
    [
        Change {
            name: "enrolment",
            of: persons(),
            prepare: |_, _| {},
            act: |store, scene| add(store, &scene.name, NEW, Terms::default(), NOW),
            kinds: &["enrolled"],
        },
        Change {
            name: "replacement",
            of: persons(),
            prepare: short,
            act: |store, scene| add(store, &scene.name, Mode::Replace, SHORT, NOW),
            kinds: &["enrolled"],
        },
        Change {
            name: "enrolment after the end",
            of: persons(),
            prepare: short,
            act: |store, scene| add(store, &scene.name, NEW, Terms::default(), NOW + 10),
            kinds: &["expired", "enrolled"],
        },
        Change {
            name: "erasure",
            of: persons(),
            prepare: short,
            act: |store, scene| store.erase(&tenant(), &subject(&scene.name), NOW).map(|_| ()),
            kinds: &["erased"],
        },
        Change {
            name: "sweep",
            of: persons(),
            prepare: |store, scene| {
                store.sweep(NOW + 10).unwrap();
                add(store, &scene.name, NEW, SHORT, NOW).unwrap();
                add(store, &format!("{}-b", scene.name), NEW, SHORT, NOW).unwrap();
            },
            act: |store, _| store.sweep(NOW + 10).map(|_| ()),
            kinds: &["expired", "expired"],
        },
        Change {
            name: "import",
            of: persons(),
            prepare: |store, scene| {
                let other = Place::sqlite().store_kept();
                add(&other.1, &scene.name, NEW, Terms::default(), NOW).unwrap();
                add(&other.1, &format!("{}-b", scene.name), NEW, Terms::default(), NOW).unwrap();
                let _ = std::fs::remove_file(scene.aside.archive("a"));
                scene.aside.export(&other.1, NOW);
                // The second one is expired here.
                add(store, &format!("{}-b", scene.name), NEW, SHORT, NOW).unwrap();
            },
            act: |store, scene| scene.aside.import(store, NOW + 10).map(|_| ()),
            kinds: &["enrolled", "expired", "enrolled"],
        },
    ]
}

fn faults(place: &Place) {
    let (good, aside, mut wrong) = (place.store(), Aside::new(), Vec::new());
    for (number, change) in of_keys().iter().chain(&of_persons()).enumerate() {
        let (faulty, left) = Faulty::store(place);
        let (mut done, mut undone) = (0, 0);
        for step in 0.. {
            let mut scene = Scene { place, aside: &aside, name: format!("p{number}-{step}"), key: String::new() };
            (change.prepare)(&good, &mut scene);
            let (before, known) = (change.of.state(&good), entries(&good, 0).len());
            left.store(step, Ordering::Relaxed);
            let outcome = (change.act)(&faulty, &scene);
            let fault = left.swap(i64::MAX, Ordering::Relaxed) < 0;
            let changed = change.of.state(&good) != before;
            let kinds: Vec<_> = entries(&good, known).into_iter().map(|(kind, _)| kind).collect();
            let expected = if changed { change.kinds } else { &[] };
            let complete = changed && outcome.is_ok();
            if kinds != expected || !(fault || complete) {
                wrong.push(format!("{}, step {step}: changed {changed}, entries {kinds:?}, {outcome:?}", change.name));
            }
            *(if changed { &mut done } else { &mut undone }) += 1;
            if !fault || step > 200 {
                break;
            }
        }
        if done < 1 || undone < 3 {
            wrong.push(format!("{}: {done} times done, {undone} times not", change.name));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(good.check().unwrap().right());
}
