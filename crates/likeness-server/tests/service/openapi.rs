//! Checks that the API description in the repository is the served one, and that its viewer loads nothing
//! from another origin.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::Ground;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");

#[test]
fn the_description_in_the_repository_is_the_one_that_is_served() {
    let ground = Ground::without(&[]);
    let service = ground.serve(&[], &[]);
    let served = service.get("/openapi.json").json();
    let text = serde_json::to_string_pretty(&served).unwrap() + "\n";
    if std::env::var_os("LIKENESS_BLESS").is_some() {
        fs::write(GOLDEN, &text).unwrap();
    }
    let update = "LIKENESS_BLESS=1 cargo test -p likeness-server --test service openapi";
    assert!(fs::read_to_string(GOLDEN).unwrap_or_default() == text, "docs/openapi.json is another: {update}");
}

#[test]
fn every_reference_of_the_description_leads_somewhere() {
    let ground = Ground::new();
    let document = ground.serve(&[], &[]).get("/openapi.json").json();
    let mut broken = Vec::new();
    references(&document, &mut |reference| {
        if document.pointer(reference.trim_start_matches('#')).is_none() {
            broken.push(reference.to_owned());
        }
    });
    assert!(broken.is_empty(), "{broken:?}");
}

/// A client can't rely on a field that the description does not contain.
#[test]
fn every_field_that_the_code_adds_to_a_problem_is_in_the_description() {
    let document: Value = serde_json::from_str(&fs::read_to_string(GOLDEN).unwrap()).unwrap();
    let described = document["components"]["schemas"]["ProblemBody"]["properties"].as_object().unwrap();
    let mut added = BTreeSet::new();
    sources(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &mut |text| {
        let calls = text.split(".with(\"").skip(1).filter_map(|rest| rest.split('"').next());
        added.extend(calls.map(str::to_owned));
    });
    assert!(added.len() > 20, "this test would find nothing: {added:?}");
    let silent: Vec<_> = added.iter().filter(|field| !described.contains_key(*field)).collect();
    assert!(silent.is_empty(), "{silent:?}");
}

fn sources(folder: &Path, read: &mut impl FnMut(&str)) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, read);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            read(&fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn the_description_names_the_ways_to_bring_a_key_and_the_scope_of_each_route() {
    let ground = Ground::without(&[]);
    let served = ground.serve(&[], &[("API_KEY_HEADER", "X-Other")]).get("/openapi.json").json();
    assert_eq!(served["components"]["securitySchemes"]["header"]["name"], "X-Other");
    assert_eq!(served["components"]["securitySchemes"]["bearer"]["scheme"], "bearer");
    let scopes = |method: &str, path: &str| served["paths"][path][method]["security"].clone();
    let needs = |scope: &str| json!([{"bearer": [scope]}, {"header": [scope]}, {}]);
    assert_eq!(scopes("post", "/api/v1/verify"), needs("verify"));
    assert_eq!(scopes("delete", "/api/v1/enroll/{user_id}"), needs("delete"));
    assert_eq!(scopes("get", "/api/v1/health"), Value::Null);
}

#[test]
fn the_type_of_every_problem_is_a_page_of_its_own() {
    let ground = Ground::without(&[]);
    let service = ground.serve(&[], &[]);
    let answer = service.get("/api/v1/nothing").json();
    assert_eq!(answer["type"], "../../docs/problems/NOT_FOUND");
    let document: Value = serde_json::from_str(&fs::read_to_string(GOLDEN).unwrap()).unwrap();
    let codes = document["components"]["schemas"]["ProblemBody"]["properties"]["error_code"]["enum"].clone();
    let lacking = |code: &&str| {
        let page = service.get(&format!("/docs/problems/{code}"));
        page.status != 200 || !page.text().contains(&format!("<h1>{code}</h1>"))
    };
    let codes: Vec<&str> = codes.as_array().unwrap().iter().map(|code| code.as_str().unwrap()).collect();
    let wrong: Vec<_> = codes.iter().copied().filter(|code| lacking(code)).collect();
    assert!(codes.len() > 20 && wrong.is_empty(), "{wrong:?}");
    assert_eq!(service.get("/docs/problems/NOTHING").status, 404);
}

fn references(value: &Value, found: &mut impl FnMut(&str)) {
    match value {
        Value::Object(object) => {
            if let Some(reference) = object.get("$ref").and_then(Value::as_str) {
                found(reference);
            }
            object.values().for_each(|value| references(value, found));
        }
        Value::Array(list) => list.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

/// Returns whether a schema of the description has a field, also if the field is in a part of the schema.
fn has_field(document: &Value, schema: &Value, field: &str) -> bool {
    let parts = ["allOf", "oneOf", "anyOf"].iter().filter_map(|key| schema[*key].as_array()).flatten();
    let of = schema["$ref"].as_str().and_then(|reference| document.pointer(reference.strip_prefix('#')?));
    !schema["properties"][field].is_null() || parts.chain(of).any(|part| has_field(document, part, field))
}

/// Returns whether the route that answers to this path takes a field, in its form or its query.
pub fn takes(method: &str, path: &str, field: &str) -> bool {
    let document: Value = serde_json::from_str(&fs::read_to_string(GOLDEN).unwrap()).unwrap();
    let answers = |route: &str| {
        let (route, path): (Vec<_>, Vec<_>) = (route.split('/').collect(), path.split('/').collect());
        route.len() == path.len() && route.iter().zip(path).all(|(part, word)| part.starts_with('{') || *part == word)
    };
    let routes = document["paths"].as_object().unwrap();
    let route = routes.get(path).or_else(|| routes.iter().find(|(route, _)| answers(route)).map(|(_, route)| route));
    let operation = &route.unwrap_or_else(|| panic!("no route answers to {path}"))[method.to_lowercase()];
    let named = operation["parameters"].as_array().into_iter().flatten().any(|one| one["name"] == field);
    let forms = operation["requestBody"]["content"].as_object().into_iter().flatten();
    named || forms.into_iter().any(|(_, form)| has_field(&document, &form["schema"], field))
}

/// A new response contains all its fields, so a typed client must not have to expect an absent one.
#[test]
fn the_recorded_answers_contain_every_field_that_the_description_requires() {
    let document: Value = serde_json::from_str(&fs::read_to_string(GOLDEN).unwrap()).unwrap();
    let (mut lacking, mut seen) = (Vec::new(), 0);
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let answer = &operation["responses"]["200"]["content"]["application/json"];
            let name = format!("{method} {path}");
            seen += usize::from(answer["example"].is_object());
            lacks(&document, (&answer["schema"], &answer["example"]), &name, &mut lacking);
        }
    }
    assert!(seen > 15, "this test would find nothing: {seen}");
    assert!(lacking.is_empty(), "{lacking:#?}");
    let capture = &document["components"]["schemas"]["CaptureResponse"]["allOf"][1]["required"];
    for field in ["prompt", "best_frame", "answer_sha256", "user_id"] {
        assert!(capture.as_array().unwrap().contains(&json!(field)), "{field}: {capture}");
    }
}

/// Notes each required field of a schema that a value lacks.
fn lacks(document: &Value, (schema, value): (&Value, &Value), at: &str, lacking: &mut Vec<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        lacks(document, (document.pointer(&reference[1..]).unwrap(), value), at, lacking);
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        lacks(document, (part, value), at, lacking);
    }
    let (Some(properties), Some(fields)) = (schema["properties"].as_object(), value.as_object()) else {
        let items = value.as_array().into_iter().flatten();
        return items.for_each(|item| lacks(document, (&schema["items"], item), at, lacking));
    };
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    lacking.extend(required.filter(|field| !fields.contains_key(*field)).map(|field| format!("{at}: {field}")));
    for (name, property) in properties.iter().filter(|(name, _)| fields.contains_key(*name)) {
        let nullable = property["oneOf"].as_array().into_iter().flatten();
        for schema in nullable.chain([property]) {
            lacks(document, (schema, &fields[name]), &format!("{at}.{name}"), lacking);
        }
    }
}

