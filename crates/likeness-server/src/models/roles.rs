//! The names that differ between roles, and the parsing of options about models.

use likeness::engine::KernelSet;
use likeness::models::Role;
use likeness::net::Digest;

use crate::exit::{Exit, Failure};

/// The words of each role: its name in reports; its name in responses, which never names a verdict; the prefix of its
/// file's name; the commands that need it.
const WORDS: [[&str; 4]; 4] = [
    ["detector", "detector", "centerface", "`detect`, `live`, `embed` and `compare`"],
    ["spoof 2.7", "liveness_2_7", "2.7_80x80_MiniFASNetV2", "`live` and `compare`"],
    ["spoof 4.0", "liveness_4_0", "4_0_0_80x80_MiniFASNetV1SE", "`live` and `compare`"],
    ["embedder", "embedder", "facenet512", "`embed` and `compare`"],
];

/// Returns a role's name in reports.
pub fn name(role: Role) -> &'static str {
    WORDS[role.at()][0]
}

/// Returns a role's name in responses of the service.
pub fn key(role: Role) -> &'static str {
    WORDS[role.at()][1]
}

/// Returns the prefix of the name of a role's file.
pub fn prefix(role: Role) -> &'static str {
    WORDS[role.at()][2]
}

/// Returns the commands that need a role.
pub fn lost(role: Role) -> &'static str {
    WORDS[role.at()][3]
}

/// Returns the kernels of this name, or the fastest on this machine.
///
/// # Errors
/// [`Exit::Usage`]
pub fn kernels(named: Option<&str>) -> Result<KernelSet, Failure> {
    let Some(name) = named.filter(|name| !name.is_empty()) else { return Ok(KernelSet::best()) };
    KernelSet::named(name).ok_or_else(|| {
        let have: Vec<_> = KernelSet::available().into_iter().map(KernelSet::name).collect();
        Failure::new(Exit::Usage, format!("kernels: expected one of {}, found {name:?}", have.join(", ")))
            .hint("--kernel NAME, or LIKENESS_KERNEL")
    })
}

/// Parses the digest of the embedder that the operator accepts.
///
/// # Errors
/// [`Exit::Usage`]
pub fn accepted(digest: Option<&str>) -> Result<Option<Digest>, Failure> {
    let Some(text) = digest.map(str::trim).filter(|text| !text.is_empty()) else { return Ok(None) };
    Digest::parse(text).map(Some).ok_or_else(|| {
        Failure::new(Exit::Usage, format!("accepted embedder: expected 64 hexadecimal digits, found {text:?}"))
            .hint("--accept-embedder SHA256, or LIKENESS_ACCEPT_EMBEDDER: the file's pin in the lock file")
    })
}
