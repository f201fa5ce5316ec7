//! The page in a real browser: starts services and lets `tests/page/suite.mjs` run every flow.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "service/support.rs"]
mod support;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use support::{Ground, Request, SPOOF_NEAR};

const KEY: &str = "a-key-of-the-page-tests-0123456789abcdef";

/// The browser's program, or why the suite can't run.
fn browser(suite: &Path) -> Result<PathBuf, String> {
    let found = |name: &str| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
    };
    found("node").ok_or("no node (./test installs it)")?;
    if !suite.join("node_modules").is_dir() {
        return Err(format!("no {}/node_modules (./test, or `npm ci` there)", suite.display()));
    }
    found("chromium").ok_or_else(|| "no chromium (./test installs it)".to_owned())
}

#[test]
fn every_flow_in_a_real_browser() {
    let suite = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/page");
    let browser = match browser(&suite) {
        Ok(browser) => browser,
        Err(why) => {
            let line = format!("SKIP every_flow_in_a_real_browser: {why}\n");
            return std::io::stderr().write_all(line.as_bytes()).unwrap();
        }
    };
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
