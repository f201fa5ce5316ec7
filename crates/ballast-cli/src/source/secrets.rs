//! Removes secrets from a source's URL before it is written into a lock file, and replaces
//! variables by their values. Pure.
//!
//! A lock file is committed, and copied into images. Therefore users, passwords, tokens and
//! signatures are not written. `${NAME}` in a source is, and `fetch` replaces it by the variable's
//! value.

use super::fault::Fault;
use super::url::escaped;

/// Words in the name of a parameter that holds a secret.
const SECRET_WORDS: [&str; 15] = [
    "sig", "token", "secret", "pass", "pwd", "apikey", "api_key", "api-key", "auth", "cred", "session", "jwt",
    "policy", "x-amz-", "x-goog-",
];
/// Whole names of parameters that hold a secret, or belong to a signature.
const SECRET_NAMES: [&str; 20] = [
    "key",
    "code",
    "hash",
    "hmac",
    "ticket",
    "awsaccesskeyid",
    "googleaccessid",
    "key-pair-id",
    "expires",
    "se",
    "sp",
    "sv",
    "sr",
    "st",
    "spr",
    "skoid",
    "sktid",
    "skt",
    "ske",
    "sks",
];
/// A value of at least this length with letters and digits only counts as a secret.
const OPAQUE: usize = 40;

/// A URL without secrets, for a lock file, and the names of the removed parts.
pub fn public(url: &str) -> (String, Vec<String>) {
    let url = url.split('#').next().unwrap_or(url);
    let Some((scheme, rest)) = url.split_once("://") else { return (url.to_owned(), Vec::new()) };
    let mut removed = Vec::new();
    let shown = super::url::shown(url);
    let place = shown.split_once("://").map_or("", |(_, place)| place);
    let login = rest.strip_suffix(&rest[rest.find(place).unwrap_or(0)..]).unwrap_or_default();
    let login = login.strip_suffix('@').unwrap_or(login);
    let kept = match login.rsplit_once(':') {
        _ if login.is_empty() => String::new(),
        Some((_, password)) if is_variable(password) => format!("{login}@"),
        None if is_variable(login) => format!("{login}@"),
        _ => {
            removed.push("user and password".to_owned());
            String::new()
        }
    };
    let query = rest.split_once(place).and_then(|(_, rest)| rest.strip_prefix('?')).unwrap_or_default();
    let mut parameters = Vec::new();
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        if is_variable(value) || is_variable(parameter) || !is_secret(name, value) {
            parameters.push(parameter);
        } else {
            removed.push(if value.is_empty() { "a word of its query".to_owned() } else { name.to_owned() });
        }
    }
    let query = if parameters.is_empty() { String::new() } else { format!("?{}", parameters.join("&")) };
    (format!("{scheme}://{kept}{place}{query}"), removed)
}

fn is_secret(name: &str, value: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let hex = value.bytes().all(|byte| byte.is_ascii_hexdigit());
    let commit =
        hex && [40, 64].contains(&value.len()) && ["ref", "revision", "commit", "sha", "id"].contains(&name.as_str());
    SECRET_WORDS.iter().any(|word| name.contains(word))
        || SECRET_NAMES.contains(&name.as_str())
        || (value.len() >= OPAQUE && !value.contains(['/', '.']) && !commit)
        || (value.is_empty() && name.len() >= OPAQUE)
}

fn is_variable(text: &str) -> bool {
    text.strip_prefix("${").and_then(|text| text.strip_suffix('}')).is_some_and(is_name)
}

fn is_name(text: &str) -> bool {
    let word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    text.chars().all(word) && text.starts_with(|first: char| !first.is_ascii_digit())
}

/// A URL with the values of its variables; `None` if it has no variable.
///
/// # Errors
/// [`Fault::Variable`]: a variable is not set, is Ballast's own, or is part of the host's name. The value is never
/// printed.
pub fn expanded(url: &str, env: impl Fn(&str) -> Option<String>) -> Result<Option<String>, Fault> {
    if !url.contains("${") {
        return Ok(None);
    }
    let wrong = |why: String| Err(Fault::Variable(why));
    let path =
        super::url::shown(url).split_once("://").and_then(|(_, place)| Some(place.split_once('/')?.0.to_owned()));
    if path.unwrap_or_default().contains("${") {
        return wrong("expected the host's name, found a variable in its place".into());
    }
    let (mut out, mut rest) = (String::with_capacity(url.len()), url);
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, more)) = after.split_once('}').filter(|(name, _)| is_name(name)) else {
            return wrong("expected ${NAME}, found `${` without a name".into());
        };
        if name.starts_with("BALLAST_") {
            return wrong(format!("{name} is a variable of Ballast itself, and is never part of an address"));
        }
        let Some(value) = env(name).filter(|value| !value.is_empty()) else {
            return wrong(format!("expected the variable {name}, which the source names, found it not set"));
        };
        out += before;
        let in_query = out.contains('?');
        out += &if in_query { in_query_of(&value) } else { escaped(&value) };
        rest = more;
    }
    Ok(Some(out + rest))
}

