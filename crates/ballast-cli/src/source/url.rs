//! URLs as text: removes secrets for printing, and escapes words. Pure.

/// A URL without user, password and query, which may be secrets.
pub fn shown(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let rest = without_login(rest);
            format!("{scheme}://{}", rest.split(['?', '#']).next().unwrap_or(rest))
        }
        None => url.split(['?', '#']).next().unwrap_or(url).to_owned(),
    }
}

/// The part after the scheme, without user and password. A password may hold `/`, `?` and `#` that
/// should have been escaped: then the host begins after the `@` that follows them.
fn without_login(rest: &str) -> &str {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    if let Some((_, host)) = authority.rsplit_once('@') {
        return &rest[authority.len() - host.len()..];
    }
    let port = authority.rsplit_once(':').map_or("", |(_, port)| port);
    let odd = !authority.starts_with('[') && !port.bytes().all(|byte| byte.is_ascii_digit());
    match rest.split_once('@') {
        Some((_, rest)) if odd => rest,
        _ => rest,
    }
}

/// The text behind `%20` and its like; unchanged if that is not UTF-8.
pub fn decoded(word: &str) -> String {
    let mut bytes = Vec::with_capacity(word.len());
    let mut rest = word.as_bytes();
    while let [first, more @ ..] = rest {
        let hex = more.get(..2).filter(|_| *first == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.filter(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit())) {
            Some(hex) => {
                bytes.push(u8::from_str_radix(hex, 16).unwrap_or(b'%'));
                rest = &more[2..];
            }
            None => {
                bytes.push(*first);
                rest = more;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| word.to_owned())
}

/// A mirror's URL for a path, which is made of plain names.
pub fn joined(base: &str, path: &str) -> String {
    let escaped: Vec<_> = path.split('/').map(escaped).collect();
    format!("{}/{}", base.trim_end_matches('/'), escaped.join("/"))
}

/// A word, escaped for a URL.
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
            ("https://user:sec/ret@host/a", "https://host/a"),
            ("https://user:sec?ret#@host/a?x", "https://host/a"),
            ("https://user:p@ss@host/a", "https://host/a"),
            ("https://[::1]:80/a@b", "https://[::1]:80/a@b"),
            ("relative/w.bin?x", "relative/w.bin"),
        ];
        let wrong: Vec<_> = rows.iter().filter(|(url, plain)| shown(url) != *plain).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    #[test]
    fn a_mirror_is_searched_by_path_and_odd_characters_are_escaped() {
        assert_eq!(
            joined("https://m/x/", ".deepface/weights/a b%é.onnx"),
            "https://m/x/.deepface/weights/a%20b%25%C3%A9.onnx"
        );
    }

    #[test]
    fn escaped_names_are_decoded_and_what_is_no_escape_stays() {
        let rows = [("a%20b.bin", "a b.bin"), ("%C3%A9", "é"), ("100%", "100%"), ("%zz%2", "%zz%2"), ("%ff", "%ff")];
        let wrong: Vec<_> = rows.iter().filter(|(word, text)| decoded(word) != *text).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }
}
