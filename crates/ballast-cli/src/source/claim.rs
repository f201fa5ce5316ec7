//! A host's statement about a file without sending it, and what it says about a pin. Pure.
//!
//! `same` needs a SHA-256: a size alone proves that a file differs, never that it is the same.

use ballast::digest::Digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::hub::HubHeaders;
use super::secrets;

/// How a source stands to its pin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Drift {
    /// The host names the pinned digest.
    Same,
    /// The host names another digest or another size.
    Changed,
    /// The host does not have the file any more.
    Gone,
    /// The file has moved to another address permanently; as far as the host says, its bytes are the pinned ones.
    Moved,
    /// The host doesn't say enough, or can't be reached.
    Unknown,
}

impl Drift {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Changed => "changed",
            Self::Gone => "gone",
            Self::Moved => "moved",
            Self::Unknown => "unknown",
        }
    }
}

/// A host's statement about a file.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Each SHA-256 that it names.
    pub digests: Vec<Digest>,
    /// The file's length.
    pub size: Option<u64>,
    /// Where permanent redirects lead, as it was sent: it may have a secret.
    pub moved_to: Option<String>,
    /// What stands behind the address.
    pub hub: HubHeaders,
}

impl Claim {
    /// Compares the statement with a pin; returns the result, and its reason in words.
    pub fn judge(&self, pin: Digest, size: Option<u64>) -> (Drift, String) {
        if let Some(other) = self.digests.iter().find(|digest| **digest != pin) {
            return (Drift::Changed, format!("the host names the sha256 {other}"));
        }
        if let (Some(found), Some(pinned)) = (self.size, size)
            && found != pinned
        {
            return (Drift::Changed, format!("expected {pinned} bytes, the host has {found}"));
        }
        if let Some(to) = &self.moved_to {
            let (public, secrets) = secrets::public(to);
            let without = if secrets.is_empty() { String::new() } else { format!(", without {}", secrets.join(", ")) };
            return (Drift::Moved, format!("it moved permanently to {public}{without}"));
        }
        match self.digests.is_empty() {
            true => (Drift::Unknown, "the host names no sha256".into()),
            false => (Drift::Same, "the host names the pinned sha256".into()),
        }
    }
}

/// One source, compared with the pin of its weight.
pub struct Compared {
    /// How it stands.
    pub drift: Drift,
    /// Why, in words.
    pub why: String,
    /// What the host says.
    pub claim: Claim,
    /// The address that doesn't move, if this one is a branch or a name for the newest.
    pub fixed: Option<String>,
}

impl Compared {
    /// Returns the result "unknown", with this reason.
    pub fn unknown(why: &str) -> Self {
        Self { drift: Drift::Unknown, why: why.into(), claim: Claim::default(), fixed: None }
    }
}

