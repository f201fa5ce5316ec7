//! Tests decision records: their signature, the scope that reads them, an exact replay, and the journal that
//! keeps them.

use std::fs;
use std::process::{Command, Output};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::{Value, json};

use crate::support::{Answer, Ground, Request, Service, wait_for};

/// Returns the whole record of a response.
fn record(service: &Service, answer: &Answer) -> Value {
    let id = answer.header("x-likeness-record").unwrap_or_else(|| panic!("a record: {answer:?}"));
    let whole = service.get(&format!("/api/v1/records/{id}")).json();
    let signature = answer.header("x-likeness-signature").unwrap();
    assert!(whole["jws"].as_str().unwrap().ends_with(&format!(".{signature}")), "{whole}");
    assert_eq!(whole["record"]["id"], id);
    whole
}

fn explain(ground: &Ground, record: &Value, photographs: &[&str], more: &[&str]) -> Output {
    let file = ground.dir.path().join("record.json");
    fs::write(&file, record.to_string()).unwrap();
    let mut program = ground.program("explain");
    program.args(more).arg("--json").arg(file);
    program.args(photographs.iter().map(|name| ground.photograph(name)));
    program.output().unwrap()
}

/// Checks for a route that a replay finds every recorded value of every photograph.
fn replay(ground: &Ground, service: &Service, [one, other]: [&str; 2]) {
    let (a, b) = (ground.image(one), ground.image(other));
    let requests = [
        (Request::post("/api/v1/liveness").file("file", &a), &[one][..], 20),
        (Request::post("/api/v1/compare").file("file1", &a).file("file2", &b), &[one, other][..], 30),
        (Request::post("/api/v1/inspect").file("file", &a).file("file2", &b), &[one, other][..], 40),
    ];
    for (request, photographs, least) in requests {
        let whole = record(service, &service.ask(request));
        let end = explain(ground, &whole, photographs, &["--public-key", whole["public_key"].as_str().unwrap()]);
        let printed: Value = serde_json::from_slice(&end.stdout).unwrap_or_else(|why| panic!("{why}: {end:?}"));
        let compared = printed["compared"].as_array().unwrap();
        let different: Vec<_> = compared.iter().filter(|value| value["same"] != true).collect();
        assert!(different.is_empty() && compared.len() >= least && end.status.success(), "{different:#?} {printed:#}");
    }
    let whole = record(service, &service.ask(Request::post("/api/v1/liveness").file("file", &a)));
    let end = explain(ground, &whole, &[other], &[]);
    assert_eq!(end.status.code(), Some(30), "another photograph: {end:?}");
}

#[test]
fn what_is_recorded_is_found_again_to_the_bit() {
    let ground = Ground::new();
    replay(&ground, &ground.serve(&[], &[("LIVENESS_THRESHOLD", "0.6")]).ready(), ["anna.jpg", "anna_fake.jpg"]);
}

#[test]
fn what_is_recorded_of_golden_photographs_is_found_again_to_the_bit() {
    let test = "replay of golden photographs";
    if !testkit::need::full_tier(test, "over five seconds") {
        return;
    }
    let Some(ground) = Ground::golden(test) else { return };
    let service = ground.serve(&[], &[]).ready();
    let mut names: Vec<_> = fs::read_dir(ground.data.join("images")).unwrap().map(|entry| entry.unwrap()).collect();
    names.retain(|entry| entry.path().extension().is_some_and(|kind| kind == "jpg"));
    let mut names: Vec<_> = names.iter().map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    let live =
        |name: &&String| service.ask(Request::post("/api/v1/liveness").file("file", &ground.image(name))).status == 200;
    let fit: Vec<_> = names.iter().filter(live).take(2).collect();
    replay(&ground, &service, [fit[0], fit[1]]);
}

/// Returns copies of the JSON, each with another leaf changed.
fn mutations(value: &Value) -> Vec<Value> {
    match value {
        Value::Object(fields) => {
            let each = fields.iter().flat_map(|(name, inner)| {
                mutations(inner).into_iter().map(move |changed| {
                    let mut whole = value.clone();
                    whole[name] = changed;
                    whole
                })
            });
            each.collect()
        }
        Value::Array(values) if !values.is_empty() => {
            let each = values.iter().enumerate().flat_map(|(at, inner)| {
                mutations(inner).into_iter().map(move |changed| {
                    let mut whole = value.clone();
                    whole[at] = changed;
                    whole
                })
            });
            each.collect()
        }
        Value::Array(_) => vec![json!(["more"])],
        Value::Number(number) => vec![json!(number.as_f64().unwrap() + 1.0)],
        Value::String(text) => vec![json!(format!("{text}1"))],
        Value::Bool(truth) => vec![json!(!truth)],
        Value::Null => vec![json!("something")],
    }
}

