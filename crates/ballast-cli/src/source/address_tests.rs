//! Hops between origins, as a table: where a connection goes, and where a secret goes.

use super::*;

fn named(text: &str) -> Address {
    Address::named(text, Clear::Named).unwrap_or_else(|why| panic!("{text}: {why}")).0
}

#[test]
fn the_user_may_name_https_this_machine_and_http_elsewhere_only_where_that_is_allowed() {
    let rows = [
        ("https://reg.example/v2/", true, true),
        ("http://localhost:5000/", true, true),
        ("http://LOCALHOST/", true, true),
        ("http://127.0.0.1:5000/", true, true),
        ("http://[::1]:5000/", true, true),
        ("http://reg.example/", false, true),
        ("http://127.0.0.2:5000/", false, true),
        ("http://127.0.0.1.evil.example/", false, true),
        ("http://localhost.evil.example/", false, true),
        ("http://localhost./", false, true),
        ("http://0.0.0.0/", false, true),
        ("http://2130706433/", false, true),
        ("http://127.1/", false, true),
        ("http://[::ffff:127.0.0.1]/", false, true),
        ("http://localhost@evil.example/", false, false),
        ("http://user:pw@mirror.example/", false, false),
        ("ftp://reg.example/", false, false),
        ("//reg.example/", false, false),
        ("https:///v2/", false, false),
        ("reg.example", false, false),
        ("", false, false),
    ];
    let may = |text: &str, clear| Address::named(text, clear).is_ok();
    let wrong: Vec<_> = rows
        .iter()
        .filter(|(text, refused, allowed)| may(text, Clear::Refused) != *refused || may(text, Clear::Named) != *allowed)
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The address before a hop, the address after it, and the result: `private`, `clear`, or the refusal's name.
const HOPS: &[(&str, &str, &str)] = &[
    ("https://reg.example/a", "https://reg.example/b", "private"),
    ("https://reg.example/a", "https://cdn.example/b", "private"),
    ("https://reg.example/a", "/b?c", "private"),
    ("https://reg.example/a", "b", "private"),
    ("https://reg.example/a", "?b", "private"),
    ("https://reg.example/a", "//cdn.example/b", "private"),
    ("https://reg.example/a", "HTTPS://cdn.example/b", "private"),
    ("https://reg.example/a", "http://reg.example/b", "clear refused"),
    ("https://reg.example/a", "http://cdn.example/b", "clear refused"),
    ("https://reg.example/a", "HTTP://cdn.example/b", "clear refused"),
    ("https://reg.example/a", "http://reg.example:443/b", "clear refused"),
    ("https://reg.example/a", "http://198.51.100.7:9/b", "clear refused"),
    ("https://reg.example/a", "http://localhost/b", "inward refused"),
    ("https://reg.example/a", "http://127.0.0.1:631/b", "inward refused"),
    ("https://reg.example/a", "https://[::1]/b", "inward refused"),
    ("https://reg.example/a", "https://user:pw@cdn.example/b", "user refused"),
    ("https://reg.example/a", "https://localhost:1@cdn.example/b", "user refused"),
    ("https://reg.example/a", "ftp://cdn.example/b", "no URL"),
    ("https://reg.example/a", "file:///etc/passwd", "no URL"),
    ("https://reg.example/a", "javascript:1", "no URL"),
    ("https://reg.example/a", "https:cdn.example", "no URL"),
    ("https://reg.example/a", "https://", "no URL"),
    ("https://reg.example/a", "http:\\\\cdn.example\\b", "no URL"),
    ("https://reg.example/a", "/b c", "no URL"),
    ("http://localhost:5000/a", "http://localhost:5000/b", "private"),
    ("http://localhost:5000/a", "http://127.0.0.1:6000/b", "private"),
    ("http://localhost:5000/a", "/b", "private"),
    ("http://localhost:5000/a", "https://cdn.example/b", "private"),
    ("http://localhost:5000/a", "http://cdn.example/b", "clear refused"),
    ("http://localhost:5000/a", "//cdn.example/b", "clear refused"),
    ("http://named.example:5000/a", "/b", "clear"),
    ("http://named.example:5000/a", "http://named.example:5000/b", "clear"),
    ("http://named.example:5000/a", "http://named.example:5001/b", "clear refused"),
    ("http://named.example:5000/a", "http://cdn.example/b", "clear refused"),
    ("http://named.example:5000/a", "https://cdn.example/b", "private"),
    ("http://named.example:5000/a", "http://127.0.0.1:5000/b", "inward refused"),
];

fn became(from: &str, to: &str) -> &'static str {
    match named(from).lead(to) {
        Ok(address) if address.origin.is_private() => "private",
        Ok(_) => "clear",
        Err(Refused::InClear(_)) => "clear refused",
        Err(Refused::ToThisMachine(_)) => "inward refused",
        Err(Refused::User(_)) => "user refused",
        Err(Refused::NoUrl) => "no URL",
        Err(Refused::Secret(_)) => "secret refused",
    }
}

