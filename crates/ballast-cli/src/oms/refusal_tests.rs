//! Every reason to refuse a bundle, its signer or a folder: each has a test that leads to it, and a name of its own.
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::Path;

use ballast::bounds::LISTED;
use serde_json::{Value, json};

use super::made_tests::{NOW, bundle, hex, key, pem, reason, root, signed, statement, trust, write};
use super::{Reason, Roots, SignerKey, examine, read};

const FILES: [(&str, &[u8]); 2] = [("a.bin", b"one"), ("d/b.bin", b"two")];

/// Reads the bundle that a change made of a good one.
fn of_bundle(change: impl Fn(&mut Value)) -> Option<Reason> {
    let mut bundle = bundle(statement(&FILES).to_string().as_bytes(), &key(1));
    change(&mut bundle);
    reason(read(bundle.to_string().as_bytes(), &trust(&key(1)), NOW))
}

fn of_bytes(bytes: &[u8]) -> Option<Reason> {
    reason(read(bytes, &trust(&key(1)), NOW))
}

/// Reads a well signed bundle of the statement that a change made of a good one.
fn of_statement(change: impl Fn(&mut Value)) -> Option<Reason> {
    let mut statement = statement(&FILES);
    change(&mut statement);
    reason(signed(&statement))
}

/// Like [`of_statement`], with the root digest of the changed resources.
fn of_resources(change: impl Fn(&mut Value)) -> Option<Reason> {
    of_statement(|statement| {
        change(&mut statement["predicate"]);
        root(statement);
    })
}

/// A statement with one file of shards of 10 bytes.
fn shards(names: &[&str]) -> Option<Reason> {
    of_resources(|predicate| {
        let row = |name: &&str| json!({"name": name, "digest": "ab".repeat(32), "algorithm": "sha256-sharded-10"});
        predicate["resources"] = names.iter().map(row).collect();
        predicate["serialization"]["method"] = "shards".into();
        predicate["serialization"]["shard_size"] = json!(10.0);
    })
}

#[test]
fn every_wrong_bundle_is_refused_for_its_own_reason() {
    let good = bundle(statement(&FILES).to_string().as_bytes(), &key(1)).to_string();
    let spaced = format!(" {:#}\n", bundle(statement(&FILES).to_string().as_bytes(), &key(1)));
    let text = statement(&FILES).to_string();
    let twice = text.replace("\"predicateType\":", "\"_type\":\"x\",\"predicateType\":");
    let deep = text.replace("\"subject\":", "\"x\":{\"y\":[{\"k\":1,\"\\u006b\":2}]},\"subject\":");
    expect(&[
        ("a good bundle", of_bytes(good.as_bytes()), None),
        ("white space", of_bytes(spaced.as_bytes()), None),
        ("no JSON", of_bytes(b"model"), Some(Reason::BundleJson)),
        ("cut JSON", of_bytes(&good.as_bytes()[..good.len() - 1]), Some(Reason::BundleJson)),
        ("more after JSON", of_bytes(format!("{good}{{}}").as_bytes()), Some(Reason::BundleJson)),
        ("deep JSON", of_bytes("[".repeat(100_000).as_bytes()), Some(Reason::BundleJson)),
        (
            "a key twice",
            of_bytes(good.replacen('{', "{\"mediaType\":\"x\",", 1).as_bytes()),
            Some(Reason::DuplicateKey),
        ),
        ("a signed key twice", payload(&twice), Some(Reason::DuplicateKey)),
        ("a key twice, deep and escaped", payload(&deep), Some(Reason::DuplicateKey)),
        ("another field", of_bundle(|it| it["more"] = 1.into()), Some(Reason::BundleShape)),
        ("two signatures", of_bundle(add_signature), Some(Reason::BundleShape)),
        (
            "two methods",
            of_bundle(|it| it["verificationMaterial"]["x509CertificateChain"] = json!({"certificates": []})),
            Some(Reason::BundleShape),
        ),
        ("another media type", of_bundle(|it| it["mediaType"] = "text/plain".into()), Some(Reason::MediaType)),
        (
            "another payload type",
            of_bundle(|it| it["dsseEnvelope"]["payloadType"] = "text/plain".into()),
            Some(Reason::PayloadType),
        ),
        ("no base64", of_bundle(|it| it["dsseEnvelope"]["payload"] = "a".into()), Some(Reason::Base64)),
        (
            "a bundle of a certificate",
            of_bundle(|it| it["verificationMaterial"] = json!({"x509CertificateChain": {"certificates": []}})),
            Some(Reason::OtherMethod),
        ),
        (
            "a bundle of sigstore",
            of_bundle(|it| {
                it["verificationMaterial"] = json!({"certificate": {"rawBytes": "AA=="}, "tlogEntries": [{}]});
            }),
            Some(Reason::Method),
        ),
    ]);
}

