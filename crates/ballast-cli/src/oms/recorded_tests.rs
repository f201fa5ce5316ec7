//! Bundles that the package `model-signing` 1.1.1 made (`tools/model-signing record`), the specification's vectors, and
//! a bundle with each of its bytes changed.
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use testkit::need;

use super::bundle::{Bundle, Method};
use super::made_tests::{NOW, hex, reason};
use super::{BadModel, Reason, Roots, Signed, SignedManifest, SignerKey, TrustedSigner, examine, read};

fn recorded(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oms/recorded").join(name);
    fs::read(path).unwrap()
}

fn key(curve: &str) -> TrustedSigner {
    TrustedSigner::Key(SignerKey::from_pem(&recorded(&format!("{curve}.pub"))).unwrap())
}

fn chain(name: &str) -> TrustedSigner {
    TrustedSigner::Chain(Roots::from_pem(&recorded(&format!("{name}.pem"))).unwrap())
}

/// File number `at` of a recorded model.
fn name(at: usize) -> String {
    if at.is_multiple_of(3) { format!("f{at}.bin") } else { format!("d{}/f{at}.bin", at % 7) }
}

fn content(at: usize) -> Vec<u8> {
    format!("file {at}\n").repeat(at % 5 + 1).into_bytes()
}

/// A recorded model in a folder.
fn model(count: usize) -> tempfile::TempDir {
    let dir = testkit::ground::folder("oms");
    for at in 0..count {
        let path = dir.path().join(name(at));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content(at)).unwrap();
    }
    dir
}

/// The recorded bundle of many files, whose rows follow from the first one.
fn many(name_of: &str) -> Vec<u8> {
    let written: Value = serde_json::from_slice(&recorded(name_of)).unwrap();
    let text = |key: &str| written["parts"][key].as_str().unwrap();
    let count = usize::try_from(written["count"].as_u64().unwrap()).unwrap();
    let mut rows: Vec<_> = (0..count).map(|at| (name(at), hex(Sha256::digest(content(at))))).collect();
    // The package orders paths by their parts.
    rows.sort_by(|one, other| one.0.split('/').cmp(other.0.split('/')));
    let row = |(name, digest): &(String, String)| text("row").replace("NAME", name).replace("DIGEST", digest);
    let rows = rows.iter().map(row).collect::<Vec<_>>().join(",\n");
    let payload = format!("{}{rows}{}", text("before"), text("after"));
    let mut bundle = written["bundle"].clone();
    bundle["dsseEnvelope"]["payload"] = STANDARD.encode(payload).into();
    bundle.to_string().into_bytes()
}

/// The faults of a folder that is compared with a bundle.
fn faults(bundle: &[u8], trust: &TrustedSigner, root: &Path) -> Vec<String> {
    match read(bundle, trust, NOW) {
        Err(fault) => vec![fault.to_string()],
        Ok(signed) => {
            let found = examine(root, &[], &signed.manifest);
            found.faults.kept.iter().map(ToString::to_string).collect()
        }
    }
}

