//! Tests of archives: no person is lost or doubled between two stores, whatever is killed, cut or changed.

use std::collections::BTreeSet;
use std::fs;

use super::archive::{ArchivedPerson, Frame};
use super::digest::Changes;
use super::keys::{KeyUse, Keyring};
use super::suite::{NEW, NOW, Place, enroll, enrollment, fresh, subject, tenant};
use super::*;

/// A directory for archives and their keys.
pub struct Aside(tempfile::TempDir);

impl Aside {
    /// Creates an empty directory.
    pub fn new() -> Self {
        let dir = testkit::ground::folder("archive");
        fs::create_dir(dir.path().join("archives")).unwrap();
        Self(dir)
    }

    /// Returns the path of an archive.
    pub fn archive(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join("archives").join(name)
    }

    /// Returns the path of the archives' key.
    pub fn key_file(&self) -> std::path::PathBuf {
        self.0.path().join("archive.key")
    }

    /// Exports to the archive `a`.
    pub fn export(&self, store: &Store, now: i64) -> Exported {
        store.export(&mut store.archive(&self.archive("a"), &self.key_file()).unwrap(), now).unwrap()
    }

    /// Imports from the archive `a`.
    pub fn import(&self, store: &Store, now: i64) -> Result<Imported> {
        let keys = archive_keys(&self.archive("a"), &self.key_file()).unwrap();
        store.import(&mut Archive::open(&self.archive("a"), &keys)?, now)
    }
}