#[test]
fn every_wrong_signature_and_statement_is_refused_for_its_own_reason() {
    let good = bundle(statement(&FILES).to_string().as_bytes(), &key(1)).to_string();
    expect(&[
        ("another key", reason(read(good.as_bytes(), &trust(&key(2)), NOW)), Some(Reason::WrongKey)),
        (
            "another key that claims this hint",
            of_bundle(|it| {
                it["dsseEnvelope"]["signatures"] = bundle(b"x", &key(2))["dsseEnvelope"]["signatures"].clone()
            }),
            Some(Reason::SignatureWrong),
        ),
        (
            "another payload",
            of_bundle(|it| it["dsseEnvelope"]["payload"] = "AAAA".into()),
            Some(Reason::SignatureWrong),
        ),
        ("another hint", of_bundle(|it| it["verificationMaterial"]["publicKey"]["hint"] = "x".into()), None),
        (
            "an older form of the key",
            of_bundle(|it| it["verificationMaterial"]["publicKey"] = json!({"rawBytes": "AA=="})),
            None,
        ),
        ("no statement", payload("[]"), Some(Reason::StatementJson)),
        ("a statement's other type", of_statement(|it| it["_type"] = "x".into()), Some(Reason::StatementType)),
        ("another predicate", of_statement(|it| it["predicateType"] = "x".into()), Some(Reason::PredicateType)),
        ("no subject", of_statement(|it| it["subject"] = json!([])), Some(Reason::Subject)),
        (
            "two subjects",
            of_statement(|it| it["subject"] = json!([it["subject"][0], it["subject"][0]])),
            Some(Reason::Subject),
        ),
        (
            "another root digest",
            of_statement(|it| it["subject"][0]["digest"]["sha256"] = hex([1; 32]).into()),
            Some(Reason::RootDigest),
        ),
    ]);
}

#[test]
fn every_wrong_resource_is_refused_for_its_own_reason() {
    let serialization = |name: &'static str, value: Value| {
        of_resources(move |predicate| predicate["serialization"][name] = value.clone())
    };
    let name = |name: &'static str| of_resources(move |predicate| predicate["resources"][0]["name"] = name.into());
    expect(&[
        (
            "too many files",
            of_resources(|it| {
                it["resources"] =
                    (0..=LISTED).map(|at| json!({"name": at.to_string(), "digest": "", "algorithm": ""})).collect();
            }),
            Some(Reason::TooManyResources),
        ),
        ("no files", of_resources(|it| it["resources"] = json!([])), Some(Reason::NoResources)),
        (
            "a file twice",
            of_resources(|it| it["resources"][1] = it["resources"][0].clone()),
            Some(Reason::ResourceTwice),
        ),
        ("a path that climbs", name("../a.bin"), Some(Reason::ResourceName)),
        ("an absolute path", name("/a.bin"), Some(Reason::ResourceName)),
        ("a path that is not canonical", name("./a.bin"), Some(Reason::ResourceName)),
        ("a path that is ignored", name(".git/a.bin"), Some(Reason::ResourceName)),
        ("a path of Ballast's own", name("d/.ballast-aside.a"), Some(Reason::ResourceName)),
        ("another hash", serialization("hash_type", "md5".into()), Some(Reason::HashType)),
        (
            "another algorithm of a file",
            of_resources(|it| it["resources"][0]["algorithm"] = "blake3".into()),
            Some(Reason::ResourceAlgorithm),
        ),
        ("a short digest", of_resources(|it| it["resources"][0]["digest"] = "ab".into()), Some(Reason::DigestLength)),
        (
            "a digest of 64 bytes",
            of_resources(|it| it["resources"][0]["digest"] = "ab".repeat(64).into()),
            Some(Reason::DigestLength),
        ),
        (
            "a digest in capitals",
            of_resources(|it| it["resources"][0]["digest"] = "AB".repeat(32).into()),
            Some(Reason::DigestLength),
        ),
        ("a shard size for files", serialization("shard_size", 10.into()), Some(Reason::ShardSize)),
        ("shards without a size", serialization("method", "shards".into()), Some(Reason::ShardSize)),
        ("an odd method", serialization("method", "tensors".into()), Some(Reason::StatementJson)),
        ("a glob that is ignored", serialization("ignore_paths", json!(["*"])), Some(Reason::IgnoredPath)),
        ("the root that is ignored", serialization("ignore_paths", json!(["."])), Some(Reason::IgnoredPath)),
        ("good shards", shards(&["a:1:0:10", "a:1:10:20", "a:1:20:25"]), None),
        ("a gap between shards", shards(&["a:0:10", "a:20:25"]), Some(Reason::Shards)),
        ("a short shard inside", shards(&["a:0:9", "a:9:19"]), Some(Reason::Shards)),
        ("a long shard", shards(&["a:0:11"]), Some(Reason::Shards)),
        ("an empty shard", shards(&["a:0:0"]), Some(Reason::Shards)),
        ("a shard's odd number", shards(&["a:0:010"]), Some(Reason::ResourceName)),
        ("a shard without a range", shards(&["a"]), Some(Reason::ResourceName)),
    ]);
}