/// Escapes only those characters of a query's value that no URL can contain.
fn in_query_of(value: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"\"#<>\\^`{|}".contains(&byte);
    value.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_of_a_url_has_no_secret_and_keeps_the_rest() {
        let rows = [
            ("https://h/w.bin", "https://h/w.bin", 0),
            ("https://joe:hunter2@h/w.bin", "https://h/w.bin", 1),
            ("https://hunter2@h:8/w.bin#hunter2", "https://h:8/w.bin", 1),
            ("https://joe:hun/ter2@h/w.bin", "https://h/w.bin", 1),
            ("https://joe:${PW}@h/w.bin", "https://joe:${PW}@h/w.bin", 0),
            ("https://${TOKEN}@h/w.bin", "https://${TOKEN}@h/w.bin", 0),
            ("https://h/w?X-Amz-Signature=hunter2&X-Amz-Expires=60&versionId=3", "https://h/w?versionId=3", 2),
            ("https://h/w?sig=hunter2&se=2026&sp=r&sv=2020", "https://h/w", 4),
            ("https://h/w?Expires=1&Signature=hunter2&Key-Pair-Id=K", "https://h/w", 3),
            ("https://h/w?download=true&access_token=hunter2", "https://h/w?download=true", 1),
            ("https://h/w?private_token=hunter2", "https://h/w", 1),
            ("https://h/w?sig=${SIG}&x=1", "https://h/w?sig=${SIG}&x=1", 0),
            ("https://h/w?${QUERY}", "https://h/w?${QUERY}", 0),
            ("https://h/w?q=hunter2hunter2hunter2hunter2hunter2hunter2", "https://h/w", 1),
            ("https://h/w?hunter2hunter2hunter2hunter2hunter2hunter2", "https://h/w", 1),
            (
                "https://h/w?ref=0123456789abcdef0123456789abcdef01234567",
                "https://h/w?ref=0123456789abcdef0123456789abcdef01234567",
                0,
            ),
            ("https://h", "https://h", 0),
        ];
        let wrong: Vec<_> = rows
            .iter()
            .map(|(url, text, count)| (url, public(url), text, count))
            .filter(|(_, (text, removed), expected, count)| text != *expected || removed.len() != **count)
            .collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
        assert!(rows.iter().all(|(_, text, _)| !text.contains("hunter2")));
    }

    #[test]
    fn a_variable_of_a_source_is_its_value_and_a_wrong_one_a_fault_that_does_not_tell_it() {
        let env = |name: &str| match name {
            "SIG" => Some("a+b/c%3D d".to_owned()),
            "PW" => Some("p@s/s".to_owned()),
            "BALLAST_TOKENS" => Some("hunter2".to_owned()),
            _ => None,
        };
        let rows = [
            ("https://h/w", Ok(None)),
            ("https://h/w?sig=${SIG}", Ok(Some("https://h/w?sig=a+b/c%3D%20d"))),
            ("https://joe:${PW}@h/w", Ok(Some("https://joe:p%40s%2Fs@h/w"))),
            ("https://h/${PW}/w", Ok(Some("https://h/p%40s%2Fs/w"))),
            (
                "https://h/w?x=${NONE}",
                Err("variable: expected the variable NONE, which the source names, found it not set"),
            ),
            (
                "https://h/w?x=${BALLAST_TOKENS}",
                Err("variable: BALLAST_TOKENS is a variable of Ballast itself, and is never part of an address"),
            ),
            ("https://h/w?x=${", Err("variable: expected ${NAME}, found `${` without a name")),
            ("https://${PW}/w", Err("variable: expected the host's name, found a variable in its place")),
        ];
        let mut wrong = Vec::new();
        for (url, expected) in rows {
            let found = expanded(url, env).map_err(|fault| fault.to_string());
            if found.as_ref().map(Option::as_deref).map_err(String::as_str) != expected {
                wrong.push((url, found));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}
