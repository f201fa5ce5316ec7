//! Tests the operator's view of enrolled persons: lists, counts, one export, consents, expiry, and receipts
//! of erasures.

use serde_json::{Value, json};

use crate::support::{Answer, Ground, Request, Service, wait_for};
use crate::tenants::{LENIENT, becomes, key};

fn enrolment(user: &str, image: &[u8]) -> Request {
    Request::post("/api/v1/enroll").text("user_id", user).file("file", image)
}

fn names(page: &Value) -> Vec<String> {
    let names = page["persons"].as_array().unwrap().iter().map(|person| person["user_id"].as_str().unwrap().to_owned());
    names.collect()
}

#[test]
fn lists_and_counts_show_each_person_once_and_a_bound_key_sees_its_own_tenant() {
    let ground = Ground::new();
    let service = ground.serve_with_store(&[], &LENIENT).ready();
    let image = ground.image("anna.jpg");
    for user in ["ann", "bob", "eve"] {
        assert_eq!(service.ask(enrolment(user, &image)).status, 200);
    }
    assert_eq!(service.ask(enrolment("ann", &image).text("tenant_id", "other")).status, 200);
    let first = service.get("/api/v1/persons?limit=2").json();
    assert_eq!((names(&first), &first["total"]), (vec!["ann".into(), "bob".into()], &json!(3)), "{first}");
    let cursor = first["next_cursor"].as_str().unwrap().to_owned();
    let second = service.get(&format!("/api/v1/persons?limit=2&cursor={cursor}")).json();
    assert_eq!((names(&second), &second["next_cursor"]), (vec!["eve".into()], &Value::Null), "{second}");
    let foreign = service.get(&format!("/api/v1/persons?tenant_id=other&cursor={cursor}"));
    assert_eq!((foreign.problem(), &foreign.json()["field"]), ((400, "INVALID_INPUT".into()), &json!("cursor")));
    let counts = json!([{"tenant_id": "default", "person_count": 3}, {"tenant_id": "other", "person_count": 1}]);
    assert_eq!(service.get("/api/v1/tenants").json()["tenants"], counts);
    let bound = key(&ground, "persons", "other", &[]);
    becomes(&service, || Request::new("GET", "/api/v1/tenants"), 401);
    let ask = |path: &str| service.ask(Request::new("GET", path).header("x-api-key", &bound));
    assert_eq!(ask("/api/v1/tenants").json()["tenants"], json!([counts[1]]));
    assert_eq!(names(&ask("/api/v1/persons").json()), ["ann"]);
    assert_eq!(ask("/api/v1/persons/ann/export").problem(), (403, "FORBIDDEN".into()), "the numbers of a face");
}

#[test]
fn an_export_has_all_that_is_held_of_a_person() {
    let ground = Ground::new();
    let service = ground.serve_with_store(&[], &[("VERIFICATION_THRESHOLD", "0")]).ready();
    let image = ground.image("anna.jpg");
    let request = enrolment("ann", &image).text("consent_reference", "form 7").text("consent_version", "2026-05");
    let request = request.text("consent_given_at", "2026-05-01T10:00:00+02:00").header("idempotency-key", "once");
    assert_eq!(service.ask(request.text("expires_at", "2999-01-01T00:00:00Z")).status, 200);
    let failed = Request::post("/api/v1/verify").text("user_id", "ann").file("file", &ground.image("bert.jpg"));
    assert_eq!(service.ask(failed).json()["verified"], false);
    let kept = service.get("/api/v1/persons/ann/export").json();
    let consent = json!({"reference": "form 7", "version": "2026-05", "given_at": "2026-05-01T08:00:00Z"});
    assert_eq!((&kept["consent"], &kept["expires_at"]), (&consent, &json!("2999-01-01T00:00:00Z")), "{kept}");
    let length = |field: &str| kept[field].as_array().unwrap().len();
    assert_eq!(["templates", "remembered_answers_at", "failures_at"].map(length), [1, 1, 1], "{kept}");
    assert_eq!(kept["templates"][0]["embedding"].as_array().unwrap().len(), 512);
    let one = service.get("/api/v1/persons/ann").json();
    assert!(!one.to_string().contains("embedding") && one["templates"][0]["contract_id"].is_string(), "{one}");
}

