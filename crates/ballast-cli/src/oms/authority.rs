//! Certificates that issue others: what they must say to do so (RFC 5280, 6.1.4), the trusted ones included. Pure.
//!
//! webpki reads neither keyUsage nor most fields of a trusted certificate, so each authority is examined here.

use x509_cert::Certificate;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::{Decode, Error};
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage};

use crate::escape;

/// Characters of a subject that are kept.
const SUBJECT: usize = 200;

/// `id-kp-codeSigning`.
const CODE_SIGNING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.3");

/// The extensions that are understood, so that they may be critical: keyUsage, subjectAltName, basicConstraints,
/// nameConstraints, extKeyUsage.
const UNDERSTOOD: [ObjectIdentifier; 5] = [
    ObjectIdentifier::new_unwrap("2.5.29.15"),
    ObjectIdentifier::new_unwrap("2.5.29.17"),
    ObjectIdentifier::new_unwrap("2.5.29.19"),
    ObjectIdentifier::new_unwrap("2.5.29.30"),
    ObjectIdentifier::new_unwrap("2.5.29.37"),
];

/// A certificate that may issue others.
#[derive(Debug)]
pub struct CertificateAuthority {
    /// Its subject.
    pub subject: String,
    /// When it is valid, in seconds since 1970.
    pub valid: std::ops::RangeInclusive<u64>,
    /// Whether it has its own name as its issuer's; such a one does not count below an authority.
    is_self_issued: bool,
    /// The most authorities below it in a chain.
    most_below: Option<u8>,
}

/// Why a certificate is no authority.
#[derive(Debug)]
pub enum NoAuthority {
    /// It can't be read.
    Unreadable(Error),
    /// It may not issue others: expected and found.
    Refused(String),
}

impl From<Error> for NoAuthority {
    fn from(error: Error) -> Self {
        Self::Unreadable(error)
    }
}

impl CertificateAuthority {
    /// Reads a certificate in DER.
    ///
    /// # Errors
    /// [`NoAuthority`] unless it has basicConstraints with cA=TRUE, and may issue signers of code by each other extension.
    pub fn read(der: &[u8]) -> Result<Self, NoAuthority> {
        let read = Certificate::from_der(der)?.tbs_certificate;
        let subject = subject_of(&read.subject);
        let refused = |why: &str| Err(NoAuthority::Refused(format!("{subject}: {why}")));
        let Some((_, BasicConstraints { ca: true, path_len_constraint: most_below })) = read.get()? else {
            return refused("expected basicConstraints with cA=TRUE, found none");
        };
        if read.get::<KeyUsage>()?.is_some_and(|(_, uses)| !uses.key_cert_sign()) {
            return refused("expected keyCertSign in its keyUsage, found other uses alone");
        }
        if !may_sign_code(&read)? {
            return refused("expected signing code in its extKeyUsage, found other uses alone");
        }
        let all = read.extensions.iter().flatten();
        if let Some(other) = all.into_iter().find(|one| one.critical && !UNDERSTOOD.contains(&one.extn_id)) {
            return refused(&format!("expected no critical extension that is unknown here, found {}", other.extn_id));
        }
        let [from, until] = [read.validity.not_before, read.validity.not_after];
        let seconds = |time: x509_cert::time::Time| time.to_unix_duration().as_secs();
        let is_self_issued = read.subject == read.issuer;
        Ok(Self { subject, valid: seconds(from)..=seconds(until), is_self_issued, most_below })
    }

    /// Why these authorities may not stand between it and a signer, if its pathLen forbids that.
    pub fn too_long(&self, below: &[Self]) -> Option<String> {
        let found = below.iter().filter(|one| !one.is_self_issued).count();
        let most = usize::from(self.most_below?);
        let what =
            || format!("{}: expected at most {most} authorities below it (pathLen), found {found}", self.subject);
        (found > most).then(what)
    }
}

/// Whether a certificate may be used to sign code: it names this use, or no use.
///
/// # Errors
/// An extension that can't be read.
pub fn may_sign_code(read: &x509_cert::TbsCertificate) -> Result<bool, Error> {
    let uses = read.get::<ExtendedKeyUsage>()?;
    Ok(uses.is_none_or(|(_, ExtendedKeyUsage(uses))| uses.contains(&CODE_SIGNING)))
}

/// A name as one line.
pub fn subject_of(name: &x509_cert::name::Name) -> String {
    escape::line(&name.to_string().chars().take(SUBJECT).collect::<String>()).into_owned()
}
