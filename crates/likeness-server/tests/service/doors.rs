//! Checks that the command line and every route give the same result for the same two faces, and that no
//! response contradicts itself.
//!
//! The routes differ only as `likeness::policy` says: DeepFace's routes use DeepFace's search and threshold, and
//! `/search` names no person beyond 0.8.

use std::collections::BTreeMap;

use likeness::policy::SEARCH_FARTHEST;
use serde_json::{Value, json};

use crate::support::{Answer, Ground, Request, Service};

/// Each pair: the enrolled photograph, and the photograph that is compared with it.
const PAIRS: [[&str; 2]; 12] = [
    ["anna.jpg", "anna_again.jpg"],
    ["anna.jpg", "bert.jpg"],
    ["anna.jpg", "carl.jpg"],
    ["anna.jpg", "crowd_01.jpg"],
    ["bert.jpg", "anna_again.jpg"],
    ["bert.jpg", "crowd_02.jpg"],
    ["carl.jpg", "bert.jpg"],
    ["carl.jpg", "carl.jpg"],
    ["carl.jpg", "crowd_03.jpg"],
    ["crowd_02.jpg", "crowd_08.jpg"],
    ["crowd_04.jpg", "crowd_14.jpg"],
    ["anna.jpg", "anna.jpg"],
];

/// The result of one route or command: distance, match, acceptance, threshold and its source.
#[derive(Debug, Clone, PartialEq)]
struct Said {
    distance: Option<f64>,
    matched: bool,
    accepted: Option<bool>,
    threshold: f64,
    source: String,
}

impl Said {
    fn of(reply: &Value, matched: bool, accepted: Option<bool>) -> Self {
        let (distance, source) = (reply["distance"].as_f64(), reply["threshold_source"].as_str().unwrap_or("none"));
        let threshold = reply["threshold"].as_f64().unwrap_or(f64::NAN);
        Self { distance, matched, accepted, threshold, source: source.to_owned() }
    }
}

fn user(photograph: &str) -> &str {
    photograph.split('.').next().unwrap()
}

fn photographs() -> Vec<&'static str> {
    let mut all: Vec<_> = PAIRS.iter().map(|pair| pair[0]).collect();
    all.dedup();
    all
}

fn enroll_all(service: &Service, ground: &Ground) {
    for photograph in photographs() {
        let request = Request::post("/api/v1/enroll").text("user_id", user(photograph));
        let answer = service.ask(request.file("file", &ground.image(photograph)));
        assert_eq!(answer.status, 200, "{photograph}: {answer:?}");
    }
}

fn command_line(ground: &Ground, threshold: &str, [a, b]: [&str; 2]) -> Value {
    let images = [a, b].map(|name| ground.photograph(name));
    let output =
        ground.program("compare").env("VERIFICATION_THRESHOLD", threshold).arg("--json").args(images).output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|why| panic!("{why}: {output:?}"))
}

/// Returns the result of every route and of the command line for a pair.
fn said(service: &Service, ground: &Ground, threshold: &str, pair: [&str; 2]) -> BTreeMap<&'static str, Said> {
    let [a, b] = pair.map(|name| ground.image(name));
    let two = |path: &str, first: &str, second: &str| {
        service.ask(Request::post(path).file(first, &a).file(second, &b)).json()
    };
    let one = |path: &str, user: Option<&str>| {
        let request = Request::post(path).file("file", &b);
        service.ask(user.into_iter().fold(request, |request, user| request.text("user_id", user))).json()
    };
    let program = command_line(ground, threshold, pair);
    let (compare, inspect) = (two("/api/v1/compare", "file1", "file2"), two("/api/v1/inspect", "file", "file2"));
    let (verify, search) = (one("/api/v1/verify", Some(user(pair[0]))), one("/api/v1/search", None));
    let named = search["matches"].as_array().unwrap().iter().find(|found| found["user_id"] == user(pair[0]));
    let mut searched = search.clone();
    searched["distance"] = named.map_or(Value::Null, |found| found["distance"].clone());
    let seen = &inspect["comparison"];
    let verdict = |reply: &Value| Some(reply["verdict"] == "accept");
    let differs = |reply: &Value| reply["reasons"].to_string().contains("different_person");
    BTreeMap::from([
        ("command line", Said::of(&program, !differs(&program), verdict(&program))),
        ("/compare", Said::of(&compare, compare["match"] == true, None)),
        ("/inspect", Said::of(seen, seen["matched"] == true, verdict(seen))),
        ("/verify", Said::of(&verify, verify["matched"] == true, Some(verify["verified"] == true))),
        ("/search", Said::of(&searched, named.is_some(), None)),
    ])
}

/// Returns the results that differ from the command line's. A search returns no distance for a person whom it
/// does not find, and finds none beyond 0.8.
fn disagreements(said: &BTreeMap<&'static str, Said>) -> Vec<String> {
    let first = &said["command line"];
    let agrees = |door: &str, other: &Said| {
        let most = if door == "/search" { SEARCH_FARTHEST } else { f64::INFINITY };
        let matched = first.matched && first.distance <= Some(most);
        let distance = other.distance.is_none() && !other.matched || other.distance == first.distance;
        let accepted = other.accepted.is_none() || other.accepted == first.accepted;
        let rule = (other.matched, other.threshold, &other.source);
        distance && accepted && rule == (matched, first.threshold.min(most), &first.source)
    };
    let wrong = said.iter().filter(|(door, other)| !agrees(door, other));
    wrong.map(|(door, other)| format!("{door}: {other:?}, command line: {first:?}")).collect()
}

