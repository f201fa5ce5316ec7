//! The suite on SQLite, and tests of the file: no remains of an erased person, one server at a time, and
//! full, read-only and damaged files.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::suite::{NEW, NOW, Place, SUITE, enroll, enrollment, fresh, request, subject, tenant};
use super::suite_captures::{CAPTURES, opening};
use super::suite_index::MORE;
use super::suite_journal::JOURNAL;
use super::suite_persons::PERSONS;
use super::*;

#[test]
fn the_suite() {
    for (name, test) in SUITE.into_iter().chain(MORE).chain(PERSONS).chain(JOURNAL).chain(CAPTURES) {
        let place = Place::sqlite();
        let outcome = std::panic::catch_unwind(|| test(&place));
        assert!(outcome.is_ok(), "SQLite: {name}");
    }
}

impl Place {
    pub fn file(&self, suffix: &str) -> PathBuf {
        let Location::Sqlite(path) = &self.location else { panic!("no file") };
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        name.into()
    }

    /// Returns how many of these pieces of eight bytes are in the database's files.
    fn holds(&self, pieces: &HashSet<[u8; 8]>) -> usize {
        // The first two bytes exclude most places; only the others are looked up.
        let first = |piece: &[u8; 8]| usize::from(u16::from_le_bytes([piece[0], piece[1]]));
        let mut firsts = vec![false; 1 << 16];
        pieces.iter().for_each(|piece| firsts[first(piece)] = true);
        let mut found = HashSet::new();
        for suffix in ["", "-wal", "-shm"] {
            // Another process reads the file: closing it in this process would end SQLite's locks.
            let bytes = Command::new("cat").arg(self.file(suffix)).output().unwrap().stdout;
            let here = |piece: &&[u8; 8]| firsts[first(piece)] && pieces.contains(*piece);
            found.extend(bytes.array_windows::<8>().filter(here).copied());
        }
        found.len()
    }
}

/// Returns the sealed parts of a person's rows, in pieces.
fn sealed_of(store: &Store, who: &str, request: &Idempotency) -> HashSet<[u8; 8]> {
    let name = store.name(&tenant(), &subject(who));
    let number = store.request_id(&tenant(), request).1;
    let data = |sql, value: sql::Value| {
        let row = store.read(|rows| rows.row(sql, std::slice::from_ref(&value))).unwrap();
        row.map_or(Vec::new(), |mut row| row.bytes().unwrap())
    };
    let person = data("SELECT data FROM person WHERE name = ?1", (&name).into());
    let answer = data("SELECT data FROM answer WHERE id = ?1", number.into());
    let mut pieces = HashSet::new();
    for sealed in record::sealed(&person).into_iter().chain(record::content(&answer)) {
        pieces.extend(sealed.as_chunks::<8>().0);
    }
    pieces
}

/// Enrols persons whose rows move within the file, because neighbours grow, shrink and are deleted.
fn churned(store: &Store, persons: u64) -> Vec<HashSet<[u8; 8]>> {
    let mut once = Vec::new();
    for seed in 0..persons {
        let (who, key) = (format!("p{seed}"), request(&format!("k{seed}"), 1));
        let subject = subject(&who);
        let tenant = tenant();
        let count = usize::try_from(seed % 3 + 1).unwrap();
        let many = (0..count as u64).map(|at| fresh(seed * 8 + at, 80.0)).collect();
        let base = enrollment(&tenant, &subject, many, NEW);
        store.enroll(&Enrollment { remember: Some((&key, b"an answer of some length")), ..base }).unwrap();
        once.push(sealed_of(store, &who, &key));
    }
    for seed in (0..persons).step_by(3) {
        let (tenant, subject) = (tenant(), subject(&format!("p{seed}")));
        store.enroll(&enrollment(&tenant, &subject, vec![fresh(seed, 70.0); 4], Mode::Replace)).unwrap();
        let key = request(&format!("k{seed}"), 1);
        once[usize::try_from(seed).unwrap()].extend(sealed_of(store, &format!("p{seed}"), &key));
    }
    once
}

