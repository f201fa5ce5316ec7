//! Tests that both databases must pass. Each test of `SUITE` gets its own empty store.

use std::str::FromStr as _;
use std::sync::Arc;

use super::person::length;
use super::*;

/// A location for a store; each test gets a new one.
pub struct Place {
    /// The location of the database.
    pub location: Location,
    /// The key file.
    pub key_file: std::path::PathBuf,
    /// The directory, which must outlive the store.
    pub dir: tempfile::TempDir,
}

impl Place {
    /// Creates a location for a SQLite database.
    pub fn sqlite() -> Self {
        let dir = testkit::ground::folder("store");
        std::fs::create_dir(dir.path().join("data")).unwrap();
        let location = Location::from_str(&format!("sqlite:{}/data/store.db", dir.path().display())).unwrap();
        Self { location, key_file: dir.path().join("master.key"), dir }
    }

    /// Returns the location with an open store.
    pub fn store_kept(self) -> (Self, Arc<Store>) {
        let store = self.store();
        (self, store)
    }

    /// Opens the store for [`Purpose::Manage`]; several may be open at once.
    pub fn store(&self) -> Arc<Store> {
        if !self.key_file.exists() {
            Store::init(&self.location, &self.key_file).unwrap();
        }
        Store::open(&self.location, &self.key_file, Purpose::Manage).unwrap()
    }
}

pub const NOW: i64 = 1_800_000_000;
pub const SPACE: SpaceBytes = [7; 32];

pub fn tenant() -> Tenant {
    Tenant::new("acme").unwrap()
}

pub fn subject(name: &str) -> Subject {
    Subject::new(name).unwrap()
}

/// Creates a template whose embedding depends only on the seed.
pub fn fresh(seed: u64, quality: f64) -> TemplateData {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        f32::from(u16::try_from(state >> 48).unwrap()) / 32768.0 - 1.0
    };
    let raw: Vec<f32> = (0..DIMENSION).map(|_| next()).collect();
    #[expect(clippy::cast_possible_truncation, reason = "rounding")]
    let length = length(&raw) as f32;
    TemplateData { space: SPACE, made_at: NOW, quality, embedding: raw.iter().map(|v| v / length).collect() }
}

pub fn enrollment<'a>(
    tenant: &'a Tenant,
    subject: &'a Subject,
    fresh: Vec<TemplateData>,
    mode: Mode,
) -> Enrollment<'a> {
    Enrollment { tenant, subject, templates: fresh, mode, terms: Terms::default(), remember: None, now: NOW }
}

pub const NEW: Mode = Mode::Add { seen: None, displace: false };

/// Enrols a person with one template.
pub fn enroll(store: &Store, name: &str, seed: u64) {
    let (tenant, subject) = (tenant(), subject(name));
    let done = store.enroll(&enrollment(&tenant, &subject, vec![fresh(seed, 80.0)], NEW)).unwrap();
    assert_eq!(done.templates(), Some(1), "{name}");
}

impl Outcome {
    /// Returns the number of the person's templates, if the enrolment was stored.
    pub fn templates(&self) -> Option<usize> {
        match self {
            Self::Stored { templates, .. } => Some(*templates),
            _ => None,
        }
    }
}

