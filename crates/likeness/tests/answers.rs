//! Checks that the self-test's recorded results are what the independent computation gives today.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

mod support;

use std::process::Command;

use support::{python, testdata};

/// Splits a text into its words and its numbers.
fn apart(source: &str) -> (String, Vec<f64>) {
    // The table of files, if there is one, contains tolerances, which count as words here.
    let (head, tables) = source.split_once("\n];\n\n").unwrap_or(("", source));
    let mut words: Vec<&str> = head.split_whitespace().collect();
    let mut numbers = Vec::new();
    for word in tables.split_whitespace() {
        match word.trim_end_matches(',').parse::<f64>() {
            Ok(number) => numbers.push(number),
            Err(_) => words.push(word),
        }
    }
    (words.join(" "), numbers)
}

#[test]
fn the_recorded_answers_are_the_peers() {
    let test = "recorded answers computed anew";
    let Some(folder) = testdata(test) else { return };
    let Some(python) = python(test, &["h5py==3.16.0", "onnx==1.22.0"]) else { return };
    let tool = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tools/selftest-answers");
    let recorded = [include_str!("../src/selftest/answers.rs"), include_str!("support/synthetic.rs")];
    for (recorded, (options, count)) in recorded.into_iter().zip([(&[][..], 96), (&["--test-data"], 64)]) {
        let output = Command::new(&python).arg(tool).arg(folder.join("weights")).args(options).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let (text, computed) = apart(&String::from_utf8(output.stdout).unwrap());
        let (recorded_text, recorded) = apart(recorded);
        assert_eq!(text, recorded_text);
        assert_eq!((computed.len(), recorded.len()), (count, count));
        let worst = computed.iter().zip(&recorded).map(|(c, r)| (c - r).abs()).fold(0.0, f64::max);
        println!("{count} numbers, at most {worst:.1e} apart");
        assert!(worst <= 1e-6, "{worst}");
    }
}
