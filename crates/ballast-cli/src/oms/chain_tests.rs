//! Chains of certificates: which authorities count, when, and which signers' keys may sign.
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};

use super::made_tests::{NOW, reason};
use super::{Reason, Roots};

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

/// A root that a change made of a good one, in PEM, and what it issues with.
fn root(key: KeyPair, change: fn(&mut CertificateParams)) -> (String, Issuer<'static, KeyPair>) {
    let mut root = params("root");
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    change(&mut root);
    (root.self_signed(&key).unwrap().pem(), Issuer::new(root, key))
}

fn key() -> KeyPair {
    KeyPair::generate().unwrap()
}

/// A signer that a change made of a good one.
fn signer(issuer: &Issuer<KeyPair>, change: fn(&mut CertificateParams)) -> Vec<Vec<u8>> {
    let mut signer = params("publisher");
    signer.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
    signer.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    change(&mut signer);
    vec![signer.signed_by(&key(), issuer).unwrap().der().to_vec()]
}

/// The change to a certificate, and the expected reason of the refusal.
type Row = (&'static str, fn(&mut CertificateParams), Option<Reason>);

#[test]
fn only_an_authority_that_is_valid_now_issues_signers() {
    let rows: [Row; 5] = [
        ("an authority", |_| (), None),
        ("a certificate without basicConstraints", |it| it.is_ca = IsCa::NoCa, Some(Reason::ChainNoAuthority)),
        ("cA=FALSE", |it| it.is_ca = IsCa::ExplicitNoCa, Some(Reason::ChainNoAuthority)),
        ("an expired one", |it| it.not_after = date_time_ymd(2020, 1, 1), Some(Reason::CertificateExpired)),
        ("a later one", |it| it.not_before = date_time_ymd(2090, 1, 1), Some(Reason::CertificateNotYetValid)),
    ];
    let mut wrong = Vec::new();
    for (what, change, expected) in rows {
        let (pem, issuer) = root(key(), change);
        let found = Roots::from_pem(pem.as_bytes()).and_then(|roots| roots.key_of(&signer(&issuer, |_| ()), NOW));
        if reason(found) != expected {
            wrong.push(what);
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn a_renewed_authority_counts_beside_its_expired_certificate() {
    let pair = key();
    let again = KeyPair::from_pem(&pair.serialize_pem()).unwrap();
    let (old, _) = root(pair, |it| it.not_after = date_time_ymd(2020, 1, 1));
    let (new, issuer) = root(again, |_| ());
    let roots = Roots::from_pem((old + &new).as_bytes()).unwrap();
    let (_, subject) = roots.key_of(&signer(&issuer, |_| ()), NOW).unwrap();
    assert_eq!(subject, "CN=publisher");
}

#[test]
fn a_key_that_may_not_sign_signs_no_model() {
    let (pem, issuer) = root(key(), |_| ());
    let roots = Roots::from_pem(pem.as_bytes()).unwrap();
    let rows: [Row; 4] = [
        ("digitalSignature", |_| (), None),
        ("no keyUsage", |it| it.key_usages.clear(), None),
        ("another keyUsage", |it| it.key_usages = vec![KeyUsagePurpose::KeyAgreement], Some(Reason::CertificateUsage)),
        (
            "another extended use",
            |it| it.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth],
            Some(Reason::CertificateUsage),
        ),
    ];
    let found = |change| reason(roots.key_of(&signer(&issuer, change), NOW));
    let other = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let other = vec![params("other").signed_by(&other, &issuer).unwrap().der().to_vec()];
    assert_eq!(reason(roots.key_of(&other, NOW)), Some(Reason::SignerAlgorithm));
    assert_eq!(reason(roots.key_of(&[vec![1, 2]], NOW)), Some(Reason::CertificateUnreadable));
    assert_eq!(reason(roots.key_of(&[], NOW)), Some(Reason::CertificateRefused));
    let wrong: Vec<_> = rows.iter().filter(|(_, change, expected)| found(*change) != *expected).collect();
    assert!(wrong.is_empty(), "{:?}", wrong.iter().map(|(what, ..)| what).collect::<Vec<_>>());
}