/// A face's box refers to the rotated photograph, so a client that draws the box needs the rotation.
#[test]
fn whatever_answers_with_a_face_s_place_says_how_far_the_photograph_was_turned() {
    let document: Value = serde_json::from_str(&fs::read_to_string(GOLDEN).unwrap()).unwrap();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let has = |name: &str, property: &str| has_field(&document, &schemas[name], property);
    let users = |wanted: &str| -> Vec<&String> {
        let names = |schema: &Value| {
            let mut found = false;
            references(schema, &mut |reference| found |= reference.ends_with(&format!("/{wanted}")));
            found
        };
        schemas.iter().filter(|(_, schema)| names(schema)).map(|(name, _)| name).collect()
    };
    let with_places: Vec<&String> = schemas.keys().filter(|name| has(name, "bounding_box")).collect();
    let mut silent = Vec::new();
    for name in with_places.iter().filter(|name| !has(name, "rotated")) {
        let users = users(name);
        let answers = if users.is_empty() { vec![*name] } else { users };
        silent.extend(answers.into_iter().filter(|answer| !has(answer, "rotated")));
    }
    assert!(with_places.len() >= 2, "this test would find nothing: {with_places:?}");
    assert!(silent.is_empty(), "{silent:?}");
}

#[test]
fn the_viewer_loads_nothing_from_elsewhere_and_no_address_of_it_begins_at_the_root() {
    let ground = Ground::new();
    let service = ground.serve(&[], &[]);
    let page = service.get("/docs/");
    assert_eq!(page.status, 200);
    let policy = page.header("content-security-policy").unwrap_or("none").to_owned();
    assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"), "{policy}");
    let text = page.text();
    let mut files = Vec::new();
    for attribute in ["href=\"", "src=\""] {
        files.extend(text.split(attribute).skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()));
    }
    assert!(files.len() >= 6, "{files:?}");
    for file in files.iter().filter(|file| !file.starts_with('#')) {
        assert!(file.starts_with("../"), "{file}");
        let answer = service.get(file.trim_start_matches(".."));
        assert_eq!(answer.status, 200, "{file}");
    }
    assert_eq!(service.get("/docs").header("location"), Some("docs/"));
    assert_eq!(service.get("/openapi.json").json()["servers"][0]["url"], "./");
}