#[test]
fn what_the_package_signed_is_believed_and_right() {
    let (one, two, fifty) = (model(1), model(2), model(50));
    let rows = [
        ("files-1.json", key("secp256r1"), &one),
        ("files-50.json", key("secp256r1"), &fifty),
        ("blake2.json", key("secp256r1"), &two),
        ("blake3.json", key("secp256r1"), &two),
        ("secp384r1.json", key("secp384r1"), &two),
        ("secp521r1.json", key("secp521r1"), &two),
        ("certificate-signer.json", chain("root"), &two),
    ];
    let found = rows.iter().map(|(name, trust, root)| (name, faults(&recorded(name), trust, root.path())));
    let wrong: Vec<_> = found.filter(|(_, faults)| !faults.is_empty()).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn five_thousand_files_are_compared_and_one_changed_byte_among_them_is_found() {
    let (bundle, dir) = (many("files-5000.json"), model(5000));
    assert_eq!(faults(&bundle, &key("secp256r1"), dir.path()), [""; 0]);
    fs::write(dir.path().join(name(4321)), b"other").unwrap();
    let found = faults(&bundle, &key("secp256r1"), dir.path());
    assert!(
        matches!(found.as_slice(), [one] if one.contains("f4321.bin") && one.contains("file-changed")),
        "{found:?}"
    );
}

#[test]
fn twelve_shards_in_order_of_numbers_or_of_texts_are_the_same_file() {
    let dir = testkit::ground::folder("oms");
    let mut bytes: Vec<u8> = (0..2000).flat_map(|at| format!("{at:05}\n").into_bytes()).collect();
    bytes.truncate(11_500);
    let path = dir.path().join("long.bin");
    let signed = |name: &str| read(&recorded(name), &key("secp256r1"), NOW).unwrap().manifest;
    let (by_number, by_text) = (signed("shards-by-number.json"), signed("shards-by-text.json"));
    assert_eq!(by_number.files, by_text.files);
    assert_eq!(by_number.files[0].parts.len(), 12);
    assert_ne!(by_number.root, by_text.root);
    let mut wrong = Vec::new();
    for manifest in [&by_number, &by_text] {
        let mut expect = |what: &str, bytes: &[u8], expected: &[Reason]| {
            fs::write(&path, bytes).unwrap();
            let found = examine(dir.path(), &[], manifest);
            let reasons: Vec<_> = found.faults.kept.iter().map(|fault| fault.reason).collect();
            if reasons != expected {
                wrong.push(format!("{what}: {:?}", found.faults.kept));
            }
        };
        let mut two = bytes.clone();
        two[0] ^= 1;
        two[11_499] ^= 1;
        expect("the signed bytes", &bytes, &[]);
        expect("two bytes", &two, &[Reason::ShardChanged, Reason::ShardChanged]);
        expect("one byte more", &[&bytes[..], b"x"].concat(), &[Reason::FileLength]);
        expect("one byte less", &bytes[..11_499], &[Reason::FileLength]);
        expect("one shard less", &bytes[..11_000], &[Reason::FileLength]);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Changes each byte of a bundle: the result is a refusal, or the same payload and signer. Returns how many changes were
/// accepted.
fn accepted(name: &str, trust: &TrustedSigner, flips: &[u8]) -> usize {
    let of = |signed: &Signed| (signed.signer, signed.method, signed.subject.clone());
    let bytes = recorded(name);
    let before = read(&bytes, trust, NOW).unwrap();
    let (mut wrong, mut accepted) = (Vec::new(), 0);
    for at in 0..bytes.len() {
        for flip in flips {
            let mut changed = bytes.clone();
            changed[at] ^= flip;
            let Ok(found) = read(&changed, trust, NOW) else { continue };
            accepted += 1;
            if of(&found) != of(&before) || found.manifest != before.manifest {
                wrong.push(format!("{name}: byte {at} with {flip:#x}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
    accepted
}

#[test]
fn no_changed_byte_of_a_bundle_leads_to_another_payload_or_signer() {
    let found = accepted("files-1.json", &key("secp256r1"), &[1, 0x20]);
    // The hint's 64 digits and the white space are not signed.
    assert!(found > 64 && found < recorded("files-1.json").len(), "{found}");
}

#[test]
fn no_changed_byte_of_a_bundle_of_a_certificate_does_either() {
    if need::time("no_changed_byte_of_a_bundle_of_a_certificate_does_either") {
        // White space is not signed.
        let found = accepted("certificate-signer.json", &chain("root"), &[1]);
        assert!(found < 200, "{found}");
    }
}

fn vectors(test: &str) -> Option<PathBuf> {
    need::shared_data(test).map(|data| data.join("oms/test-vectors/v1.0"))
}

#[test]
fn the_specifications_vectors_are_read_or_refused_as_it_says() {
    let Some(vectors) = vectors("the_specifications_vectors_are_read_or_refused_as_it_says") else { return };
    let payload = |bundle: Bundle| SignedManifest::parse(&bundle.payload).map(|manifest| manifest.files.len());
    let rows: [(&str, Result<usize, Reason>); 8] = [
        ("valid/key", Ok(2)),
        ("valid/certificate", Ok(2)),
        ("valid/sigstore", Err(Reason::Method)),
        ("invalid/empty", Err(Reason::BundleJson)),
        ("invalid/missing-envelope", Err(Reason::BundleShape)),
        ("invalid/missing-tlog-entries", Err(Reason::BundleShape)),
        ("invalid/missing-verification-material", Err(Reason::BundleShape)),
        ("invalid-payload/wrong-predicate", Err(Reason::PredicateType)),
    ];
    let mut wrong = Vec::new();
    for (name, expected) in rows {
        let bytes = fs::read(vectors.join(format!("{name}.bundle.json"))).unwrap();
        let found = Bundle::parse(&bytes).and_then(payload).map_err(|fault| fault.reason);
        if found != expected {
            wrong.push(format!("{name}: {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The vectors' certificates come without their root: the chain leads to none that is trusted.
#[test]
fn a_certificate_of_the_vectors_is_refused_without_its_root() {
    let Some(vectors) = vectors("a_certificate_of_the_vectors_is_refused_without_its_root") else { return };
    let bytes = fs::read(vectors.join("valid/certificate.bundle.json")).unwrap();
    let Ok(Bundle { method: Method::Certificate(chain_of), .. }) = Bundle::parse(&bytes) else { panic!("no chain") };
    assert_eq!(chain_of.len(), 2);
    // The certificate of their signer is marked as an authority's.
    assert_eq!(reason::<Signed>(read(&bytes, &chain("root"), NOW)), Some(Reason::CertificateAuthority));
}

#[test]
fn a_certificate_is_believed_only_from_a_trusted_root_while_it_is_valid() {
    let rows: [(&str, &str, u64, Option<Reason>); 5] = [
        ("signer", "root", NOW, None),
        ("signer", "foreign", NOW, Some(Reason::CertificateForeign)),
        ("signer", "root", 0, Some(Reason::CertificateNotYetValid)),
        ("expired", "root", NOW, Some(Reason::CertificateExpired)),
        ("expired", "root", 960_000_000, None),
    ];
    let found = |name: &str, root: &str, now| -> Result<Signed, BadModel> {
        read(&recorded(&format!("certificate-{name}.json")), &chain(root), now)
    };
    let wrong: Vec<_> = rows
        .iter()
        .map(|(name, root, now, expected)| (name, root, now, reason(found(name, root, *now)), expected))
        .filter(|(.., found, expected)| found != *expected)
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}
