//! Tests the page in a real browser: starts services, and `tests/page/suite.mjs` runs every flow.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "service/support.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::{need, paths};

use support::{Ground, Request, SPOOF_NEAR};

/// The portrait that the page offers as its sample.
const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/page/sample.jpg");

const KEY: &str = "a-key-of-the-page-tests-0123456789abcdef";

/// Returns the browser's program; `None` if the suite lacks something that it needs.
fn browser(test: &str) -> Option<PathBuf> {
    let there = need::full_tier(test, "a browser")
        && need::tool(test, "npm", "apt-get install npm")
        && need::tool(test, "chromium", "apt-get install chromium");
    there.then(|| paths::find("chromium")).flatten()
}

/// Copies the suite with its two pinned packages to a folder below the target folder. Returns `None` if npm
/// can't install them.
fn suite(test: &str) -> Option<PathBuf> {
    let (from, to) = (Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/page"), paths::scratch().join("page-suite"));
    std::fs::create_dir_all(&to).unwrap();
    let pinned = |folder: &Path| std::fs::read(folder.join("package-lock.json")).ok();
    let ready = to.join("node_modules").is_dir() && pinned(&to) == pinned(&from);
    for entry in std::fs::read_dir(&from).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_file()) {
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]).current_dir(&to);
    let there = ready || npm.status().is_ok_and(|status| status.success()) || need::skip(test, "npm ci");
    there.then_some(to)
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
    let keyed = whole.serve(&[], &[("API_KEY_SECRET", KEY)]).ready();
    let pictures = paths::scratch().join("page");
    std::fs::create_dir_all(&pictures).unwrap();
    let output = Command::new("node")
        .args(["--test", "--test-reporter", "spec", "suite.mjs"])
        .current_dir(&suite)
        // The generated networks do not find the sample's face, so the browser serves a drawn photograph
        // instead.
        .env("PAGE_SAMPLE", whole.photograph("anna.jpg"))
        .env("PAGE_BROWSER", browser)
        .env("PAGE_WHOLE", &service.url)
        .env("PAGE_LACKING", &poorer.url)
        .env("PAGE_KEYED", &keyed.url)
        .env("PAGE_KEY", KEY)
        .env("PAGE_WEIGHTS", lacking.weights())
        .env("PAGE_SOURCE", whole.weights())
        .env("PAGE_IMAGES", whole.data.join("images"))
        .env("PAGE_PICTURES", &pictures)
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
    assert!(printed.contains("skipped 0") && printed.contains("fail 0"), "{printed}");
}

#[test]
fn the_sample_is_a_live_face() {
    let Some(ground) = Ground::golden("the_sample_is_a_live_face") else { return };
    let service = ground.serve(&[], &[]).ready();
    let answer = service.ask(Request::post("/api/v1/inspect").file("file", &std::fs::read(SAMPLE).unwrap()));
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["photographs"][0]["liveness"]["verdict"], "live", "{answer:?}");
}
