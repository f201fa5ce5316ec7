//! The programs on the front pages of the two libraries, compiled and run as a new user does: in a
//! crate outside the workspace, from the page alone. The crate lies below the target folder and
//! shares it, so that little is built.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use testkit::data::{DETECTOR, EMBEDDER, OwnData, SPOOF_FAR, SPOOF_NEAR, own_data};
use testkit::paths::{repository, scratch};

/// A front page's program: the visible lines of its first block of code.
fn program(page: &str) -> String {
    let lines =
        page.lines().filter_map(|line| line.strip_prefix("//!")).map(|line| line.strip_prefix(' ').unwrap_or(line));
    let block = lines.skip_while(|line| !line.starts_with("```")).skip(1).take_while(|line| !line.starts_with("```"));
    block.filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect()
}

/// A crate of two programs that knows the libraries by their folders, with this workspace's versions and profiles.
fn stranger() -> PathBuf {
    let (root, folder) = (repository(), scratch().join("front-pages"));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(folder.join("src/bin")).unwrap();
    for name in ["ballast", "likeness"] {
        let page = fs::read_to_string(root.join(format!("crates/{name}/src/lib.rs"))).unwrap();
        fs::write(folder.join(format!("src/bin/use-{name}.rs")), program(&page)).unwrap();
    }
    let whole = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let (_, profiles) = whole.split_once("[profile.dev]").unwrap();
    let crates =
        ["ballast", "likeness"].map(|name| format!("{name} = {{ path = {:?} }}\n", root.join("crates").join(name)));
    let package = "[package]\nname = \"front-pages\"\nversion = \"0.0.0\"\nedition = \"2024\"\n";
    let text = format!("{package}\n[workspace]\n\n[dependencies]\n{}\n[profile.dev]{profiles}", crates.concat());
    fs::write(folder.join("Cargo.toml"), text).unwrap();
    fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    folder
}

/// Builds and runs one of the programs in a folder.
fn run(stranger: &Path, name: &str, folder: &Path) -> Output {
    let mut cargo = testkit::paths::cargo();
    cargo.args(["run", "--offline", "--quiet", "--bin", name, "--manifest-path"]).arg(stranger.join("Cargo.toml"));
    cargo.current_dir(folder).output().unwrap()
}

#[test]
fn the_programs_on_the_front_pages_run_in_a_crate_outside_the_workspace() {
    let (stranger, data, mut wrong) = (stranger(), own_data(), Vec::new());
    let mut expect = |name: &str, expected: &str| {
        let output = run(&stranger, name, &stranger);
        let found = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() || !found.contains(expected) {
            wrong.push(format!(
                "{name}: expected {expected:?}, found {found:?}\n{}",
                String::from_utf8_lossy(&output.stderr)
            ));
        }
    };

    fs::write(stranger.join("weights.lock"), data.lock()).unwrap();
    let models = stranger.join("models/.deepface/weights");
    fs::create_dir_all(&models).unwrap();
    fs::write(models.join(EMBEDDER), data.weight(EMBEDDER)).unwrap();
    fs::write(models.join(DETECTOR), "cut").unwrap();
    for line in [
        format!("{EMBEDDER}: right\n"),
        format!("{DETECTOR}: damaged: 3 bytes, expected "),
        format!("{SPOOF_NEAR}: missing\n"),
    ] {
        expect("use-ballast", &line);
    }

    let mut sums = String::new();
    for name in [DETECTOR, SPOOF_NEAR, SPOOF_FAR, EMBEDDER] {
        fs::write(stranger.join(name), data.weight(name)).unwrap();
        sums += &format!("{}  {name}\n", OwnData::sha256(name));
    }
    fs::write(stranger.join("weights.sha256"), sums).unwrap();
    for (second, verdict) in [("anna_again.jpg", "accept, distance 0."), ("bert.jpg", "reject, distance ")] {
        fs::write(stranger.join("a.jpg"), data.image("anna.jpg")).unwrap();
        fs::write(stranger.join("b.jpg"), data.image(second)).unwrap();
        expect("use-likeness", verdict);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    fs::remove_dir_all(stranger).unwrap();
}
