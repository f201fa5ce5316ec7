//! Tests of the index and of API keys, for both databases.

use std::time::Duration;

use likeness::embed::Template;
use likeness::policy::Threshold;
use likeness::space::SpaceId;

use super::suite::{NEW, NOW, Place, SOURCE, SPACE, Test, enroll, enrollment, fresh, subject, tenant};
use super::*;

/// Tests of the index and of API keys.
pub const MORE: [Test; 7] = [
    ("the index finds whom it should, of the tenant alone, nearest first", found),
    ("a person deleted elsewhere is not named, not even from a stale index", stale),
    ("who has spent the budget for a person gets no answer about them", closed),
    ("the index follows enrolments, changes and erasures of another replica", followed),
    ("a person of another space is not compared", another_contract),
    ("many persons come and go, and the index holds what the database holds", churn),
    ("keys are good until they expire or are revoked, and for nothing else", keys_are_good),
];

/// Returns a loaded index.
pub fn index(store: &Arc<Store>) -> Index {
    let index = Index::empty(store.clone(), SPACE);
    let early = search(&index, &tenant(), &probe(1), 5, 2.0).unwrap_err();
    assert_eq!(early.kind, Kind::Loading);
    index.follow().unwrap();
    index
}

/// Returns a probe with the embedding of this seed.
fn probe(seed: u64) -> Template {
    Template::opened(SpaceId::from_bytes(SPACE), fresh(seed, 1.0).embedding)
}

/// Returns the persons that a search at this time finds.
pub fn found_by(index: &Index, seed: u64, now: i64) -> Vec<String> {
    let (tenant, probe) = (tenant(), probe(seed));
    let threshold = Threshold::set(0.1);
    let query = Query { tenant: &tenant, probe: probe.direction(), most: 5, threshold, source: SOURCE, now };
    index.search(&query).unwrap().matches.into_iter().map(|(who, _)| who.subject.as_str().to_owned()).collect()
}

/// A search of the suite.
pub fn search(index: &Index, tenant: &Tenant, probe: &Template, most: usize, threshold: f64) -> Result<SearchResult> {
    index.search(&Query {
        tenant,
        probe: probe.direction(),
        most,
        threshold: Threshold::set(threshold),
        source: SOURCE,
        now: NOW,
    })
}

fn names(index: &Index, seed: u64, most: usize, threshold: f64) -> Vec<String> {
    let found = search(index, &tenant(), &probe(seed), most, threshold).unwrap();
    found.matches.iter().map(|(who, _)| who.subject.as_str().to_owned()).collect()
}

fn found(place: &Place) {
    let store = place.store();
    for seed in 0..40 {
        enroll(&store, &format!("p{seed}"), seed);
    }
    let other = Tenant::new("other").unwrap();
    store.enroll(&enrollment(&other, &subject("p7"), vec![fresh(7, 80.0)], NEW)).unwrap();
    let index = index(&store);
    let all = search(&index, &tenant(), &probe(7), 50, 3.0).unwrap();
    assert_eq!((all.searched, all.matches.len()), (40, 40));
    assert!(all.matches.is_sorted_by(|(_, a), (_, b)| a <= b), "nearest first");
    assert_eq!((all.matches[0].0.subject.as_str(), all.matches[0].1), ("p7", 0.0));
    // The order must be the same as by comparing with each person's own mean.
    let numbers: Vec<f64> = fresh(7, 1.0).embedding.iter().copied().map(f64::from).collect();
    for (who, distance) in &all.matches {
        let mean = store.load(&tenant(), &who.subject, NOW).unwrap().unwrap().mean(&SPACE).unwrap();
        let mean: Vec<f64> = mean.into_iter().map(f64::from).collect();
        assert_eq!(likeness::distance::Metric::Cosine.distance(&numbers, &mean), *distance, "{who:?}");
    }
    assert_eq!(names(&index, 7, 50, 0.5), ["p7"]);
    assert_eq!(names(&index, 7, 3, 3.0).len(), 3);
    assert_eq!(names(&index, 7, 0, 3.0).len(), 0);
    assert_eq!(names(&index, 7, 5, 0.0), ["p7"], "at most nought is the same embedding");
    assert_eq!(names(&index, 7, 5, -1e-6), [""; 0]);
    let empty = search(&index, &Tenant::new("empty").unwrap(), &probe(7), 5, 3.0).unwrap();
    assert_eq!((empty.searched, empty.matches.len()), (0, 0));
}

