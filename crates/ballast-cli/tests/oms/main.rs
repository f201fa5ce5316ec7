//! Tests signed models from the command line: `verify --signed`, with its exit codes and the names of its errors;
//! `adopt --signed` and `sign`.
#![cfg(feature = "full")]
#![expect(clippy::unwrap_used, reason = "a test's helpers may fail where they stand")]

mod lost;
#[path = "../support/mod.rs"]
mod support;

mod schemas;
mod updates;

use std::fs::{self, File};
use std::ops::Deref;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Output;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use p256::pkcs8::{EncodePublicKey, LineEnding};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use support::scratch::Scratch;
use support::{pin_of, stderr, stdout};
use testkit::need;

/// A public key of Ed25519.
const ED25519: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";

/// A folder with the model of two files that the package signed, and the recorded bundles and keys.
struct Model(Scratch);

impl Deref for Model {
    type Target = Scratch;

    fn deref(&self) -> &Scratch {
        &self.0
    }
}

fn recorded() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oms/recorded")
}

impl Model {
    fn new() -> Self {
        let model = Self(Scratch::new("oms"));
        model.put("model/f0.bin", b"file 0\n");
        model.put("model/d1/f1.bin", b"file 1\nfile 1\n");
        for entry in fs::read_dir(recorded()).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, model.path(path.file_name().unwrap().to_str().unwrap())).unwrap();
        }
        model
    }

    fn verify(&self, bundle: &str, key: &str) -> Output {
        self.verify_by(bundle, ["--key", key])
    }

    fn verify_by(&self, bundle: &str, [option, file]: [&str; 2]) -> Output {
        self.ballast(&["verify", "--signed", bundle, option, file, "model"])
    }

    /// Signs a statement with a key of the test, `made.pub`, as the bundle `made.json`.
    fn sign(&self, statement: &Value) {
        let key = SigningKey::from_slice(&[7; 32]).unwrap();
        let payload = statement.to_string();
        let kind = "application/vnd.in-toto+json";
        let signed = format!("DSSEv1 {} {kind} {} {payload}", kind.len(), payload.len());
        let signature: Signature = key.sign(signed.as_bytes());
        let public = key.verifying_key().to_public_key_pem(LineEnding::LF).unwrap();
        let bundle = json!({
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {"publicKey": {"hint": pin_of(public.as_bytes())}},
            "dsseEnvelope": {
                "payload": STANDARD.encode(payload),
                "payloadType": kind,
                "signatures": [{"sig": STANDARD.encode(signature.to_der().as_bytes())}],
            },
        });
        self.put("made.pub", public.as_bytes());
        self.put("made.json", bundle.to_string().as_bytes());
    }
}

#[test]
fn a_signed_folder_is_right_with_a_key_and_with_a_certificate() {
    let model = Model::new();
    let rows = [
        ("secp384r1.json", "--key", "secp384r1.pub"),
        ("secp521r1.json", "--key", "secp521r1.pub"),
        ("blake2.json", "--key", "secp256r1.pub"),
        ("blake3.json", "--key", "secp256r1.pub"),
        ("certificate-signer.json", "--certificate-chain", "root.pem"),
    ];
    let outputs = rows.map(|(bundle, by, signer)| model.ballast(&["verify", "--signed", bundle, by, signer, "model"]));
    let is_right = |output: &&Output| output.status.success() && stdout(output).contains("2 of 2 as signed in model");
    let wrong: Vec<_> = outputs.iter().filter(|output| !is_right(output)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let json = model.ballast(&["verify", "--signed", "secp384r1.json", "--key", "secp384r1.pub", "--json", "model"]);
    let json: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((&json["ready"], &json["right"], &json["method"]), (&json!(true), &json!(2), &json!("key")), "{json}");
    assert_eq!(json["signer_sha256"], pin_of(&fs::read(model.path("secp384r1.pub")).unwrap()));
    assert_eq!(json["bundle_sha256"], pin_of(&fs::read(model.path("secp384r1.json")).unwrap()));
}

/// A statement about one file, with a digest of one byte.
fn short_digest() -> Value {
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "model", "digest": {"sha256": pin_of(&[0xab])}}],
        "predicateType": "https://model_signing/signature/v1.0",
        "predicate": {
            "resources": [{"name": "f0.bin", "digest": "ab", "algorithm": "sha256"}],
            "serialization": {"method": "files", "hash_type": "sha256", "allow_symlinks": false},
        },
    })
}

/// Prepares one row's folder, and runs the program.
type Attempt = fn(&Model) -> Output;

