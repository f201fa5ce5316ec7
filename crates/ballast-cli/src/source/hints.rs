//! One table maps each fault of a source to a hint. Pure.

use super::fault::Fault;

/// The hint if the lock file names no source and no mirror is given.
pub const NO_SOURCE: &str = "name a mirror that has files of these digests with --mirror URL|DIR or BALLAST_MIRRORS, or write `sources` in the lock file";

const MIRROR: &str = "or name a mirror that has the file with --mirror URL|DIR or BALLAST_MIRRORS";

impl Fault {
    /// What repairs it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NoHost | Self::Unreachable(_) => "check the network, HTTPS_PROXY and NO_PROXY",
            Self::Tls(_) => "name the certificates to trust with --ca-file FILE or SSL_CERT_FILE",
            Self::NotFound(_) | Self::NoMember(_) => "the source does not have it: correct its address",
            Self::Denied(_) => {
                "give the token of that host: BALLAST_TOKENS=\"HOST=TOKEN\", BALLAST_TOKENS_FILE, HF_TOKEN for the hub, BALLAST_REGISTRY_USER and _PASSWORD for a registry; of a file, its mode"
            }
            Self::Status(429 | 500..=599) => "the server is busy or broken: try again later, or with --retries N",
            Self::Status(_) | Self::BadAnswer(_) => "check the address with curl -I: the server sends no file",
            Self::Refused(_) => "write an address of https, or of this machine",
            Self::Redirects(_) => "write the address at which the redirects should end",
            Self::Stalled { .. } => {
                "the peer is slow: --idle-timeout SECONDS, --retries N; received bytes are kept for the next fetch"
            }
            Self::TooSlow { .. } => {
                "the file needs more time: --timeout SECONDS; received bytes are kept for the next fetch"
            }
            Self::Cut { .. } => {
                "the connection broke: try again, or --retries N; received bytes are kept for the next fetch"
            }
            Self::TooLong { .. } => "write `size` in the lock file, or allow more with --max-size BYTES",
            Self::WrongLength { .. } | Self::WrongBytes { .. } => {
                "the source now has another file: write a fixed address; to accept the new file, rotate the pin"
            }
            Self::NotAWeight(_) => {
                "download the file itself: `git lfs pull`, a token for a login page, the address of the raw file"
            }
            Self::Encoded(_) => "name a server that sends the file as it is, without a content encoding",
            Self::Variable(_) => "set that variable for this command",
            Self::Contradiction(_) => "download the file again from its author",
            Self::DiskFull => "make room where the store is, or fill another one with --into DIR",
            Self::Store(..) => "name a store that this user can write with --into DIR",
            Self::Unreadable(_) => "name a regular file that this user can read",
            Self::NoPip => "install pip",
            Self::NoWheel(_) => "name a version that has a wheel for this machine",
            Self::BadImage(_) | Self::WrongBlob { .. } => {
                "push the image again with `ballast push`, or name another registry"
            }
        }
    }
}

/// Returns whether another source may have the file.
fn is_of_source(fault: &Fault) -> bool {
    !matches!(fault, Fault::DiskFull | Fault::Store(..) | Fault::Variable(_))
}

/// The hints of several faults, each once, in their order; a mirror helps if a source failed.
pub fn of_all(faults: &[&Fault], mirrors: bool) -> String {
    let mut hints: Vec<&str> = Vec::new();
    for hint in faults.iter().map(|fault| fault.hint()) {
        if !hints.contains(&hint) {
            hints.push(hint);
        }
    }
    if mirrors && (faults.is_empty() || faults.iter().any(|fault| is_of_source(fault))) {
        hints.push(if hints.is_empty() { NO_SOURCE } else { MIRROR });
    }
    hints.join("\nhint: ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_hint_names_what_mends_its_fault() {
        let digest = ballast::digest::Digest::from_bytes([0; 32]);
        let text = String::new;
        let io = || std::io::Error::from(std::io::ErrorKind::PermissionDenied);
        let rows = [
            (Fault::NoHost, "HTTPS_PROXY"),
            (Fault::Unreachable(text()), "network"),
            (Fault::Tls(text()), "--ca-file"),
            (Fault::NotFound(text()), "address"),
            (Fault::Denied(text()), "BALLAST_TOKENS"),
            (Fault::Status(429), "later"),
            (Fault::Status(503), "later"),
            (Fault::Status(418), "curl"),
            (Fault::Refused(text()), "https"),
            (Fault::Redirects(10), "redirects"),
            (Fault::Stalled { got: 0, of: None }, "--idle-timeout"),
            (Fault::TooSlow { got: 0, of: None }, "--timeout"),
            (Fault::Cut { got: 0, of: None }, "--retries"),
            (Fault::TooLong { most: 1 }, "--max-size"),
            (Fault::WrongLength { found: 1, expected: 2 }, "rotate"),
            (Fault::WrongBytes { found: digest }, "fixed address"),
            (Fault::NotAWeight(crate::first_trust::NotAWeight::Html), "git lfs"),
            (Fault::Encoded(text()), "encoding"),
            (Fault::Variable(text()), "variable"),
            (Fault::Contradiction(text()), "again"),
            (Fault::DiskFull, "room"),
            (Fault::Store("open", io()), "--into"),
            (Fault::Unreadable(text()), "regular file"),
            (Fault::NoPip, "pip"),
            (Fault::NoWheel(text()), "wheel"),
            (Fault::NoMember(text()), "address"),
            (Fault::BadAnswer(text()), "curl"),
            (Fault::BadImage(text()), "push"),
            (Fault::WrongBlob { expected: digest, found: digest }, "push"),
        ];
        let wrong: Vec<_> = rows.iter().filter(|(fault, word)| !fault.hint().contains(word)).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
        let no_option: Vec<_> = rows.iter().filter(|(fault, _)| fault.hint().contains("--mirror")).collect();
        assert!(no_option.is_empty(), "`pin` and `pull` have no mirrors: {no_option:?}");
    }

    #[test]
    fn a_mirror_is_named_only_if_a_source_is_at_fault_and_mirrors_are_used() {
        let (away, full) = (&Fault::NoHost, &Fault::DiskFull);
        let rows: [(&[&Fault], bool, usize, bool); 5] = [
            (&[], true, 1, true),
            (&[away, full, away], true, 3, true),
            (&[away, away], false, 1, false),
            (&[full], true, 1, false),
            (&[full, full], false, 1, false),
        ];
        let of = |faults, mirrors| of_all(faults, mirrors);
        let wrong: Vec<_> = rows
            .iter()
            .map(|(faults, mirrors, lines, named)| (of(faults, *mirrors), lines, named))
            .filter(|(text, lines, named)| text.lines().count() != **lines || text.contains("--mirror") != **named)
            .collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}