#[test]
fn a_consent_is_named_whole_and_where_it_is_required_none_is_no_enrolment() {
    let ground = Ground::new();
    let service = ground.serve_with_store(&["--require-consent"], &LENIENT).ready();
    let image = ground.image("anna.jpg");
    let (reference, version) = (("consent_reference", "r"), ("consent_version", "1"));
    let long = "x".repeat(256);
    let table: [(&[(&str, &str)], &str); 9] = [
        (&[], "consent_reference"),
        (&[("consent_given_at", "2026-01-01T00:00:00Z")], "consent_reference"),
        (&[reference], "consent_version"),
        (&[version], "consent_reference"),
        (&[reference, version, ("consent_given_at", "2999-01-01T00:00:00Z")], "consent_given_at"),
        (&[reference, version, ("consent_given_at", "yesterday")], "consent_given_at"),
        (&[reference, version, ("expires_at", "2001-01-01T00:00:00Z")], "expires_at"),
        (&[reference, version, ("expires_at", "2999-01-01")], "expires_at"),
        (&[("consent_reference", &long), version], "consent_reference"),
    ];
    let with = |fields: &[(&str, &str)]| {
        service.ask(fields.iter().fold(enrolment("ann", &image), |form, (name, value)| form.text(name, value)))
    };
    let mut wrong = Vec::new();
    for (fields, field) in table {
        let answer = with(fields);
        if answer.problem() != (400, "INVALID_INPUT".into()) || answer.json()["field"] != field {
            wrong.push(format!("{fields:?}: {answer:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(with(&[]).json()["reason"], "consent_required");
    assert_eq!(service.get("/api/v1/persons/ann").problem(), (404, "EMBEDDING_NOT_FOUND".into()));
    assert_eq!(with(&[reference, version]).status, 200);
}

#[test]
fn whose_time_is_over_is_not_verified_and_leaves_the_store() {
    let ground = Ground::new();
    let service = ground.serve_with_store(&[], &LENIENT).ready();
    let image = ground.image("anna.jpg");
    let end = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() + 4;
    let end = time::OffsetDateTime::from_unix_timestamp(end.cast_signed()).unwrap();
    let end = end.format(&time::format_description::well_known::Rfc3339).unwrap();
    assert_eq!(service.ask(enrolment("ann", &image).text("expires_at", &end)).status, 200);
    let verify = || service.ask(Request::post("/api/v1/verify").text("user_id", "ann").file("file", &image));
    wait_for("the end of the person's time", || (verify().problem().0 == 404).then_some(()));
    let swept = || {
        let found = search(&service, &image);
        (found["found"] == false && found["total_searched"] == 0).then_some(())
    };
    wait_for("the sweep", swept);
    assert_eq!(service.get("/api/v1/persons").json()["total"], 0);
}

fn search(service: &Service, image: &[u8]) -> Value {
    service.ask(Request::post("/api/v1/search").file("file", image)).json()
}

#[test]
fn an_erasure_has_a_receipt_that_the_tenant_s_own_keys_alone_can_read() {
    let ground = Ground::new();
    let service = ground.serve_with_store(&[], &LENIENT).ready();
    assert_eq!(service.ask(enrolment("ann", &ground.image("anna.jpg"))).status, 200);
    let erased: Answer = service.ask(Request::new("DELETE", "/api/v1/persons/ann"));
    let erased = erased.json();
    assert_eq!((&erased["erasure"], &erased["user_id"]), (&json!("done"), &json!("ann")), "{erased}");
    let path = format!("/api/v1/erasures/{}", erased["erasure_id"].as_str().unwrap());
    let state = service.get(&path).json();
    assert_eq!((&state["receipt"], &state["subject_salt"]), (&erased["receipt"], &Value::Null), "{state}");
    assert!(!state.to_string().contains("ann"), "{state}");
    let (own, other) = (key(&ground, "delete", "default", &[]), key(&ground, "delete", "other", &[]));
    becomes(&service, || Request::new("GET", &path), 401);
    let ask = |key: &str| service.ask(Request::new("GET", &path).header("x-api-key", key)).status;
    assert_eq!((ask(&own), ask(&other)), (200, 404));
}
