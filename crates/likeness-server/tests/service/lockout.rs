//! Tests the limit of failures: all routes that reveal whether a face is a person's share one budget for each
//! person. A caller reaches its own limit first, and an operator can unlock a person.
//!
//! Attacks: a subject is locked for verify, and the attacker continues with another route; or a stranger's
//! failures lock out the person.

use std::process::Command;

use crate::support::{Answer, Ground, Request, Service};
use crate::tenants::{LENIENT, becomes, key};

/// With this threshold, only the same photograph matches.
const OWN: (&str, &str) = ("VERIFICATION_THRESHOLD", "0.001");

struct World {
    ground: Ground,
    service: Service,
    /// The key that enrols.
    root: String,
    ann: Vec<u8>,
    stranger: Vec<u8>,
}

impl World {
    fn new() -> Self {
        let ground = Ground::new();
        let lines = [LENIENT[0], LENIENT[1], OWN, ("TRUSTED_PROXIES", "127.0.0.1")];
        let service = ground.serve_with_store(&[], &lines).ready();
        let root = key(&ground, "verify,enroll,admin", "*", &[]);
        becomes(&service, || Request::new("GET", "/metrics"), 401);
        let (ann, stranger) = (ground.image("crowd_01.jpg"), ground.image("crowd_02.jpg"));
        let world = Self { ground, service, root, ann, stranger };
        let enrolled = world.ask(&world.root, "192.0.2.99", "enroll", &[("user_id", "ann")], &world.ann);
        assert_eq!(enrolled.status, 200, "{enrolled:?}");
        world
    }

    fn key(&self, scopes: &str) -> String {
        key(&self.ground, scopes, "*", &[])
    }

    /// Sends a request with this key, from this address.
    fn ask(&self, key: &str, from: &str, route: &str, words: &[(&str, &str)], face: &[u8]) -> Answer {
        let request = Request::post(&format!("/api/v1/{route}")).header("x-api-key", key);
        let request =
            words.iter().fold(request.header("x-forwarded-for", from), |form, (name, word)| form.text(name, word));
        let field = if route == "enroll/multi" { "files" } else { "file" };
        let twice = (route == "enroll/multi").then_some(face);
        let request = twice.into_iter().fold(request.file(field, face), |form, face| form.file(field, face));
        self.service.ask(request)
    }

    fn verify(&self, key: &str, from: &str, face: &[u8]) -> Answer {
        self.ask(key, from, "verify", &[("user_id", "ann")], face)
    }

    /// Returns whether a search returns the person.
    fn finds(&self, key: &str, from: &str, words: &[(&str, &str)], face: &[u8]) -> bool {
        let answer = self.ask(key, from, "search", words, face);
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["matches"].as_array().unwrap().iter().any(|one| one["user_id"] == "ann")
    }

    fn unlock(&self) {
        let store = format!("sqlite:{}", self.ground.dir.path().join("data/templates.db").display());
        let mut program = Command::new(env!("CARGO_BIN_EXE_likeness"));
        program
            .args(["store", "unlock", "ann", "--store", &store, "--key-file"])
            .arg(self.ground.dir.path().join("key"));
        let end = program.output().unwrap();
        assert!(end.status.success(), "{end:?}");
        assert!(String::from_utf8_lossy(&end.stdout).contains("unlocked"), "{end:?}");
    }
}

fn closed(answer: &Answer) -> Option<String> {
    (answer.status == 429).then(|| answer.json()["scope"].as_str().unwrap_or("none").to_owned())
}