#[test]
fn each_wrong_bundle_signer_or_folder_has_its_own_error_and_exit_code() {
    let rows: [(&str, i32, &str, Attempt); 16] = [
        ("another key", 40, "wrong-key", |model| model.verify("secp384r1.json", "secp256r1.pub")),
        ("an expired certificate", 40, "certificate-expired", |model| {
            model.verify_by("certificate-expired.json", ["--certificate-chain", "root.pem"])
        }),
        ("a foreign certificate", 40, "certificate-foreign", |model| {
            model.verify_by("certificate-signer.json", ["--certificate-chain", "foreign.pem"])
        }),
        ("another algorithm", 2, "key-algorithm", |model| {
            model.put("ed25519.pub", ED25519.as_bytes());
            model.verify("secp384r1.json", "ed25519.pub")
        }),
        ("an unsigned file", 42, "file-unsigned", |model| {
            model.put("model/modeling.py", b"import os");
            model.verify("secp384r1.json", "secp384r1.pub")
        }),
        ("a missing file", 14, "file-missing", |model| {
            fs::remove_file(model.path("model/f0.bin")).unwrap();
            model.verify("secp384r1.json", "secp384r1.pub")
        }),
        ("a renamed file", 14, "file-renamed", |model| {
            fs::rename(model.path("model/f0.bin"), model.path("model/f00.bin")).unwrap();
            model.verify("secp384r1.json", "secp384r1.pub")
        }),
        ("a changed file", 14, "file-changed", |model| {
            model.put("model/f0.bin", b"file 1\n");
            model.verify("secp384r1.json", "secp384r1.pub")
        }),
        ("a digest of another length", 40, "digest-length", |model| {
            model.sign(&short_digest());
            model.verify("made.json", "made.pub")
        }),
        ("a key twice", 40, "duplicate-key", |model| {
            let text = fs::read_to_string(model.path("secp384r1.json")).unwrap();
            model.put("twice.json", text.replacen('{', "{\"mediaType\": \"\",", 1).as_bytes());
            model.verify("twice.json", "secp384r1.pub")
        }),
        ("huge JSON", 40, "bundle-too-large", |model| {
            File::create(model.path("huge.json")).unwrap().set_len((24 << 20) + 1).unwrap();
            model.verify("huge.json", "secp384r1.pub")
        }),
        ("a missing bundle", 2, "bundle-unreadable", |model| model.verify("absent.json", "secp384r1.pub")),
        ("a lock file", 2, "--lock has no effect", |model| {
            model.ballast(&["verify", "--signed", "x", "--key", "secp384r1.pub", "--lock", "weights.lock", "model"])
        }),
        ("another store than the lock file's", 2, "--store is", |model| {
            let by = ["adopt", "--lock", "l.lock", "--signed", "secp384r1.json", "--key", "secp384r1.pub", "model"];
            assert!(model.ballast(&by).status.success());
            model.ballast(&[&by[..], &["--store", "elsewhere"]].concat())
        }),
        ("a folder outside the root", 2, "outside the store's root", |model| {
            model.put("store/x", b"x");
            let by = ["--lock", "l.lock", "--signed", "secp384r1.json", "--key", "secp384r1.pub", "--store", "store"];
            model.ballast(&[&["adopt"], &by[..], &["model"]].concat())
        }),
        ("no signer", 2, "--key <PEM>", |model| model.ballast(&["verify", "--signed", "secp384r1.json", "model"])),
    ];
    let mut wrong = Vec::new();
    for (what, code, name, attempt) in rows {
        let output = attempt(&Model::new());
        if output.status.code() != Some(code) || !stderr(&output).contains(name) {
            wrong.push(format!("{what}: {:?} {}", output.status.code(), stderr(&output)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A reader of the lines of a group takes such a space for a column's.
#[test]
fn a_signed_name_that_begins_with_a_space_is_not_adopted_under_another_name() {
    let model = Model::new();
    let digest = Sha256::digest(b"file 0\n");
    let mut statement = short_digest();
    statement["subject"][0]["digest"]["sha256"] = pin_of(&digest).into();
    statement["predicate"]["resources"][0]["name"] = " f0.bin".into();
    statement["predicate"]["resources"][0]["digest"] = pin_of(b"file 0\n").into();
    model.sign(&statement);
    model.put("spaced/ f0.bin", b"file 0\n");
    let by = ["--lock", "l.lock", "--signed", "made.json", "--key", "made.pub", "spaced"];
    let output = model.ballast(&[&["adopt"], &by[..]].concat());
    let refused = output.status.code() == Some(2) && stderr(&output).contains("begins with a space");
    assert!(refused && !model.path("l.lock").exists(), "{output:?}");
}

/// What `sign` reads; its target; the exit code; a word of the output.
type SignRow<'a> = (&'a str, &'a str, &'a str, &'a str, i32, &'a str);

const SIGNED: [SignRow; 7] = [
    ("a key after its parameters, and an older bundle", "weights.lock", "sec1.key", "ours.sig", 0, "2 files"),
    ("a target that is no bundle", "weights.lock", "p256.key", "notes.txt", 2, "a file that is no bundle"),
    ("the lock file", "weights.lock", "p256.key", "weights.lock", 2, "weights.lock, which Ballast reads"),
    ("another name of the lock file", "weights.lock", "p256.key", "hard.sig", 2, "weights.lock, which Ballast reads"),
    ("the key", "weights.lock", "p256.key", "p256.key", 2, "p256.key, which Ballast reads"),
    ("a path that no manifest covers", "ignored.lock", "p256.key", "new.sig", 2, "resource-name"),
    ("a key of another kind", "weights.lock", "other.key", "new.sig", 2, "private-key-unreadable"),
];

#[test]
fn a_signed_model_becomes_a_group_with_its_provenance_which_verifies_and_is_signed_again() {
    let model = Model::new();
    let adopt = ["adopt", "--signed", "secp521r1.json", "--key", "secp521r1.pub", "--lock", "weights.lock", "model"];
    for turn in ["a new lock file", "the same again"] {
        let output = model.ballast(&adopt);
        assert!(output.status.success(), "{turn}: {output:?}");
    }
    let sha256 = |name: &str| pin_of(&fs::read(model.path(name)).unwrap());
    let lines = format!("{} 14 d1/f1.bin\n{} 7 f0.bin\n", sha256("model/d1/f1.bin"), sha256("model/f0.bin"));
    let expected = format!(
        "files = \"\"\"\n{lines}\"\"\"\nsigned = \"key {} {} {}\"\n",
        sha256("secp521r1.pub"),
        sha256("secp521r1.json"),
        pin_of(format!(". {}", pin_of(lines.as_bytes())).as_bytes()),
    );
    let lock = fs::read_to_string(model.path("weights.lock")).unwrap();
    assert!(lock.ends_with(&expected), "{lock}");
    let verified = model.ballast(&["verify", "--lock", "weights.lock", "model"]);
    assert!(verified.status.success() && stdout(&verified).contains("2 of 2 files right"), "{verified:?}");
    model.put("changed.lock", lock.replace(" 7 f0.bin", " - f0.bin").as_bytes());
    let refused = model.ballast(&["verify", "--lock", "changed.lock", "model"]);
    assert!(
        refused.status.code() == Some(10) && stderr(&refused).contains("not those that were adopted"),
        "{refused:?}"
    );
    for (name, pem) in private_keys() {
        let path = model.put(name, pem.as_bytes());
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let signed = model.ballast(&["sign", "--lock", "weights.lock", "--private-key", name, "ours.sig"]);
        let said = stdout(&signed);
        let public = said.find("-----BEGIN").map(|at| &said[at..]).unwrap_or_default();
        model.put("ours.pub", public.as_bytes());
        let verified = model.verify("ours.sig", "ours.pub");
        assert!(verified.status.success() && signed.status.success(), "{name}: {signed:?} {verified:?}");
    }
    let old = fs::read(model.path("ours.sig")).unwrap();
    model.put("notes.txt", b"notes");
    let dsa = "-----BEGIN DSA PRIVATE KEY-----\nAAAA\n-----END DSA PRIVATE KEY-----\n";
    for (name, pem) in [("sec1.key", sec1()), ("other.key", dsa.to_owned())] {
        let path = model.put(name, pem.as_bytes());
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    }
    fs::hard_link(model.path("weights.lock"), model.path("hard.sig")).unwrap();
    let ignored = lock.replace(" 7 f0.bin", " 7 .git/f0.bin");
    let ignored = &ignored[..ignored.find("signed = ").unwrap()];
    model.put("ignored.lock", ignored.as_bytes());
    let mut wrong = Vec::new();
    for (what, lock, key, target, code, said) in SIGNED {
        let output = model.ballast(&["sign", "--lock", lock, "--private-key", key, target]);
        let all = stdout(&output) + &stderr(&output);
        if output.status.code() != Some(code) || !all.contains(said) {
            wrong.push(format!("{what}: {:?} {all}", output.status.code()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(fs::read(model.path("notes.txt")).unwrap(), b"notes");
    assert_eq!(fs::read_to_string(model.path("weights.lock")).unwrap(), lock);
    assert!(fs::read(model.path("ours.sig")).unwrap() != old && !model.path("new.sig").exists());
    model.put("open.key", private_keys()[0].1.as_bytes());
    let open = model.ballast(&["sign", "--lock", "weights.lock", "--private-key", "open.key", "open.sig"]);
    assert!(open.status.code() == Some(2) && stderr(&open).contains("0600"), "{open:?}");
}

#[test]
fn a_group_that_only_claims_this_bundle_is_not_the_same_again() {
    let model = Model::new();
    let adopt = ["adopt", "--signed", "secp384r1.json", "--key", "secp384r1.pub", "--lock", "weights.lock", "model"];
    assert!(model.ballast(&adopt).status.success());
    let good = fs::read_to_string(model.path("weights.lock")).unwrap();
    let lines = good.split("\"\"\"\n").nth(1).unwrap().to_owned();
    let right = pin_of(&fs::read(model.path("model/f0.bin")).unwrap());
    let forged = lines.replace(&right, &pin_of(b"forged"));
    let files_of = |lines: &str| pin_of(format!(". {}", pin_of(lines.as_bytes())).as_bytes());
    let with_lines = |other: &str| good.replace(&lines, other).replace(&files_of(&lines), &files_of(other));
    let sha256 = |name: &str| pin_of(&fs::read(model.path(name)).unwrap());
    let signed = good.find("signed = ").map(|at| good[at..].trim_end().to_owned()).unwrap();
    let rows = [
        ("the same", good.clone(), 0, "2 files"),
        ("a forged pin", with_lines(&forged), 12, "a pin differs"),
        ("a pin less", with_lines(lines.split_inclusive('\n').next().unwrap()), 12, "a pin differs"),
        ("a pin more", with_lines(&format!("{lines}{right} 1 z.bin\n")), 12, "a pin differs"),
        ("a pin without a size", with_lines(&lines.replace(" 7 ", " - ")), 12, "a pin differs"),
        ("a line more", with_lines(&format!("{lines}\n")), 12, "the text of the group's lines differs"),
        ("another method", good.replace("\"key ", "\"certificate "), 12, "the method differs"),
        ("another signer", good.replace(&sha256("secp384r1.pub"), &right), 12, "the signer differs"),
        ("another bundle", good.replace(&sha256("secp384r1.json"), &right), 12, "the bundle differs"),
        ("no provenance", good.replace(&signed, ""), 12, "no `signed`"),
        ("no store", "version = 1\n".to_owned(), 10, "[store]"),
    ];
    let mut wrong = Vec::new();
    for (what, text, code, said) in rows {
        model.put("weights.lock", text.as_bytes());
        let output = model.ballast(&adopt);
        let all = stdout(&output) + &stderr(&output);
        let is_as_before = fs::read_to_string(model.path("weights.lock")).unwrap() == text;
        if output.status.code() != Some(code) || !all.contains(said) || !is_as_before {
            wrong.push(format!("{what}: {:?} {all}", output.status.code()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A private key of P-256 as `openssl ecparam -genkey` writes it.
fn sec1() -> String {
    let key = p256::SecretKey::from_slice(&[5; 32]).unwrap();
    let der = STANDARD.encode(key.to_sec1_der().unwrap());
    let lines: Vec<_> = der.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!(
        "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n-----BEGIN EC PRIVATE KEY-----\n{}\n-----END EC PRIVATE KEY-----\n",
        lines.join("\n")
    )
}

/// Private keys of the three curves, in PEM.
fn private_keys() -> [(&'static str, String); 3] {
    use p256::pkcs8::EncodePrivateKey;
    let pem = |key: &dyn Fn() -> p256::pkcs8::Result<p256::pkcs8::der::zeroize::Zeroizing<String>>| {
        key().unwrap().to_string()
    };
    let (one, two, three) = (
        p256::SecretKey::from_slice(&[3; 32]).unwrap(),
        p384::SecretKey::from_slice(&[3; 48]).unwrap(),
        p521::SecretKey::from_slice(&[&[0][..], &[3; 65]].concat()).unwrap(),
    );
    [
        ("p256.key", pem(&|| one.to_pkcs8_pem(LineEnding::LF))),
        ("p384.key", pem(&|| two.to_pkcs8_pem(LineEnding::LF))),
        ("p521.key", pem(&|| three.to_pkcs8_pem(LineEnding::LF))),
    ]
}

#[test]
fn several_signed_models_lie_below_one_store_and_no_entry_of_another_origin_is_taken_over() {
    let model = Model::new();
    for name in ["one", "two"] {
        fs::create_dir_all(model.path(&format!("store/{name}/d1"))).unwrap();
        for file in ["f0.bin", "d1/f1.bin"] {
            fs::copy(model.path(&format!("model/{file}")), model.path(&format!("store/{name}/{file}"))).unwrap();
        }
        let dir = format!("store/{name}");
        let by = ["--signed", "secp384r1.json", "--key", "secp384r1.pub", "--store", "store", "--lock", "both.lock"];
        let output = model.ballast(&[&["adopt"], &by[..], &[&dir]].concat());
        assert!(output.status.success(), "{output:?}");
    }
    let lock = fs::read_to_string(model.path("both.lock")).unwrap();
    assert!(
        lock.contains("path = \"one\"")
            && lock.contains("path = \"two\"")
            && lock.matches("signed = \"key ").count() == 2
    );
    assert!(model.ballast(&["verify", "--lock", "both.lock", "store"]).status.success());
    assert!(model.ballast(&["adopt", "--lock", "weights.lock", "model"]).status.success());
    let before = fs::read(model.path("weights.lock")).unwrap();
    let by = ["--signed", "secp384r1.json", "--key", "secp384r1.pub", "--lock", "weights.lock"];
    let output = model.ballast(&[&["adopt"], &by[..], &["model"]].concat());
    assert!(output.status.code() == Some(12) && stderr(&output).contains("not from this bundle"), "{output:?}");
    model.put("model/more.bin", b"more");
    let output = model.ballast(&[
        "adopt",
        "--signed",
        "secp384r1.json",
        "--key",
        "secp384r1.pub",
        "--lock",
        "new.lock",
        "model",
    ]);
    assert!(output.status.code() == Some(42) && !model.path("new.lock").exists(), "{output:?}");
    assert_eq!(fs::read(model.path("weights.lock")).unwrap(), before);
}

/// A statement about one file of shards, each with the digest of its bytes.
fn in_shards(name: &str, bytes: &[u8], size: usize) -> Value {
    let mut rows = Vec::new();
    for (at, shard) in bytes.chunks(size).enumerate() {
        let start = at * size;
        let range = format!("{name}:{start}:{}", start + shard.len());
        rows.push(json!({"name": range, "digest": pin_of(shard), "algorithm": "sha256"}));
    }
    let root: Vec<u8> = bytes.chunks(size).flat_map(|shard| Sha256::digest(shard).to_vec()).collect();
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "model", "digest": {"sha256": pin_of(&root)}}],
        "predicateType": "https://model_signing/signature/v1.0",
        "predicate": {
            "resources": rows,
            "serialization": {
                "method": "shards", "hash_type": "sha256", "allow_symlinks": false, "shard_size": size
            },
        },
    })
}

#[test]
fn one_wrong_byte_of_a_model_in_shards_is_named_by_its_shard_and_costs_one_chunk() {
    if !need::root("one_wrong_byte_of_a_model_in_shards_is_named_by_its_shard_and_costs_one_chunk") {
        return;
    }
    let model = Model::new();
    let bytes: Vec<u8> = (0..6_u32 << 18).flat_map(u32::to_le_bytes).collect();
    model.sign(&in_shards("long.bin", &bytes, 2 << 20));
    model.put("store/long.bin", &bytes);
    let run = |args: &[&str]| {
        let output = model.ballast(args);
        (output.status.code(), stdout(&output) + &stderr(&output))
    };
    let by = ["--signed", "made.json", "--key", "made.pub"];
    let adopted = run(&[&["adopt", "--lock", "weights.lock"], &by[..], &["store"]].concat());
    let baked = run(&["bake", "--lock", "weights.lock", "--from", "store", "baked"]);
    assert!(adopted.0 == Some(0) && baked.0 == Some(0), "{adopted:?} {baked:?}");
    let mut wrong = bytes.clone();
    wrong[5 << 20] ^= 1;
    model.put("store/long.bin", &wrong);
    let (code, said) = run(&[&["verify"], &by[..], &["store"]].concat());
    let named = said.matches("WRONG ").count() == 1 && said.contains("the bytes 4194304 to 6291456");
    assert!(code == Some(14) && named, "{said}");
    // An index counts only if the app can't change it. The whole file then has the digest that was signed.
    for path in ["store", "store/long.bin"] {
        chown(model.path(path), Some(100), Some(101)).unwrap();
    }
    let heal = ["heal", "--user", "100:101", "--lock", "weights.lock", "--store", "store", "--baked", "baked"];
    let (code, said) = run(&heal);
    assert!(code == Some(0) && said.contains("repaired: 1 of 6 chunks copied"), "{said}");
    let verified = run(&[&["verify"], &by[..], &["store"]].concat());
    assert!(verified.0 == Some(0) && fs::read(model.path("store/long.bin")).unwrap() == bytes, "{verified:?}");
}