#[test]
fn no_answer_leads_into_the_clear_or_inward() {
    let wrong: Vec<_> = HOPS.iter().filter(|(from, to, what)| became(from, to) != *what).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The origin that named it, where the hop leads, as a redirect or upload and as a token service.
#[test]
fn a_secret_stays_with_its_origin_but_for_the_token_service_that_this_origin_names() {
    let rows = [
        ("https://reg.example/v2/", "/b", true, true),
        ("https://reg.example/v2/", "https://REG.example:443/b", true, true),
        ("https://reg.example/v2/", "https://reg.example:8443/b", false, true),
        ("https://reg.example/v2/", "https://sub.reg.example/b", false, true),
        ("https://reg.example/v2/", "https://auth.example/token", false, true),
        ("http://localhost:5000/v2/", "http://127.0.0.1:5000/b", false, true),
        ("http://localhost:5000/v2/", "https://auth.example/token", false, true),
    ];
    let mut wrong = Vec::new();
    for (from, to, stays, realm) in rows {
        let from = named(from);
        let secret = Secret::basic(&from, "user:pw").unwrap_or_else(|why| panic!("{why}"));
        let next = from.lead(to).unwrap_or_else(|why| panic!("{to}: {why}"));
        let at_realm = secret.for_realm(&next).is_some_and(|secret| secret.at(&next).is_some());
        if secret.at(&next).is_some() != stays || at_realm != realm {
            wrong.push(format!("{to}: stays {}, realm {at_realm}", secret.at(&next).is_some()));
        }
        let stranger = named("https://stranger.example/").lead("https://auth.example/token");
        if stranger.is_ok_and(|next| secret.for_realm(&next).is_some()) {
            wrong.push(format!("{to}: a stranger's token service gets the secret"));
        }
        if secret.for_realm(&named("https://auth.example/token")).is_some() {
            wrong.push(format!("{to}: an unrelated address gets the secret"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_secret_is_made_for_an_address_in_the_clear() {
    let clear = named("http://named.example/");
    assert!(Secret::basic(&clear, "user:pw").is_err() && Secret::bearer(&clear, "token").is_err());
    assert_eq!(
        Address::named("http://user:pw@named.example/", Clear::Named).err(),
        Some(Refused::Secret("named.example".into()))
    );
    let token = Secret::bearer(&named("https://reg.example/"), "line\nbreak");
    assert!(token.is_err(), "a header could be injected");
}

#[test]
fn the_address_and_the_debug_form_of_a_secret_do_not_hold_it() {
    let (address, secret) =
        Address::named("https://user:s3cret@reg.example/a?b#c", Clear::Refused).unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(address.uri().to_string(), "https://reg.example/a?b");
    let secret = secret.unwrap_or_else(|| panic!("no secret"));
    assert_eq!(secret.at(&address).map(HeaderValue::as_bytes), Some(&b"Basic dXNlcjpzM2NyZXQ="[..]));
    assert!(!format!("{address:?} {secret:?}").contains("s3cret"));
}

#[test]
fn a_query_is_added_to() {
    let realm = named("https://auth.example/token?a=b");
    let token_url = realm.with_query("service=x").map(|address| address.uri().to_string());
    assert_eq!(token_url, Ok("https://auth.example/token?a=b&service=x".into()));
}