#[test]
fn whichever_route_spends_the_budget_no_other_answers_the_same_question() {
    if !testkit::need::time("whichever_route_spends_the_budget_no_other_answers_the_same_question") {
        return;
    }
    let world = World::new();
    // Each row: the route that fails ten times, with its other fields.
    let table: [(&str, &[(&str, &str)]); 5] = [
        ("verify", &[("user_id", "ann")]),
        ("search", &[]),
        ("search", &[("threshold", "0.8"), ("max_results", "50")]),
        ("enroll", &[("user_id", "ann")]),
        ("enroll/multi", &[("user_id", "ann")]),
    ];
    let mut wrong = Vec::new();
    for (number, (route, words)) in table.iter().enumerate() {
        let (key, from) = (world.key("verify,enroll"), format!("198.51.100.{number}"));
        for _ in 0..10 {
            let failed = world.ask(&key, &from, route, words, &world.stranger);
            assert_ne!(failed.status, 429, "{route} {words:?}: {failed:?}");
        }
        // After this point, no response depends on the face.
        for face in [&world.stranger, &world.ann] {
            for words in [&[][..], &[("threshold", "0.8"), ("max_results", "50")]] {
                if world.finds(&key, &from, words, face) {
                    wrong.push(format!("{route} failed, and search {words:?} names her"));
                }
            }
            for other in ["verify", "enroll", "enroll/multi"] {
                let answer = world.ask(&key, &from, other, &[("user_id", "ann")], face);
                if closed(&answer).as_deref() != Some("subject_address") {
                    wrong.push(format!("{route} failed, and {other} answers {answer:?}"));
                }
            }
        }
        let own = world.verify(&world.root, "192.0.2.1", &world.ann).json();
        if own["verified"] != true {
            wrong.push(format!("{route}: who did not fail is refused: {own}"));
        }
        world.unlock();
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_strangers_failures_cost_the_stranger_first_and_an_operator_lets_the_person_in_at_once() {
    let world = World::new();
    let keys = [world.key("verify"), world.key("verify")];
    let fail = |key: &str, from: &str| closed(&world.verify(key, from, &world.stranger));
    let person = || world.verify(&world.root, "192.0.2.1", &world.ann);
    let (mut refused, mut failures) = (Vec::new(), 0);
    // Counts the failures until the limit: one key from new addresses each time, then another key.
    for (at, key) in keys.iter().enumerate() {
        for host in 0..4 {
            for _ in 0..11 {
                match fail(key, &format!("198.51.{at}.{host}")) {
                    None => failures += 1,
                    Some(scope) => refused.push(scope),
                }
            }
            if failures < 30 {
                assert_eq!(person().json()["verified"], true, "after {failures} failures of strangers");
            }
        }
    }
    assert_eq!(failures, 30);
    for scope in ["subject_address", "subject_key", "subject"] {
        assert!(refused.iter().any(|found| found == scope), "{scope}: {refused:?}");
    }
    let locked = person();
    assert_eq!(closed(&locked).as_deref(), Some("subject"), "{locked:?}");
    assert!(locked.header("retry-after").is_some() && locked.json()["retry_after_seconds"].as_u64().unwrap() <= 900);
    assert!(!world.finds(&world.root, "192.0.2.1", &[], &world.ann), "at no route");
    world.unlock();
    assert_eq!(person().json()["verified"], true, "at once");
    assert!(world.finds(&world.root, "192.0.2.1", &[], &world.ann));
}

#[test]
fn creating_a_person_or_replacing_one_asks_no_question_and_costs_nothing() {
    let world = World::new();
    for _ in 0..10 {
        world.verify(&world.root, "192.0.2.5", &world.stranger);
    }
    let again = world.ask(&world.root, "192.0.2.5", "enroll", &[("user_id", "ann")], &world.ann);
    assert_eq!(closed(&again).as_deref(), Some("subject_address"), "{again:?}");
    let other = world.ask(&world.root, "192.0.2.5", "enroll", &[("user_id", "bea")], &world.stranger);
    let replaced =
        world.ask(&world.root, "192.0.2.5", "enroll", &[("user_id", "ann"), ("replace", "true")], &world.ann);
    assert_eq!((other.status, replaced.status), (200, 200), "{other:?} {replaced:?}");
}
