//! The page in a real browser: starts services and lets `tests/page/suite.mjs` run every flow.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "service/support.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::need;

use support::{Ground, Request, SPOOF_NEAR};

const KEY: &str = "a-key-of-the-page-tests-0123456789abcdef";

/// The browser's program; `None` where something that the suite needs is missing.
fn browser(test: &str, suite: &Path) -> Option<PathBuf> {
    let there = need::full_tier(test, "a browser")
        && need::tool(test, "node", "apt-get install nodejs")
        && need::file(test, &suite.join("node_modules"), "npm ci there")
        && need::tool(test, "chromium", "apt-get install chromium");
    there.then(|| testkit::paths::find("chromium")).flatten()
}

#[test]
fn every_flow_in_a_real_browser() {
    let suite = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/page");
    let Some(browser) = browser("every_flow_in_a_real_browser", &suite) else { return };
    let Some(whole) = Ground::new("every_flow_in_a_real_browser") else { return };
    let lacking = Ground::without("lacking", &[SPOOF_NEAR]).unwrap();
    let service = whole.serve_with_store(&[], &[("RATE_LIMIT_ENABLED", "false")]).ready();
    let poorer = lacking.serve(&[], &[]);
    poorer.when_held(|| Request::post("/api/v1/faces/detect-all").file("file", &lacking.image("image_T1.jpg")));
    let keyed = whole.serve(&[], &[("API_KEY_SECRET", KEY)]).ready();
    let pictures = Path::new(env!("CARGO_TARGET_TMPDIR")).join("page");
    std::fs::create_dir_all(&pictures).unwrap();
    let output = Command::new("node")
        .args(["--test", "--test-reporter", "spec", "suite.mjs"])
        .current_dir(&suite)
        .env("PAGE_BROWSER", browser)
        .env("PAGE_WHOLE", &service.url)
        .env("PAGE_LACKING", &poorer.url)
        .env("PAGE_KEYED", &keyed.url)
        .env("PAGE_KEY", KEY)
        .env("PAGE_WEIGHTS", lacking.weights())
        .env("PAGE_SOURCE", whole.weights())
        .env("PAGE_IMAGES", whole.shared.join("images"))
        .env("PAGE_PICTURES", &pictures)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    assert!(told.contains("skipped 0") && told.contains("fail 0"), "{told}");
}
