//! Certificates of signers: a chain from the bundle's first certificate to one that the user trusts. Pure.

use std::cell::RefCell;
use std::time::Duration;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, Error, KeyUsage, VerifiedPath, anchor_from_trusted_cert};
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::ext::pkix::KeyUsage as KeyUses;

use super::authority::{CertificateAuthority, NoAuthority, may_sign_code, subject_of};
use super::key::SignerKey;
use super::refusal::{BadModel, Reason};
use crate::statement::rfc3339;

/// `id-kp-codeSigning`, 1.3.6.1.5.5.7.3.3.
const CODE_SIGNING: &[u8] = &[43, 6, 1, 5, 5, 7, 3, 3];
/// The most certificates of a chain.
const LONGEST: usize = 16;

/// Certificates that may issue signers: the keys and names, and what each may issue, in the same order.
#[derive(Debug, Default)]
pub struct Roots {
    anchors: Vec<TrustAnchor<'static>>,
    authorities: Vec<CertificateAuthority>,
}

impl Roots {
    /// Reads the certificates of a PEM file. Each certificate is trusted as it is, even if another one issued it.
    ///
    /// # Errors
    /// [`Reason::ChainUnreadable`]; [`Reason::ChainNoAuthority`] for a certificate that may not issue other
    /// certificates.
    pub fn from_pem(text: &[u8]) -> Result<Self, BadModel> {
        let unreadable = |why: String| BadModel::new(Reason::ChainUnreadable, why);
        let mut roots = Self::default();
        for certificate in CertificateDer::pem_slice_iter(text) {
            let certificate = certificate.map_err(|_| {
                unreadable("expected PEM sections of base64 with BEGIN and END, found one that is not".into())
            })?;
            let odd = |_: Error| unreadable("a certificate can't be read: expected X.509, version 3".into());
            let anchor = anchor_from_trusted_cert(&certificate).map_err(odd)?.to_owned();
            roots.authorities.push(CertificateAuthority::read(&certificate).map_err(|why| match why {
                NoAuthority::Unreadable(error) => unreadable(format!("a certificate can't be read: {error}")),
                NoAuthority::Refused(what) => BadModel::new(Reason::ChainNoAuthority, what),
            })?);
            roots.anchors.push(anchor);
        }
        if roots.anchors.is_empty() {
            return Err(unreadable("expected sections CERTIFICATE in PEM, found none".into()));
        }
        Ok(roots)
    }

    /// The key and the subject of a chain's first certificate, if one of these certificates issued the chain and all of
    /// them are valid at this time, in seconds since 1970.
    ///
    /// # Errors
    /// A [`Reason`] for each way in which the chain is wrong.
    pub fn key_of(&self, chain: &[Vec<u8>], now: u64) -> Result<(SignerKey, String), BadModel> {
        let certificates: Vec<_> = chain.iter().map(|der| CertificateDer::from(der.as_slice())).collect();
        let Some((first, issuers)) = certificates.split_first().filter(|_| chain.len() <= LONGEST) else {
            let found = chain.len();
            let what = format!("expected 1 to {LONGEST} certificates, found {found}");
            return Err(BadModel::new(Reason::CertificateRefused, what));
        };
        let signer = EndEntityCert::try_from(first).map_err(|error| match error {
            Error::UnsupportedCriticalExtension => {
                let what = format!("its signer's certificate is refused: {}", words(&error));
                BadModel::new(Reason::CertificateRefused, what)
            }
            _ => unreadable(),
        })?;
        let leaf = Leaf::read(first, now)?;
        let time = UnixTime::since_unix_epoch(Duration::from_secs(now));
        // The first chain whose signatures are right, and of which an authority may not issue what it issued.
        let unfit = RefCell::new(None);
        let fits = |path: &VerifiedPath| {
            self.unfit(path, now).map_or(Ok(()), |why| {
                unfit.borrow_mut().get_or_insert(why);
                Err(Error::UnknownIssuer)
            })
        };
        let usage = KeyUsage::required_if_present(CODE_SIGNING);
        let done =
            signer.verify_for_usage(ALL_VERIFICATION_ALGS, &self.anchors, issuers, time, usage, None, Some(&fits));
        done.map(drop).map_err(|error| unfit.take().unwrap_or_else(|| leaf.refused(&error)))?;
        if !leaf.signs {
            let what = "its signer's certificate has a keyUsage without digitalSignature";
            return Err(BadModel::new(Reason::CertificateUsage, what));
        }
        Ok((SignerKey::from_der(&signer.subject_public_key_info())?, leaf.subject))
    }

    /// Why a chain of right signatures does not count: one of its authorities may not issue what it issued.
    fn unfit(&self, path: &VerifiedPath, now: u64) -> Option<BadModel> {
        let refused = |what| BadModel::new(Reason::IssuerNoAuthority, what);
        let Some(at) = self.anchors.iter().position(|anchor| std::ptr::eq(anchor, path.anchor())) else {
            return Some(refused("the chain ends at no certificate of --certificate-chain".to_owned()));
        };
        let root = self.authorities.get(at)?;
        if !root.valid.contains(&now) {
            return Some(not_now(root, now));
        }
        let between = path.intermediate_certificates().map(|one| CertificateAuthority::read(&one.der()));
        let between: Vec<_> = match between.collect() {
            Ok(all) => all,
            Err(NoAuthority::Refused(what)) => return Some(refused(what)),
            Err(NoAuthority::Unreadable(error)) => {
                return Some(refused(format!("a certificate can't be read: {error}")));
            }
        };
        let all = between.iter().chain([root]).enumerate();
        all.into_iter().find_map(|(at, one)| one.too_long(between.get(..at)?)).map(refused)
    }
}

