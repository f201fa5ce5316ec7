//! Tests the page in a real browser: starts services, and `tests/page/suite.mjs` runs every flow.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "service/support.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use testkit::{need, paths};

use support::{Ground, Request, SPOOF_NEAR};

/// The page's files.
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/page");

const KEY: &str = "a-key-of-the-page-tests-0123456789abcdef";

/// Returns the browser's program; `None` if the suite lacks something that it needs.
fn browser(test: &str) -> Option<PathBuf> {
    let there = need::full_tier(test, "a browser")
        && need::tool(test, "npm", "apt-get install npm")
        && need::tool(test, "chromium", "apt-get install chromium");
    there.then(|| paths::find("chromium")).flatten()
}

/// Copies the files of a folder.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_file()) {
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// Copies the suite with its two pinned packages, and the page's modules, to a folder below the target folder.
/// Returns `None` if npm can't install them.
fn suite(test: &str) -> Option<PathBuf> {
    static SUITE: OnceLock<Option<PathBuf>> = OnceLock::new();
    SUITE.get_or_init(|| installed(test)).clone()
}

fn installed(test: &str) -> Option<PathBuf> {
    let (from, to) = (Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/page"), paths::scratch().join("page-suite"));
    let pinned = |folder: &Path| std::fs::read(folder.join("package-lock.json")).ok();
    let ready = to.join("node_modules").is_dir() && pinned(&to) == pinned(&from);
    copy(&from, &to);
    copy(&from.join("head"), &to.join("head"));
    copy(Path::new(PAGE), &to.join("page"));
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]).current_dir(&to);
    let there = ready || npm.status().is_ok_and(|status| status.success()) || need::skip(test, "npm ci");
    there.then_some(to)
}

/// Runs a file of the suite with these variables; every test of it must pass.
fn run(suite: &Path, browser: &Path, file: &str, images: &Path, variables: &[(&str, &str)]) {
    let pictures = paths::scratch().join("page");
    std::fs::create_dir_all(&pictures).unwrap();
    let output = Command::new("node")
        .args(["--test", "--test-reporter", "spec", file])
        .current_dir(suite)
        .env("PAGE_BROWSER", browser)
        .env("PAGE_IMAGES", images)
        .env("PAGE_PICTURES", &pictures)
        .env("PAGE_REPOSITORY", paths::repository())
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
    assert!(printed.contains("skipped 0") && printed.contains("fail 0"), "{printed}");
}

#[test]
fn every_flow_in_a_real_browser() {
    let test = "every_flow_in_a_real_browser";
    let Some(browser) = browser(test) else { return };
    let Some(suite) = suite(test) else { return };
    let (whole, lacking) = (Ground::new(), Ground::without(&[SPOOF_NEAR]));
    let service = whole.serve_with_store(&[], &[("RATE_LIMIT_ENABLED", "false")]).ready();
    let poorer = lacking.serve(&[], &[]);
    poorer.when_loaded(|| Request::post("/api/v1/faces/detect-all").file("file", &lacking.image("anna.jpg")));
    let keyed = whole.serve(&[], &[("API_KEY_SECRET", KEY), ("API_KEY_HEADER", "X-Face-Key")]).ready();
    let (weights, source) = (lacking.weights(), whole.original(SPOOF_NEAR));
    let variables = [
        ("PAGE_WHOLE", service.url.as_str()),
        ("PAGE_LACKING", &poorer.url),
        ("PAGE_KEYED", &keyed.url),
        ("PAGE_KEY", KEY),
        ("PAGE_WEIGHTS", weights.to_str().unwrap()),
        ("PAGE_SOURCE", source.parent().unwrap().to_str().unwrap()),
    ];
    run(&suite, &browser, "suite.mjs", &whole.data.join("images"), &variables);
}

/// Also makes the picture for the documents (`just picture`).
#[test]
fn the_samples_themselves_in_a_real_browser() {
    let test = "the_samples_themselves_in_a_real_browser";
    let Some(browser) = browser(test) else { return };
    let Some(ground) = Ground::golden(test) else { return };
    let Some(suite) = suite(test) else { return };
    let service = ground.serve(&[], &[]).ready();
    run(&suite, &browser, "picture.mjs", &ground.data.join("images"), &[("PAGE_GOLDEN", &service.url)]);
}

/// Plays films of captures with the published networks of detection and liveness: two kinds, or all twelve if
/// `PAGE_FILMS=all` is set.
#[test]
fn films_of_captures_in_a_real_browser() {
    let test = "films_of_captures_in_a_real_browser";
    let Some(browser) = browser(test) else { return };
    let Some(ground) = Ground::golden(test) else { return };
    let Some(suite) = suite(test) else { return };
    let Some(client) = support::typescript_client(test) else { return };
    let service = ground.serve_with_store(&[], &[("RATE_LIMIT_ENABLED", "false")]).ready();
    let variables = [("PAGE_GOLDEN", service.url.as_str()), ("PAGE_CLIENT", client.to_str().unwrap())];
    run(&suite, &browser, "films.mjs", &ground.data.join("images"), &variables);
}

/// Tests the page's claims about its samples with the published networks of detection and liveness.
#[test]
fn the_samples_are_what_the_page_calls_them() {
    let Some(ground) = Ground::golden("the_samples_are_what_the_page_calls_them") else { return };
    let service = ground.serve(&[], &[]).ready();
    let table = [("sample.jpg", "live"), ("same.jpg", "live"), ("other.jpg", "live"), ("spoof.jpg", "spoof")];
    let judged = table.map(|(name, expected)| {
        let photograph = std::fs::read(Path::new(PAGE).join(name)).unwrap();
        let answer = service.ask(Request::post("/api/v1/inspect").file("file", &photograph));
        let found = answer.json()["photographs"][0]["liveness"]["verdict"].clone();
        (name, found == expected, found)
    });
    let wrong: Vec<_> = judged.iter().filter(|(_, right, _)| !right).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}
