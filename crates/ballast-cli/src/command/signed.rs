//! `verify --signed`: a folder against the bundle of a signed model. No lock file is read.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

use crate::args::{Place, SignedModel, Verify};
use crate::exit::{Exit, Failure};
use crate::oms::{self, BadModel, Examined, Names, Reason, Roots, Signed, SignerKey, TrustedSigner};
use crate::print::{self, EACH};
use crate::{bounds, escape, foreign};

#[derive(Serialize)]
struct SignedReport<'a> {
    #[serde(serialize_with = "print::path")]
    root: &'a Path,
    ready: bool,
    method: &'a str,
    signer_sha256: String,
    /// The subject of the signer's certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    signer_subject: Option<&'a str>,
    bundle_sha256: String,
    root_sha256: String,
    files: usize,
    right: usize,
    /// At most 1,000 of these.
    faults: Vec<FaultLine>,
    fault_count: usize,
    /// Paths that the manifest does not cover and that exist.
    ignored: &'a [String],
    ignored_present: &'a [String],
    /// Names that only Ballast gives, such as those of staged files; they are not compared.
    ballast_present: &'a [String],
    /// Empty files, which a manifest of shards can't name.
    unsigned_empty: &'a [String],
}

#[derive(Serialize)]
struct FaultLine {
    code: &'static str,
    what: String,
}

/// Verifies the folder and reports it.
///
/// # Errors
/// [`Exit::SignatureRefused`] for a refused bundle; [`Exit::WeightsMissing`] and [`Exit::ExtraFiles`] for a folder that
/// differs.
pub fn verify(args: &Verify, bundle: &Path) -> Result<(), Failure> {
    let Some(dir) = &args.dir else {
        return Err(Failure::new(Exit::Usage, "--signed needs the folder of the model")
            .hint("`ballast verify --signed BUNDLE --key PEM DIR`"));
    };
    check_options(&args.place)?;
    let signed = read(&args.signed, bundle)?;
    let examined = oms::examine(dir, &[bundle], &signed.manifest);
    if args.json {
        print::answer_json(&report(dir, &signed, &examined));
    } else {
        print::answer(&text(dir, &signed, &examined, args.long));
    }
    verdict(dir, &examined)
}

/// Fails for an option that has no effect here. The environment's values, which a container may have, are passed over.
fn check_options(place: &Place) -> Result<(), Failure> {
    let text = |path: &Option<PathBuf>| path.as_ref().map(|path| path.clone().into_os_string());
    let options = [
        ("--lock", "BALLAST_LOCK", text(&place.file.lock)),
        ("--require-signature", "BALLAST_REQUIRE_SIGNATURE", place.file.require_signature.clone().map(Into::into)),
        ("--serial-file", "BALLAST_SERIAL_FILE", text(&place.file.serial_file)),
        ("--store", "BALLAST_STORE", text(&place.store)),
        ("--baked", "BALLAST_BAKED", text(&place.baked)),
    ];
    let is_named =
        |(_, variable, value): &(&str, &str, Option<OsString>)| value.is_some() && *value != std::env::var_os(variable);
    options.into_iter().find(is_named).map_or(Ok(()), |(option, ..)| {
        Err(Failure::new(Exit::Usage, format!("{option} has no effect with --signed, which reads no lock file"))
            .hint(format!("leave out {option}; without --signed, `verify` reads the lock file")))
    })
}

/// Fails if a folder differs from its manifest.
///
/// # Errors
/// The error of the first kind of difference.
pub fn verdict(dir: &Path, examined: &Examined) -> Result<(), Failure> {
    examined.faults.worst.as_ref().map_or(Ok(()), |fault| Err(fault.failure(dir)))
}

/// Reads a bundle that the trusted signer signed.
///
/// # Errors
/// [`Exit::Usage`] for an unreadable key, [`Exit::SignatureRefused`] for a refused bundle.
pub fn read(named: &SignedModel, bundle: &Path) -> Result<Signed, Failure> {
    let trust = trust(named)?;
    let too_large = |error: &std::io::Error| error.to_string().contains("at most");
    let bytes = foreign::read_named(bundle, bounds::BUNDLE).map_err(|error| {
        let kind = if too_large(&error) { Reason::BundleTooLarge } else { Reason::BundleUnreadable };
        BadModel::new(kind, error.to_string()).failure(bundle)
    })?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    oms::read(&bytes, &trust, now).map_err(|fault| fault.failure(bundle))
}

