//! Tests members of archives and of wheels as sources.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output};

use testkit::need;

use crate::server::Server;
use crate::support::{program, stderr};
use crate::{World, bytes};

/// Creates a wheel with one member.
fn wheel(links: &Path, member: &str, bytes: &[u8]) {
    let file = fs::File::create(links.join("tiny_weights-1.0-py3-none-any.whl")).unwrap();
    let mut zip = zip::ZipWriter::new(file);
    let info = "tiny_weights-1.0.dist-info";
    let metadata = "Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\n";
    let tag = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n";
    for (name, content) in [
        (member.to_owned(), bytes),
        (format!("{info}/METADATA"), metadata.as_bytes()),
        (format!("{info}/WHEEL"), tag.as_bytes()),
        (format!("{info}/RECORD"), b"".as_slice()),
    ] {
        zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap();
}

/// Creates an archive with two members below a folder: zip, tar or tar.gz.
fn archive(path: &Path, members: &[(&str, &[u8])]) {
    let dir = testkit::ground::folder("members");
    for (name, content) in members {
        let file = dir.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, content).unwrap();
    }
    let name = path.to_str().unwrap();
    if name.ends_with(".zip") {
        let mut zip = zip::ZipWriter::new(fs::File::create(path).unwrap());
        for (name, content) in members {
            zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
            zip.write_all(content).unwrap();
        }
        zip.finish().unwrap();
        return;
    }
    let kind = if name.ends_with(".tar") { "cf" } else { "czf" };
    assert!(Command::new("tar").args([kind, name, "-C"]).arg(dir.path()).arg(".").status().unwrap().success());
}

