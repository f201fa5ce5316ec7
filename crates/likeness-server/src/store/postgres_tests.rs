//! The suite on PostgreSQL 15, and what a database does that stops.

use std::str::FromStr as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::suite::{Place, SUITE};
use super::suite_captures::CAPTURES;
use super::suite_index::MORE;
use super::suite_journal::JOURNAL;
use super::suite_persons::PERSONS;
use super::*;

#[path = "../../tests/service/cluster.rs"]
mod cluster;

use cluster::Cluster;

impl Cluster {
    /// Creates a new database.
    fn place(&self) -> Place {
        let location = Location::from_str(&self.database()).unwrap();
        let dir = testkit::ground::folder("store");
        Place { location, key_file: dir.path().join("master.key"), dir }
    }
}

#[test]
fn the_suite() {
    let Some(cluster) = Cluster::start("the_suite") else { return };
    for (name, test) in SUITE.into_iter().chain(MORE).chain(PERSONS).chain(JOURNAL).chain(CAPTURES) {
        let place = cluster.place();
        let outcome = std::panic::catch_unwind(|| test(&place));
        assert!(outcome.is_ok(), "PostgreSQL: {name}");
    }
}

#[test]
fn a_database_with_tables_of_these_names_is_refused_and_no_key_is_left() {
    let Some(cluster) = Cluster::start("a_database_with_tables_of_these_names_is_refused") else { return };
    // What another program has made, and whether a store fits beside it.
    let rows = [
        ("CREATE TABLE users (name TEXT)", true),
        ("CREATE TABLE person (name TEXT)", false),
        ("CREATE TABLE meta (k TEXT)", false),
    ];
    let mut wrong = Vec::new();
    for (sql, fits) in rows {
        let place = cluster.place();
        let Location::Postgres(url) = &place.location else { unreachable!() };
        ::postgres::Client::connect(url, ::postgres::NoTls).unwrap().batch_execute(sql).unwrap();
        let made = Store::init(&place.location, &place.key_file).map(drop).map_err(|error| error.kind);
        let key = place.key_file.exists();
        if (made, key) != (if fits { Ok(()) } else { Err(Kind::BadSetting) }, fits) {
            wrong.push(format!("{sql}: {made:?}, a key file is left: {key}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let place = cluster.place();
    let key = |at: usize| place.dir.path().join(format!("{at}.key"));
    let made: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|at| {
                scope.spawn({
                    let (location, key) = (&place.location, key(at));
                    move || Store::init(location, &key).is_ok()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(made.iter().filter(|made| **made).count(), 1, "{made:?}");
    assert_eq!(made, (0..4).map(|at| key(at).exists()).collect::<Vec<_>>(), "keys that open nothing stay");
}

#[test]
fn everybody_moves_from_sqlite_to_postgresql_and_back() {
    let Some(cluster) = Cluster::start("everybody_moves_from_sqlite_to_postgresql_and_back") else { return };
    let (file, back) = (Place::sqlite(), Place::sqlite());
    let server = cluster.place();
    super::transfer_tests::between(&file.store(), &server.store(), &super::transfer_tests::Aside::new());
    let other = cluster.place();
    super::transfer_tests::between(&other.store(), &back.store(), &super::transfer_tests::Aside::new());
}

#[test]
fn killed_again_and_again_a_move_from_postgresql_to_postgresql_loses_nobody_and_doubles_nobody() {
    let Some(cluster) = Cluster::start("killed_again_and_again_a_move_from_postgresql_to_postgresql") else { return };
    super::transfer_kill_tests::killed(&cluster.place(), &cluster.place());
}

#[test]
fn no_attack_on_a_capture_passes() {
    let Some(cluster) = Cluster::start("no_attack_on_a_capture_passes") else { return };
    crate::captures::tests::attacks(&cluster.place());
}

#[test]
fn a_writer_of_the_database_changes_nothing_unnoticed() {
    let Some(cluster) = Cluster::start("a_writer_of_the_database_changes_nothing_unnoticed") else { return };
    super::tamper_tests::every_change_is_refused_or_found(&cluster.place());
    super::tamper_tests::what_once_was_is_found_when_it_is_put_back(&cluster.place());
}

#[test]
fn stopped_and_started_in_mid_load_what_was_acknowledged_is_there() {
    use super::suite::{NEW, NOW, enrollment, fresh, subject, tenant};
    let Some(cluster) = Cluster::start("stopped_and_started_in_mid_load_what_was_acknowledged_is_there") else {
        return;
    };
    let place = cluster.place();
    let replicas = [place.store(), place.store()];
    let (up, down, stop) = (AtomicUsize::new(0), AtomicUsize::new(0), std::sync::atomic::AtomicBool::new(false));
    let until = |counter: &AtomicUsize, more: usize| {
        let enough = counter.load(Ordering::Relaxed) + more;
        while counter.load(Ordering::Relaxed) < enough {
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    let stored = std::thread::scope(|scope| {
        let load = |at: u64| {
            let (store, up, down, stop) = (&replicas[usize::try_from(at % 2).unwrap()], &up, &down, &stop);
            scope.spawn(move || {
                let (mut stored, mut open) = (Vec::new(), 0);
                for number in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let (tenant, subject) = (tenant(), subject(&format!("p{at}-{number}")));
                    match store.enroll(&enrollment(&tenant, &subject, vec![fresh(number, 80.0)], NEW)) {
                        Ok(outcome) => {
                            assert_eq!(outcome.templates(), Some(1));
                            stored.push((subject, number));
                            up.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(refusal) => {
                            assert_eq!(refusal.kind, Kind::Unavailable, "{refusal}");
                            open += 1;
                            down.fetch_add(1, Ordering::Relaxed);
                            std::thread::sleep(Duration::from_millis(5));
                        }
                    }
                }
                (stored, open)
            })
        };
        let threads: Vec<_> = (0..4).map(load).collect();
        for how in ["fast", "immediate"] {
            until(&up, 20);
            cluster.down(how);
            until(&down, 4);
            cluster.up();
        }
        until(&up, 20);
        stop.store(true, Ordering::Relaxed);
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    let open: usize = stored.iter().map(|(_, open)| open).sum();
    let acknowledged: Vec<_> = stored.into_iter().flat_map(|(stored, _)| stored).collect();
    let lost = acknowledged.iter().filter(|(subject, number)| {
        let found = replicas[0].load(&tenant(), subject, NOW).unwrap();
        found.is_none_or(|person| person.templates[0].data != fresh(*number, 80.0))
    });
    assert_eq!(lost.count(), 0, "of {}", acknowledged.len());
    let checked = replicas[1].check().unwrap();
    let summary = format!("{} acknowledged, {open} refused, {} there\n", acknowledged.len(), checked.persons);
    std::io::Write::write_all(&mut std::io::stderr(), summary.as_bytes()).unwrap();
    assert!(checked.unreadable.is_empty() && checked.persons >= acknowledged.len() as u64, "{checked:?}");
    assert!(acknowledged.len() >= 60 && open > 0, "{} stored, {open} refused", acknowledged.len());
}