#[test]
fn every_door_says_the_same_about_twelve_pairs() {
    if !testkit::need::time("every_door_says_the_same_about_twelve_pairs") {
        return;
    }
    let ground = Ground::new();
    let service = ground.serve_with_store(&[], &[]).ready();
    enroll_all(&service, &ground);
    let mut wrong = Vec::new();
    for pair in PAIRS {
        let said = said(&service, &ground, "", pair);
        wrong.extend(disagreements(&said).into_iter().map(|why| format!("{pair:?}: {why}")));
        let ours = &said["command line"];
        if (ours.threshold, ours.source.as_str()) != (0.3, "deepface") || ours.matched != (ours.distance <= Some(0.3)) {
            wrong.push(format!("{pair:?}: {ours:?}"));
        }
        let [a, b] = pair.map(|name| ground.image(name));
        let theirs = service.ask(Request::post("/deepface/verify").file("img1", &a).file("img2", &b)).json();
        let distance = theirs["distance"].as_f64().unwrap();
        if theirs["verified"] != (distance <= 0.3) || theirs["threshold"] != 0.3 {
            wrong.push(format!("{pair:?}: DeepFace's rule {theirs}, ours {ours:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_door_says_the_same_at_the_boundary() {
    if !testkit::need::time("every_door_says_the_same_at_the_boundary") {
        return;
    }
    let ground = Ground::new();
    let service = ground.serve_with_store(&[], &[]).ready();
    enroll_all(&service, &ground);
    drop(service);
    let mut wrong = Vec::new();
    // Pairs with a distance between both thresholds, within the limit of a search, and beyond it.
    for pair in [PAIRS[0], PAIRS[9], PAIRS[1]] {
        let distance = command_line(&ground, "", pair)["distance"].as_f64().unwrap();
        // A threshold at the distance and one just below it show the boundary; one pair also tests a threshold just
        // above.
        let beyond = (pair == PAIRS[0]).then(|| (distance.next_up(), true));
        for (threshold, matched) in [(distance, true), (distance.next_down(), false)].into_iter().chain(beyond) {
            let set = threshold.to_string();
            let service = ground.serve_with_store(&[], &[("VERIFICATION_THRESHOLD", &set)]).ready();
            let said = said(&service, &ground, &set, pair);
            wrong.extend(disagreements(&said).into_iter().map(|why| format!("{pair:?} at {set}: {why}")));
            let found = &said["command line"];
            // The JSON reader of these tests rounds the last bit of a number.
            let near = (found.threshold - threshold).abs() < 1e-12;
            if !near || (found.matched, found.source.as_str()) != (matched, "set") {
                wrong.push(format!("{pair:?} at {set}: {found:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A rule for every response: its name, when it applies, and what must be true then.
type Predicate = (&'static str, fn(&Answer, &Value) -> bool, fn(&Answer, &Value) -> bool);

/// The fields that reveal who a person is.
const IDENTITY: [&str; 4] = ["verified", "matched", "found", "match"];

/// Returns whether a response is of a DeepFace route, which follows DeepFace's rule.
fn is_deepface(reply: &Value) -> bool {
    !reply["weights"].is_null()
}

const PREDICATES: [Predicate; 10] = [
    (
        "verified implies matched, live and allow",
        |_, reply| reply["verified"] == true && !is_deepface(reply),
        |_, reply| {
            let liveness = reply["antispoof_pipeline"]["recommended_action"] == "allow";
            reply["matched"] == true
                && reply["liveness"]["verdict"] == "live"
                && liveness
                && reply["recommended_action"] == "allow"
        },
    ),
    ("allow implies verified", |_, reply| reply["recommended_action"] == "allow", |_, reply| reply["verified"] == true),
    ("no match implies block", |_, reply| reply["matched"] == false, |_, reply| reply["recommended_action"] == "block"),
    (
        "found implies a match within the threshold, and nothing found no name",
        |_, reply| reply["found"].is_boolean(),
        |_, reply| {
            let matches = reply["matches"].as_array().unwrap();
            let within = matches.iter().all(|found| found["distance"].as_f64() <= reply["threshold"].as_f64());
            let best = matches.first().unwrap_or(&Value::Null);
            within && reply["found"] == !matches.is_empty() && reply["best_match"] == *best
        },
    ),
    (
        "a match is a distance within the threshold",
        |_, reply| reply["match"].is_boolean() || reply["matched"].is_boolean(),
        |_, reply| {
            let within = reply["distance"].as_f64() <= reply["threshold"].as_f64();
            reply["match"].as_bool().or(reply["matched"].as_bool()) == Some(within)
        },
    ),
    (
        "accept implies matched, no reason and two live faces",
        |_, reply| reply["comparison"]["verdict"] == "accept",
        |_, reply| {
            let photographs = reply["photographs"].as_array().unwrap();
            let live = photographs.iter().all(|seen| seen["liveness"]["verdict"] == "live");
            live && reply["comparison"]["matched"] == true && reply["comparison"]["reasons"] == json!([])
        },
    ),
    (
        "a threshold of ours has a source",
        |_, reply| reply["threshold"].is_number() && !is_deepface(reply),
        |_, reply| reply["threshold_source"].is_string(),
    ),
    (
        "a refusal says nothing about identity, and advises nothing but block",
        |answer, _| answer.status >= 400,
        |_, reply| {
            let silent = IDENTITY.iter().all(|field| reply[field].is_null());
            silent && reply["recommended_action"].as_str().is_none_or(|action| action == "block")
        },
    ),
    (
        "a mismatch counts what it could not compare",
        |answer, reply| answer.status == 409 && reply["error_code"] == "EMBEDDING_CONTRACT_MISMATCH",
        |_, reply| reply["not_compared"].as_object().is_some_and(|counts| !counts.is_empty()),
    ),
    (
        "an answer of an accepted embedder says so, and one of an unknown embedder compares nothing",
        |answer, reply| answer.status == 200 && reply["model"].is_object(),
        |_, reply| {
            let unknown = reply["model"]["embedder"] == "unknown" && reply["comparison"].is_null();
            (reply["model"]["embedder"] == "accepted" || unknown) && reply["model"]["sha256"]["embedder"].is_string()
        },
    ),
];

/// Sends a photograph to every route that compares or judges.
fn answers(service: &Service, ground: &Ground, photograph: &str) -> Vec<(String, Answer)> {
    let (probe, enrolled) = (ground.image(photograph), ground.image("anna.jpg"));
    let one = |path: &str| Request::post(path).text("user_id", "anna").file("file", &probe);
    let two = |path: &str, names: [&str; 2]| Request::post(path).file(names[0], &enrolled).file(names[1], &probe);
    let requests = [
        ("verify", one("/api/v1/verify")),
        ("search", one("/api/v1/search")),
        ("liveness", one("/api/v1/liveness")),
        ("enroll", one("/api/v1/enroll")),
        ("compare", two("/api/v1/compare", ["file1", "file2"])),
        ("inspect", two("/api/v1/inspect", ["file", "file2"])),
        ("deepface/verify", two("/deepface/verify", ["img1", "img2"])),
    ];
    requests.map(|(route, request)| (format!("{route} {photograph}"), service.ask(request))).into()
}

fn broken(situation: &str, answers: Vec<(String, Answer)>, applied: &mut BTreeMap<&str, usize>) -> Vec<String> {
    let mut wrong = Vec::new();
    for (route, answer) in answers {
        let reply = answer.json();
        for (name, applies, holds) in &PREDICATES {
            if applies(&answer, &reply) {
                *applied.entry(name).or_default() += 1;
                if !holds(&answer, &reply) {
                    wrong.push(format!("{situation}, {route}: {name}: {answer:?}"));
                }
            }
        }
    }
    wrong
}

#[test]
fn no_answer_of_any_route_in_any_situation_contradicts_itself() {
    if !testkit::need::time("no_answer_of_any_route_in_any_situation_contradicts_itself") {
        return;
    }
    // Photographs of: the same person, another person, an indeterminate face, a cut-off face, a spoof,
    // several faces.
    let probes = ["anna.jpg", "carl.jpg", "unsure.jpg", "close.jpg", "anna_fake.jpg", "two.jpg"];
    let situations: [(_, _, &[&str]); 2] =
        [("blocks spoofs", "true", &probes), ("answers spoofs", "false", &["anna_fake.jpg"])];
    let (mut wrong, mut applied) = (Vec::new(), BTreeMap::new());
    for (situation, block, probes) in situations {
        // Each situation has its own store, because failures of another situation would lock the subject.
        let ground = Ground::new();
        let service = ground.serve_with_store(&[], &[("ANTISPOOF_BLOCK_ENFORCE", block)]).ready();
        enroll_all(&service, &ground);
        for probe in probes {
            wrong.extend(broken(situation, answers(&service, &ground, probe), &mut applied));
        }
    }
    let ground = Ground::new();
    enroll_all(&ground.serve_with_store(&[], &[]).ready(), &ground);
    let other = ground.bring_other_embedder();
    let unknown = ground.serve_with_store(&[], &[]).ready();
    wrong.extend(broken("unknown embedder", answers(&unknown, &ground, "anna.jpg"), &mut BTreeMap::new()));
    drop(unknown);
    let service = ground.serve_with_store(&[], &[("LIKENESS_ACCEPT_EMBEDDER", &other)]).ready();
    wrong.extend(broken("another embedder", answers(&service, &ground, "anna.jpg"), &mut applied));
    assert!(wrong.is_empty(), "{wrong:#?}");
    let never: Vec<_> = PREDICATES.iter().map(|row| row.0).filter(|name| !applied.contains_key(name)).collect();
    assert!(never.is_empty(), "predicates that never applied: {never:?}");
}
