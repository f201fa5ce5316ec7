//! Certificates of signers: a chain from the bundle's first certificate to one that the user trusts. Pure.

use std::time::Duration;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, Error, KeyUsage, anchor_from_trusted_cert};
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage as KeyUses};

use super::key::SignerKey;
use super::refusal::{BadModel, Reason};
use crate::escape;
use crate::statement::rfc3339;

/// `id-kp-codeSigning`, 1.3.6.1.5.5.7.3.3.
const CODE_SIGNING: &[u8] = &[43, 6, 1, 5, 5, 7, 3, 3];
/// The most certificates of a chain.
const LONGEST: usize = 16;

/// Characters of a subject that are kept.
const SUBJECT: usize = 200;

/// Certificates that may issue signers.
#[derive(Debug)]
pub struct Roots(Vec<TrustedIssuer>);

/// A trusted certificate, and its validity in seconds since 1970.
#[derive(Debug)]
struct TrustedIssuer {
    anchor: TrustAnchor<'static>,
    from: u64,
    until: u64,
}

impl Roots {
    /// Reads the certificates of a PEM file. Each certificate is trusted as it is, even if another one issued it.
    ///
    /// # Errors
    /// [`Reason::ChainUnreadable`]; [`Reason::ChainNoAuthority`] for a certificate that may not issue other
    /// certificates.
    pub fn from_pem(text: &[u8]) -> Result<Self, BadModel> {
        let unreadable = |why: String| BadModel::new(Reason::ChainUnreadable, why);
        let mut authorities = Vec::new();
        for certificate in CertificateDer::pem_slice_iter(text) {
            let certificate =
                certificate.map_err(|error| unreadable(format!("a PEM section can't be read: {error}")))?;
            let odd = |error: &dyn std::fmt::Display| unreadable(format!("a certificate can't be read: {error}"));
            let anchor = anchor_from_trusted_cert(&certificate).map_err(|error| odd(&error))?.to_owned();
            let read = Certificate::from_der(&certificate).map_err(|error| odd(&error))?.tbs_certificate;
            if !matches!(read.get(), Ok(Some((_, BasicConstraints { ca: true, .. })))) {
                let subject = subject_of(&read.subject);
                let what = format!("{subject}: expected basicConstraints with cA=TRUE, found none");
                return Err(BadModel::new(Reason::ChainNoAuthority, what));
            }
            let [from, until] = [read.validity.not_before, read.validity.not_after];
            let [from, until] = [from, until].map(|time| time.to_unix_duration().as_secs());
            authorities.push(TrustedIssuer { anchor, from, until });
        }
        if authorities.is_empty() {
            return Err(unreadable("expected sections CERTIFICATE in PEM, found none".into()));
        }
        Ok(Self(authorities))
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
        let signer = EndEntityCert::try_from(first).map_err(|error| {
            let what = format!("its signer's certificate can't be read: {error}");
            BadModel::new(Reason::CertificateUnreadable, what)
        })?;
        let time = UnixTime::since_unix_epoch(Duration::from_secs(now));
        let verify = |anchors: &[TrustAnchor<'static>]| {
            let usage = KeyUsage::required_if_present(CODE_SIGNING);
            signer.verify_for_usage(ALL_VERIFICATION_ALGS, anchors, issuers, time, usage, None, None).map(drop)
        };
        let (valid, other): (Vec<_>, Vec<_>) = self.0.iter().partition(|one| (one.from..=one.until).contains(&now));
        let valid: Vec<_> = valid.into_iter().map(|one| one.anchor.clone()).collect();
        verify(&valid).map_err(|error| {
            let issuer = |one: &&TrustedIssuer| {
                error == Error::UnknownIssuer && verify(std::slice::from_ref(&one.anchor)).is_ok()
            };
            other.into_iter().find(issuer).map_or_else(|| refused(&error), |one| one.not_now(now))
        })?;
        let subject = check_uses(first)?;
        Ok((SignerKey::from_der(&signer.subject_public_key_info())?, subject))
    }
}

impl TrustedIssuer {
    fn not_now(&self, now: u64) -> BadModel {
        let (from, until, today) = (date(self.from), date(self.until), date(now));
        let reason = if now > self.until { Reason::CertificateExpired } else { Reason::CertificateNotYetValid };
        let what = format!(
            "the certificate of --certificate-chain that issued it is valid from {from} until {until}, now is {today}"
        );
        BadModel::new(reason, what)
    }
}

/// The subject of a signer's certificate, if its key may sign.
fn check_uses(der: &[u8]) -> Result<String, BadModel> {
    let unreadable = |error| {
        BadModel::new(Reason::CertificateUnreadable, format!("its signer's certificate can't be read: {error}"))
    };
    let read = Certificate::from_der(der).map_err(unreadable)?.tbs_certificate;
    match read.get::<KeyUses>().map_err(unreadable)? {
        Some((_, uses)) if !uses.digital_signature() => {
            let what = "its signer's certificate has a keyUsage without digitalSignature";
            Err(BadModel::new(Reason::CertificateUsage, what))
        }
        _ => Ok(subject_of(&read.subject)),
    }
}

/// A name as one line.
fn subject_of(name: &x509_cert::name::Name) -> String {
    escape::line(&name.to_string().chars().take(SUBJECT).collect::<String>()).into_owned()
}

fn date(seconds: u64) -> String {
    rfc3339(i64::try_from(seconds).unwrap_or(i64::MAX / 2))
}

fn refused(error: &Error) -> BadModel {
    let date = |time: &UnixTime| date(time.as_secs());
    let (reason, what) = match error {
        Error::BadDer | Error::BadDerTime => (Reason::CertificateUnreadable, "a certificate can't be read".to_owned()),
        Error::CertExpired { time, not_after } => {
            let (now, end) = (date(time), date(not_after));
            (Reason::CertificateExpired, format!("its signer's certificate was valid until {end}, now is {now}"))
        }
        Error::CertNotValidYet { time, not_before } => {
            let (now, from) = (date(time), date(not_before));
            (Reason::CertificateNotYetValid, format!("its signer's certificate is valid from {from}, now is {now}"))
        }
        Error::UnknownIssuer => {
            (Reason::CertificateForeign, "no certificate of --certificate-chain issued its signer's".to_owned())
        }
        Error::RequiredEkuNotFoundContext(_) => {
            (Reason::CertificateUsage, "its signer's certificate is not for signing code".to_owned())
        }
        Error::CaUsedAsEndEntity => (
            Reason::CertificateAuthority,
            "its signer's certificate is an authority's, which may not sign models".to_owned(),
        ),
        other => (Reason::CertificateRefused, format!("the chain of certificates is refused: {other}")),
    };
    BadModel::new(reason, what)
}