#[test]
fn every_reason_has_a_row_of_a_test_and_a_name_of_its_own() {
    let tests = [
        include_str!("refusal_tests.rs"),
        include_str!("chain_tests.rs"),
        include_str!("recorded_tests.rs"),
        include_str!("../../tests/oms/main.rs"),
    ]
    .concat();
    let has_row = |reason: &&Reason| {
        let ends = [")", ",", "]"].map(|end| format!("Reason::{reason:?}{end}"));
        ends.iter().any(|text| tests.contains(text)) || tests.contains(&format!("\"{}\"", reason.name()))
    };
    let without: Vec<_> = Reason::ALL.iter().filter(|reason| !has_row(reason)).collect();
    assert!(without.is_empty(), "no row leads to {without:?}");
    let names: std::collections::BTreeSet<_> = Reason::ALL.iter().map(|reason| reason.name()).collect();
    assert_eq!(names.len(), Reason::ALL.len());
}

/// A row's name, what was found, what was expected.
type Row = (&'static str, Option<Reason>, Option<Reason>);

fn expect(rows: &[Row]) {
    let wrong: Vec<_> = rows.iter().filter(|(_, found, expected)| found != expected).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Reads a well signed bundle of these bytes.
fn payload(text: &str) -> Option<Reason> {
    of_bytes(bundle(text.as_bytes(), &key(1)).to_string().as_bytes())
}

fn add_signature(bundle: &mut Value) {
    let signatures = bundle["dsseEnvelope"]["signatures"].as_array_mut().unwrap();
    signatures.push(signatures[0].clone());
}

#[test]
fn a_key_of_another_kind_is_refused_by_its_name() {
    let made = |algorithm| rcgen::KeyPair::generate_for(algorithm).unwrap().public_key_pem();
    let private = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let rows = [
        ("P-256", made(&rcgen::PKCS_ECDSA_P256_SHA256), None),
        ("P-384", made(&rcgen::PKCS_ECDSA_P384_SHA384), None),
        ("Ed25519", made(&rcgen::PKCS_ED25519), Some(Reason::KeyAlgorithm)),
        ("a private key", private.to_owned(), Some(Reason::KeyUnreadable)),
        ("text", "key".to_owned(), Some(Reason::KeyUnreadable)),
        ("a cut key", pem(&key(1)).replace("MFkw", "MFk"), Some(Reason::KeyUnreadable)),
    ];
    let wrong: Vec<_> =
        rows.iter().filter(|(_, pem, expected)| reason(SignerKey::from_pem(pem.as_bytes())) != *expected).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(reason(Roots::from_pem(pem(&key(1)).as_bytes())), Some(Reason::ChainUnreadable));
}

/// Changes a right folder, and returns the reasons.
fn of_folder(change: impl Fn(&Path)) -> Vec<Reason> {
    let dir = testkit::ground::folder("oms");
    write(dir.path(), &FILES);
    write(dir.path(), &[("model.sig", b"bundle"), (".git/config", b"x"), ("d/.ballast-part.0", b"x")]);
    change(dir.path());
    let manifest = signed(&statement(&FILES)).unwrap().manifest;
    let found = examine(dir.path(), &[&dir.path().join("model.sig")], &manifest);
    found.faults.kept.iter().map(|fault| fault.reason).collect()
}

#[test]
fn every_difference_of_a_folder_has_its_own_reason() {
    let put = |name: &'static str| move |dir: &Path| write(dir, &[(name, b"more")]);
    let rows = [
        ("none", of_folder(|_| ()), vec![]),
        ("an unsigned file", of_folder(put("c.bin")), vec![Reason::FileUnsigned]),
        ("an unsigned file below", of_folder(put("d/e/c.bin")), vec![Reason::FileUnsigned]),
        ("Git's own file, not at the root", of_folder(put("d/.gitignore")), vec![Reason::FileUnsigned]),
        ("a missing file", of_folder(|dir| fs::remove_file(dir.join("a.bin")).unwrap()), vec![Reason::FileMissing]),
        (
            "a renamed file",
            of_folder(|dir| fs::rename(dir.join("a.bin"), dir.join("A.bin")).unwrap()),
            vec![Reason::FileRenamed],
        ),
        ("other bytes", of_folder(|dir| write(dir, &[("a.bin", b"eno")])), vec![Reason::FileChanged]),
        ("more bytes", of_folder(|dir| write(dir, &[("a.bin", b"one\n")])), vec![Reason::FileChanged]),
        (
            "a link to the signed bytes",
            of_folder(|dir| {
                fs::rename(dir.join("a.bin"), dir.join("../a.oms")).unwrap();
                symlink("../a.oms", dir.join("a.bin")).unwrap();
            }),
            vec![Reason::Symlink, Reason::Symlink],
        ),
        ("a link beside them", of_folder(|dir| symlink("a.bin", dir.join("c.bin")).unwrap()), vec![Reason::Symlink]),
        (
            "a name that is not UTF-8",
            of_folder(|dir| fs::write(dir.join(OsStr::from_bytes(b"\xff")), b"x").unwrap()),
            vec![Reason::NotUtf8],
        ),
        (
            "too many directories within each other",
            of_folder(|dir| fs::create_dir_all(dir.join("d/".repeat(34))).unwrap()),
            vec![Reason::FolderTooLarge],
        ),
        (
            "a folder in place of a file",
            of_folder(|dir| {
                fs::remove_file(dir.join("a.bin")).unwrap();
                fs::create_dir(dir.join("a.bin")).unwrap();
            }),
            vec![Reason::FileKind],
        ),
        (
            "no folder",
            of_folder(|dir| fs::remove_dir_all(dir).unwrap()),
            vec![Reason::FolderUnreadable, Reason::FileMissing, Reason::FileMissing],
        ),
    ];
    let wrong: Vec<_> = rows.iter().filter(|(_, found, expected)| found != expected).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn names_and_faults_of_a_folder_are_counted_and_few_are_kept() {
    let dir = testkit::ground::folder("oms");
    write(dir.path(), &FILES);
    for at in 0..1200 {
        let names = [format!("more/{at}.py"), format!(".git/{at}"), format!("d/.ballast-part.{at}")];
        names.iter().for_each(|name| write(dir.path(), &[(name, b"x")]));
    }
    let found = examine(dir.path(), &[], &signed(&statement(&FILES)).unwrap().manifest);
    assert_eq!((found.faults.count, found.faults.kept.len()), (1200, 1000));
    assert_eq!((found.ballast.count, found.ballast.kept.len()), (1200, 1000));
    assert_eq!((found.ignored.count, found.faults.worst.unwrap().reason), (1, Reason::FileUnsigned));
}

#[test]
fn only_the_bundle_s_own_path_and_names_that_ballast_gives_are_passed_over() {
    let put = |name: &'static str| move |dir: &Path| write(dir, &[(name, b"x")]);
    let rows = [
        ("Ballast's folder", of_folder(put(".ballast/weights.index")), vec![]),
        ("a bad copy", of_folder(put("d/.ballast-aside.b.bin")), vec![]),
        ("a staged file", of_folder(put(".ballast-staged.1")), vec![]),
        ("another name like these", of_folder(put(".ballast-model.py")), vec![Reason::FileUnsigned]),
        ("a longer name", of_folder(put(".ballastic/x.py")), vec![Reason::FileUnsigned]),
        ("Ballast's folder, not at the root", of_folder(put("d/.ballast/x.py")), vec![Reason::FileUnsigned]),
        (
            "another name of the bundle",
            of_folder(|dir| fs::hard_link(dir.join("model.sig"), dir.join("d/x.py")).unwrap()),
            vec![Reason::FileUnsigned],
        ),
        (
            "two that have changed names",
            of_folder(|dir| {
                fs::rename(dir.join("a.bin"), dir.join("x.bin")).unwrap();
                fs::rename(dir.join("d/b.bin"), dir.join("y.bin")).unwrap();
            }),
            vec![Reason::FileRenamed, Reason::FileRenamed],
        ),
    ];
    let wrong: Vec<_> = rows.iter().filter(|(_, found, expected)| found != expected).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn links_are_followed_where_the_signer_followed_them() {
    let dir = testkit::ground::folder("oms");
    write(dir.path(), &[("blobs/one", b"one"), ("blobs/two", b"two")]);
    let root = dir.path().join("snapshot");
    fs::create_dir_all(root.join("d")).unwrap();
    symlink("../blobs/one", root.join("a.bin")).unwrap();
    symlink("../../blobs/two", root.join("d/b.bin")).unwrap();
    let mut followed = statement(&FILES);
    followed["predicate"]["serialization"]["allow_symlinks"] = true.into();
    let found = |statement: &Value| examine(&root, &[], &signed(statement).unwrap().manifest).faults.kept;
    assert_eq!(found(&followed), []);
    let reasons = |link: &str| {
        symlink("../blobs", root.join(link)).unwrap();
        found(&followed).iter().map(|fault| fault.reason).collect::<Vec<_>>()
    };
    assert_eq!(reasons("more"), [Reason::Symlink]);
    fs::remove_file(root.join("more")).unwrap();
    assert!(found(&statement(&FILES)).iter().any(|fault| fault.reason == Reason::Symlink));
}