#[test]
fn of_who_is_erased_nothing_sealed_is_left_in_any_file() {
    let place = Place::sqlite();
    let store = place.store();
    let sealed = churned(&store, 120);
    assert!(place.holds(&sealed[5]) > 250, "the search finds what is there");
    let mut left = Vec::new();
    // Neighbours are erased in an order that empties, merges and splits pages.
    for step in 0..90 {
        let seed = step * 7 % 120;
        let erased = store.erase(&tenant(), &subject(&format!("p{seed}")), NOW).unwrap();
        assert_eq!(erased.map(|erased| erased.erasure()), Some(Erasure::Done), "p{seed}");
        let found = place.holds(&sealed[seed]);
        if found > 0 {
            left.push(format!("p{seed}: {found} pieces of {}", sealed[seed].len()));
        }
        if step % 10 == 0 {
            enroll(&store, &format!("q{step}"), 1000 + step as u64);
        }
    }
    let all: HashSet<_> = (0..90).flat_map(|step| sealed[step * 7 % 120].iter().copied()).collect();
    assert_eq!((left, place.holds(&all)), (vec![], 0));
}

/// Returns the ciphertext of a capture, in pieces.
fn state_of(store: &Store, id: &CaptureId) -> HashSet<[u8; 8]> {
    let row = store.read(|rows| rows.row("SELECT data FROM capture WHERE id = ?1", &[id.into()])).unwrap();
    record::content(&row.unwrap().bytes().unwrap()).unwrap().as_chunks::<8>().0.iter().copied().collect()
}

#[test]
fn of_a_capture_no_state_is_left_in_any_file_when_its_person_is_erased() {
    let place = Place::sqlite();
    let store = place.store();
    let mut states: Vec<HashSet<[u8; 8]>> = Vec::new();
    let mut open = Vec::new();
    for seed in 0..60 {
        let who = format!("p{seed}");
        enroll(&store, &who, seed);
        let id =
            store.begin_capture(&opening(tenant().as_str(), Some(&who)), (NOW, NOW + 180), &[1; 300]).unwrap().unwrap();
        states.push(state_of(&store, &id));
        open.push(id);
    }
    // A state grows when it gets an embedding, and shrinks when the capture is complete.
    for (turn, bytes) in [(0, 900), (1, 3500), (2, 5000), (3, 700)] {
        for (seed, id) in open.iter().enumerate().filter(|(seed, _)| seed % 4 >= usize::try_from(turn).unwrap()) {
            assert!(store.advance_capture(id, turn, &vec![1; bytes + seed]).unwrap());
            states[seed].extend(state_of(&store, id));
        }
    }
    assert!(place.holds(&states[3]) > 80, "the search finds what is there");
    let mut left = Vec::new();
    for step in 0..60 {
        let seed = step * 7 % 60;
        let erased = store.erase(&tenant(), &subject(&format!("p{seed}")), NOW).unwrap().unwrap().erasure();
        let found = place.holds(&states[seed]);
        if (erased, found) != (Erasure::Done, 0) {
            left.push(format!("p{seed}: {erased:?}, {found} pieces of {}", states[seed].len()));
        }
    }
    assert!(left.is_empty(), "{left:#?}");
}

