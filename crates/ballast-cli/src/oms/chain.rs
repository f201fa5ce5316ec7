//! Certificates of signers: a chain from the bundle's first certificate to one that the user trusts. Pure.

use std::time::Duration;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, Error, KeyUsage, anchor_from_trusted_cert};

use super::key::SignerKey;
use super::refusal::{BadModel, Reason};
use crate::statement::rfc3339;

/// `id-kp-codeSigning`, 1.3.6.1.5.5.7.3.3.
const CODE_SIGNING: &[u8] = &[43, 6, 1, 5, 5, 7, 3, 3];
/// The most certificates of a chain.
const LONGEST: usize = 16;

/// Certificates that may issue signers.
#[derive(Debug)]
pub struct Roots(Vec<TrustAnchor<'static>>);

impl Roots {
    /// Reads the certificates of a PEM file. Each is trusted as it stands, also one that another issued.
    ///
    /// # Errors
    /// [`Reason::ChainUnreadable`].
    pub fn from_pem(text: &[u8]) -> Result<Self, BadModel> {
        let unreadable = |why: String| BadModel::new(Reason::ChainUnreadable, why);
        let mut anchors = Vec::new();
        for certificate in CertificateDer::pem_slice_iter(text) {
            let certificate =
                certificate.map_err(|error| unreadable(format!("a PEM section can't be read: {error}")))?;
            let anchor = anchor_from_trusted_cert(&certificate);
            anchors
                .push(anchor.map_err(|error| unreadable(format!("a certificate can't be read: {error}")))?.to_owned());
        }
        if anchors.is_empty() {
            return Err(unreadable("expected sections CERTIFICATE in PEM, found none".into()));
        }
        Ok(Self(anchors))
    }

    /// The key of a chain's first certificate, if one of these certificates issued the chain and it is valid at this
    /// time, in seconds since 1970.
    ///
    /// # Errors
    /// A [`Reason`] for each way in which the chain is wrong.
    pub fn key_of(&self, chain: &[Vec<u8>], now: u64) -> Result<SignerKey, BadModel> {
        let certificates: Vec<_> = chain.iter().map(|der| CertificateDer::from(der.as_slice())).collect();
        let Some((signer, issuers)) = certificates.split_first().filter(|_| chain.len() <= LONGEST) else {
            let found = chain.len();
            let what = format!("expected 1 to {LONGEST} certificates, found {found}");
            return Err(BadModel::new(Reason::CertificateRefused, what));
        };
        let signer = EndEntityCert::try_from(signer).map_err(|error| refused(&error))?;
        let time = UnixTime::since_unix_epoch(Duration::from_secs(now));
        let usage = KeyUsage::required_if_present(CODE_SIGNING);
        signer
            .verify_for_usage(ALL_VERIFICATION_ALGS, &self.0, issuers, time, usage, None, None)
            .map_err(|error| refused(&error))?;
        SignerKey::from_der(&signer.subject_public_key_info())
    }
}

fn refused(error: &Error) -> BadModel {
    let date = |time: &UnixTime| rfc3339(i64::try_from(time.as_secs()).unwrap_or(i64::MAX / 2));
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
            "its signer's certificate is one of an authority, which issues others and signs no model".to_owned(),
        ),
        other => (Reason::CertificateRefused, format!("the chain of certificates is refused: {other}")),
    };
    BadModel::new(reason, what)
}
