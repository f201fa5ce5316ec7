//! Tests that creating, replacing and deleting a person are separate rights: every key, every route that
//! changes stored data, every situation.
//!
//! Attack: the holder of a key that may only enrol deletes or replaces a person, at once or photograph by
//! photograph, and is then verified as the victim.

use std::cell::Cell;

use crate::access::BEHIND_A_KEY;
use crate::support::{Answer, Ground, Request, Service};
use crate::tenants::{LENIENT, becomes, key};

/// The test makes one key for each entry. An entry lists that key's scopes, separated by commas.
const KEYS: [&str; 14] = [
    "verify",
    "enroll",
    "replace",
    "delete",
    "admin",
    "inspect",
    "represent",
    "metrics",
    "persons",
    "export",
    "enroll,replace",
    "enroll,delete",
    "enroll,admin",
    "verify,enroll,inspect,represent,metrics",
];

/// The stored templates of the person before the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Situation {
    Absent,
    /// One photograph of the victim.
    Enrolled,
    /// The largest number of photographs of the victim.
    Full,
}

/// A request that would change stored data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Enroll,
    Multi,
    EnrollReplacing,
    MultiReplacing,
    Delete,
    Erase,
}

const CHANGES: [Change; 6] =
    [Change::Enroll, Change::Multi, Change::EnrollReplacing, Change::MultiReplacing, Change::Delete, Change::Erase];

/// The routes of [`CHANGES`], and those that change nothing: together they are all.
/// Of `/api/v1/persons/ann` the method decides.
const CHANGING: [&str; 3] = ["/api/v1/enroll", "/api/v1/enroll/multi", "/api/v1/enroll/ann"];
const READING: [&str; 17] = [
    "/api/v1/verify",
    "/api/v1/liveness",
    "/api/v1/search",
    "/api/v1/compare",
    "/api/v1/faces/detect-all",
    "/api/v1/frames",
    "/api/v1/captures",
    "/api/v1/captures/0123456789abcdef0123456789abcdef/frames",
    "/api/v1/inspect",
    "/deepface/verify",
    "/deepface/represent",
    "/metrics",
    "/api/v1/persons",
    "/api/v1/persons/ann/export",
    "/api/v1/erasures/0123456789abcdef0123456789abcdef",
    "/api/v1/tenants",
    "/api/v1/records/01890000-0000-7000-8000-000000000000",
];

impl Change {
    /// Returns the request for this person, with this photograph if it sends one.
    fn request(self, user: &str, photograph: &[u8]) -> Request {
        let form = |path: &str| Request::post(path).text("user_id", user);
        let one = |form: Request| form.file("file", photograph);
        let two = |form: Request| form.file("files", photograph).file("files", photograph);
        match self {
            Self::Enroll => one(form("/api/v1/enroll")),
            Self::Multi => two(form("/api/v1/enroll/multi")),
            Self::EnrollReplacing => one(form("/api/v1/enroll").text("replace", "true")),
            Self::MultiReplacing => two(form("/api/v1/enroll/multi").text("replace", "true")),
            Self::Delete => Request::new("DELETE", &format!("/api/v1/enroll/{user}")),
            Self::Erase => Request::new("DELETE", &format!("/api/v1/persons/{user}")),
        }
    }

    /// The scope that is lacking, by the rule: `enroll` creates and adds, `replace` lets stored
    /// templates go, `delete` deletes, `admin` has the last two.
    fn lacks(self, situation: Situation, scopes: &str) -> Option<&'static str> {
        let has = |scope: &str| scopes.split(',').any(|word| word == scope);
        let enrolls = (!has("enroll")).then_some("enroll");
        let replaces = (!has("replace") && !has("admin")).then_some("replace");
        match (self, situation) {
            (Self::Delete | Self::Erase, _) => (!has("delete") && !has("admin")).then_some("delete"),
            (Self::Enroll | Self::Multi, Situation::Absent | Situation::Enrolled) => enrolls,
            _ => enrolls.or(replaces),
        }
    }
}

const SITUATIONS: [Situation; 3] = [Situation::Absent, Situation::Enrolled, Situation::Full];

struct World {
    service: Service,
    root: String,
    victim: Vec<u8>,
    /// The number of persons so far.
    persons: Cell<usize>,
}

impl World {
    fn ask(&self, key: &str, request: Request) -> Answer {
        self.service.ask(request.header("x-api-key", key))
    }

