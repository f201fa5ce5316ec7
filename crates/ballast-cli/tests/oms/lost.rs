//! Answers that are lost: what a verdict's exit code then is, and what stderr says.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt as _;
use std::process::{Command, Output};

use serde_json::Value;

use super::Model;
use super::support::{self, stderr};

#[test]
fn a_lost_answer_is_reported_beside_the_verdict_and_a_name_that_is_not_utf_8_is_answered() {
    let model = Model::new();
    let odd = model.path("").join(OsStr::from_bytes(b"m\xffx"));
    fs::create_dir_all(odd.join("d1")).unwrap();
    for name in ["f0.bin", "d1/f1.bin"] {
        fs::copy(model.path("model").join(name), odd.join(name)).unwrap();
    }
    let bundle = "secp384r1.json";
    let command = || {
        let mut command = Command::new(support::program());
        command.current_dir(model.path("")).args(["verify", "--json", "--signed", bundle, "--key", "secp384r1.pub"]);
        command
    };
    let output = command().arg(&odd).output().unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &answer["ready"]), (Some(0), &true.into()), "{answer}");
    fs::write(odd.join("f0.bin"), "x").unwrap();
    let full = || File::options().write(true).open("/dev/full").unwrap();
    let rows = [("right", model.path("model"), 47), ("wrong", odd, 14)];
    let found = rows.map(|(what, dir, code)| (what, command().arg(dir).stdout(full()).output().unwrap(), code));
    let says_so = |output: &Output| stderr(output).contains("could not be written to stdout");
    let wrong: Vec<_> = found.iter().filter(|(_, it, code)| it.status.code() != Some(*code) || !says_so(it)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}