fn stale(place: &Place) {
    let (here, there) = (place.store(), place.store());
    for seed in 0..20 {
        enroll(&here, &format!("p{seed}"), seed);
    }
    let index = index(&there);
    let gone = here.load(&tenant(), &subject("p3"), NOW).unwrap().unwrap();
    let changed = here.load(&tenant(), &subject("p4"), NOW).unwrap().unwrap();
    let (probe_3, within) = (probe(3), Threshold::set(0.3));
    // The search result from an index that has not followed yet.
    let near = |tenant: &Tenant, candidates: &[(i64, f32)]| {
        let query = Query { tenant, probe: probe_3.direction(), most: 5, threshold: within, source: SOURCE, now: NOW };
        let named = index.checked(&query, candidates).unwrap();
        named
            .into_iter()
            .map(|(who, distance)| (who.subject.as_str().to_owned(), within.includes(distance)))
            .collect::<Vec<_>>()
    };
    assert_eq!(near(&tenant(), &[(gone.id, 0.0)]), [("p3".to_owned(), true)]);
    here.erase(&tenant(), &subject("p3"), NOW).unwrap();
    here.enroll(&enrollment(&tenant(), &subject("p4"), vec![fresh(99, 80.0)], Mode::Replace)).unwrap();
    assert_eq!(near(&tenant(), &[(gone.id, 0.0), (changed.id, 0.0)]), [("p4".to_owned(), false)]);
    let other = Tenant::new("other").unwrap();
    assert_eq!(near(&other, &[(changed.id, 0.0)]), [], "a tenant's person is never named to another");
}

/// Attack: a subject is locked for verify, and the attacker continues with search.
fn closed(place: &Place) {
    let store = place.store();
    for seed in 0..12 {
        enroll(&store, &format!("p{seed}"), seed);
    }
    let index = index(&store);
    let found = search(&index, &tenant(), &probe(40), 5, 0.3).unwrap();
    let nearest = found.nearest.unwrap();
    assert_eq!(found.matches, [], "no match within the distance");
    let own = nearest.subject.as_str().trim_start_matches('p').parse().unwrap();
    assert_eq!(names(&index, own, 5, 0.3), [nearest.subject.as_str()]);
    for _ in 0..10 {
        store.note_failures(&tenant(), std::slice::from_ref(&nearest), SOURCE, NOW).unwrap();
    }
    assert_eq!(names(&index, own, 5, 0.3), [""; 0], "not even the right face");
    assert!(!names(&index, own, 50, 3.0).contains(&nearest.subject.as_str().to_owned()), "at no threshold");
    let next = search(&index, &tenant(), &probe(40), 5, 0.3).unwrap().nearest;
    assert!(next.is_some_and(|next| next != nearest), "the next failure counts for who is nearest then");
    let elsewhere = Source { key: "another", address: std::net::Ipv4Addr::new(192, 0, 2, 1).into() };
    let own_probe = probe(own);
    let query = Query {
        tenant: &tenant(),
        probe: own_probe.direction(),
        most: 5,
        threshold: Threshold::set(0.3),
        source: elsewhere,
        now: NOW,
    };
    assert_eq!(index.search(&query).unwrap().matches.len(), 1, "who has not failed gets an answer");
}

