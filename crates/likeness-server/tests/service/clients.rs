//! Runs real clients against a service: curl, Python's `requests`, Schemathesis, and the example clients.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::{Ground, typescript_client};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// Returns a program of a Python environment with Schemathesis and `requests`; `None` if it can't be
/// installed.
fn tool(test: &str, name: &str) -> Option<PathBuf> {
    let pinned = std::fs::read_to_string(Path::new(ROOT).join("tools/schemathesis/requirements.txt")).unwrap();
    Some(testkit::need::python(test, &pinned.lines().collect::<Vec<_>>())?.join("bin").join(name))
}

fn succeeded(output: &Output) -> String {
    let printed = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{printed}");
    printed
}

#[test]
fn the_calls_with_curl_are_answered_as_they_say() {
    let ground = Ground::new();
    let service = ground.serve_with_store(&[], &[]).ready();
    let photograph = ground.photograph("anna.jpg");
    let script = Path::new(ROOT).join("examples/http/calls.sh");
    let output = Command::new(script).args([&photograph, &photograph]).arg(&service.url).output().unwrap();
    let printed = succeeded(&output);
    assert_eq!(printed.lines().count(), 23, "{printed}");
}

#[test]
fn a_deepface_user_with_requests_changes_only_the_host() {
    let name = "a_deepface_user_with_requests_changes_only_the_host";
    let Some(python) = tool(name, "python") else { return };
    let ground = Ground::new();
    let service = ground.serve(&["--deepface-root"], &[]).ready();
    let image = |file: &str| ground.photograph(file);
    for url in [service.url.clone(), format!("{}/deepface", service.url)] {
        let mut client = Command::new(&python);
        client.arg(Path::new(ROOT).join("examples/http/deepface_client.py"));
        client.args([image("anna.jpg"), image("bert.jpg"), image("anna_fake.jpg")]).arg(url);
        let printed = succeeded(&client.output().unwrap());
        assert_eq!(printed.lines().count(), 7, "{printed}");
    }
}

/// Returns the code blocks of a README in one language, with this service's URL.
fn blocks(client: &str, language: &str, url: &str) -> Vec<String> {
    let text =
        std::fs::read_to_string(Path::new(ROOT).join("examples/clients").join(client).join("README.md")).unwrap();
    let fence = format!("```{language}\n");
    let parts = text.split(&fence).skip(1);
    parts.map(|part| part.split("```").next().unwrap().replace("http://127.0.0.1:8001", url)).collect()
}

#[test]
fn the_clients_in_the_repository_are_those_of_the_description() {
    let name = "the_clients_in_the_repository_are_those_of_the_description";
    if !testkit::need::tool(name, "python3", "apt-get install python3") {
        return;
    }
    succeeded(&Command::new(Path::new(ROOT).join("tools/clients")).arg("--check").output().unwrap());
}

/// What both clients say if another embedder is expected.
fn mismatch(embedder: &str) -> String {
    format!("the service has other models: embedder: expected {}, found {embedder}", "0".repeat(64))
}

/// The right models, others, a role that the service lacks, and an answer of another process later.
const EXPECT_PYTHON: &str = r#"
import asyncio
import httpx
from likeness_client import AsyncClient, Client, ModelMismatch

async def asynchronous():
    async with AsyncClient("URL", expect_models={"embedder": "PIN"}) as likeness:
        print(len((await likeness.models_statement())["subject"]))

def refused(expected, **more):
    try:
        Client("URL", expect_models=expected, **more).health()
    except ModelMismatch as mismatch:
        return mismatch
    raise SystemExit("expected a mismatch")

with Client("URL", expect_models={"embedder": "PIN".upper()}) as likeness:
    print(len(likeness.models_statement()["subject"]))
asyncio.run(asynchronous())
print(refused({"embedder": "0" * 64}))
print(refused({"nose": "00"}))

def later(request):
    if request.url.path.endswith("statement"):
        one = {"annotations": {"role": "embedder"}, "digest": {"sha256": "PIN"}}
        return httpx.Response(200, json={"subject": [one]})
    return httpx.Response(200, json={"model": {"sha256": {"embedder": "11"}}})

found = refused({"embedder": "PIN"}, http=httpx.Client(transport=httpx.MockTransport(later)))
print(found.expected == {"embedder": "PIN"} and found.found == {"embedder": "11"})
"#;

const EXPECT_TYPESCRIPT: &str = r#"
import { Client, ModelMismatch } from 'likeness-client';

