//! `export` writes no image that container engines do not load.
#![cfg(feature = "full")]

mod support;

use std::fs;
use std::process::{Command, Output};

use support::{program, stderr};

#[test]
fn an_image_of_more_layers_than_engines_load_is_refused_with_the_ways_that_take_any_number() {
    // The layer of lock file and index is one too.
    let mut wrong = Vec::new();
    for (weights, code) in [(124, 0), (125, 2)] {
        let dir = testkit::ground::folder("scratch");
        fs::create_dir(dir.path().join("from")).unwrap();
        (0..weights).for_each(|at| fs::write(dir.path().join(format!("from/{at}.bin")), at.to_string()).unwrap());
        let ballast = |args: &[&str]| -> Output {
            Command::new(program()).current_dir(dir.path()).env_remove("BALLAST_LOCK").args(args).output().unwrap()
        };
        let adopted = ballast(&["adopt", "--lock", "weights.lock", "from"]);
        let output = ballast(&["export", "models.tar", "--from", "from"]);
        let said = stderr(&output);
        let named = said.contains("126 layers") || said.contains("found 126");
        let there = dir.path().join("models.tar").exists();
        if !adopted.status.success()
            || output.status.code() != Some(code)
            || there != (code == 0)
            || named != (code != 0)
        {
            wrong.push(format!("{weights} weights: {output:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
