//! Checks in one container that `verify`, `status`, `heal`, health and a real request agree.

use crate::ship::{TREE, WEIGHTS};
use crate::support::{stderr, stdout};
use crate::up::Project;

/// Runs a command of Ballast in the running container; returns its exit code and output.
fn ballast(project: &Project, words: &[&str]) -> (Option<i32>, String) {
    let container = project.container();
    let ran = project.ship.docker.docker(&[&["exec", &container, "ballast"], words].concat());
    (ran.status.code(), stdout(&ran) + &stderr(&ran))
}

/// Returns the commands that do not report the four weights in `folder` as right.
pub fn disagreements(project: &Project, folder: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for words in [&["verify", "--long"][..], &["status"], &["status", "--verify"], &["heal"]] {
        let (code, said) = ballast(project, words);
        if code != Some(0) {
            wrong.push(format!("{words:?}: expected 0, found {code:?}: {said}"));
        }
        let shown = WEIGHTS.iter().filter(|name| said.contains(&format!("{folder}/{TREE}/{name}"))).count();
        if words[0] == "verify" && shown != WEIGHTS.len() {
            wrong.push(format!("{words:?}: expected the four files of {folder}, found: {said}"));
        }
    }
    wrong
}
