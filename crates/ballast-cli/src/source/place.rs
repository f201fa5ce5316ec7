//! When two sources are the same place, and whether a place can give other bytes later. Looks up paths of this machine.

use ballast::lock::Source;

use super::{hub, moving};

/// A text that is the same for all spellings of a source.
pub fn place_of(source: &Source) -> String {
    match source {
        Source::Web(url) => normal(url),
        Source::Hub(file) => normal(&hub::url(file)),
        Source::File(path) => {
            let whole = std::fs::canonicalize(path).or_else(|_| std::path::absolute(path));
            whole.unwrap_or_else(|_| path.clone()).display().to_string()
        }
        Source::Member { archive, member } => format!("{}!{member}", place_of(archive)),
        Source::Pip { .. } | Source::Data(_) => source.to_string(),
    }
}

/// A URL with its host in small letters, without the scheme's own port and a fragment.
fn normal(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (scheme, rest) = (scheme.to_ascii_lowercase(), rest.split('#').next().unwrap_or(rest));
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let (login, host) = authority.rsplit_once('@').map_or(("", authority), |(login, host)| (login, host));
    let host = host.to_ascii_lowercase();
    let port = if scheme == "https" { ":443" } else { ":80" };
    let host = host.strip_suffix(port).unwrap_or(&host);
    format!("{scheme}://{login}@{host}{path}")
}

/// Returns whether a source always gives the same bytes: a commit, a version, the bytes themselves.
pub fn is_fixed(source: &Source) -> bool {
    match source {
        Source::Web(url) => moving::is_at_version(url),
        Source::Member { archive, .. } => is_fixed(archive),
        Source::Hub(file) => file.is_fixed(),
        Source::Pip { .. } | Source::Data(_) => true,
        Source::File(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_source_are_one_place_and_others_are_not() {
        let commit = "0123456789abcdef0123456789abcdef01234567";
        let hub =
            [format!("hf:o/m@{commit}/a b.bin"), format!("https://huggingface.co/o/m/resolve/{commit}/a%20b.bin")];
        let rows = [
            ("/srv/w.bin", "file:///srv/w.bin", true),
            ("/srv/./w.bin", "/srv/w.bin", true),
            ("https://Host/w?x=1", "https://host:443/w?x=1", true),
            ("http://host:80/w#part", "http://host/w", true),
            (&hub[0], &hub[1], true),
            ("https://host/a.zip!w", "https://HOST/a.zip!w", true),
            ("https://host/w?x=1", "https://host/w?x=2", false),
            ("https://host/w", "https://host/W", false),
            ("https://host/w", "http://host/w", false),
            ("https://host:80/w", "https://host/w", false),
        ];
        let place = |text: &str| Source::try_from(text.to_owned()).map(|source| place_of(&source));
        let wrong: Vec<_> = rows.iter().filter(|(one, other, same)| (place(one) == place(other)) != *same).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }
}