#[test]
fn a_reader_makes_an_erasure_pending_and_it_is_finished_when_the_reader_ends() {
    let place = Place::sqlite();
    place.store();
    let store = Store::open(&place.location, &place.key_file, Purpose::Serve).unwrap();
    let sealed = churned(&store, 3);
    let reader = rusqlite::Connection::open(place.file("")).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM person").unwrap();
    assert_eq!(
        store.erase(&tenant(), &subject("p1"), NOW).unwrap().map(|erased| erased.erasure()),
        Some(Erasure::Pending)
    );
    assert!(!store.exists(&tenant(), &subject("p1")).unwrap(), "pending is gone for every caller");
    assert!(place.holds(&sealed[1]) > 0, "the reader can still see it");
    reader.execute_batch("COMMIT").unwrap();
    let until = std::time::Instant::now() + Duration::from_secs(30);
    while place.holds(&sealed[1]) > 0 {
        assert!(std::time::Instant::now() < until, "it was never finished");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn what_a_crash_left_to_be_erased_is_erased_at_the_next_start() {
    let place = Place::sqlite();
    let store = place.store();
    let sealed = churned(&store, 3);
    let reader = rusqlite::Connection::open(place.file("")).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM person").unwrap();
    assert_eq!(
        store.erase(&tenant(), &subject("p2"), NOW).unwrap().map(|erased| erased.erasure()),
        Some(Erasure::Pending)
    );
    // Simulates a killed process: neither connection is closed.
    std::mem::forget((store, reader.execute_batch("COMMIT").map(|()| reader)));
    assert!(place.holds(&sealed[2]) > 0);
    let _serving = Store::open(&place.location, &place.key_file, Purpose::Serve).unwrap();
    let until = std::time::Instant::now() + Duration::from_secs(30);
    while place.holds(&sealed[2]) > 0 {
        assert!(std::time::Instant::now() < until, "it was never finished");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn kind<T>(outcome: Result<T>) -> Option<Kind> {
    outcome.err().map(|error| error.kind)
}

#[test]
fn a_second_server_is_refused_by_name_while_keys_can_be_made() {
    let place = Place::sqlite();
    place.store();
    let first = Store::open(&place.location, &place.key_file, Purpose::Serve).unwrap();
    let second = Store::open(&place.location, &place.key_file, Purpose::Serve);
    let refusal = second.err().unwrap();
    assert_eq!(refusal.kind, Kind::Locked);
    assert!(refusal.what.contains("store.db.lock"), "{refusal}");
    let grant = Grant { tenant: None, scopes: Scopes::all(), expires_at: None, per_minute: None };
    let (_, text) = place.store().create_key(&grant, NOW).unwrap();
    assert!(first.authenticate(&text, NOW).unwrap().is_some(), "a key made beside the server is good at once");
    drop(first);
    let until = std::time::Instant::now() + Duration::from_secs(10);
    // The scrubbing thread releases the store after its turn.
    while Store::open(&place.location, &place.key_file, Purpose::Serve).is_err() {
        assert!(std::time::Instant::now() < until, "the lock outlives the server");
    }
}

#[test]
fn damaged_files_and_rows_are_named_and_others_are_still_served() {
    let place = Place::sqlite();
    let store = place.store();
    for seed in 0..5 {
        enroll(&store, &format!("p{seed}"), seed);
    }
    let row = |who: &str| {
        let name = store.name(&tenant(), &subject(who));
        let sql = "SELECT data FROM person WHERE name = ?1";
        store.read(|rows| rows.row(sql, &[(&name).into()])?.unwrap().bytes()).unwrap()
    };
    let put = |who: &str, data: &[u8]| {
        let values = [(&store.name(&tenant(), &subject(who))).into(), data.into()];
        let sql = "UPDATE person SET data = ?2 WHERE name = ?1";
        store.database.write(&mut |rows| rows.run(sql, &values).map(|_| ())).unwrap();
    };
    let good = row("p1");
    let cut = record::lay(&record::content(&good).unwrap()[..1000]);
    let flipped = |at: usize| {
        let mut data = good.clone();
        data[at] ^= 1;
        data
    };
    let table = [
        ("another's row", row("p2")),
        ("a bit of the wrapped key", flipped(489 + 8 + 2 + 40)),
        ("a bit of the template's id", flipped(489 + 8 + 2 + 40 + 40 + 32 + 7)),
        ("a bit of the embedding", flipped(1500)),
        ("a bit of the length", flipped(489 + 1)),
        ("cut", cut),
        ("nothing", Vec::new()),
    ];
    for (name, data) in table {
        put("p1", &data);
        assert_eq!(kind(store.load(&tenant(), &subject("p1"), NOW)), Some(Kind::Corrupt), "{name}");
        assert!(store.load(&tenant(), &subject("p2"), NOW).unwrap().is_some(), "{name}");
        let checked = store.check().unwrap();
        assert_eq!((checked.unreadable.len(), checked.changed), (1, vec!["person"]), "{name}");
        let index = Index::empty(store.clone(), super::suite::SPACE);
        index.follow().unwrap();
        assert_eq!((index.state().persons, index.state().unreadable), (4, 1), "{name}");
    }
    put("p1", &good);
    assert!(store.check().unwrap().right());
    drop(store);
    fs::write(place.file(""), [9; 40_000]).unwrap();
    for suffix in ["-wal", "-shm"] {
        let _ = fs::remove_file(place.file(suffix));
    }
    assert_eq!(kind(Store::open(&place.location, &place.key_file, Purpose::Serve)), Some(Kind::Corrupt));
}

#[test]
fn a_wrong_key_is_refused_before_anything_is_written() {
    let place = Place::sqlite();
    let store = place.store();
    enroll(&store, "ada", 1);
    // A foreign log that SQLite would write into the database when a connection closes.
    std::mem::forget(store);
    let foreign = Place::sqlite();
    foreign.store();
    let state = || ["", "-wal"].map(|suffix| fs::read(place.file(suffix)).unwrap());
    let before = state();
    assert!(!before[1].is_empty());
    for purpose in [Purpose::Serve, Purpose::Manage] {
        assert_eq!(kind(Store::open(&place.location, &foreign.key_file, purpose)), Some(Kind::WrongKey));
        assert!(before == state(), "{purpose:?} wrote");
    }
    assert!(place.store().exists(&tenant(), &subject("ada")).unwrap());
}

/// A mounted file system, unmounted when dropped.
pub struct Mount(pub PathBuf);

pub fn run(program: &str, args: &[&str]) {
    let output = Command::new(program).args(args).output().unwrap();
    assert!(output.status.success(), "{program} {args:?}: {output:?}");
}

impl Drop for Mount {
    fn drop(&mut self) {
        run("umount", &[self.0.to_str().unwrap()]);
    }
}

/// Returns whether this test may mount.
pub fn may_mount(test: &str) -> bool {
    testkit::need::root(test)
}

#[test]
fn a_full_or_read_only_store_says_so_keeps_what_it_had_and_goes_on_with_room() {
    if !may_mount("a_full_or_read_only_store") {
        return;
    }
    let place = Place::sqlite();
    let data = place.dir.path().join("data");
    run("mount", &["-t", "tmpfs", "-o", "size=2m,mode=700", "tmpfs", data.to_str().unwrap()]);
    let mounted = Mount(data.clone());
    let store = place.store();
    let (acme, mut stored) = (tenant(), 0);
    let refusal = loop {
        let who = subject(&format!("p{stored}"));
        match store.enroll(&enrollment(&acme, &who, vec![fresh(stored, 80.0)], NEW)) {
            Ok(_) => stored += 1,
            Err(refusal) => break refusal,
        }
        assert!(stored < 1000, "2 MiB are never full");
    };
    assert_eq!(refusal.kind, Kind::Full, "{refusal}");
    let there = || (0..stored).filter(|at| store.exists(&acme, &subject(&format!("p{at}"))).unwrap()).count() as u64;
    assert!(stored > 50 && there() == stored, "{} of {stored}", there());
    run("mount", &["-o", "remount,size=16m", data.to_str().unwrap()]);
    enroll(&store, "later", 1);
    assert_eq!((there(), store.check().unwrap().unreadable.len()), (stored, 0));
    drop(store);
    run("mount", &["-o", "remount,ro", data.to_str().unwrap()]);
    let refusal = Store::open(&place.location, &place.key_file, Purpose::Serve).err().unwrap();
    assert_eq!(refusal.kind, Kind::ReadOnly, "{refusal}");
    drop(mounted);
}
