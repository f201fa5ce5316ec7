//! Tests the settings: defaults, accepted words, and values that make the start fail.

use std::collections::{BTreeMap, BTreeSet};

use clap::{CommandFactory, Parser};

use likeness::policy::{Aged, Threshold};

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
    assert_eq!(settings.policy, Policy::default());
    assert!(settings.block_spoofs && settings.access.secret.is_none());
    assert_eq!((settings.limits.file, settings.limits.per_minute), (24 << 20, Some(60)));
    assert!(matches!(settings.store, StoreSettings::None));
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
        ("API_KEY_HEADER", "Content-Type"),
        ("API_KEY_HEADER", "content-length"),
        ("API_KEY_HEADER", "Transfer-Encoding"),
        ("API_KEY_HEADER", "HOST"),
        ("API_KEY_HEADER", "Connection"),
        ("API_KEY_HEADER", "Cookie"),
        ("API_KEY_HEADER", "Origin"),
        ("API_KEY_HEADER", "Idempotency-Key"),
        ("API_KEY_HEADER", "X-Forwarded-For"),
        ("CAPTURE_SECONDS", "9"),
        ("CAPTURE_SECONDS", "601"),
        ("TRUSTED_PROXIES", "proxy.example"),
        ("DATABASE_URL", "sqlite:/tmp/x"),
        ("CORS_ORIGINS", "*"),
        ("CORS_ORIGINS", "https://app.example/path"),
        ("CORS_ORIGINS", "app.example"),
    ];
    let mut quiet = Vec::new();
    for (name, value) in table {
        match read("", &[(name, value)]) {
            Err(failure) if failure.exit == crate::exit::Exit::BadSetting && !failure.what.is_empty() => {}
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
    assert!(settings.access.secret.is_none() && !settings.block_spoofs);
    assert_eq!((settings.limits.per_minute, settings.policy.liveness.live), (None, 0.8));
}

#[test]
fn a_threshold_says_that_it_was_set_and_templates_age_only_where_that_is_set() {
    let policy = |variables: &[(&str, &str)]| read("", variables).unwrap().policy;
    let set = policy(&[("VERIFICATION_THRESHOLD", "0.3"), ("VERIFICATION_THRESHOLD_AGED_YEARS", "1")]);
    assert_eq!((set.threshold, set.aged), (Threshold::set(0.3), None));
    let aged = policy(&[("VERIFICATION_THRESHOLD_AGED", "0.55")]);
    assert_eq!(aged.aged, Some(Aged { threshold: Threshold::set(0.55), years: 2.0 }));
    assert_eq!(aged.threshold, Policy::default().threshold);
}

#[test]
fn names_without_effect_are_found() {
    let names = ["LIKENESS_KERNAL", "REDIS_URL", "PATH", "LIKENESS_KERNEL"].map(str::to_owned);
    let nearest = Unhonoured::Unknown { name: "LIKENESS_KERNAL".into(), nearest: "LIKENESS_KERNEL" };
    assert_eq!(unhonoured(names.into_iter()), [nearest, Unhonoured::Original("REDIS_URL".into())]);
}

#[test]
fn lists_are_words_or_json_and_networks_are_understood() {
    let both = read("", &[("CORS_ORIGINS", "[\"https://a.example\", \"http://b.example:3000\"]")]).unwrap();
    assert_eq!(both.access.origins, ["https://a.example", "http://b.example:3000"]);
    let proxies = read("", &[("TRUSTED_PROXIES", "10.0.0.0/8, ::1")]).unwrap().access.trusted_proxies;
    assert_eq!(proxies.iter().map(ToString::to_string).collect::<Vec<_>>(), ["10.0.0.0/8", "::1/128"]);
    let beyond = read("--metrics-listen 192.0.2.1:9001", &[]).unwrap_err();
    assert!(beyond.what.contains("--metrics-listen"), "{}", beyond.what);
}

#[test]
fn the_names_that_are_honoured_are_those_that_are_read_and_those_that_are_explained() {
    let read_names = std::cell::RefCell::new(BTreeSet::new());
    let Command::Serve(args) = Cli::parse_from(["likeness", "serve"]).command else { panic!("serve") };
    let recorded = |name: &str| {
        read_names.borrow_mut().insert(name.to_owned());
        None
    };
    Settings::read(&args, &recorded).unwrap();
    let mut read = read_names.into_inner();
    let mut cli = Cli::command();
    let serve = cli.find_subcommand_mut("serve").unwrap();
    read.extend(serve.get_arguments().filter_map(|arg| Some(arg.get_env()?.to_str()?.to_owned())));
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../");
    let text = |name: &str| std::fs::read_to_string(format!("{root}{name}")).unwrap();
    let lock = ballast::lock::Lock::parse(&text("weights.lock")).unwrap();
    let pins = lock.weights.iter().filter_map(|weight| weight.pin_env.as_ref());
    let by_lock = pins.chain(&lock.store.env).chain(&lock.pins.required_when);
    read.extend(by_lock.map(|name| name.as_str().to_owned()));
    let named = |line: &str| {
        let (name, _) = line.strip_prefix('#').unwrap_or(line).split_once('=')?;
        name.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric()).then(|| name.to_owned())
    };
    let explained: BTreeSet<_> = text(".env.example").lines().filter_map(named).collect();
    let honoured: BTreeSet<_> = HONOURED.into_iter().map(str::to_owned).collect();
    assert_eq!(honoured, read, "names that are honoured, and that are read");
    let compose = ["compose.yaml", "deploy/compose.prod.yaml"].map(text).concat();
    let word = |part: &str| part.split(|c: char| c != '_' && !c.is_ascii_alphanumeric()).next().map(str::to_owned);
    let expected: BTreeSet<_> = compose.split("${").skip(1).filter_map(word).chain(honoured).collect();
    assert_eq!(expected, explained, "names that are honoured or that compose reads, and that .env.example explains");
}
