//! Settings: defaults, words, and what refuses the start.

use std::collections::BTreeMap;

use clap::Parser;

use super::*;
use crate::args::{Cli, Command};

fn read(line: &str, variables: &[(&str, &str)]) -> Result<Settings, Failure> {
    let words = ["likeness", "serve"].into_iter().chain(line.split_whitespace());
    let Command::Serve(args) = Cli::parse_from(words).command else { panic!("{line}") };
    let variables: BTreeMap<_, _> = variables.iter().copied().collect();
    Settings::read(&args, &|name| variables.get(name).map(|value| (*value).to_owned()))
}

#[test]
fn without_a_word_the_defaults_hold() {
    let settings = read("", &[]).unwrap();
    assert_eq!(settings.listen.to_string(), "127.0.0.1:8001");
    assert_eq!((settings.verdict.distance, settings.verdict.distance_aged), (0.45, 0.55));
    assert!(settings.verdict.block && settings.access.secret.is_none());
    assert_eq!((settings.limits.file, settings.limits.per_minute), (10 << 20, Some(60)));
    assert!(matches!(settings.store, Store::None));
}

#[test]
fn a_bad_value_refuses_the_start_and_is_named() {
    let table = [
        ("VERIFICATION_THRESHOLD", "near"),
        ("VERIFICATION_THRESHOLD", "2.5"),
        ("VERIFICATION_THRESHOLD", "NaN"),
        ("VERIFICATION_THRESHOLD_AGED", "0.1"),
        ("LIVENESS_THRESHOLD", "101"),
        ("QUALITY_THRESHOLD", "-1"),
        ("MIN_FACE_SIZE", "0"),
        ("MAX_FILE_SIZE", "99999999999"),
        ("REQUEST_TIMEOUT_SECONDS", "0"),
        ("ANTI_SPOOFING_ENABLED", "false"),
        ("ANTI_SPOOFING_ENABLED", "perhaps"),
        ("API_KEY_SECRET", "short"),
        ("API_KEY_SECRET_FILE", "/nowhere/key"),
        ("API_KEY_HEADER", "a header"),
        ("TRUSTED_PROXIES", "proxy.example"),
        ("DATABASE_URL", "sqlite:/tmp/x"),
    ];
    let mut quiet = Vec::new();
    for (name, value) in table {
        match read("", &[(name, value)]) {
            Err(failure) if failure.exit == Exit::BadSetting && !failure.what.is_empty() => {}
            other => quiet.push((name, value, format!("{other:?}"))),
        }
    }
    assert!(quiet.is_empty(), "{quiet:#?}");
    let both = read("", &[("MIN_FACE_SIZE", "x"), ("ANTI_SPOOFING_ENABLED", "no")]).unwrap_err().what;
    assert!(both.contains("MIN_FACE_SIZE: expected a number from 1 to 10000, found \"x\""), "{both}");
    assert!(both.contains("ANTI_SPOOFING_ENABLED: expected true"), "{both}");
}

#[test]
fn empty_is_unset_and_words_are_understood() {
    let settings = read(
        "--store none",
        &[
            ("API_KEY_SECRET", " "),
            ("ANTISPOOF_BLOCK_ENFORCE", "No"),
            ("RATE_LIMIT_ENABLED", "off"),
            ("LIVENESS_THRESHOLD", "80"),
        ],
    );
    let settings = settings.unwrap();
    assert!(settings.access.secret.is_none() && !settings.verdict.block);
    assert_eq!((settings.limits.per_minute, settings.verdict.live), (None, 0.8));
}

#[test]
fn names_without_effect_are_found() {
    let names = ["LIKENESS_KERNAL", "REDIS_URL", "PATH", "LIKENESS_KERNEL"].map(str::to_owned);
    let nearest = Unhonoured::Unknown { name: "LIKENESS_KERNAL".into(), nearest: "LIKENESS_KERNEL" };
    assert_eq!(unhonoured(names.into_iter()), [nearest, Unhonoured::Original("REDIS_URL".into())]);
}
