//! Tests the new edition of a signed model: `adopt --signed --refresh` gives its group the new files, and nothing else
//! does. Also tests which folders `adopt --signed` refuses.

use std::fs;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::Model;
use super::support::{pin_of, stderr, stdout};

const BY: [&str; 6] = ["--signed", "made.json", "--key", "made.pub", "--lock", "w.lock"];

/// The statement of a model.
fn statement(files: &[(&str, &str)]) -> Value {
    let root: Vec<u8> = files.iter().flat_map(|(_, bytes)| Sha256::digest(bytes).to_vec()).collect();
    let row =
        |(name, bytes): &(&str, &str)| json!({"name": name, "digest": pin_of(bytes.as_bytes()), "algorithm": "sha256"});
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "model", "digest": {"sha256": pin_of(&root)}}],
        "predicateType": "https://model_signing/signature/v1.0",
        "predicate": {
            "resources": files.iter().map(row).collect::<Vec<_>>(),
            "serialization": {"method": "files", "hash_type": "sha256", "allow_symlinks": false},
        },
    })
}

/// Makes the folder of an edition, and its bundle.
fn edition(model: &Model, dir: &str, files: &[(&str, &str)]) {
    let _ = fs::remove_dir_all(model.path(dir));
    files.iter().for_each(|(name, bytes)| drop(model.put(&format!("{dir}/{name}"), bytes.as_bytes())));
    model.sign(&statement(files));
}

fn lock(model: &Model) -> String {
    fs::read_to_string(model.path("w.lock")).unwrap_or_default()
}

#[test]
fn a_new_edition_replaces_the_files_of_its_group_and_keeps_need_license_and_sources() {
    let model = Model::new();
    let adopt = |more: &[&str]| model.ballast(&[&["adopt", "--store", "s"], &BY[..], more, &["s/m"]].concat());
    edition(&model, "s/m", &[("a", "one"), ("b", "two")]);
    assert!(adopt(&[]).status.success());
    let keys = "need = \"optional\"\nlicense = \"MIT\"\nsources = [\"/srv/up/\"] # kept\n";
    let begun = lock(&model);
    let sources = begun.lines().find(|line| line.starts_with("sources")).unwrap();
    fs::write(model.path("w.lock"), begun.replace(&format!("{sources}\n"), keys)).unwrap();
    let editions: [&[(&str, &str)]; 2] = [&[("a", "changed"), ("c", "three")], &[("z", "no name of before")]];
    let mut wrong = Vec::new();
    for files in editions {
        edition(&model, "s/m", files);
        let before = lock(&model);
        let refused = adopt(&[]);
        let unsigned = model.ballast(&["adopt", "--refresh", "--lock", "w.lock", "s/m"]);
        let same = lock(&model) == before;
        let refreshed = adopt(&["--refresh"]);
        let text = lock(&model);
        let verified = model.ballast(&["verify", "--lock", "w.lock", "s"]);
        let right = refused.status.code() == Some(12)
            && stderr(&refused).contains("adopt --refresh --signed")
            && unsigned.status.code() == Some(12)
            && stderr(&unsigned).contains("adopt --refresh --signed")
            && same
            && refreshed.status.success()
            && text.contains(keys)
            && text.matches("[[group]]").count() == 1
            && !text.contains("[[weight]]")
            && stdout(&verified).contains(&format!("{0} of {0} files right", files.len()));
        if !right {
            wrong.push(format!("{files:?}: {refused:?}\n{unsigned:?}\n{refreshed:?}\n{verified:?}\n{text}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_folder_that_holds_the_lock_file_or_is_ballasts_own_is_refused_before_a_byte_is_written() {
    let rows: [(&str, &[&str], &str); 3] = [
        ("s/m", &["--lock", "s/m/w.lock"], "lies in the signed folder"),
        ("s/m", &["--lock", "s/m/sub/w.lock"], "lies in the signed folder"),
        ("s/.ballast", &["--lock", "w.lock"], "a path of Ballast's own files"),
    ];
    let mut wrong = Vec::new();
    for (dir, place, word) in rows {
        let model = Model::new();
        edition(&model, dir, &[("a", "one"), ("sub/b", "two")]);
        let output = model.ballast(&[&["adopt", "--store", "s"], &BY[..4], place, &[dir]].concat());
        if output.status.code() != Some(2) || !stderr(&output).contains(word) || model.path(place[1]).exists() {
            wrong.push(format!("{dir} {place:?}: {output:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