fn followed(place: &Place) {
    let (here, there) = (place.store(), place.store());
    let index = index(&there);
    enroll(&here, "ada", 1);
    assert_eq!(names(&index, 1, 5, 0.3), ["ada"], "enrolled");
    here.enroll(&enrollment(&tenant(), &subject("ada"), vec![fresh(2, 80.0)], Mode::Replace)).unwrap();
    assert_eq!((names(&index, 1, 5, 0.3).len(), names(&index, 2, 5, 0.3)), (0, vec!["ada".to_owned()]), "replaced");
    here.erase(&tenant(), &subject("ada"), NOW).unwrap();
    assert_eq!((names(&index, 2, 5, 0.3).len(), index.state().persons), (0, 0), "erased");
    enroll(&here, "ada", 3);
    assert_eq!(names(&index, 3, 5, 0.3), ["ada"], "enrolled again");
    // Without a search, the index's thread applies the changes.
    let kept = Index::start(there.clone(), SPACE);
    let until = std::time::Instant::now() + Duration::from_secs(20);
    let reaches = |persons| {
        while kept.state().persons != persons || !kept.state().ready {
            assert!(std::time::Instant::now() < until, "{:?}", kept.state());
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    reaches(1);
    here.erase(&tenant(), &subject("ada"), NOW).unwrap();
    reaches(0);
}

fn another_contract(place: &Place) {
    let store = place.store();
    let old = TemplateData { space: [1; 32], ..fresh(1, 80.0) };
    store.enroll(&enrollment(&tenant(), &subject("old"), vec![old], NEW)).unwrap();
    enroll(&store, "new", 1);
    let index = index(&store);
    assert_eq!((names(&index, 1, 5, 3.0), index.state().persons), (vec!["new".to_owned()], 1));
    let not_compared = || index.coverage(&tenant()).unwrap().not_compared.other_space;
    assert_eq!(not_compared(), 1);
    store.erase(&tenant(), &subject("old"), NOW).unwrap();
    assert_eq!(not_compared(), 0, "erased");
}

fn churn(place: &Place) {
    let store = place.store();
    let index = index(&store);
    let mut expected = std::collections::BTreeSet::new();
    // Steps that visit every residue: whom they meet the first time is enrolled, the second erased.
    for step in 0..90_u64 {
        let who = format!("p{}", step * step % 31);
        if expected.remove(&who) {
            store.erase(&tenant(), &subject(&who), NOW).unwrap();
        } else {
            enroll(&store, &who, step);
            expected.insert(who);
        }
        if step % 9 == 0 {
            let mut named = names(&index, 1, 100, 3.0);
            named.sort();
            assert_eq!(named, expected.iter().cloned().collect::<Vec<_>>(), "step {step}");
        }
    }
    let again = Index::empty(store.clone(), SPACE);
    again.follow().unwrap();
    assert_eq!(names(&again, 1, 100, 3.0), names(&index, 1, 100, 3.0), "loaded or followed, it is the same");
}

fn keys_are_good(place: &Place) {
    let store = place.store();
    let grant = Grant {
        tenant: Some(tenant()),
        scopes: "verify,metrics".parse().unwrap(),
        expires_at: Some(NOW + 10),
        per_minute: Some(60),
    };
    let (key, text) = store.create_key(&grant, NOW).unwrap();
    let (other, other_text) =
        store.create_key(&Grant { tenant: None, expires_at: None, ..grant.clone() }, NOW).unwrap();
    assert!(text.starts_with("lk_") && text.len() == 3 + 16 + 1 + 64, "{} characters", text.len());
    assert_eq!(store.authenticate(&text, NOW).unwrap(), Some(key.clone()));
    assert_eq!(store.authenticate(&other_text, NOW).unwrap(), Some(other.clone()));
    let secret = |text: &str| text.rsplit_once('_').unwrap().1.to_owned();
    let mut wrong = Vec::new();
    for (name, text, now) in [
        ("expired", text.to_string(), NOW + 10),
        ("cut", text[..text.len() - 1].to_owned(), NOW),
        ("longer", format!("{}0", *text), NOW),
        ("another's secret", format!("lk_{}_{}", key.id, secret(&other_text)), NOW),
        ("no secret", format!("lk_{}_", key.id), NOW),
        ("the secret alone", secret(&text), NOW),
        ("the id alone", key.id.clone(), NOW),
        ("unknown id", format!("lk_{}_{}", "0".repeat(16), secret(&text)), NOW),
        ("empty", String::new(), NOW),
        ("nought", "lk_imported_".into(), NOW),
    ] {
        wrong.extend(store.authenticate(&text, now).unwrap().map(|_| name));
    }
    assert_eq!(wrong, [""; 0]);
    assert!(!key.grant.scopes.has(Scope::Admin) && key.grant.scopes.has(Scope::Metrics));
    assert_eq!(store.keys().unwrap().len(), 2);
    assert_eq!((store.revoke_key(&other.id, NOW).unwrap(), store.revoke_key(&other.id, NOW).unwrap()), (true, false));
    assert_eq!(store.authenticate(&other_text, NOW).unwrap(), None);
}