/// A test: what must be true, and the function that checks it.
pub type Test = (&'static str, fn(&Place));

/// The tests of both databases.
pub const SUITE: [Test; 8] = [
    ("what is enrolled is there, to the bit, for its tenant alone", what_is_enrolled_is_there),
    ("at most five templates, the lowest quality goes, another space first", at_most_five),
    ("an enrolment that has seen another state is refused", moved),
    ("the same request gets the first answer, another with its key a conflict", idempotent),
    ("concurrent duplicates store once and get one answer", duplicates),
    ("erased is gone with its answers and failures, and only those", erased),
    ("failures count for a quarter of an hour, also of unknown subjects", failures),
    ("a request that was under way while its person was erased leaves no failure", failed_late),
];

fn what_is_enrolled_is_there(place: &Place) {
    let store = place.store();
    let (acme, other) = (tenant(), Tenant::new("other").unwrap());
    let who = subject("ada");
    assert_eq!((store.exists(&acme, &who).unwrap(), store.load(&acme, &who, NOW).unwrap()), (false, None));
    let given = vec![fresh(1, 80.0), fresh(2, 70.5)];
    store.enroll(&enrollment(&acme, &who, given.clone(), NEW)).unwrap();
    // A second open store finds the person too.
    let person = place.store().load(&acme, &who, NOW).unwrap().unwrap();
    assert_eq!(person.templates.iter().map(|template| template.data.clone()).collect::<Vec<_>>(), given);
    assert_eq!((person.tenant, person.subject), (acme.clone(), who.clone()));
    assert!(store.exists(&acme, &who).unwrap() && !store.exists(&other, &who).unwrap());
    assert_eq!(store.load(&other, &who, NOW).unwrap(), None);
    for wrong in [
        vec![],
        vec![fresh(1, 1.0); 6],
        vec![fresh(1, f64::NAN)],
        vec![TemplateData { embedding: vec![0.1; 512], ..fresh(1, 1.0) }],
    ] {
        let refused = store.enroll(&enrollment(&acme, &subject("bob"), wrong, NEW)).unwrap_err();
        assert_eq!(refused.kind, Kind::BadSetting);
    }
}

fn at_most_five(place: &Place) {
    let store = place.store();
    let (acme, who) = (tenant(), subject("ada"));
    let old = |quality| TemplateData { space: [1; 32], ..fresh(9, quality) };
    store.enroll(&enrollment(&acme, &who, vec![old(99.0), old(98.0)], NEW)).unwrap();
    let mut seen = store.load(&acme, &who, NOW).unwrap().unwrap().version;
    let kept = |seen: &mut i64, quality: f64| {
        let mode = Mode::Add { seen: Some(*seen), displace: true };
        store.enroll(&enrollment(&acme, &who, vec![fresh(1, quality)], mode)).unwrap();
        let person = store.load(&acme, &who, NOW).unwrap().unwrap();
        assert!(person.version > *seen);
        *seen = person.version;
        person.templates.iter().map(|template| template.data.quality).collect::<Vec<_>>()
    };
    let mut last = Vec::new();
    for quality in [70.0, 60.0, 90.0, 80.0, 75.0] {
        last = kept(&mut seen, quality);
    }
    assert_eq!(last, [90.0, 80.0, 75.0, 70.0, 60.0]);
    assert_eq!(kept(&mut seen, 65.0), [90.0, 80.0, 75.0, 70.0, 65.0]);
    // Without the right to remove stored templates, the enrolment changes nothing.
    let refused = Mode::Add { seen: Some(seen), displace: false };
    assert_eq!(store.enroll(&enrollment(&acme, &who, vec![fresh(3, 99.0)], refused)).unwrap(), Outcome::Full);
    assert_eq!(store.load(&acme, &who, NOW).unwrap().unwrap().version, seen);
    store.enroll(&enrollment(&acme, &who, vec![fresh(3, 50.0)], Mode::Replace)).unwrap();
    assert_eq!(store.load(&acme, &who, NOW).unwrap().unwrap().templates.len(), 1);
}

fn moved(place: &Place) {
    let store = place.store();
    let (acme, who) = (tenant(), subject("ada"));
    let add = |seen| {
        let mode = Mode::Add { seen, displace: false };
        store.enroll(&enrollment(&acme, &who, vec![fresh(2, 80.0)], mode)).unwrap()
    };
    assert_eq!(add(Some(1)), Outcome::Moved, "there is no person");
    assert_eq!(add(None).templates(), Some(1));
    assert_eq!(add(None), Outcome::Moved, "there is a person");
    let first = store.load(&acme, &who, NOW).unwrap().unwrap();
    assert_eq!(add(Some(first.version)).templates(), Some(2));
    assert_eq!(add(Some(first.version)), Outcome::Moved, "seen before the second");
    store.erase(&acme, &who, NOW).unwrap();
    assert_eq!(add(Some(first.version + 1)), Outcome::Moved, "erased");
    assert_eq!(add(None).templates(), Some(1));
    assert!(store.load(&acme, &who, NOW).unwrap().unwrap().id > first.id, "another enrolment, another number");
}

pub fn request(key: &str, digest: u8) -> Idempotency {
    Idempotency { key: key.into(), route: "enroll".into(), request: [digest; 32] }
}

fn idempotent(place: &Place) {
    let store = place.store();
    let (acme, other) = (tenant(), Tenant::new("other").unwrap());
    let who = subject("ada");
    let ask = |tenant: &Tenant, request: &Idempotency, now| {
        let base = enrollment(tenant, &who, vec![fresh(1, 80.0)], Mode::Replace);
        store.enroll(&Enrollment { remember: Some((request, b"first")), now, ..base }).unwrap()
    };
    let key = request("k", 1);
    assert_eq!(store.answered(&acme, &key, NOW).unwrap(), None);
    assert_eq!(ask(&acme, &key, NOW).templates(), Some(1));
    let version = store.load(&acme, &who, NOW).unwrap().unwrap().version;
    assert_eq!(ask(&acme, &key, NOW), Outcome::Replayed(b"first".to_vec()));
    assert_eq!(store.answered(&acme, &key, NOW).unwrap(), Some(Answered::Before(b"first".to_vec())));
    assert_eq!(ask(&acme, &request("k", 2), NOW), Outcome::Conflict);
    assert_eq!(store.answered(&acme, &request("k", 2), NOW).unwrap(), Some(Answered::Otherwise));
    assert_eq!(store.load(&acme, &who, NOW).unwrap().unwrap().version, version, "neither changed anything");
    for (row, tenant, key) in [
        ("tenant", &other, key.clone()),
        ("route", &acme, Idempotency { route: "enroll/multi".into(), ..key.clone() }),
        ("key", &acme, request("l", 1)),
    ] {
        assert_eq!(ask(tenant, &key, NOW).templates(), Some(1), "another {row} is another request");
    }
    assert_eq!(ask(&acme, &key, NOW + 24 * 3600 - 1), Outcome::Replayed(b"first".to_vec()));
    assert_eq!(ask(&acme, &key, NOW + 24 * 3600).templates(), Some(1), "a day later it is forgotten");
    // An enrolment that was refused is not remembered.
    let missed = Enrollment {
        remember: Some((&request("m", 1), b"never")),
        ..enrollment(&acme, &who, vec![fresh(1, 80.0)], NEW)
    };
    assert_eq!(store.enroll(&missed).unwrap(), Outcome::Moved);
    assert_eq!(store.answered(&acme, &request("m", 1), NOW).unwrap(), None);
}

fn duplicates(place: &Place) {
    // Two replicas, fifty requests at once.
    let replicas = [place.store(), place.store()];
    let (acme, who) = (tenant(), subject("ada"));
    let outcomes: Vec<Outcome> = std::thread::scope(|scope| {
        let ask = |at: usize| {
            let (store, acme, who) = (&replicas[at % 2], &acme, &who);
            scope.spawn(move || {
                let answer = format!("answer {at}");
                let base = enrollment(acme, who, vec![fresh(1, 80.0)], NEW);
                store.enroll(&Enrollment { remember: Some((&request("k", 1), answer.as_bytes())), ..base }).unwrap()
            })
        };
        let threads: Vec<_> = (0..50).map(ask).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let stored = outcomes.iter().position(|outcome| matches!(outcome, Outcome::Stored { .. })).unwrap();
    let replayed = Outcome::Replayed(format!("answer {stored}").into_bytes());
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == replayed).count(), 49, "{outcomes:?}");
    assert_eq!(replicas[0].load(&acme, &who, NOW).unwrap().unwrap().templates.len(), 1);
}

fn erased(place: &Place) {
    let store = place.store();
    let acme = tenant();
    let key = request("k", 1);
    let who = subject("ada");
    let base = enrollment(&acme, &who, vec![fresh(1, 80.0)], NEW);
    store.enroll(&Enrollment { remember: Some((&key, b"answer")), ..base }).unwrap();
    enroll(&store, "bob", 2);
    (0..10).for_each(|_| fail(&store, &acme, "ada", NOW));
    assert!(spent(&store, &acme, "ada", NOW));
    assert_eq!(store.erase(&Tenant::new("other").unwrap(), &who, NOW).unwrap(), None);
    assert!(store.erase(&acme, &who, NOW).unwrap().is_some());
    assert_eq!(store.erase(&acme, &who, NOW).unwrap(), None);
    assert_eq!((store.exists(&acme, &who).unwrap(), store.exists(&acme, &subject("bob")).unwrap()), (false, true));
    assert_eq!((store.answered(&acme, &key, NOW).unwrap(), spent(&store, &acme, "ada", NOW)), (None, false));
}

/// The caller of all tests.
pub const SOURCE: Source<'static> = Source { key: "", address: std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST) };

/// A subject without a person.
pub fn unknown(name: &str) -> ComparedSubject {
    ComparedSubject { subject: subject(name), person: None }
}

fn fail(store: &Store, tenant: &Tenant, name: &str, now: i64) {
    store.note_failures(tenant, &[unknown(name)], SOURCE, now).unwrap();
}

fn spent(store: &Store, tenant: &Tenant, name: &str, now: i64) -> bool {
    store.spent(tenant, &subject(name), SOURCE, now).unwrap().is_some()
}

fn failures(place: &Place) {
    let store = place.store();
    let (acme, other) = (tenant(), Tenant::new("other").unwrap());
    for at in 0..12 {
        fail(&store, &acme, "ann", NOW + at * 60);
    }
    // Twelve failures, one a minute: ten still count until the third is 15 minutes old.
    let table = [("ann", 11, true), ("ann", 16, true), ("ann", 17, false), ("ben", 11, false)];
    let found = table.map(|(name, minute, _)| spent(&store, &acme, name, NOW + minute * 60));
    assert_eq!(found, table.map(|(.., expected)| expected));
    assert!(!spent(&store, &other, "ann", NOW + 11 * 60), "another tenant's person of the name");
    assert!(store.forget_failures(&acme, &subject("ann")).unwrap());
    assert!(!spent(&store, &acme, "ann", NOW + 11 * 60), "an operator's word");
    assert!(!store.forget_failures(&acme, &subject("ann")).unwrap());
    fail(&store, &acme, "ann", NOW);
    fail(&store, &acme, "ben", NOW + 1);
    let swept = [NOW + COUNTED - 1, NOW + COUNTED, NOW + COUNTED + 1].map(|now| store.sweep_failures(now).unwrap());
    assert_eq!(swept, [0, 1, 1], "each row is deleted when its last failure no longer counts");
}

/// A request that was under way during a DELETE: its failure would name the erased person, with its time.
fn failed_late(place: &Place) {
    let store = place.store();
    let acme = tenant();
    enroll(&store, "ada", 1);
    let before = store.pseudonym(&acme, &subject("ada"), NOW).unwrap();
    let noted = |person| {
        (0..10).for_each(|_| {
            store.note_failures(&acme, &[ComparedSubject { subject: subject("ada"), person }], SOURCE, NOW).unwrap();
        });
        let rows = store.read(|rows| rows.row("SELECT count(*) FROM failure", &[])?.unwrap().int()).unwrap();
        store.forget_failures(&acme, &subject("ada")).unwrap();
        rows
    };
    let mut rows = vec![("of the person", noted(before), 1)];
    store.erase(&acme, &subject("ada"), NOW).unwrap().unwrap();
    rows.push(("of the erased person", noted(before), 0));
    rows.push(("of a name without a person", noted(None), 1));
    enroll(&store, "ada", 1);
    rows.push(("of the person before, after a new enrolment", noted(before), 0));
    rows.push(("of the new person", noted(store.pseudonym(&acme, &subject("ada"), NOW).unwrap()), 1));
    let wrong: Vec<_> = rows.into_iter().filter(|(_, found, expected)| found != expected).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}