/// Returns every person of the store with templates, terms and pseudonym.
pub fn everybody(store: &Store, now: i64) -> Vec<(String, Vec<TemplateData>, Terms, String)> {
    let mut all = Vec::new();
    for (tenant, _) in store.tenants(now).unwrap() {
        let mut cursor = None;
        loop {
            let page = store.list(&tenant, cursor.as_deref(), 200, now).unwrap().unwrap();
            all.extend(page.persons.into_iter().map(|person| {
                let name = format!("{}/{}", person.tenant.as_str(), person.subject.as_str());
                let templates = person.templates.into_iter().map(|template| template.data).collect();
                (name, templates, person.terms, person.pseudonym.to_string())
            }));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
    }
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

/// Enrols persons of two tenants with several templates, and some with a consent or an expiry; many in a
/// transaction.
pub fn filled(store: &Store, persons: u64) {
    for first in (0..persons).step_by(500) {
        store
            .write(|changes| (first..persons.min(first + 500)).try_for_each(|seed| fill(store, changes, seed)))
            .unwrap();
    }
}

fn fill(store: &Store, changes: &mut Changes<'_>, seed: u64) -> Result<()> {
    let tenant = if seed.is_multiple_of(3) { Tenant::new("other").unwrap() } else { tenant() };
    let subject = subject(&format!("p{seed}"));
    let many = (0..seed % 3 + 1).map(|at| fresh(seed * 8 + at, 70.1 + at as f64)).collect();
    let consent = Consent { reference: format!("c{seed}"), version: "1".into(), given_at: NOW };
    let terms = match seed % 4 {
        0 => Terms { consent: Some(consent), expires_at: Some(NOW + 1000) },
        1 => Terms { consent: None, expires_at: Some(NOW + 1) },
        _ => Terms::default(),
    };
    store.enroll_in(changes, &Enrollment { terms, ..enrollment(&tenant, &subject, many, NEW) }).map(|_| ())
}

#[test]
fn what_is_no_regular_file_is_refused_as_an_archive_and_not_waited_for() {
    let (aside, mut wrong) = (Aside::new(), Vec::new());
    let keys = Keyring::create(&aside.key_file(), KeyUse::Archive, None).unwrap();
    let fifo = aside.archive("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    for path in [fifo.as_path(), aside.0.path(), "/dev/zero".as_ref(), "/dev/null".as_ref()] {
        wrong.extend(Archive::open(path, &keys).ok().map(|_| format!("opened {}", path.display())));
        wrong.extend(Archive::create(path, &keys).ok().map(|_| format!("created {}", path.display())));
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn everybody_arrives_to_the_bit_and_a_second_run_changes_nothing() {
    let (from, to, aside) = (Place::sqlite(), Place::sqlite(), Aside::new());
    between(&from.store(), &to.store(), &aside);
}

/// Transfers persons from one kind of database to another.
pub fn between(from: &Store, to: &Store, aside: &Aside) {
    filled(from, 230);
    assert_eq!(aside.export(from, NOW).persons, 230);
    assert_eq!(aside.export(from, NOW).written, 0, "nothing changed since");
    let later = NOW + 5;
    // Changes after the export: one person is new, one changes, one is erased, one is erased and enrolled
    // again.
    enroll(from, "late", 9000);
    let (acme, again) = (tenant(), subject("p1"));
    let replaced = enrollment(&acme, &again, vec![fresh(9001, 80.0)], Mode::Replace);
    from.enroll(&replaced).unwrap();
    from.erase(&tenant(), &subject("p2"), NOW).unwrap();
    from.erase(&tenant(), &subject("p4"), NOW).unwrap();
    enroll(from, "p4", 9002);
    let exported = aside.export(from, NOW);
    assert_eq!((exported.persons, exported.written), (230, 3));
    let imported = aside.import(to, later).unwrap();
    assert_eq!(everybody(to, later), everybody(from, later), "all but whose time is over");
    assert!(imported.conflicts.is_empty() && imported.already == 0 && imported.expired > 40, "{imported:?}");
    assert_eq!(imported.stored + imported.expired, 230);
    let again = aside.import(to, later).unwrap();
    assert_eq!((again.stored, again.already), (0, imported.stored));
    assert!(to.check().unwrap().right() && from.check().unwrap().right());
    // A different person under the same name stays and is reported.
    let late = subject("late");
    let own = enrollment(&acme, &late, vec![fresh(7, 80.0)], Mode::Replace);
    to.enroll(&own).unwrap();
    assert_eq!(aside.import(to, later).unwrap().conflicts, ["acme/late"]);
}

#[test]
fn a_person_of_an_archive_without_pseudonyms_gets_one() {
    let (place, aside) = (Place::sqlite(), Aside::new());
    let numbers = fresh(1, 80.0).embedding.iter().map(|number| number.to_bits()).collect();
    let person = ArchivedPerson {
        id: 1,
        version: 1,
        tenant: "acme".into(),
        subject: "ada".into(),
        consent: None,
        expires_at: None,
        templates: vec![("07".repeat(32), NOW, 80_f64.to_bits(), numbers)],
        pseudonym: None,
    };
    let written = serde_json::to_string(&person).unwrap();
    assert!(!written.contains("pseudonym"), "{written}");
    let keys = Keyring::create(&aside.key_file(), KeyUse::Archive, None).unwrap();
    let mut archive = Archive::create(&aside.archive("a"), &keys).unwrap();
    archive.append(&[Frame::Person(person), Frame::End { revision: 1, persons: 1 }]).unwrap();
    drop(archive);
    assert_eq!(aside.import(&place.store(), NOW).unwrap().stored, 1);
    let pseudonym = place.store().pseudonym(&tenant(), &subject("ada"), NOW).unwrap();
    assert!(pseudonym.is_some_and(|pseudonym| pseudonym.0 != [0; 16]), "{pseudonym:?}");
}

#[test]
fn wherever_an_archive_is_cut_its_export_goes_on_and_an_import_waits_for_its_end() {
    let (from, aside) = (Place::sqlite().store_kept(), Aside::new());
    filled(&from.1, 12);
    aside.export(&from.1, NOW);
    let whole = fs::read(aside.archive("a")).unwrap();
    let mut wrong = Vec::new();
    for length in (0..whole.len()).step_by(whole.len() / 20 + 1).chain([whole.len() - 1]) {
        fs::write(aside.archive("a"), &whole[..length]).unwrap();
        let to = Place::sqlite();
        let early = aside.import(&to.store(), NOW);
        let left = to.store().check().unwrap().persons;
        let persons = aside.export(&from.1, NOW).persons;
        let imported = aside.import(&to.store(), NOW);
        let same = everybody(&to.store(), NOW) == everybody(&from.1, NOW);
        if early.is_ok() || left != 0 || persons != 12 || imported.is_err() || !same {
            wrong.push((length, early.is_ok(), left, persons));
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn a_changed_byte_of_an_archive_is_refused_and_nothing_of_it_is_stored() {
    let (from, aside) = (Place::sqlite().store_kept(), Aside::new());
    filled(&from.1, 6);
    aside.export(&from.1, NOW);
    let whole = fs::read(aside.archive("a")).unwrap();
    let mut wrong = Vec::new();
    let to = Place::sqlite();
    for at in (0..whole.len()).step_by(701) {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        fs::write(aside.archive("a"), changed).unwrap();
        if aside.import(&to.store(), NOW).is_ok() || to.store().check().unwrap().persons > 0 {
            wrong.push(at);
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
    fs::write(aside.archive("a"), b"another program's file".as_slice()).unwrap();
    let other = from.1.archive(&aside.archive("a"), &aside.key_file()).err().unwrap();
    assert_eq!(other.kind, Kind::Corrupt, "a file that is no archive is not written over");
    let beside = from.1.archive(&aside.archive("b"), &aside.archive("key")).err().unwrap();
    assert_eq!(beside.kind, Kind::KeyFile, "the key with the archive");
    fs::write(aside.archive("a"), &whole).unwrap();
    let foreign = Keyring::create(&aside.0.path().join("foreign.key"), KeyUse::Archive, None).unwrap();
    assert_eq!(Archive::open(&aside.archive("a"), &foreign).err().unwrap().kind, Kind::WrongKey);
    let text = String::from_utf8_lossy(&whole).into_owned();
    let names: BTreeSet<&str> = ["acme", "other", "p1"].into_iter().filter(|name| text.contains(name)).collect();
    assert!(!names.contains("acme") && !names.contains("other"), "{names:?} in clear");
}

/// A key that a store needs can be removed by the store's rotation; then nothing would open the archive.
#[test]
fn an_archive_is_sealed_to_no_key_of_a_store_and_continued_by_its_own_store_alone() {
    let ((place, from), (other_place, other), aside) =
        (Place::sqlite().store_kept(), Place::sqlite().store_kept(), Aside::new());
    filled(&from, 3);
    filled(&other, 9);
    let bare = |path: &std::path::Path, name: &str| {
        let lines = fs::read_to_string(path).unwrap();
        let text: String =
            lines.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect();
        let path = aside.0.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        path
    };
    aside.export(&from, NOW);
    let (key, archive) = (aside.key_file(), aside.archive("a"));
    let before = fs::read(&archive).unwrap();
    let rows = [
        ("the store's own key", &from, place.key_file.clone(), "b", Some(Kind::KeyFile)),
        ("the store's own key without its first lines", &from, bare(&place.key_file, "bare"), "b", Some(Kind::KeyFile)),
        ("another store's key", &from, other_place.key_file.clone(), "b", Some(Kind::KeyFile)),
        (
            "another store's key without its first lines",
            &from,
            bare(&other_place.key_file, "lines"),
            "b",
            Some(Kind::KeyFile),
        ),
        ("an absent key beside an archive", &from, aside.0.path().join("none"), "a", Some(Kind::KeyFile)),
        ("an archive of another store", &other, key.clone(), "a", Some(Kind::BadSetting)),
        ("the same archive", &from, key.clone(), "a", None),
        ("a key without its first lines", &from, bare(&key, "plain"), "a", None),
    ];
    let mut wrong = Vec::new();
    for (row, store, key, name, expected) in rows {
        let done = store.archive(&aside.archive(name), &key).and_then(|mut archive| store.export(&mut archive, NOW));
        let found = done.err().map(|error| error.kind);
        let left = aside.archive("b").exists() || aside.0.path().join("none").exists();
        if found != expected || left || fs::read(&archive).unwrap().len() != before.len() {
            wrong.push(format!("{row}: {found:?}, a file is left: {left}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let to = Place::sqlite();
    assert_eq!(aside.import(&to.store(), NOW).unwrap().stored, everybody(&from, NOW).len() as u64);
}

/// An operator restores an old copy of the database, and persons are enrolled in it until its revision is the archive's.
#[test]
fn an_archive_is_not_continued_by_a_copy_of_its_store_with_another_history() {
    let (place, aside) = (Place::sqlite(), Aside::new());
    let Location::Sqlite(path) = place.location.clone() else { unreachable!() };
    let store = place.store();
    filled(&store, 3);
    drop(store);
    let old = fs::read(&path).unwrap();
    let store = place.store();
    filled(&store, 6);
    aside.export(&store, NOW);
    drop(store);
    let archive = fs::read(aside.archive("a")).unwrap();
    fs::write(&path, &old).unwrap();
    let mut wrong = Vec::new();
    for more in 0..6 {
        let store = place.store();
        let done = store.archive(&aside.archive("a"), &aside.key_file()).and_then(|mut to| store.export(&mut to, NOW));
        if done.as_ref().err().map(|error| error.kind) != Some(Kind::BadSetting) {
            wrong.push(format!("{more} more: {done:?}"));
        }
        enroll(&store, &format!("other{more}"), 100 + more);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(fs::read(aside.archive("a")).unwrap(), archive);
}

/// A power cut can leave zeros where the last bytes were not written.
#[test]
fn zeros_at_the_end_of_an_archive_are_an_interrupted_export() {
    let (place, aside) = (Place::sqlite(), Aside::new());
    let store = place.store();
    filled(&store, 5);
    aside.export(&store, NOW);
    let whole = fs::read(aside.archive("a")).unwrap();
    let mut wrong = Vec::new();
    for zeros in [1, 3, 4, 100, 5000] {
        fs::write(aside.archive("a"), [&whole[..], &vec![0; zeros]].concat()).unwrap();
        aside.export(&store, NOW);
        let to = Place::sqlite();
        let found = aside.import(&to.store(), NOW).map(|imported| imported.stored);
        if found.as_ref().ok() != Some(&(everybody(&store, NOW).len() as u64)) {
            wrong.push(format!("{zeros} zeros: {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