/// Every SHA-256 of the whole file in the headers of an answer.
pub fn digests(header: impl Fn(&'static str) -> Vec<String>) -> Vec<Digest> {
    // RFC 9530, and RFC 3230 before it.
    let lists = ["repr-digest", "digest"].into_iter().flat_map(&header).flat_map(|list| listed(&list));
    // A checksum of parts is no digest of the file.
    let of_parts = header("x-amz-checksum-type").iter().any(|kind| !kind.eq_ignore_ascii_case("FULL_OBJECT"));
    let amazon =
        header("x-amz-checksum-sha256").into_iter().filter(|_| !of_parts).filter_map(|text| from_base64(&text));
    let repository = header("x-checksum-sha256").into_iter().filter_map(|text| Digest::parse(text.trim()).ok());
    lists.chain(amazon).chain(repository).collect()
}

/// Each SHA-256 of a list such as `sha-256=:…:, sha-512=:…:` or `SHA-256=…,MD5=…`.
fn listed(list: &str) -> Vec<Digest> {
    let entries = list.split(',').filter_map(|entry| entry.trim().split_once('='));
    let values = entries.filter(|(name, _)| name.eq_ignore_ascii_case("sha-256")).map(|(_, value)| value);
    values.filter_map(|value| from_base64(value.split(';').next()?.trim().trim_matches(':'))).collect()
}

fn from_base64(text: &str) -> Option<Digest> {
    Some(Digest::from_bytes(STANDARD.decode(text.trim()).ok()?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base64(digest: Digest) -> String {
        STANDARD.encode(digest.as_bytes())
    }

    #[test]
    fn a_digest_is_read_from_each_header_that_has_one_of_the_whole_file() {
        let pin = Digest::of(b"weights");
        let text = base64(pin);
        let rows: [(&[(&str, String)], bool); 12] = [
            (&[("repr-digest", format!("sha-256=:{text}:"))], true),
            (&[("repr-digest", format!("sha-512=:AAAA:, sha-256=:{text}:;x=1"))], true),
            (&[("digest", format!("MD5=AAAA,SHA-256={text}"))], true),
            (&[("digest", format!("sha-512={text}"))], false),
            (&[("digest", "SHA-256=AAAA".into())], false),
            (&[("content-digest", format!("sha-256=:{text}:"))], false),
            (&[("x-amz-checksum-sha256", text.clone())], true),
            (&[("x-amz-checksum-sha256", format!("{text}-3"))], false),
            (&[("x-amz-checksum-sha256", text.clone()), ("x-amz-checksum-type", "COMPOSITE".into())], false),
            (&[("x-checksum-sha256", pin.to_string())], true),
            (&[("x-goog-hash", "crc32c=AAAA,md5=AAAA".into())], false),
            (&[("etag", format!("\"{pin}\""))], false),
        ];
        let mut wrong = Vec::new();
        for (headers, expected) in rows {
            let found = digests(|name| {
                headers.iter().filter(|(key, _)| *key == name).map(|(_, value)| value.clone()).collect()
            });
            if found != if expected { vec![pin] } else { vec![] } {
                wrong.push(format!("{headers:?}: {found:?}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn a_second_digest_is_read_too_in_one_header_or_in_two() {
        let (pin, other) = (Digest::of(b"weights"), Digest::of(b"others"));
        let [one, two] = [pin, other].map(|digest| format!("sha-256=:{}:", base64(digest)));
        let rows = [vec![one.clone(), two.clone()], vec![format!("{one}, {two}")]];
        let read =
            |values: &Vec<String>| digests(|name| if name == "repr-digest" { values.clone() } else { Vec::new() });
        let wrong: Vec<_> = rows.iter().filter(|values| read(values) != [pin, other]).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    #[test]
    fn a_move_to_another_query_names_the_difference_and_no_secret() {
        let rows = [
            ("https://h/w?version=2", "https://h/w?version=2"),
            ("https://h/w?sig=hunter2", "https://h/w, without sig"),
        ];
        let said = |to: &str| Claim { moved_to: Some(to.into()), ..Claim::default() }.judge(Digest::of(b""), None).1;
        let wrong: Vec<_> = rows.iter().filter(|(to, words)| !said(to).ends_with(words)).collect();
        assert!(wrong.is_empty() && !said(rows[1].0).contains("hunter2"), "{wrong:?}");
    }

    #[test]
    fn only_a_digest_says_same_and_a_difference_outweighs_a_move() {
        let (pin, other) = (Digest::of(b"weights"), Digest::of(b"others"));
        let to = Some("https://new/w".to_owned());
        let rows = [
            (vec![], None, None, Drift::Unknown),
            (vec![], Some(7), None, Drift::Unknown),
            (vec![], Some(8), None, Drift::Changed),
            (vec![pin], Some(7), None, Drift::Same),
            (vec![pin], Some(8), None, Drift::Changed),
            (vec![pin, other], Some(7), None, Drift::Changed),
            (vec![other], None, to.clone(), Drift::Changed),
            (vec![pin], Some(7), to.clone(), Drift::Moved),
            (vec![], None, to, Drift::Moved),
        ];
        let mut wrong = Vec::new();
        for (digests, size, moved_to, expected) in rows {
            let claim = Claim { digests, size, moved_to, hub: HubHeaders::default() };
            let (found, why) = claim.judge(pin, Some(7));
            if found != expected {
                wrong.push(format!("{claim:?}: expected {expected:?}, found {found:?}: {why}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
