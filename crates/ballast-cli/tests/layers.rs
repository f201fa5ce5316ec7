//! Tests images of few and of many weights: their layers, and the weights imported from them.
#![cfg(feature = "full")]
#![expect(clippy::unwrap_used, reason = "a test's helpers may fail where they stand")]

mod support;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use support::{pin_of, program, stderr, stdout};
use testkit::ground::folder;

fn ballast(dir: &Path, args: &[&str]) -> Output {
    Command::new(program()).current_dir(dir).env_remove("BALLAST_LOCK").args(args).output().unwrap()
}

/// Writes small files in some folders, one with a name that is too long for a tar header.
fn fill(from: &Path, count: usize) {
    for at in 0..count {
        let dir = from.join(if at == 3 { "d".repeat(150) } else { format!("dir{}", at % 7) });
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join(format!("{at}.json")), format!("weight {at}").repeat(at % 90 + 1)).unwrap();
    }
}

/// Returns the digests of the layers of an archive's image.
fn layers(archive: &Path) -> Vec<String> {
    let output = Command::new("tar").arg("xOf").arg(archive).arg("manifest.json").output().unwrap();
    let list: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let names = list[0]["Layers"].as_array().unwrap();
    names.iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}

#[test]
fn an_image_of_few_weights_has_the_digest_that_it_always_had() {
    let dir = folder("scratch");
    let mut lock = "version = 1\n\n[store]\npath = \"/models\"\nowner = \"100:101\"\n".to_owned();
    for (path, text) in [("a.bin", "one"), ("b.json", "two"), ("sub/c.onnx", "three")] {
        let file = dir.path().join("from").join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
        lock += &format!("\n[[weight]]\npath = \"{path}\"\nsha256 = \"{}\"\n", pin_of(text.as_bytes()));
    }
    fs::write(dir.path().join("weights.lock"), lock).unwrap();
    let output = ballast(dir.path(), &["export", "models.tar", "--from", "from"]);
    let expected = "sha256:c115a143284fee9d472fcd88b2141738926c6c5ec12ecc958a80c8499ab75624";
    assert!(stdout(&output).contains(expected), "{output:?}");
}

#[test]
fn any_number_of_weights_fits_an_image_that_engines_load_and_each_comes_out_of_it() {
    let mut wrong = Vec::new();
    for (count, most) in [(32, 33), (33, 33), (400, 33)] {
        let dir = folder("scratch");
        let at = |name: &str| dir.path().join(name);
        fill(&at("from"), count);
        let adopted = ballast(dir.path(), &["adopt", "--lock", "weights.lock", "from"]);
        let exported = ballast(dir.path(), &["export", "models.tar", "--from", "from"]);
        let imported = ballast(dir.path(), &["import", "models.tar", "--into", "into"]);
        let found = layers(&at("models.tar")).len();
        let equal = Command::new("diff")
            .args(["-r", "-x", ".ballast-aside.*", "from", "into"])
            .current_dir(dir.path())
            .output()
            .unwrap();
        // The output must not contain a line for each of many files.
        let brief = count <= 33 || stderr(&imported).lines().count() < 5;
        if !brief
            || found > most
            || ![&adopted, &exported, &imported, &equal].iter().all(|output| output.status.success())
        {
            wrong.push(format!("{count}: {found} layers, {}{}", stderr(&imported), stdout(&equal)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn one_changed_weight_of_many_changes_one_layer_beside_that_of_the_lock_file() {
    let dir = folder("scratch");
    fill(&dir.path().join("from"), 200);
    let export = |archive: &str| {
        let _ = fs::remove_file(dir.path().join("weights.lock"));
        assert!(ballast(dir.path(), &["adopt", "--lock", "weights.lock", "from"]).status.success());
        assert!(ballast(dir.path(), &["export", archive, "--from", "from"]).status.success());
        layers(&dir.path().join(archive))
    };
    let before = export("one.tar");
    fs::write(dir.path().join("from/dir1/1.json"), "another weight, of another size").unwrap();
    let after = export("two.tar");
    assert_eq!(after.iter().filter(|layer| !before.contains(layer)).count(), 2, "{after:?}");
}

#[test]
fn a_damaged_or_missing_weight_of_many_is_imported_again_and_the_others_stay() {
    let dir = folder("scratch");
    fill(&dir.path().join("from"), 100);
    let from = |args: &[&str]| ballast(dir.path(), args);
    assert!(from(&["adopt", "--lock", "weights.lock", "from"]).status.success());
    assert!(from(&["export", "models.tar", "--from", "from"]).status.success());
    assert!(from(&["import", "models.tar", "--into", "into"]).status.success());
    fs::remove_file(dir.path().join("into/dir1/8.json")).unwrap();
    fs::write(dir.path().join("into/dir2/9.json"), "other bytes").unwrap();
    let output = from(&["import", "models.tar", "--into", "into"]);
    let lines = stderr(&output);
    assert!(output.status.success() && stdout(&output).contains("100 of 100 right"), "{output:?}");
    assert!(lines.contains("8.json") && lines.contains("9.json") && !lines.contains("10.json"), "{lines}");
    let equal = Command::new("diff")
        .args(["-r", "-x", ".ballast-aside.*", "from", "into"])
        .current_dir(dir.path())
        .output()
        .unwrap();
    assert!(equal.status.success(), "{equal:?}");
}

#[test]
fn weights_below_a_prefix_lie_there_and_come_out_of_the_image_all_the_same() {
    let mut wrong = Vec::new();
    for count in [3, 40] {
        let dir = folder("scratch");
        let at = |name: &str| dir.path().join(name);
        fill(&at("from"), count);
        let adopted = ballast(dir.path(), &["adopt", "--lock", "weights.lock", "from"]);
        let exported = ballast(dir.path(), &["export", "models.tar", "--from", "from", "--prefix", "/models/"]);
        let imported = ballast(dir.path(), &["import", "models.tar", "--into", "into"]);
        fs::create_dir(at("root")).unwrap();
        for layer in layers(&at("models.tar")) {
            let script = "tar xOf models.tar \"$0\" | tar xf - -C root --no-same-owner";
            let done = Command::new("sh").current_dir(dir.path()).args(["-c", script, &layer]).status().unwrap();
            assert!(done.success(), "{layer}");
        }
        let verified = ballast(dir.path(), &["verify", "root/models"]);
        let names: Vec<_> = fs::read_dir(at("root")).unwrap().map(|name| name.unwrap().file_name()).collect();
        if ![&adopted, &exported, &imported, &verified].iter().all(|done| done.status.success()) || names != ["models"]
        {
            wrong.push(format!("{count}: {names:?} {exported:?} {imported:?} {verified:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
