//! Addresses whose content changes: branches, `latest`. The file at such an address can change and
//! then differ from the pin. Pure.

use super::hub::HubHeaders;
use super::url::shown;

/// The placeholders for an unknown commit and an unknown tag.
const COMMIT: &str = "COMMIT";
const TAG: &str = "TAG";
/// Words of a path or a query that mean the newest version.
const NEWEST: [&str; 10] =
    ["latest", "nightly", "main", "master", "head", "develop", "trunk", "edge", "canary", "current"];

/// An address whose content can change.
#[derive(Debug, PartialEq, Eq)]
pub struct Moving {
    /// The part that names a changing version.
    pub word: String,
    /// The address of a fixed version, without user and query.
    pub fixed: String,
    /// Whether the host named this version; otherwise `fixed` has a placeholder.
    pub is_named: bool,
}

impl Moving {
    /// A moving address at the version that the host named; user and query stay.
    pub fn fix(&self, url: &str) -> Option<String> {
        let place = shown(url).split_once("://")?.1.to_owned();
        let fixed = self.fixed.split_once("://")?.1;
        self.is_named.then(|| url.replacen(&place, fixed, 1))
    }
}

/// Returns whether a reference names one state for ever: a commit, whole or its beginning, or a version.
fn is_fixed(reference: &str) -> bool {
    let hex = reference.len() >= 7 && reference.bytes().all(|byte| byte.is_ascii_hexdigit());
    let version = reference.strip_prefix(['v', 'V', 'r']).unwrap_or(reference);
    hex || (version.starts_with(|first: char| first.is_ascii_digit()) && version.contains('.'))
}

/// Returns whether an address names a commit or a version where a hub has the reference.
pub fn is_at_version(url: &str) -> bool {
    let plain = shown(url);
    let Some((_, place)) = plain.split_once("://") else { return false };
    let segments: Vec<&str> = place.split('/').collect();
    let release = segments.windows(2).any(|part| part == ["releases", "download"]);
    release || reference(&segments).is_some_and(|(_, to)| is_fixed(segments[to - 1]))
}

