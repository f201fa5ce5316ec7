//! URLs as text: what of one may be printed, and how words are put into one. Pure.

/// A URL without what may be a secret: user, password, query.
pub fn shown(url: &str) -> String {
    let plain = url.split(['?', '#']).next().unwrap_or(url);
    match plain.split_once("://") {
        Some((scheme, rest)) => {
            let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            format!("{scheme}://{}{path}", host.rsplit('@').next().unwrap_or(host))
        }
        None => plain.to_owned(),
    }
}

/// A mirror's URL for a path, which is made of plain names.
pub fn joined(base: &str, path: &str) -> String {
    let escaped: Vec<_> = path.split('/').map(escaped).collect();
    format!("{}/{}", base.trim_end_matches('/'), escaped.join("/"))
}

/// A word as a URL holds it.
pub fn escaped(word: &str) -> String {
    let mut out = String::with_capacity(word.len());
    for byte in word.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            other => out += &format!("%{other:02X}"),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_of_a_url_has_no_secret() {
        let rows = [
            ("https://user:secret@host/a/b?sig=secret#secret", "https://host/a/b"),
            ("https://secret@host:8443", "https://host:8443"),
            ("https://host/a@b", "https://host/a@b"),
            ("http://host?token=secret", "http://host"),
            ("oci://user:secret@host/x:y", "oci://host/x:y"),
            ("ftp://secret@host", "ftp://host"),
        ];
        let wrong: Vec<_> = rows.iter().filter(|(url, plain)| shown(url) != *plain).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    #[test]
    fn a_mirror_is_asked_by_path_and_odd_characters_are_escaped() {
        assert_eq!(
            joined("https://m/x/", ".deepface/weights/a b%é.onnx"),
            "https://m/x/.deepface/weights/a%20b%25%C3%A9.onnx"
        );
    }
}