fn trust(named: &SignedModel) -> Result<TrustedSigner, Failure> {
    let read = |path: &PathBuf, most: u64, kind: Reason| {
        foreign::read_named(path, most).map_err(|error| BadModel::new(kind, error.to_string()).failure(path))
    };
    match (&named.key, &named.certificate_chain) {
        (Some(path), _) => {
            let text = read(path, bounds::KEY, Reason::KeyUnreadable)?;
            SignerKey::from_pem(&text).map(TrustedSigner::Key).map_err(|fault| fault.failure(path))
        }
        (None, Some(path)) => {
            let text = read(path, bounds::CERTIFICATES, Reason::ChainUnreadable)?;
            Roots::from_pem(&text).map(TrustedSigner::Chain).map_err(|fault| fault.failure(path))
        }
        (None, None) => Err(Failure::new(Exit::Usage, "--signed needs a trusted signer")
            .hint("add --key PEM or --certificate-chain PEM")),
    }
}

fn report<'a>(root: &'a Path, signed: &'a Signed, examined: &'a Examined) -> SignedReport<'a> {
    let line = |fault: &BadModel| FaultLine { code: fault.reason.name(), what: fault.to_string() };
    SignedReport {
        root,
        ready: examined.faults.count == 0,
        method: signed.method,
        signer_sha256: signed.signer.to_string(),
        signer_subject: signed.subject.as_deref(),
        bundle_sha256: signed.bundle.to_string(),
        root_sha256: signed.manifest.root.to_string(),
        files: examined.files.len(),
        right: examined.files.iter().flatten().count(),
        faults: examined.faults.kept.iter().map(line).collect(),
        fault_count: examined.faults.count,
        ignored: &signed.manifest.ignored,
        ignored_present: &examined.ignored.kept,
        ballast_present: &examined.ballast.kept,
        unsigned_empty: &examined.empty.kept,
    }
}

/// The result in lines; of many files only the faults.
fn text(root: &Path, signed: &Signed, examined: &Examined, long: bool) -> String {
    let mut lines = Vec::new();
    let files = signed.manifest.files.iter().zip(&examined.files);
    let shown = long || examined.files.len() <= EACH;
    for (file, (_, sha256)) in files.filter_map(|(file, right)| Some((file, (*right)?))).filter(|_| shown) {
        let digest = if long { format!("{sha256}  ") } else { String::new() };
        let path = root.join(file.path.as_str()).display().to_string();
        lines.push(format!("ok     {digest}{}", escape::line(&path)));
    }
    let most = if long { usize::MAX } else { EACH };
    lines.extend(examined.faults.kept.iter().take(most).map(|fault| format!("WRONG  {fault}")));
    if let Some(more) = examined.faults.count.checked_sub(most.min(examined.faults.kept.len())).filter(|more| *more > 0)
    {
        lines.push(format!("       … and {more} more, of which --long lists the first 1,000"));
    }
    lines.extend(names("ignored by the manifest", &examined.ignored));
    lines.extend(names("empty, so not in a manifest of shards", &examined.empty));
    lines.extend(names("Ballast's own, not compared", &examined.ballast));
    lines.extend(provenance(signed));
    let (right, all) = (examined.files.iter().flatten().count(), examined.files.len());
    lines.push(format!("{right} of {all} as signed in {}", escape::line(&root.display().to_string())));
    lines.join("\n")
}

/// A line that names what was left out.
pub fn names(what: &str, names: &Names) -> Option<String> {
    let more = names.count.saturating_sub(EACH);
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    let listed: Vec<_> = names.kept.iter().take(EACH).map(|name| escape::line(name)).collect();
    (names.count > 0).then(|| format!("{what}: {}{more}", listed.join(", ")))
}

/// States the signer, the key and the bundle, with whole digests on lines of their own.
pub fn provenance(signed: &Signed) -> [String; 3] {
    let of = signed.subject.as_ref().map_or("public key".into(), |subject| format!("certificate of {subject}"));
    [
        format!("signed with the {of}\n       {}", signed.signer),
        format!("bundle\n       {}", signed.bundle),
        format!("model\n       {}", signed.manifest.root),
    ]
}
