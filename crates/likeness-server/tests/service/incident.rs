//! Repeats an incident of the replaced service: both spoof networks are missing, a live face is sent, and health stays
//! green. In this situation the response is a named 503, and routes without these networks work.

use std::fs;
use std::io::Write as _;

use serde_json::json;
use testkit::data::OwnData;

use crate::support::{DETECTOR, EMBEDDER, Ground, Request, SPOOF_FAR, SPOOF_NEAR, Service, wait_for};

fn liveness(service: &Service, image: &[u8]) -> crate::support::Answer {
    service.ask(Request::post("/api/v1/liveness").file("file", image))
}

#[test]
fn without_the_spoof_networks_a_live_face_is_unavailable_and_never_a_spoof() {
    let ground = Ground::without(&[SPOOF_NEAR, SPOOF_FAR]);
    let service = ground.serve(&[], &[]);
    let live = ground.image("anna.jpg");
    service.until("/api/v1/health/live", 200);
    let faces = service.when_loaded(|| Request::post("/api/v1/faces/detect-all").file("file", &live));
    assert_eq!(faces.json()["face_count"], 1);
    let refused = liveness(&service, &live);
    assert_eq!(refused.problem(), (503, "MODEL_UNAVAILABLE".into()));
    let reply = refused.text();
    assert!(reply.contains(SPOOF_NEAR) && reply.contains(SPOOF_FAR) && reply.contains("ballast"), "{reply}");
    for word in ["spoof", "verdict", "is_live"] {
        assert!(!reply.to_lowercase().contains(word), "{word}: {reply}");
    }
    let health = service.get("/api/v1/health");
    assert_eq!((health.status, &health.json()["status"]), (503, &json!("unhealthy")));
    let compare = || Request::post("/api/v1/compare").file("file1", &live).file("file2", &live);
    assert_eq!(service.when_loaded(compare).json()["match"], true);
}

#[test]
fn a_missing_file_that_arrives_right_is_loaded_without_a_restart_and_a_wrong_one_is_not() {
    let ground = Ground::without(&[SPOOF_FAR]);
    let service = ground.serve(&["--require", "faces/detect-all"], &[]);
    let live = ground.image("anna.jpg");
    let degraded = service.until("/api/v1/health", 200).json();
    assert_eq!(degraded["status"], "degraded");
    let mut wrong = fs::read(ground.original(SPOOF_FAR)).unwrap();
    wrong[1000] ^= 1;
    fs::write(ground.weights().join(SPOOF_FAR), wrong).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1500));
    assert_eq!(liveness(&service, &live).problem(), (503, "MODEL_UNAVAILABLE".into()));
    ground.bring(SPOOF_FAR);
    wait_for("health", || (service.get("/api/v1/health").json()["status"] == "healthy").then_some(()));
    let answer = liveness(&service, &live);
    assert_eq!((answer.status, &answer.json()["verdict"]), (200, &json!("live")));
}

