//! Tests `likeness calibrate`, and the service and the commands that read its file: they use the threshold, return
//! its rate of false matches, and refuse a file of other models or with a wrong signature.

use std::fs;
use std::path::PathBuf;
use std::process::Output;

use serde_json::{Value, json};

use crate::support::{Ground, Request, wait_for};

/// Persons and their photographs: 10 persons, 45 pairs of persons.
const PERSONS: [(&str, &[&str]); 10] = [
    ("anna", &["anna.jpg", "anna_again.jpg"]),
    ("bert", &["bert.jpg"]),
    ("carl", &["carl.jpg"]),
    ("p1", &["crowd_01.jpg"]),
    ("p2", &["crowd_02.jpg"]),
    ("p3", &["crowd_03.jpg"]),
    ("p4", &["crowd_04.jpg"]),
    ("p5", &["crowd_05.jpg"]),
    ("p6", &["crowd_06.jpg"]),
    ("p7", &["crowd_07.jpg"]),
];

/// Copies the photographs to a folder for each person, and makes a store.
fn fixture() -> (Ground, PathBuf) {
    let ground = Ground::new();
    let folder = ground.dir.path().join("persons");
    for (person, photographs) in PERSONS {
        fs::create_dir_all(folder.join(person)).unwrap();
        for name in photographs {
            fs::write(folder.join(person).join(name), ground.image(name)).unwrap();
        }
    }
    fs::write(folder.join("anna/notes.png"), "not a photograph").unwrap();
    fs::write(folder.join("bert/again.jpg"), ground.image("anna.jpg")).unwrap();
    fs::write(folder.join("groups.csv"), "person,group\nanna,a\nbert,a\ncarl,b\np1,b\n").unwrap();
    drop(ground.serve_with_store(&[], &[]));
    (ground, folder)
}

fn calibrate(ground: &Ground, args: &[&str]) -> Output {
    let (store, key) = (ground.dir.path().join("data/templates.db"), ground.dir.path().join("key"));
    let mut program = ground.program("calibrate");
    program.arg("--store").arg(format!("sqlite:{}", store.display())).arg("--key-file").arg(key);
    program.args(["--json", "--replicates", "200"]).args(args).arg(ground.dir.path().join("persons"));
    program.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn printed(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|why| panic!("{why}: {output:?}"))
}

