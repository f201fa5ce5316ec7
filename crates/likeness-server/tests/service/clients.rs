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

/// How captures end in the client, with a video whose picture changes or not, and a service that answers `answers`.
const CAPTURES_TYPESCRIPT: &str = r#"
import { Client, Problem } from 'likeness-client';

let changes = true;
let number = 0;
const canvas = { getContext: () => null, toBlob: (done) => done(new Blob([`picture ${changes ? (number += 1) : 0}`])) };
globalThis.document = { createElement: () => canvas };
const video = { videoWidth: 640, videoHeight: 480, requestVideoFrameCallback: (done) => done() };
const clock = Date.now;
Date.now = () => clock() + 1000 * (number += 1);

const open = { capture_id: 'c', state: 'open', prompt: 'look_straight', answer_sha256: 'a', frame_count: 1, best_frame: null };
const refusal = (status, error_code) => Response.json({ error_code, message: 'm' }, { status });
async function end(...answers) {
  let sent = 0;
  const fetch = async () => answers[Math.min(sent++, answers.length - 1)].clone();
  try {
    const found = await new Client('http://service', { fetch, patience: 0 }).capture({ purpose: 'liveness' }, video);
    return found ? found.capture_id : null;
  } catch (error) {
    return error instanceof Problem ? error.code : `${error.message}, ${sent} requests`;
  }
}
const begun = Response.json(open);
console.log(await end(begun, begun, refusal(409, 'CAPTURE_ENDED')));
console.log(await end(begun, begun, refusal(404, 'NOT_FOUND')));
console.log(await end(begun, Response.json({ ...open, state: 'ended' })));
console.log(await end(begun, Response.json({ ...open, state: 'complete', best_frame: 1 })));
console.log(await end(begun, refusal(500, 'INTERNAL_SERVER_ERROR')));
console.log(await end(refusal(404, 'NOT_FOUND')));
changes = false;
console.log(await end(begun, begun));
try {
  new Client('http://service', { key: 'ключ' });
} catch (error) {
  console.log(error.message);
}
"#;

const CAPTURES_ENDED: &str = "null\nnull\nnull\nc\nINTERNAL_SERVER_ERROR\nNOT_FOUND\n\
    the video shows the same picture for 10 seconds, 2 requests\nkey: expected printable ASCII characters\n";

/// What the example's own server answers: it forwards captures with its key, judges with a capture, and does nothing else.
const OWN_SERVER: &str = r#"
import { spawn } from 'node:child_process';

const server = spawn('node', ['example/server.mjs'], { env: { ...process.env, PORT: '0' } });
const base = new URL(await new Promise((done) => server.stdout.once('data', (text) => done(String(text).trim()))));
const form = (fields) => Object.entries(fields).reduce((made, [name, value]) => (made.append(name, value), made), new FormData());
const status = async (path, fields) => {
  const answer = await fetch(new URL(path, base), fields && { method: 'POST', body: form(fields) });
  return `${answer.status} ${(await answer.json().catch(() => ({}))).message ?? ''}`.trim();
};
const page = await fetch(base);
console.log(page.status, page.headers.get('content-security-policy').split(';')[0], (await page.text()).includes('capture.js'));
console.log(await status('/dist/index.js'));
const begun = await (await fetch(new URL('/api/v1/captures', base), { method: 'POST', body: form({ purpose: 'liveness' }) })).json();
console.log(begun.state, begun.purpose);
console.log(await status(`/api/v1/captures/${begun.capture_id}/frames`, { file: new Blob(['x']), previous: begun.answer_sha256 }) !== '404 no such route');
console.log(await status('/judge', { file: new Blob(['x']) }));
console.log(await status('/judge', { file: new Blob(['x']), capture_id: 'f'.repeat(32) }));
for (const path of ['/api/v1/search', '/api/v1/verify', '/api/v1/captures/../search', '/api/v1/captures?x=1/../../persons']) console.log(await status(path, { file: new Blob(['x']), purpose: 'x' }));
for (const path of ['/example/server.mjs', '/package.json', '/dist/..%2fpackage.json', '/example/']) console.log(await status(path));
server.kill();
"#;

const OWN_ANSWERS: &str = "200 default-src 'none' true\n200\nopen liveness\ntrue\n\
    400 expected `file` and `capture_id`\n403 the capture is not valid for this request: begin a new capture\n";

/// Runs a script beside the built client.
fn script(client: &Path, name: &str, text: &str, variables: &[(&str, &str)]) -> String {
    std::fs::write(client.join(name), text).unwrap();
    let mut node = Command::new("node");
    succeeded(&node.arg(name).current_dir(client).envs(variables.iter().copied()).output().unwrap())
}

#[test]
fn a_capture_of_the_typescript_client_that_is_over_is_null_and_a_picture_is_sent_once() {
    let name = "a_capture_of_the_typescript_client_that_is_over_is_null_and_a_picture_is_sent_once";
    let Some(client) = typescript_client(name) else { return };
    assert_eq!(script(&client, "captures.mjs", CAPTURES_TYPESCRIPT, &[]), CAPTURES_ENDED);
}

#[test]
fn the_example_s_own_server_keeps_the_key_and_forwards_captures_alone() {
    let name = "the_example_s_own_server_keeps_the_key_and_forwards_captures_alone";
    let Some(client) = typescript_client(name) else { return };
    let (ground, key) = (Ground::new(), "a-key-of-the-example-0123456789abcdef");
    let service = ground.serve_with_store(&[], &[("API_KEY_SECRET", key)]).ready();
    let variables = [("LIKENESS_URL", service.url.as_str()), ("LIKENESS_KEY", key)];
    let printed = script(&client, "own.mjs", OWN_SERVER, &variables);
    let rest = printed.strip_prefix(OWN_ANSWERS).unwrap_or_else(|| panic!("{printed}"));
    let refused: Vec<_> = rest.lines().collect();
    assert!(
        refused.len() == 8 && refused.iter().all(|line| line.starts_with("404") || line.starts_with("400")),
        "{printed}"
    );
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