/// What is wrong with a file: the reason that every answer names, and how it comes about.
type Fault = (&'static str, fn(&Ground));

const FAULTS: [Fault; 5] = [
    ("missing", |_| {}),
    ("wrong_digest", |ground| {
        let mut bytes = fs::read(ground.original(SPOOF_FAR)).unwrap();
        bytes[1000] ^= 1;
        fs::write(ground.weights().join(SPOOF_FAR), bytes).unwrap();
    }),
    ("wrong_size", |ground| fs::write(ground.weights().join(SPOOF_FAR), "short").unwrap()),
    ("unreadable", |ground| fs::create_dir(ground.weights().join(SPOOF_FAR)).unwrap()),
    ("refused_format", |ground| {
        let zeros = vec![0; fs::read(ground.original(SPOOF_FAR)).unwrap().len()];
        let (lock, pin) = (fs::read_to_string(ground.lock()).unwrap(), likeness::net::Digest::of(&zeros).to_string());
        fs::write(ground.lock(), lock.replace(OwnData::sha256(SPOOF_FAR), &pin)).unwrap();
        fs::write(ground.weights().join(SPOOF_FAR), zeros).unwrap();
    }),
];

#[test]
fn each_fault_of_a_file_has_its_own_reason_and_hint_in_health_and_in_a_refusal() {
    let (mut wrong, mut hints) = (Vec::new(), Vec::new());
    for (reason, make) in FAULTS {
        let ground = Ground::without(&[SPOOF_FAR]);
        make(&ground);
        let service = ground.serve(&["--require", "faces/detect-all"], &[]);
        let far = || {
            let health = service.get("/api/v1/health").json();
            let models = health["models"].as_array().unwrap().clone();
            models.into_iter().find(|model| model["role"] == "liveness_4_0").unwrap()
        };
        let found = wait_for("the reason", || Some(far()).filter(|model| model["reason"] != "loading"));
        let hint = found["hint"].as_str().unwrap_or_default().to_owned();
        let refused = liveness(&service, &ground.image("anna.jpg"));
        let named = refused.text().contains(&format!("\"{reason}\"")) && refused.text().contains(&hint);
        if found["reason"] != reason || hint.is_empty() || refused.status != 503 || !named {
            wrong.push(format!("{reason}: {found}, {refused:?}"));
        }
        hints.push(hint);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    hints.dedup();
    assert_eq!(hints.len(), 4, "other bytes and another length have one remedy, each other fault its own: {hints:?}");
}

#[test]
fn a_loaded_file_that_changes_or_goes_is_served_from_verified_memory_and_reported() {
    let ground = Ground::new();
    let service = ground.serve(&[], &[]).ready();
    let on_disk = |role: usize| service.get("/api/v1/health").json()["models"][role]["on_disk"].clone();
    let wait = |role: usize, word: &str| {
        wait_for(&format!("{role} {word}"), || (on_disk(role) == word).then_some(()));
    };
    wait(0, "right");
    let mut file = fs::File::options().append(true).open(ground.weights().join(DETECTOR)).unwrap();
    file.write_all(b"x").unwrap();
    wait(0, "changed");
    fs::remove_file(ground.weights().join(EMBEDDER)).unwrap();
    wait(3, "missing");
    assert_eq!(service.get("/api/v1/health").status, 200);
    let live = ground.image("anna.jpg");
    assert_eq!(liveness(&service, &live).json()["verdict"], "live");
    ground.bring(DETECTOR);
    wait(0, "right");
}

#[test]
fn the_statement_has_the_models_that_were_verified_and_loaded_and_no_other() {
    let ground = Ground::without(&[SPOOF_FAR]);
    let mut wrong = fs::read(ground.weights().join(SPOOF_NEAR)).unwrap();
    wrong[1000] ^= 1;
    fs::write(ground.weights().join(SPOOF_NEAR), wrong).unwrap();
    let service = ground.serve(&["--require", "compare"], &[]);
    let statement = || service.get("/api/v1/models/statement").json();
    let stated = || {
        let subjects = statement()["subject"].as_array().unwrap().clone();
        let one = |subject: &serde_json::Value| {
            let word = |at: &str| subject.pointer(at).unwrap().as_str().unwrap().to_owned();
            [word("/annotations/role"), word("/name"), word("/digest/sha256"), word("/annotations/onDisk")]
        };
        subjects.iter().map(one).collect::<Vec<_>>()
    };
    let pin = |file: &str| OwnData::sha256(file).to_owned();
    let loaded = |role: &str, file: &str, disk: &str| [role.to_owned(), file.to_owned(), pin(file), disk.to_owned()];
    service.until("/api/v1/health", 200);
    let (detector, embedder) = (loaded("detector", DETECTOR, "right"), loaded("embedder", EMBEDDER, "right"));
    assert_eq!(stated(), [detector, embedder.clone()]);
    let found = statement();
    let kinds = ["/_type", "/predicateType", "/predicate/verifier/name", "/predicate/embedder"];
    let kinds = kinds.map(|at| found.pointer(at).and_then(serde_json::Value::as_str).unwrap_or_default());
    assert_eq!(kinds, ["https://in-toto.io/Statement/v1", "urn:likeness:models:v1", "likeness", "accepted"]);
    // A file that changes later changes nothing about the loaded bytes.
    fs::write(ground.weights().join(DETECTOR), b"other").unwrap();
    wait_for("a change", || (stated()[0][3] == "changed").then_some(()));
    assert_eq!(stated(), [loaded("detector", DETECTOR, "changed"), embedder]);
    assert_eq!(
        statement()["subject"][0]["annotations"]["verifiedAt"],
        found["subject"][0]["annotations"]["verifiedAt"]
    );
}