#[test]
fn a_rate_is_claimed_only_with_enough_persons() {
    let (ground, folder) = fixture();
    let [out, svg] = ["calibration.jws", "det.svg"].map(|name| ground.dir.path().join(name).display().to_string());
    let refused = calibrate(&ground, &["--out", &out]);
    assert_eq!(refused.status.code(), Some(28), "{refused:?}");
    let why: Value = serde_json::from_slice(&refused.stderr).unwrap();
    let needs = "a false match rate of 0.001 needs 30000 pairs of persons (246 persons), found 45 (10)";
    assert_eq!((&why["message"], &why["error_code"]), (&json!(needs), &json!("TOO_FEW_PERSONS")), "{why}");
    assert!(why["hint"].as_str().unwrap().contains("--fmr 0.667"), "{why}");
    let report = printed(&refused);
    assert_eq!((&report["chosen"], fs::exists(&out).unwrap()), (&Value::Null, false));
    let done = calibrate(&ground, &["--fmr", "0.7", "--out", &out, "--svg", &svg]);
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    let report = printed(&done);
    assert_eq!((&report["persons"], &report["photographs"], &report["left_out"]), (&json!(10), &json!(11), &json!(2)));
    assert_eq!(report["refused"][0]["error_code"], "UNSUPPORTED_MEDIA_TYPE");
    let twice = &report["refused"][1];
    assert_eq!(twice["error_code"], "DUPLICATE_PHOTOGRAPH");
    assert!(twice["message"].as_str().unwrap().ends_with("anna/anna.jpg"), "the first one is named: {twice}");
    assert_eq!(report["detection"], json!({"mode": "auto", "largest": false, "centerface_threshold": 0.35}));
    assert_eq!((&report["genuine"]["of"], &report["impostor"]["of"]), (&json!(1), &json!(54)));
    let (chosen, number) = (&report["chosen"], |value: &Value| value.as_f64().unwrap());
    assert!(number(&chosen["fmr"]["high"]) <= 0.7 && number(&chosen["fmr"]["value"]) > 0.3, "{chosen}");
    assert_eq!((&chosen["groups"][0]["group"], &chosen["groups"][0]["persons"]), (&json!("a"), &json!(2)));
    assert!(chosen["groups"][1]["fnmr"].is_null() && chosen["groups"][1]["fmr"].is_object(), "{chosen}");
    assert!(text(&fs::read(&svg).unwrap()).contains("<polyline points=\"80.0,"));
    let again = printed(&calibrate(&ground, &["--fmr", "0.7"]));
    assert_eq!((&again["chosen"], &again["det"], &again["eer"]), (chosen, &report["det"], &report["eer"]));
    fs::write(folder.join("groups.csv"), "dora,a\n").unwrap();
    let wrong = calibrate(&ground, &[]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(text(&wrong.stderr).contains("line 1: no folder of the person"), "{wrong:?}");
}

#[test]
fn a_service_answers_by_a_calibration_with_its_rate_and_never_by_another_model_s() {
    let (ground, _) = fixture();
    let file = ground.dir.path().join("calibration.jws").display().to_string();
    let report = printed(&calibrate(&ground, &["--fmr", "0.7", "--out", &file]));
    let key = report["written"]["public_key"].as_str().unwrap();
    let settings = [("LIKENESS_CALIBRATION_FILE", file.as_str()), ("LIKENESS_CALIBRATION_KEY", key)];
    let (anna, bert) = (ground.image("anna.jpg"), ground.image("bert.jpg"));
    let compare = || Request::post("/api/v1/compare").file("file1", &anna).file("file2", &bert);
    let service = ground.serve_with_store(&[], &settings).ready();
    let answer = service.ask(compare());
    let reply = answer.json();
    let chosen = &report["chosen"];
    assert_eq!((&reply["threshold"], &reply["threshold_source"]), (&chosen["threshold"], &json!("calibrated")));
    assert_eq!(reply["fmr_at_threshold"], chosen["fmr"]);
    let search = service.ask(Request::post("/api/v1/search").file("file", &anna)).json();
    assert_eq!(search["threshold_source"], "calibrated", "{search}");
    let own = service.ask(Request::post("/api/v1/compare?threshold=0.2").file("file1", &anna).file("file2", &bert));
    assert_eq!((&own.json()["threshold_source"], &own.json()["fmr_at_threshold"]), (&json!("request"), &Value::Null));
    let record = service.get(&format!("/api/v1/records/{}", answer.header("x-likeness-record").unwrap())).json();
    let rule = |name: &str| {
        let rules = record["record"]["policy"].as_array().unwrap();
        let rule = rules.iter().find(|rule| rule["name"] == name).unwrap_or_else(|| panic!("{name}: {record}"));
        (rule["value"].clone(), rule["source"].clone())
    };
    assert_eq!(rule("threshold.calibration"), (report["written"]["sha256"].clone(), json!("calibrated")));
    assert_eq!(rule("threshold").1, "calibrated");
    drop(service);
    let command = |embedder: &str| {
        let mut program = ground.program("compare");
        program.envs(settings).env("LIKENESS_ACCEPT_EMBEDDER", embedder);
        program.arg(ground.photograph("anna.jpg")).arg(ground.photograph("bert.jpg")).output().unwrap()
    };
    assert!(text(&command(ground.embedder()).stdout).contains("(calibrated)\n  false match rate "));
    let other = ground.bring_other_embedder();
    let service = ground.serve_with_store(&[], &[&settings[..], &[("LIKENESS_ACCEPT_EMBEDDER", &other)]].concat());
    wait_for("the reason", || service.get("/api/v1/health").text().contains("other_calibration").then_some(()));
    assert_eq!(service.get("/api/v1/health/ready").status, 503);
    assert_eq!(service.ask(compare()).problem(), (503, "CALIBRATION_MISMATCH".into()));
    let liveness = service.ask(Request::post("/api/v1/liveness").file("file", &anna));
    assert_eq!(liveness.status, 200, "{liveness:?}");
    let refused = command(&other);
    assert_eq!(refused.status.code(), Some(24), "{refused:?}");
    assert!(text(&refused.stderr).contains("the calibration has another contract id"), "{refused:?}");
}

#[test]
fn a_rate_is_of_single_photographs_and_of_the_search_that_was_measured() {
    let (ground, _) = fixture();
    let file = ground.dir.path().join("calibration.jws").display().to_string();
    let report = printed(&calibrate(&ground, &["--fmr", "0.7", "--out", &file]));
    let key = report["written"]["public_key"].as_str().unwrap();
    let settings = [("LIKENESS_CALIBRATION_FILE", file.as_str()), ("LIKENESS_CALIBRATION_KEY", key)];
    let service = ground.serve_with_store(&[], &settings).ready();
    let person = |route: &str, image: &str| {
        let request = Request::post(route).text("user_id", "anna").file("file", &ground.image(image));
        let answer = service.ask(request);
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    };
    let rate = || person("/api/v1/verify", "anna.jpg")["fmr_at_threshold"].clone();
    person("/api/v1/enroll", "anna.jpg");
    assert_eq!(rate(), report["chosen"]["fmr"], "one template");
    person("/api/v1/enroll", "anna_again.jpg");
    assert_eq!(rate(), Value::Null, "a mean of two templates");
    drop(service);
    let rows: [(&[&str], &str, &str); 3] = [
        (&["--mode", "fast"], "", "mode: calibrated with auto, found fast 640"),
        (&["--largest"], "", "largest: calibrated with false, found true"),
        (&[], "0.4", "CENTERFACE_THRESHOLD: calibrated with 0.35, found 0.4"),
    ];
    let mut wrong = Vec::new();
    for (args, score, expected) in rows {
        let mut program = ground.program("compare");
        program.envs(settings).env("CENTERFACE_THRESHOLD", score).args(args);
        let output = program.arg(ground.photograph("anna.jpg")).arg(ground.photograph("bert.jpg")).output().unwrap();
        if output.status.code() != Some(24) || !text(&output.stderr).contains(expected) {
            wrong.push(format!("{expected}: {output:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let service = ground.serve_with_store(&["--mode", "exact"], &settings);
    wait_for("the reason", || service.get("/api/v1/health").text().contains("other_calibration").then_some(()));
    let anna = ground.image("anna.jpg");
    let refused = service.ask(Request::post("/api/v1/compare").file("file1", &anna).file("file2", &anna));
    assert_eq!(refused.problem(), (503, "CALIBRATION_MISMATCH".into()));
    assert!(refused.text().contains("another mode"), "{refused:?}");
}

#[test]
fn a_wrong_calibration_ends_the_start_and_is_named() {
    let (ground, _) = fixture();
    let file = ground.dir.path().join("calibration.jws").display().to_string();
    let report = printed(&calibrate(&ground, &["--fmr", "0.7", "--out", &file]));
    let key = report["written"]["public_key"].as_str().unwrap();
    let altered = ground.dir.path().join("altered.jws").display().to_string();
    let good = fs::read_to_string(&file).unwrap();
    let middle = good.len() / 2;
    let other = if good.as_bytes()[middle] == b'A' { "B" } else { "A" };
    fs::write(&altered, format!("{}{other}{}", &good[..middle], &good[middle + 1..])).unwrap();
    let (none, wrong_key) = (String::new(), "00".repeat(32));
    // The file, the key, VERIFICATION_THRESHOLD, what the error names.
    let table = [
        (&altered, key, "", "LIKENESS_CALIBRATION_FILE: "),
        (&altered, key, "", "the signature is wrong"),
        (&file, wrong_key.as_str(), "", "expected the key"),
        (&file, "", "", "LIKENESS_CALIBRATION_KEY: expected both"),
        (&none, key, "", "LIKENESS_CALIBRATION_FILE: expected both"),
        (&file, key, "0.3", "VERIFICATION_THRESHOLD: expected a distance or LIKENESS_CALIBRATION_FILE, not both"),
    ];
    let mut wrong = Vec::new();
    for (file, key, set, expected) in table {
        for command in ["serve", "compare"] {
            let mut program = ground.program(command);
            program.env("LIKENESS_CALIBRATION_FILE", file).env("LIKENESS_CALIBRATION_KEY", key);
            program.env("VERIFICATION_THRESHOLD", set);
            if command == "compare" {
                program.arg(ground.photograph("anna.jpg")).arg(ground.photograph("bert.jpg"));
            }
            let output = program.output().unwrap();
            if output.status.code() != Some(24) || !text(&output.stderr).contains(expected) {
                wrong.push(format!("{command}, {expected}: {output:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    // A new calibration can be made while the setting names a file that is refused.
    let mut again = ground.program("calibrate");
    again.env("LIKENESS_CALIBRATION_FILE", &altered).env("LIKENESS_CALIBRATION_KEY", key);
    let again = again.args(["--fmr", "0.7"]).arg(ground.dir.path().join("persons")).output().unwrap();
    assert!(again.status.success() && text(&again.stdout).contains("FNMR\n"), "{again:?}");
}