#[test]
fn guidance_pushes_no_record_out_of_memory_and_adds_nothing_to_the_journal() {
    let ground = Ground::new();
    let service = ground.serve_with_store(&[], &[("RATE_LIMIT_ENABLED", "false")]).ready();
    let kept = |outcome: &str| {
        let name = format!("likeness_journal_total{{outcome=\"{outcome}\"}} ");
        let metrics = service.get("/metrics").text();
        let line = metrics.lines().find_map(|line| line.strip_prefix(&name)).unwrap_or("0").to_owned();
        line.parse::<u64>().unwrap()
    };
    let image = ground.image("anna.jpg");
    wait_for("the policy's entry", || (kept("kept") > 0).then_some(()));
    let before = kept("kept");
    for _ in 0..20 {
        let guided = service.ask(Request::post("/api/v1/frames").file("file", &image).text("liveness", "true"));
        assert!(guided.status == 200 && guided.header("x-likeness-record").is_none(), "{guided:?}");
    }
    let judged = service.ask(Request::post("/api/v1/liveness").file("file", &image));
    assert!(judged.header("x-likeness-record").is_some(), "{judged:?}");
    // The journal is in order: an entry of a frame would be written before the judgement's.
    wait_for("the judgement's entry", || (kept("kept") > before).then_some(()));
    assert_eq!(kept("kept"), before + 1);
}

#[test]
fn a_record_is_signed_whole_has_no_name_and_is_for_an_audit() {
    let ground = Ground::new();
    let secret = "a-key-of-the-tests-of-32-letters";
    drop(ground.serve_with_store(&[], &[]));
    let service = ground.serve_with_store(&[], &[("API_KEY_SECRET", secret)]);
    let keyed = |request: Request| service.ask(request.header("x-api-key", secret));
    wait_for("the models", || (keyed(Request::new("GET", "/api/v1/health/ready")).status == 200).then_some(()));
    let person = |path: &str, image: &str| {
        keyed(Request::post(path).text("user_id", "MARKanna").file("file", &ground.image(image)))
    };
    assert_eq!(person("/api/v1/enroll", "anna.jpg").status, 200);
    let answers = [person("/api/v1/verify", "anna_again.jpg"), person("/api/v1/verify", "anna_fake.jpg")];
    let whole = answers.each_ref().map(|answer| {
        let id = answer.header("x-likeness-record").unwrap();
        let path = format!("/api/v1/records/{id}");
        let verifier = key(&ground, "verify");
        assert_eq!(service.ask(Request::new("GET", &path).header("x-api-key", &verifier)).status, 403);
        let auditor = key(&ground, "audit");
        let whole = service.ask(Request::new("GET", &path).header("x-api-key", &auditor));
        assert!(whole.status == 200 && !whole.text().contains("MARK"), "{whole:?}");
        whole.json()
    });
    let accepted = &whole[0]["record"];
    assert_eq!((&accepted["verdict"], &accepted["route"]), (&"accept".into(), &"verify".into()), "{accepted:#}");
    assert_eq!(accepted["distances"].as_array().unwrap().len(), 1);
    assert_eq!(accepted["models"]["loaded"].as_array().unwrap().len(), 4);
    assert_eq!(accepted["subject"], whole[1]["record"]["subject"], "the same person");
    let named = keyed(Request::new("GET", "/api/v1/persons/MARKanna")).json();
    assert_eq!(accepted["subject"], named["pseudonym"], "{named:#}");
    assert_ne!(accepted["photographs"][0]["hash"], whole[1]["record"]["photographs"][0]["hash"]);
    assert_eq!(whole[1]["record"]["error_code"], "ANTISPOOF_BLOCKED");
    let jws = whole[0]["jws"].as_str().unwrap();
    let [head, _, signature] = jws.split('.').collect::<Vec<_>>()[..] else { panic!("{jws}") };
    let changed = mutations(accepted);
    assert!(changed.len() > 70, "{}", changed.len());
    let mut kept = Vec::new();
    for record in changed {
        let forged = format!("{head}.{}.{signature}", BASE64.encode(record.to_string()));
        if explain(&ground, &json!({ "jws": forged }), &[], &[]).status.code() != Some(52) {
            kept.push(record);
        }
    }
    assert!(kept.is_empty(), "changes that no signature shows: {kept:#?}");
    assert_eq!(explain(&ground, &whole[0], &[], &["--public-key", &"0".repeat(64)]).status.code(), Some(52));
}