    /// Creates a new person in this situation.
    fn person(&self, situation: Situation) -> String {
        self.persons.set(self.persons.get() + 1);
        let user = format!("p{}", self.persons.get());
        self.prepare(&user, situation);
        user
    }

    fn prepare(&self, user: &str, situation: Situation) {
        let two = || Change::Multi.request(user, &self.victim);
        let one = || Change::Enroll.request(user, &self.victim);
        let requests = match situation {
            Situation::Absent => vec![],
            Situation::Enrolled => vec![one()],
            Situation::Full => vec![two(), two(), one()],
        };
        for request in requests {
            let answer = self.ask(&self.root, request);
            assert_eq!(answer.status, 200, "{user}: {answer:?}");
        }
    }

    /// Returns whether this photograph is verified as the person.
    fn verified(&self, user: &str, photograph: &[u8]) -> Option<bool> {
        let request = Request::post("/api/v1/verify").text("user_id", user).file("file", photograph);
        self.ask(&self.root, request).json()["verified"].as_bool()
    }
}

#[test]
fn a_key_that_may_enrol_can_neither_delete_nor_replace_and_each_right_is_its_own() {
    if !testkit::need::time("a_key_that_may_enrol_can_neither_delete_nor_replace_and_each_right_is_its_own") {
        return;
    }
    let ground = Ground::new();
    let lines = [LENIENT[0], LENIENT[1], ("VERIFICATION_THRESHOLD", "0.001")];
    let service = ground.serve_with_store(&[], &lines).ready();
    let root = key(&ground, "verify,enroll,admin", "*", &[]);
    let keys = KEYS.map(|scopes| (scopes, key(&ground, scopes, "*", &[])));
    becomes(&service, || Request::new("GET", "/metrics"), 401);
    let world = World { service, root, victim: ground.image("crowd_01.jpg"), persons: Cell::default() };
    let mut wrong = Vec::new();
    for situation in SITUATIONS {
        // A refused request must not change the person, who serves for the next request.
        let mut user = world.person(situation);
        for ((scopes, key), change) in keys.iter().flat_map(|key| CHANGES.map(|change| (key, change))) {
            let lacks = change.lacks(situation, scopes);
            let answer = world.ask(key, change.request(&user, &world.victim));
            let absent = matches!(change, Change::Delete | Change::Erase) && situation == Situation::Absent;
            let right = match lacks {
                Some(scope) => answer.status == 403 && answer.json()["scope"] == scope,
                None => answer.status == if absent { 404 } else { 200 },
            };
            if !right {
                wrong.push(format!("{scopes}: {change:?}, {situation:?}: lacks {lacks:?}: {answer:?}"));
            }
            if answer.status == 200 {
                user = world.person(situation);
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn whatever_an_enrolling_key_sends_the_attacker_is_never_verified_as_the_victim() {
    let ground = Ground::new();
    // Below 2 everybody matches: what is refused there is refused for want of the right alone.
    for (tenant, threshold) in [("strict", "0.001"), ("lax", "2")] {
        let lines = [LENIENT[0], LENIENT[1], ("VERIFICATION_THRESHOLD", threshold)];
        let service = ground.serve_with_store(&[], &lines).ready();
        let root = key(&ground, "verify,enroll,admin", tenant, &[]);
        let attacker = key(&ground, "enroll", tenant, &[]);
        becomes(&service, || Request::new("GET", "/metrics").header("x-api-key", &attacker), 403);
        let world = World { service, root, victim: ground.image("crowd_01.jpg"), persons: Cell::default() };
        let face = ground.image("crowd_02.jpg");
        world.prepare("victim", Situation::Full);
        let before = world.verified("victim", &world.victim);
        assert_eq!(before, Some(true), "{threshold}");
        for change in CHANGES {
            let answer = world.ask(&attacker, change.request("victim", &face));
            assert_ne!(answer.status, 200, "{change:?} at {threshold}: {answer:?}");
        }
        assert_eq!(world.verified("victim", &world.victim), Some(true), "{threshold}");
        if tenant == "strict" {
            assert_eq!(world.verified("victim", &face), Some(false));
        }
    }
}

#[test]
fn every_route_behind_a_key_is_known_to_change_something_or_nothing() {
    let by_method = |path: &&str| *path == "/api/v1/persons/ann";
    let unknown: Vec<_> = BEHIND_A_KEY
        .iter()
        .filter(|(_, path)| !by_method(path))
        .filter(|(_, path)| CHANGING.contains(path) == READING.contains(path))
        .collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}