fn not_now(root: &CertificateAuthority, now: u64) -> BadModel {
    let (from, until, today) = (date(*root.valid.start()), date(*root.valid.end()), date(now));
    let reason = if now > *root.valid.end() { Reason::CertificateExpired } else { Reason::CertificateNotYetValid };
    let what = format!(
        "the certificate of --certificate-chain that issued it is valid from {from} until {until}, now is {today}"
    );
    BadModel::new(reason, what)
}

/// A signer's certificate, as far as a refusal depends on it.
struct Leaf {
    subject: String,
    /// Whether its key may make signatures.
    signs: bool,
    is_valid_now: bool,
    is_for_code: bool,
}

impl Leaf {
    fn read(der: &[u8], now: u64) -> Result<Self, BadModel> {
        let read = Certificate::from_der(der).map_err(|_| unreadable())?.tbs_certificate;
        let uses = read.get::<KeyUses>().map_err(|_| unreadable())?;
        let [from, until] =
            [read.validity.not_before, read.validity.not_after].map(|time| time.to_unix_duration().as_secs());
        Ok(Self {
            subject: subject_of(&read.subject),
            signs: uses.is_none_or(|(_, uses)| uses.digital_signature()),
            is_valid_now: (from..=until).contains(&now),
            is_for_code: may_sign_code(&read).map_err(|_| unreadable())?,
        })
    }

    /// Says what is wrong with a chain, and with which certificate.
    fn refused(&self, error: &Error) -> BadModel {
        let date = |time: &UnixTime| date(time.as_secs());
        let whose = |is_right: bool| {
            if is_right { "a certificate between signer and root" } else { "its signer's certificate" }
        };
        let (in_time, for_code) = (whose(self.is_valid_now), whose(self.is_for_code));
        let (reason, what) = match error {
            Error::BadDer | Error::BadDerTime => {
                (Reason::CertificateUnreadable, "a certificate can't be read".to_owned())
            }
            Error::CertExpired { time, not_after } => {
                let (now, end) = (date(time), date(not_after));
                (Reason::CertificateExpired, format!("{in_time} was valid until {end}, now is {now}"))
            }
            Error::CertNotValidYet { time, not_before } => {
                let (now, from) = (date(time), date(not_before));
                (Reason::CertificateNotYetValid, format!("{in_time} is valid from {from}, now is {now}"))
            }
            Error::UnknownIssuer => {
                (Reason::CertificateForeign, "no certificate of --certificate-chain issued its signer's".to_owned())
            }
            Error::RequiredEkuNotFoundContext(_) => {
                (Reason::CertificateUsage, format!("{for_code} is not for signing code"))
            }
            Error::CaUsedAsEndEntity => (
                Reason::CertificateAuthority,
                "its signer's certificate is an authority's, which may not sign models".to_owned(),
            ),
            Error::EndEntityUsedAsCa => (
                Reason::IssuerNoAuthority,
                "an issuer in the chain: expected basicConstraints with cA=TRUE, found none".to_owned(),
            ),
            Error::PathLenConstraintViolated => (
                Reason::IssuerNoAuthority,
                "an issuer in the chain has more authorities below it than its pathLen".to_owned(),
            ),
            other => (Reason::CertificateRefused, format!("the chain of certificates is refused: {}", words(other))),
        };
        BadModel::new(reason, what)
    }
}

/// The rarer faults of a chain.
fn words(error: &Error) -> &'static str {
    match error {
        Error::UnsupportedSignatureAlgorithmContext(_) | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => {
            "expected signatures by RSA of 2048 bits or more, ECDSA with P-256 or P-384, or Ed25519, found another kind"
        }
        Error::InvalidSignatureForPublicKey => {
            "a signature of an issuer is not its key's, or that key is RSA of less than 2048 bits"
        }
        Error::NameConstraintViolation => "an issuer's nameConstraints exclude a name of the signer",
        Error::UnsupportedCriticalExtension => "a certificate has a critical extension that is unknown here",
        Error::MaximumPathBuildCallsExceeded
        | Error::MaximumPathDepthExceeded
        | Error::MaximumSignatureChecksExceeded
        | Error::MaximumNameConstraintComparisonsExceeded => "it has too many certificates or names",
        _ => "a certificate is not one of X.509, version 3, by RFC 5280",
    }
}

fn unreadable() -> BadModel {
    let what = "its signer's certificate can't be read: expected X.509, version 3";
    BadModel::new(Reason::CertificateUnreadable, what)
}

fn date(seconds: u64) -> String {
    rfc3339(i64::try_from(seconds).unwrap_or(i64::MAX / 2))
}