const right = new Client('URL', { expect_models: { embedder: 'PIN' } });
console.log((await right.models_statement()).subject.length);
try {
  await new Client('URL', { expect_models: { embedder: '0'.repeat(64) } }).health();
} catch (error) {
  if (!(error instanceof ModelMismatch)) throw error;
  console.log(error.message);
}
const later = async (address) => {
  const stated = { subject: [{ annotations: { role: 'embedder' }, digest: { sha256: 'PIN' } }] };
  return Response.json(String(address).endsWith('statement') ? stated : { model: { sha256: { embedder: '11' } } });
};
try {
  await new Client('URL', { expect_models: { embedder: 'PIN' }, fetch: later }).health();
} catch (error) {
  console.log(error.found.embedder === '11' && error.expected.embedder === 'PIN');
}
"#;

#[test]
fn the_first_calls_of_the_python_client_are_answered_and_its_types_are_right() {
    let name = "the_first_calls_of_the_python_client_are_answered_and_its_types_are_right";
    let Some(python) = testkit::need::python(name, &["httpx==0.28.1", "mypy==1.18.2"]) else { return };
    let client = Path::new(ROOT).join("examples/clients/python");
    let ground = Ground::new();
    let service = ground.serve_with_store(&[], &[]).ready();
    let run = |program: &str| {
        let mut run = Command::new(python.join("bin").join(program));
        run.env("PYTHONPATH", &client).env("PYTHONDONTWRITEBYTECODE", "1").current_dir(ground.data.join("images"));
        run
    };
    let expected = ["True allow\n['ann']\nEMBEDDING_NOT_FOUND 404\ndone\n", "True live\n[]\n"];
    let blocks = blocks("python", "python", &service.url);
    let printed: Vec<_> =
        blocks.iter().map(|block| succeeded(&run("python").args(["-c", block]).output().unwrap())).collect();
    assert_eq!(printed, expected);
    let script = EXPECT_PYTHON.replace("URL", &service.url).replace("PIN", ground.embedder());
    let printed = succeeded(&run("python").args(["-c", &script]).output().unwrap());
    let missing = "the service has other models: nose: expected 00, found no model\n";
    assert_eq!(printed, format!("4\n4\n{}\n{missing}True\n", mismatch(ground.embedder())));
    let cache = ground.dir.path().join("mypy");
    let mut types = run("mypy");
    types.args(["--strict", "--cache-dir"]).arg(cache).arg("--package").arg("likeness_client");
    succeeded(&types.output().unwrap());
}

#[test]
fn the_first_calls_of_the_typescript_client_are_answered() {
    let name = "the_first_calls_of_the_typescript_client_are_answered";
    let Some(client) = typescript_client(name) else { return };
    let ground = Ground::new();
    let service = ground.serve_with_store(&[], &[]).ready();
    let script = client.join("readme.mjs");
    std::fs::write(&script, blocks("typescript", "ts", &service.url).concat()).unwrap();
    let output = Command::new("node").arg(script).current_dir(ground.data.join("images")).output().unwrap();
    assert_eq!(succeeded(&output), "true allow\nann 1\nEMBEDDING_NOT_FOUND 404\ndone\n");
    let script = client.join("expect.mjs");
    let text = EXPECT_TYPESCRIPT.replace("URL", &service.url).replace("PIN", ground.embedder());
    std::fs::write(&script, text).unwrap();
    let output = Command::new("node").arg(script).current_dir(&client).output().unwrap();
    assert_eq!(succeeded(&output), format!("4\n{}\ntrue\n", mismatch(ground.embedder())));
}

#[test]
fn the_description_is_valid_for_programs_that_make_clients() {
    let name = "the_description_is_valid_for_programs_that_make_clients";
    let Some(tool) = tool(name, "openapi-spec-validator") else { return };
    let description = Path::new(ROOT).join("docs/openapi.json");
    let valid = Command::new(&tool).arg(&description).output().unwrap();
    succeeded(&valid);
    // The validator finds what generators refused: a response without a description.
    let text = std::fs::read_to_string(&description).unwrap();
    let broken = text.replacen("\"description\": \"the person is enrolled\"", "\"x-none\": \"\"", 1);
    assert_ne!(text, broken);
    let ground = Ground::without(&[]);
    let file = ground.dir.path().join("broken.json");
    std::fs::write(&file, broken).unwrap();
    assert!(!Command::new(tool).arg(file).output().unwrap().status.success());
}

#[test]
fn schemathesis_finds_no_answer_beside_the_description() {
    let name = "schemathesis_finds_no_answer_beside_the_description";
    let Some(tool) = tool(name, "schemathesis") else { return };
    let ground = Ground::new();
    let service = ground.serve_with_store(&[], &[]).ready();
    let mut run = Command::new(Path::new(ROOT).join("tools/schemathesis/run"));
    run.arg(tool).arg(&service.url).env("LIKENESS_TESTDATA", &ground.data).current_dir(ground.dir.path());
    let printed = succeeded(&run.output().unwrap());
    assert!(printed.contains("No issues found"), "{printed}");
}