/// Returns the options that name the store and its key file.
fn place(ground: &Ground) -> [String; 4] {
    let path = |name: &str| ground.dir.path().join(name).to_str().unwrap().to_owned();
    ["--store".into(), format!("sqlite:{}", path("data/templates.db")), "--key-file".into(), path("key")]
}

fn likeness(ground: &Ground, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_likeness")).args(words).args(place(ground)).output().unwrap()
}

fn key(ground: &Ground, scopes: &str) -> String {
    let made = likeness(ground, &["key", "new", "--tenant", "*", "--scopes", scopes]);
    String::from_utf8(made.stdout).unwrap().trim().to_owned()
}

#[test]
fn the_journal_has_decisions_and_changes_and_shows_what_was_cut_or_changed() {
    let ground = Ground::new();
    let service = ground.serve_with_store(&[], &[]).ready();
    let anna = ground.image("anna.jpg");
    let person = |path: &str| Request::post(path).text("user_id", "MARKanna").file("file", &anna);
    assert_eq!(service.ask(person("/api/v1/enroll")).status, 200);
    assert_eq!(service.ask(person("/api/v1/verify")).status, 200);
    assert_eq!(service.ask(Request::new("DELETE", "/api/v1/enroll/MARKanna")).status, 200);
    drop(key(&ground, "verify"));
    let kinds = |text: &str| {
        let entries = text
            .lines()
            .filter_map(|line| Some(serde_json::from_str::<Value>(line).unwrap()["kind"].as_str()?.to_owned()));
        let mut kinds: Vec<_> = entries.collect();
        kinds.sort();
        kinds
    };
    let export = || String::from_utf8(likeness(&ground, &["journal", "export"]).stdout).unwrap();
    let expected = ["decision", "decision", "enrolled", "erased", "key_made", "policy"];
    wait_for("every entry", || (kinds(&export()) == expected).then_some(()));
    let whole = export();
    assert!(!whole.contains("MARK"), "{whole}");
    let verify = |words: &[&str]| likeness(&ground, &[&["journal", "verify"], words].concat());
    let end = verify(&[]);
    assert!(end.status.success() && String::from_utf8_lossy(&end.stdout).contains("6 entries, 2 records"), "{end:?}");
    let public = String::from_utf8(likeness(&ground, &["key", "public"]).stdout).unwrap();
    let file = |name: &str, text: &str| {
        let path = ground.dir.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let before = file("whole.jsonl", &whole);
    let lines: Vec<_> = whole.lines().collect();
    let cut = file("cut.jsonl", &lines[..5].join("\n"));
    let changed = file("changed.jsonl", &whole.replacen("\"at\":1", "\"at\":2", 1));
    let moved = file("moved.jsonl", &[&lines[1..2], &lines[..1], &lines[2..]].concat().join("\n"));
    let table: [(&[&str], i32); 6] = [
        (&[&before, "--public-key", public.trim()], 0),
        (&["--head", &before], 0),
        (&[&cut], 52),
        (&[&cut, "--head", &before], 52),
        (&[&changed], 52),
        (&[&moved], 52),
    ];
    for (words, code) in table {
        let end = verify(words);
        assert_eq!(end.status.code(), Some(code), "{words:?}: {end:?}");
    }
    drop(service);
    // Another program removes the newest entry, which the chain alone does not show.
    let database = rusqlite::Connection::open(ground.dir.path().join("data/templates.db")).unwrap();
    database.execute("DELETE FROM journal WHERE seq = (SELECT max(seq) FROM journal)", []).unwrap();
    drop(database);
    assert_eq!(verify(&[]).status.code(), Some(52));
}
