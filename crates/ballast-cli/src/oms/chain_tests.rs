//! Chains of certificates: which authorities count, when, and which signers' keys may sign.
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
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

/// Each rule of an authority, broken by one certificate.
const AUTHORITIES: [Row; 8] = [
    ("an authority", |_| (), None),
    ("keyCertSign", |it| it.key_usages = vec![KeyUsagePurpose::KeyCertSign], None),
    ("code signing", |it| it.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning], None),
    ("without basicConstraints", |it| it.is_ca = IsCa::NoCa, Some(Reason::IssuerNoAuthority)),
    ("cA=FALSE", |it| it.is_ca = IsCa::ExplicitNoCa, Some(Reason::IssuerNoAuthority)),
    (
        "a keyUsage without keyCertSign",
        |it| it.key_usages = vec![KeyUsagePurpose::DigitalSignature],
        Some(Reason::IssuerNoAuthority),
    ),
    (
        "another extended use",
        |it| it.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth],
        Some(Reason::CertificateUsage),
    ),
    ("an unknown critical extension", unknown_and_critical, Some(Reason::CertificateRefused)),
];

fn unknown_and_critical(params: &mut CertificateParams) {
    let mut other = CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0]);
    other.set_criticality(true);
    params.custom_extensions = vec![other];
}

/// An authority that a change made of a good one, below another.
fn middle(
    name: &str,
    issuer: &Issuer<KeyPair>,
    change: fn(&mut CertificateParams),
) -> (Vec<u8>, Issuer<'static, KeyPair>) {
    let mut middle = params(name);
    middle.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    change(&mut middle);
    let key = key();
    (middle.signed_by(&key, issuer).unwrap().der().to_vec(), Issuer::new(middle, key))
}

#[test]
fn only_an_authority_issues_signers_whether_it_is_trusted_or_between() {
    let mut wrong = Vec::new();
    for (what, change, expected) in AUTHORITIES {
        let (pem, issuer) = root(key(), change);
        let found =
            reason(Roots::from_pem(pem.as_bytes()).and_then(|roots| roots.key_of(&signer(&issuer, |_| ()), NOW)));
        if found != expected.map(|_| Reason::ChainNoAuthority) {
            wrong.push(format!("trusted, {what}: {found:?}"));
        }
        let (pem, issuer) = root(key(), |_| ());
        let (between, issuer) = middle("between", &issuer, change);
        let chain = [signer(&issuer, |_| ()), vec![between]].concat();
        let found = reason(Roots::from_pem(pem.as_bytes()).unwrap().key_of(&chain, NOW));
        if found != expected {
            wrong.push(format!("between, {what}: expected {expected:?}, found {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_authority_has_more_authorities_below_it_than_its_path_length() {
    const ENDS: [IsCa; 3] = [
        IsCa::Ca(BasicConstraints::Unconstrained),
        IsCa::Ca(BasicConstraints::Constrained(0)),
        IsCa::Ca(BasicConstraints::Constrained(1)),
    ];
    // The path lengths of root, upper and lower (numbers of ENDS), and whether the chain counts.
    let rows =
        [(0, 0, 0, true), (2, 0, 0, false), (1, 0, 0, false), (0, 1, 0, false), (0, 2, 0, true), (0, 0, 1, true)];
    let mut wrong = Vec::new();
    for (top, high, low, counts) in rows {
        let issue = |name: &str, above: Option<&Issuer<KeyPair>>, at: usize| {
            let mut made = params(name);
            made.is_ca = ENDS[at];
            let key = key();
            let signed = above.map_or_else(|| made.self_signed(&key), |above| made.signed_by(&key, above)).unwrap();
            (signed, Issuer::new(made, key))
        };
        let (trusted, above) = issue("root", None, top);
        let (upper, above) = issue("upper", Some(&above), high);
        let (lower, above) = issue("lower", Some(&above), low);
        let chain = [signer(&above, |_| ()), vec![lower.der().to_vec(), upper.der().to_vec()]].concat();
        let found = reason(Roots::from_pem(trusted.pem().as_bytes()).unwrap().key_of(&chain, NOW));
        if found != (!counts).then_some(Reason::IssuerNoAuthority) {
            wrong.push(format!("root {top}, upper {high}, lower {low}: {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_certificate_that_is_not_valid_now_is_named_as_the_one_that_it_is() {
    type Row = (&'static str, fn(&mut CertificateParams), Reason);
    let rows: [Row; 2] = [
        ("expired", |it| it.not_after = date_time_ymd(2020, 1, 1), Reason::CertificateExpired),
        ("later", |it| it.not_before = date_time_ymd(2090, 1, 1), Reason::CertificateNotYetValid),
    ];
    let mut wrong = Vec::new();
    for (what, change, expected) in rows {
        let places = ["the certificate of --certificate-chain", "between signer and root", "its signer's certificate"];
        for (at, says) in places.into_iter().enumerate() {
            let change_at = |place: usize| if place == at { change } else { |_: &mut CertificateParams| () };
            let (pem, issuer) = root(key(), change_at(0));
            let (between, issuer) = middle("between", &issuer, change_at(1));
            let chain = [signer(&issuer, change_at(2)), vec![between]].concat();
            let fault = Roots::from_pem(pem.as_bytes()).unwrap().key_of(&chain, NOW).unwrap_err();
            if fault.reason != expected || !fault.to_string().contains(says) {
                wrong.push(format!("{what}: expected {says:?}, found {fault}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
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
