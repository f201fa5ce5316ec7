//! The reader of compose files and manifests: no panic, no growth, and every finding names a line
//! of the file and a line to write.
#![no_main]

use std::sync::LazyLock;

use ballast::lock::Lock;
use ballast_cli::fuzzing::{DEPLOYMENT, examine};
use libfuzzer_sys::fuzz_target;

static LOCK: LazyLock<Lock> = LazyLock::new(|| {
    let text = include_str!("../../crates/ballast-cli/tests/deployments/weights.lock");
    Lock::parse(text).expect("the tests' own lock file")
});

fuzz_target!(|text: &str| {
    if text.len() as u64 > DEPLOYMENT {
        return;
    }
    // A lone carriage return is a line break of YAML too.
    let lines = text.split(['\r', '\n']).count() + 1;
    for finding in examine("f", text, &LOCK) {
        let line = finding.place.strip_prefix("f:").and_then(|line| line.parse::<usize>().ok());
        assert!(line.is_some_and(|line| (1..=lines).contains(&line)), "{finding:?}");
        assert!(!finding.what.is_empty() && !finding.fix.is_empty(), "{finding:?}");
    }
});
