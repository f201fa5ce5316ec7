//! Tests enrolling, verifying, searching and deleting persons. The embedder is not trained, so distances have
//! no meaning; the thresholds are set so that the expected match is known.

use std::thread;

use serde_json::{Value, json};

use crate::support::{Answer, Ground, Request, Service};

/// With this threshold, any two faces match; with the other one, only equal embeddings.
const ALL: &str = "2";
const NONE: &str = "0";

fn verify(service: &Service, user: &str, image: &[u8]) -> Answer {
    service.ask(Request::post("/api/v1/verify").text("user_id", user).file("file", image))
}

fn enrolment(user: &str, image: &[u8]) -> Request {
    Request::post("/api/v1/enroll").text("user_id", user).file("file", image)
}

fn enroll(service: &Service, user: &str, image: &[u8]) -> Answer {
    service.ask(enrolment(user, image))
}

fn search(service: &Service, tenant: &str, image: &[u8]) -> Answer {
    service.ask(Request::post("/api/v1/search").text("tenant_id", tenant).file("file", image))
}

#[test]
fn who_was_enrolled_is_verified_with_every_field_of_the_contract() {
    let ground = Ground::new();
    let service = ground.serve_with_store(&[], &[]).ready();
    let live = ground.image("anna.jpg");
    let enrolled = enroll(&service, "ann", &live);
    let reply = enrolled.json();
    assert_eq!(
        (enrolled.status, &reply["success"], &reply["embedding_dimension"]),
        (200, &json!(true), &json!(512)),
        "{reply}"
    );
    assert!(
        reply["quality_score"].as_f64().unwrap() > 70.0 && reply["liveness_score"].as_f64().unwrap() > 0.9,
        "{reply}"
    );
    let answer = verify(&service, "ann", &live);
    let reply = answer.json();
    assert_eq!((answer.status, &reply["verified"], &reply["matched"]), (200, &json!(true), &json!(true)), "{reply}");
    let expected = [
        ("threshold", json!(0.3)),
        ("threshold_source", json!("deepface")),
        ("not_compared", json!({})),
        ("recommended_action", json!("allow")),
        ("antispoof_pipeline", json!({"recommended_action": "allow"})),
        ("device_spoof_risk", Value::Null),
        ("ear_liveness", Value::Null),
    ];
    let wrong: Vec<_> = expected.iter().filter(|(field, value)| reply.get(field) != Some(value)).collect();
    assert!(wrong.is_empty(), "{wrong:?} {reply}");
    assert!(reply["distance"].as_f64().unwrap() < 1e-4 && reply["confidence"].as_f64().unwrap() > 0.999, "{reply}");
    assert_eq!(
        (reply["liveness"]["verdict"].as_str(), reply["model"]["embedder"].as_str()),
        (Some("live"), Some("accepted"))
    );
    assert_eq!(reply["model"]["sha256"].as_object().unwrap().len(), 4);
    let stages: Vec<_> = reply["timing_ms"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(stages, ["align", "decode", "detect", "embed", "quality", "spoof"]);
}

/// One row: the photograph, whether a spoof is refused, the threshold, and the expected response.
type Cell = (&'static str, &'static str, &'static str, u16, Option<bool>, Option<bool>, &'static str);

#[test]
fn every_cell_of_the_verdict() {
    let ground = Ground::new();
    let (enrolled, live) = ("anna.jpg", "bert.jpg");
    let (spoof, doubt, cut) = ("anna_fake.jpg", "unsure.jpg", "close.jpg");
    // photograph, ANTISPOOF_BLOCK_ENFORCE, threshold; status, verified, matched, action
    let table: [Cell; 12] = [
        (live, "true", ALL, 200, Some(true), Some(true), "allow"),
        (live, "true", NONE, 200, Some(false), Some(false), "block"),
        (live, "false", ALL, 200, Some(true), Some(true), "allow"),
        (doubt, "true", ALL, 200, Some(false), Some(true), "review"),
        (doubt, "true", NONE, 200, Some(false), Some(false), "block"),
        (doubt, "false", ALL, 200, Some(false), Some(true), "review"),
        (cut, "true", ALL, 200, Some(false), Some(true), "review"),
        (cut, "false", NONE, 200, Some(false), Some(false), "block"),
        (spoof, "true", ALL, 403, None, None, "block"),
        (spoof, "true", NONE, 403, None, None, "block"),
        (spoof, "false", ALL, 200, Some(false), Some(true), "block"),
        (spoof, "false", NONE, 200, Some(false), Some(false), "block"),
    ];
    let mut wrong = Vec::new();
    for (block, threshold) in [("true", ALL), ("true", NONE), ("false", ALL), ("false", NONE)] {
        let lines = [("ANTISPOOF_BLOCK_ENFORCE", block), ("VERIFICATION_THRESHOLD", threshold)];
        let service = ground.serve_with_store(&[], &lines).ready();
        // Each row has its own person, so that it has its own failures.
        let who = format!("ann-{block}-{threshold}");
        assert_eq!(enroll(&service, &who, &ground.image(enrolled)).status, 200);
        for (image, .., status, verified, matched, action) in
            table.iter().filter(|row| (row.1, row.2) == (block, threshold))
        {
            let answer = verify(&service, &who, &ground.image(image));
            let reply = answer.json();
            let found = (
                answer.status,
                reply["verified"].as_bool(),
                reply["matched"].as_bool(),
                reply["recommended_action"].as_str(),
            );
            if found != (*status, *verified, *matched, Some(action)) {
                wrong.push(format!("{image} block {block} below {threshold}: {answer:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_refused_spoof_has_the_original_s_fields_and_a_cut_face_says_why() {
    let ground = Ground::new();
    let service = ground.serve_with_store(&[], &[]).ready();
    enroll(&service, "ann", &ground.image("anna.jpg"));
    let blocked = verify(&service, "ann", &ground.image("anna_fake.jpg"));
    assert_eq!(blocked.problem(), (403, "ANTISPOOF_BLOCKED".into()));
    assert_eq!(
        (&blocked.json()["reason"], &blocked.json()["detail"]["error_code"]),
        (&json!("spoof"), &json!("ANTISPOOF_BLOCKED"))
    );
    let cut = verify(&service, "ann", &ground.image("close.jpg")).json();
    assert_eq!(
        (&cut["liveness"]["verdict"], &cut["liveness"]["reason"]),
        (&json!("indeterminate"), &json!("CONTEXT_TOO_SMALL"))
    );
}

#[test]
fn nothing_but_a_live_face_is_stored_whatever_is_set() {
    let ground = Ground::new();
    let service =
        ground.serve_with_store(&[], &[("ANTISPOOF_BLOCK_ENFORCE", "false"), ("QUALITY_THRESHOLD", "0")]).ready();
    for (image, verdict) in
        [("anna_fake.jpg", "spoof"), ("unsure.jpg", "indeterminate"), ("close.jpg", "indeterminate")]
    {
        let refused = enroll(&service, "ann", &ground.image(image));
        assert_eq!(refused.problem(), (400, "LIVENESS_FAILED".into()), "{image} {refused:?}");
        assert_eq!(
            (&refused.json()["verdict"], &refused.json()["detail"]["error_code"]),
            (&json!(verdict), &json!("LIVENESS_FAILED"))
        );
    }
    assert_eq!(verify(&service, "ann", &ground.image("anna.jpg")).problem(), (404, "EMBEDDING_NOT_FOUND".into()));
}

#[test]
fn what_a_photograph_lacks_is_named_and_nothing_is_stored() {
    let ground = Ground::new();
    let service = ground.serve_with_store(&[], &[("QUALITY_THRESHOLD", "80"), ("MIN_FACE_SIZE", "100")]).ready();
    let poor = enroll(&service, "ann", &ground.image("crowd_01.jpg"));
    assert_eq!(poor.problem(), (400, "POOR_IMAGE_QUALITY".into()), "{poor:?}");
    assert_eq!(poor.json()["min_threshold"], 80.0);
    assert!(!poor.json()["issues"].as_array().unwrap().is_empty() && poor.json()["quality_score"].is_number());
    let several = enroll(&service, "ann", &ground.image("two.jpg"));
    assert_eq!(several.problem(), (400, "MULTIPLE_FACES".into()));
    for bad in ["", "a b", "../x", "ä", &"x".repeat(256)] {
        assert_eq!(enroll(&service, bad, &ground.image("anna.jpg")).problem(), (400, "INVALID_INPUT".into()), "{bad}");
    }
    assert_eq!(verify(&service, "ann", &ground.image("anna.jpg")).status, 404);
}

#[test]
fn another_person_under_a_known_name_is_refused_unless_replaced() {
    let ground = Ground::new();
    let service = ground.serve_with_store(&[], &[("VERIFICATION_THRESHOLD", "0.001")]).ready();
    let (ann, bob) = (ground.image("anna.jpg"), ground.image("bert.jpg"));
    assert_eq!(enroll(&service, "ann", &ann).status, 200);
    assert_eq!(enroll(&service, "ann", &ann).status, 200, "more of the same person is welcome");
    assert_eq!(enroll(&service, "ann", &bob).problem(), (409, "EMBEDDING_ALREADY_EXISTS".into()));
    assert_eq!(verify(&service, "ann", &ann).json()["verified"], true);
    assert_eq!(service.ask(enrolment("ann", &bob).text("replace", "true")).status, 200);
    assert_eq!(verify(&service, "ann", &ann).json()["verified"], false);
    assert_eq!(verify(&service, "ann", &bob).json()["verified"], true);
}

#[test]
fn a_face_enrolled_in_one_mode_is_compared_in_another() {
    let ground = Ground::new();
    let live = ground.image("anna.jpg");
    let service = ground.serve_with_store(&["--mode", "exact"], &[]).ready();
    assert_eq!(enroll(&service, "ann", &live).status, 200);
    drop(service);
    let service = ground.serve_with_store(&["--mode", "fast"], &[]).ready();
    assert_eq!(verify(&service, "ann", &live).json()["verified"], true);
    assert_eq!(search(&service, "default", &live).json()["best_match"]["user_id"], "ann");
}

#[test]
fn templates_of_another_embedder_are_not_compared_and_every_route_says_so() {
    let ground = Ground::new();
    let live = ground.image("anna.jpg");
    let service = ground.serve_with_store(&[], &[]).ready();
    assert_eq!((enroll(&service, "ann", &live).status, enroll(&service, "bob", &live).status), (200, 200));
    drop(service);
    let other = ground.bring_other_embedder();
    let service = ground.serve_with_store(&[], &[("LIKENESS_ACCEPT_EMBEDDER", &other)]).ready();
    let mismatch = (409, "EMBEDDING_CONTRACT_MISMATCH".to_owned());
    for refused in [verify(&service, "ann", &live), enroll(&service, "ann", &live), search(&service, "default", &live)]
    {
        assert_eq!(refused.problem(), mismatch, "{refused:?}");
        assert!(refused.json()["not_compared"]["other_contract"].as_u64().unwrap() > 0, "{refused:?}");
    }
    assert_eq!(service.ask(enrolment("ann", &live).text("replace", "yes")).status, 200);
    assert_eq!(verify(&service, "ann", &live).json()["not_compared"], json!({}));
    let found = search(&service, "default", &live).json();
    let expected = (&json!("ann"), &json!(1), &json!({"other_contract": 1}));
    assert_eq!((&found["best_match"]["user_id"], &found["total_searched"], &found["not_compared"]), expected);
}

#[test]
fn ten_failures_of_a_subject_are_enough_and_unknown_ones_are_alike() {
    let ground = Ground::new();
    let service = ground.serve_with_store(&[], &[("VERIFICATION_THRESHOLD", NONE)]).ready();
    let (enrolled, live) = (ground.image("bert.jpg"), ground.image("carl.jpg"));
    assert_eq!(enroll(&service, "ann", &enrolled).status, 200);
    for (user, failed) in [("ann", 200), ("ben", 404)] {
        for at in 0..10 {
            assert_eq!(verify(&service, user, &live).status, failed, "{user} {at}");
        }
        let refused = verify(&service, user, &live);
        assert_eq!(refused.problem(), (429, "RATE_LIMIT_EXCEEDED".into()), "{user}");
        assert_eq!(refused.json()["scope"], "subject_address");
        assert!(
            refused.json()["retry_after_seconds"].as_u64().unwrap() > 800 && refused.header("retry-after").is_some()
        );
    }
    assert_eq!(verify(&service, "other", &live).status, 404, "others are not delayed");
}

#[test]
fn templates_that_are_all_old_have_a_threshold_of_their_own() {
    let ground = Ground::new();
    let lines = [("VERIFICATION_THRESHOLD_AGED_YEARS", "0"), ("VERIFICATION_THRESHOLD_AGED", "0.7")];
    let service = ground.serve_with_store(&[], &lines).ready();
    let live = ground.image("carl.jpg");
    enroll(&service, "ann", &live);
    thread::sleep(std::time::Duration::from_millis(2100));
    let reply = verify(&service, "ann", &live).json();
    assert_eq!((&reply["threshold"], &reply["threshold_source"]), (&json!(0.7), &json!("set")));
}

#[test]
fn several_photographs_are_stored_together_or_not_at_all() {
    let ground = Ground::new();
    let service = ground.serve_with_store(&[], &[("VERIFICATION_THRESHOLD", "0.001")]).ready();
    let multi = |user: &str, images: &[&str]| {
        let request = Request::post("/api/v1/enroll/multi").text("user_id", user);
        service.ask(images.iter().fold(request, |request, image| request.file("files", &ground.image(image))))
    };
    let table: Vec<(&[&str], u16, &str)> = vec![
        (&["anna.jpg"], 400, "INVALID_INPUT"),
        (&["carl.jpg"; 6], 400, "INVALID_INPUT"),
        (&["anna.jpg", "anna.jpg", "anna_fake.jpg"], 400, "LIVENESS_FAILED"),
        (&["anna.jpg", "unsure.jpg"], 400, "LIVENESS_FAILED"),
        (&["anna.jpg", "two.jpg"], 400, "POOR_IMAGE_QUALITY"),
        (&["anna.jpg", "bert.jpg"], 400, "INVALID_INPUT"),
    ];
    let wrong: Vec<_> = table
        .into_iter()
        .filter_map(|(images, status, code)| {
            let answer = multi("ann", images);
            (answer.problem() != (status, code.to_owned())).then(|| format!("{images:?}: {answer:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(verify(&service, "ann", &ground.image("anna.jpg")).status, 404);
    let stored = multi("ann", &["anna.jpg", "two.jpg", "anna.jpg"]);
    let reply = stored.json();
    assert_eq!((stored.status, &reply["images_processed"]), (200, &json!(2)), "{reply}");
    assert_eq!(reply["images"][1], json!({"index": 1, "accepted": false, "error_code": "MULTIPLE_FACES"}));
    assert_eq!(
        (reply["individual_quality_scores"].as_array().unwrap().len(), &reply["individual_quality_scores"][1]),
        (3, &json!(0.0))
    );
    assert_eq!(verify(&service, "ann", &ground.image("anna.jpg")).json()["verified"], true);
}

#[test]
fn search_names_who_is_near_in_the_tenant_alone_and_no_person_to_a_face_that_is_not_live() {
    let ground = Ground::new();
    let service = ground.serve_with_store(&[], &[]).ready();
    let (ann, bob) = (ground.image("anna.jpg"), ground.image("bert.jpg"));
    enroll(&service, "ann", &ann);
    enroll(&service, "bob", &bob);
    service.ask(enrolment("eve", &ann).text("tenant_id", "other"));
    let found = search(&service, "default", &ann).json();
    assert_eq!(
        (&found["found"], &found["best_match"]["user_id"], &found["total_searched"]),
        (&json!(true), &json!("ann"), &json!(2)),
        "{found}"
    );
    assert!(found["matches"].as_array().unwrap().iter().all(|one| one["user_id"] != "eve"), "{found}");
    let one =
        service.ask(Request::post("/api/v1/search").file("file", &ann).text("threshold", "2").text("max_results", "1"));
    assert_eq!((one.json()["matches"].as_array().unwrap().len(), &one.json()["threshold"]), (1, &json!(0.8)));
    assert_eq!(one.json()["threshold_source"], "request");
    assert_eq!(search(&service, "other", &ann).json()["best_match"]["user_id"], "eve");
    assert_eq!(search(&service, "empty", &ann).json()["found"], false);
    assert_eq!(
        search(&service, "default", &ground.image("anna_fake.jpg")).problem(),
        (403, "ANTISPOOF_BLOCKED".into())
    );
    let doubtful = search(&service, "default", &ground.image("close.jpg")).json();
    assert_eq!((&doubtful["found"], &doubtful["matches"]), (&json!(false), &json!([])));
    for (field, value) in [("threshold", "-1"), ("threshold", "near"), ("max_results", "0")] {
        let refused = service.ask(Request::post("/api/v1/search").file("file", &ann).text(field, value));
        assert_eq!(refused.problem(), (400, "INVALID_INPUT".into()), "{field} {value}");
    }
}

#[test]
fn who_was_deleted_is_gone_from_every_answer() {
    let ground = Ground::new();
    let service = ground.serve_with_store(&[], &[]).ready();
    let live = ground.image("anna.jpg");
    enroll(&service, "ann", &live);
    assert_eq!(search(&service, "default", &live).json()["found"], true);
    let delete = |query: &str| service.ask(Request::new("DELETE", &format!("/api/v1/enroll/ann{query}")));
    assert_eq!(delete("?tenant_id=other").problem(), (404, "EMBEDDING_NOT_FOUND".into()));
    let gone = delete("");
    assert_eq!((gone.status, &gone.json()["erasure"]), (200, &json!("done")), "{gone:?}");
    assert_eq!(delete("").problem(), (404, "EMBEDDING_NOT_FOUND".into()));
    assert_eq!(verify(&service, "ann", &live).problem(), (404, "EMBEDDING_NOT_FOUND".into()));
    assert_eq!(search(&service, "default", &live).json()["found"], false);
}

#[test]
fn a_request_with_the_same_key_is_done_once() {
    let ground = Ground::new();
    let service = ground.serve_with_store(&[], &[]).ready();
    let live = ground.image("carl.jpg");
    let keyed = |key: &str, user: &str| service.ask(enrolment(user, &live).header("Idempotency-Key", key));
    let first = keyed("k1", "ann");
    let again = keyed("k1", "ann");
    assert_eq!((first.status, first.json(), first.header("idempotent-replayed")), (200, again.json(), None));
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(keyed("k1", "bob").problem(), (409, "IDEMPOTENCY_CONFLICT".into()));
    assert_eq!(keyed("", "bob").problem(), (400, "INVALID_INPUT".into()));
    let fresh: Vec<bool> = thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| keyed("k2", "cat"))).collect();
        threads
            .into_iter()
            .map(|answer| answer.join().unwrap())
            .map(|answer| {
                assert_eq!(answer.status, 200, "{answer:?}");
                answer.header("idempotent-replayed").is_none()
            })
            .collect()
    });
    assert_eq!(fresh.iter().filter(|fresh| **fresh).count(), 1, "one enrolled, the others got its answer");
    service.ask(Request::new("DELETE", "/api/v1/enroll/ann"));
    assert_eq!(keyed("k1", "ann").header("idempotent-replayed"), None, "what was remembered is gone with the person");
}

#[test]
fn what_was_acknowledged_outlives_a_killed_server() {
    let ground = Ground::new();
    let live = ground.image("carl.jpg");
    let mut service = ground.serve_with_store(&[], &[]).ready();
    assert_eq!(enroll(&service, "ann", &live).status, 200);
    service.child.kill().unwrap();
    service.child.wait().unwrap();
    let service = ground.serve_with_store(&[], &[]).ready();
    assert_eq!(verify(&service, "ann", &live).json()["verified"], true);
}

#[test]
fn without_a_store_its_routes_are_not_there_and_the_others_answer() {
    let ground = Ground::new();
    let service = ground.serve(&["--store", "none"], &[]).ready();
    let live = ground.image("carl.jpg");
    assert_eq!(enroll(&service, "ann", &live).problem(), (404, "NOT_FOUND".into()));
    assert_eq!(verify(&service, "ann", &live).problem(), (404, "NOT_FOUND".into()));
    assert_eq!(search(&service, "default", &live).problem(), (404, "NOT_FOUND".into()));
    assert_eq!(service.get("/api/v1/health").json()["store"], "none");
}