#[test]
fn a_member_of_an_archive_is_taken_and_what_is_no_archive_or_lacks_it_is_named() {
    let all = bytes();
    let dir = testkit::ground::folder("scratch");
    let at = |name: &str| dir.path().join(name).display().to_string();
    let members: [(&str, &[u8]); 2] = [("models/w.bin", &all), ("models/other.bin", b"other")];
    for name in ["a.zip", "a.tar", "a.tar.gz", "a.tgz"] {
        archive(Path::new(&at(name)), &members);
    }
    fs::copy(at("a.tar.gz"), at("in-truth-a-tar.zip")).unwrap();
    fs::write(at("text.zip"), "no archive".repeat(100)).unwrap();
    fs::write(at("page.zip"), "<!DOCTYPE html><html>".repeat(100)).unwrap();
    let cut = fs::read(at("a.tar.gz")).unwrap();
    fs::write(at("cut.tgz"), &cut[..cut.len() / 2]).unwrap();
    let served = |name: &str| Server::start(&fs::read(at(name)).unwrap()).url(&format!("right/{name}"));
    let rows = [
        (format!("{}!models/w.bin", at("a.zip")), None),
        (format!("{}!models/w.bin", at("a.tar")), None),
        (format!("{}!models/w.bin", at("in-truth-a-tar.zip")), None),
        (format!("{}!models/w.bin", served("a.zip")), None),
        (format!("{}?x=1!models/w.bin", served("a.tar.gz")), None),
        (format!("{}!models/w.bin", served("a.tgz")), None),
        (format!("{}!models/gone.bin", served("a.zip")), Some("no-member: ")),
        (format!("{}!models/gone.bin", served("a.tgz")), Some("no-member: ")),
        (format!("{}!models/other.bin", at("a.tar")), Some("wrong-length: ")),
        (format!("{}!models/w.bin", at("text.zip")), Some("unreadable: the archive")),
        (format!("{}!models/w.bin", at("cut.tgz")), Some("unreadable: the archive")),
        (format!("{}!models/w.bin", served("page.zip")), Some("html: ")),
        (format!("{}!models/w.bin", at("gone.zip")), Some("not-found: ")),
    ];
    let mut wrong = Vec::new();
    for (source, fault) in rows {
        let world = World::sized(std::slice::from_ref(&source), &all);
        let output = world.fetch(&[]);
        let code = if fault.is_none() { 0 } else { 17 };
        let named = fault.is_none_or(|fault| stderr(&output).contains(fault));
        if output.status.code() != Some(code) || !named || world.right(&all) != fault.is_none() {
            wrong.push(format!("{source}: {output:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_archive_is_downloaded_once_for_all_its_members_and_expands_to_no_more_than_its_bound() {
    let dir = testkit::ground::folder("scratch");
    let path = dir.path().join("a.tgz");
    let zeros = vec![0; 8 << 20];
    archive(&path, &[("one.bin", b"1"), ("two.bin", b"two"), ("zeros.bin", &zeros)]);
    let server = Server::start(&fs::read(&path).unwrap());
    let url = server.url("right/a.tgz");
    let mut command = Command::new(program());
    command.current_dir(dir.path()).env_remove("BALLAST_LOCK").env_remove("BALLAST_MIRRORS");
    let sources = ["one.bin", "two.bin"].map(|name| format!("{url}!{name}"));
    let pin = ["pin", "--store", "/srv/models", "--into", "m"];
    let output = command.args(pin).args(&sources).output().unwrap();
    assert!(output.status.success() && server.requests().len() == 1, "{output:?} {:?}", server.requests());
    let lock = fs::read_to_string(dir.path().join("weights.lock")).unwrap();
    assert!(sources.iter().all(|source| lock.contains(source)), "{lock}");
    let mut bounded = Command::new(program());
    bounded.current_dir(dir.path()).env_remove("BALLAST_LOCK").env_remove("BALLAST_MIRRORS");
    let output = bounded.args(pin).args(["--max-size", "1048576", &sources[0], "--path", "x"]).output().unwrap();
    assert!(output.status.code() == Some(17) && stderr(&output).contains("too-long"), "{output:?}");
}

fn pip_is_there(test: &str) -> bool {
    Command::new("pip").arg("--version").output().is_ok_and(|output| output.status.success()) || need::skip(test, "pip")
}

fn from_links(world: &World, links: &Path) -> Output {
    let mut command = world.command(&[]);
    command.env("PIP_NO_INDEX", "1").env("PIP_FIND_LINKS", links).env_remove("PIP_CONFIG_FILE");
    command.output().unwrap()
}

#[test]
fn a_member_of_a_wheel_is_taken_and_a_wrong_or_missing_one_is_named() {
    if !pip_is_there("a_member_of_a_wheel") {
        return;
    }
    let (all, links) = (bytes(), testkit::ground::folder("scratch"));
    wheel(links.path(), "tiny/w.bin", &all);
    let mut wrong = Vec::new();
    for (source, size, fault) in [
        ("pip:tiny-weights==1.0!tiny/w.bin", all.len(), None),
        ("pip:tiny-weights==1.0!tiny/other.bin", all.len(), Some("no-member: ")),
        ("pip:tiny-weights==1.0!tiny/w.bin", all.len() + 1, Some("wrong-length: ")),
        ("pip:tiny-weights==2.0!tiny/w.bin", all.len(), Some("no-wheel: ")),
    ] {
        let world = World::new(&[source.to_owned()], Some(size), &all);
        let output = from_links(&world, links.path());
        let code = if fault.is_none() { 0 } else { 17 };
        let named = fault.is_none_or(|fault| stderr(&output).contains(fault));
        if output.status.code() != Some(code) || !named || world.right(&all) != fault.is_none() {
            wrong.push(format!("{source}, {size}: {output:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_source_package_is_refused_and_its_code_is_not_run() {
    if !pip_is_there("a_source_package_is_refused") {
        return;
    }
    let (all, links) = (bytes(), testkit::ground::folder("scratch"));
    let source = links.path().join("tiny_weights-1.0");
    fs::create_dir(&source).unwrap();
    let ran = links.path().join("ran");
    fs::write(source.join("setup.py"), format!("open({:?}, 'w')\n", ran.to_str().unwrap())).unwrap();
    fs::write(source.join("PKG-INFO"), "Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\n").unwrap();
    fs::write(source.join("w.bin"), &all).unwrap();
    let packed = Command::new("tar")
        .current_dir(links.path())
        .args(["czf", "tiny_weights-1.0.tar.gz", "tiny_weights-1.0"])
        .status();
    assert!(packed.unwrap().success());
    let world = World::sized(&["pip:tiny-weights==1.0!w.bin".to_owned()], &all);
    let output = from_links(&world, links.path());
    assert!(output.status.code() == Some(17) && stderr(&output).contains("no-wheel: "), "{output:?}");
    assert!(!ran.exists(), "a source package's code was run");
}