/// The changing part of an address, if any; `host` is what its host said.
pub fn moving(url: &str, host: &HubHeaders) -> Option<Moving> {
    let commit = host.commit.as_deref().filter(|it| it.len() == 40 && it.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let tag = host.tag.as_deref().filter(|tag| !NEWEST.contains(tag));
    let plain = shown(url);
    let (scheme, place) = plain.split_once("://")?;
    let segments: Vec<&str> = place.split('/').collect();
    let rebuilt = |from: usize, to: usize, with: &str| {
        let all = segments[..from].iter().copied().chain([with]).chain(segments[to..].iter().copied());
        format!("{scheme}://{}", all.collect::<Vec<_>>().join("/"))
    };
    if let Some(at) = segments.windows(3).position(|part| part == ["releases", "latest", "download"]) {
        let fixed = rebuilt(at + 1, at + 3, &format!("download/{}", tag.unwrap_or(TAG)));
        return Some(Moving { word: "latest".into(), fixed, is_named: tag.is_some() });
    }
    if let Some((from, to)) = reference(&segments) {
        let word = segments[from..to].last().copied().unwrap_or_default();
        let fixed = rebuilt(from, to, commit.unwrap_or(COMMIT));
        return (!is_fixed(word)).then(|| Moving { word: word.into(), fixed, is_named: commit.is_some() });
    }
    if let Some(moving) = in_query(url, &plain) {
        return Some(moving);
    }
    let newest = |segment: &&str| NEWEST.contains(&segment.to_ascii_lowercase().as_str());
    let directories = segments.get(1..segments.len().saturating_sub(1)).unwrap_or_default();
    let at = directories.iter().position(newest)? + 1;
    Some(Moving { word: segments[at].into(), fixed: rebuilt(at, at + 1, "VERSION"), is_named: false })
}

/// Returns the segments that are the reference, in the forms that hubs use.
fn reference(segments: &[&str]) -> Option<(usize, usize)> {
    let at = match segments.first()? {
        &"raw.githubusercontent.com" => 3,
        _ => segments.iter().skip(1).position(|part| ["resolve", "raw", "media", "blob"].contains(part))? + 2,
    };
    let first = *segments.get(at)?;
    let (from, to) = match (first, segments.get(at + 1)) {
        ("refs", Some(&("heads" | "tags"))) => (at, at + 3),
        // Gitea's addresses name the kind of the reference.
        ("branch" | "tag" | "commit", Some(_)) if segments.len() > at + 2 => (at, at + 2),
        _ => (at, at + 1),
    };
    // A file's own name follows.
    (segments.len() > to).then_some((from, to))
}

fn in_query(url: &str, plain: &str) -> Option<Moving> {
    let query = url.split_once('?')?.1.split('#').next()?;
    let named = |parameter: &&str| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let value = value.rsplit('/').next().unwrap_or(value);
        let reference = ["ref", "revision", "branch", "at", "version"].contains(&name.to_ascii_lowercase().as_str());
        reference && NEWEST.contains(&value.to_ascii_lowercase().as_str())
    };
    let (name, value) = query.split('&').find(named)?.split_once('=')?;
    Some(Moving { word: value.into(), fixed: format!("{plain}?{name}={COMMIT}"), is_named: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_moves_is_known_with_the_one_that_does_not() {
        let rows = [
            ("https://hf.co/o/m/resolve/main/a/w.bin", Some("https://hf.co/o/m/resolve/COMMIT/a/w.bin")),
            ("https://hf.co/o/m/resolve/refs%2Fpr%2F1/w.bin", Some("https://hf.co/o/m/resolve/COMMIT/w.bin")),
            ("https://h/o/m/resolve/my-branch/w.bin", Some("https://h/o/m/resolve/COMMIT/w.bin")),
            ("https://github.com/o/r/raw/master/w.pth", Some("https://github.com/o/r/raw/COMMIT/w.pth")),
            ("https://github.com/o/r/raw/refs/heads/dev/w.pth", Some("https://github.com/o/r/raw/COMMIT/w.pth")),
            (
                "https://raw.githubusercontent.com/o/r/main/w.pth",
                Some("https://raw.githubusercontent.com/o/r/COMMIT/w.pth"),
            ),
            (
                "https://raw.githubusercontent.com/o/r/refs/heads/x/w",
                Some("https://raw.githubusercontent.com/o/r/COMMIT/w"),
            ),
            ("https://gitlab.com/o/r/-/raw/main/w.bin?x=1", Some("https://gitlab.com/o/r/-/raw/COMMIT/w.bin")),
            ("https://codeberg.org/o/r/raw/branch/main/w.bin", Some("https://codeberg.org/o/r/raw/COMMIT/w.bin")),
            (
                "https://github.com/o/r/releases/latest/download/w",
                Some("https://github.com/o/r/releases/download/TAG/w"),
            ),
            ("https://h/models/latest/w.onnx", Some("https://h/models/VERSION/w.onnx")),
            ("https://h/api/w.onnx?ref=main", Some("https://h/api/w.onnx?ref=COMMIT")),
            ("https://github.com/o/r/releases/download/v1.0/w", None),
            ("https://github.com/o/r/raw/v1.0.2/w", None),
            ("https://hf.co/o/m/resolve/0123456789abcdef0123456789abcdef01234567/w.bin", None),
            ("https://github.com/o/r/raw/0123456/w", None),
            ("https://h/w.onnx", None),
            ("https://h/raw/w.onnx", None),
            ("https://latest/w.onnx", None),
            ("https://h/main", None),
        ];
        let of = |url: &str| moving(url, &HubHeaders::default()).map(|moving| moving.fixed);
        let wrong: Vec<_> = rows
            .iter()
            .map(|(url, fixed)| (url, of(url), fixed))
            .filter(|(_, found, fixed)| found.as_deref() != **fixed)
            .collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    /// An address, the host's commit and tag, and the fixed address.
    type Row<'a> = (&'a str, Option<&'a str>, Option<&'a str>, Option<&'a str>);

    #[test]
    fn a_version_is_put_in_only_if_the_host_named_it() {
        let commit = "0123456789abcdef0123456789abcdef01234567";
        let [main, latest] =
            ["https://joe:${T}@hf.co/o/m/resolve/main/w?a=1", "https://h/o/r/releases/latest/download/w"];
        let rows: [Row; 7] = [
            (main, Some(commit), None, Some("https://joe:${T}@hf.co/o/m/resolve/COMMIT/w?a=1")),
            (main, None, Some("v1"), None),
            (main, Some("main"), None, None),
            (main, Some("1.0/../../../../../../../../../../../../"), None, None),
            (latest, None, Some("v1.0"), Some("https://h/o/r/releases/download/v1.0/w")),
            (latest, None, Some("latest"), None),
            (latest, Some(commit), None, None),
        ];
        let mut wrong = Vec::new();
        for (url, commit, tag, expected) in rows {
            let host =
                HubHeaders { commit: commit.map(str::to_owned), tag: tag.map(str::to_owned), ..HubHeaders::default() };
            let found = moving(url, &host).and_then(|moving| moving.fix(url));
            if found != expected.map(|text| text.replace("COMMIT", commit.unwrap_or_default())) {
                wrong.push(format!("{url} {host:?}: {found:?}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
