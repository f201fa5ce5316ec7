//! Checks that each command of `ballast` has a man page and is completed in each shell, and that the program
//! accepts each command that the documents show.
#![allow(clippy::unwrap_used, reason = "tests")]

#[cfg(feature = "full")]
use std::fs;

#[test]
fn every_command_has_a_page_and_is_completed() {
    let lacking = testkit::manual::lacking(&ballast_cli::grammar());
    assert!(lacking.is_empty(), "{lacking:?}");
}

#[cfg(feature = "full")]
#[test]
fn the_program_accepts_every_command_in_the_documents() {
    let (shown, refused) = testkit::documents::refused(&ballast_cli::grammar());
    assert!(refused.is_empty() && shown > 30, "{shown} commands\n{}", refused.join("\n"));
}

#[test]
fn bash_offers_options_after_a_dash_and_files_or_commands_elsewhere() {
    // An empty offer makes bash offer files.
    let rows: [(&[&str], &[&str]); 6] = [
        (&["ballast", "doctor", ""], &[]),
        (&["ballast", "doctor", "--js"], &["--json"]),
        (&["ballast", "ver"], &["verify"]),
        (&["ballast", "run", "--hold", ""], &["owned", "sticky"]),
        (&["ballast", "run", "--", "setpri"], &["setpriv"]),
        (&["ballast", "run", "--", "ls", ""], &[]),
    ];
    let found =
        rows.map(|(words, expected)| (words, testkit::manual::offered(&ballast_cli::grammar(), words), expected));
    let wrong: Vec<_> = found.iter().filter(|(_, found, expected)| found != expected).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[cfg(feature = "full")]
#[test]
fn each_page_that_a_page_names_exists() {
    let folder = tempfile::tempdir().unwrap();
    testkit::manual::write(&ballast_cli::grammar(), folder.path()).unwrap();
    let commands = ["run", "heal", "verify", "status", "doctor"];
    testkit::manual::write_build(&ballast_cli::grammar(), "ballast-entrypoint", &commands, folder.path()).unwrap();
    let pages = folder.path().join("man1");
    let (mut named, mut wrong) = (0, Vec::new());
    for page in fs::read_dir(&pages).unwrap().map(|page| page.unwrap().path()) {
        let text = fs::read_to_string(&page).unwrap().replace("\\-", "-");
        let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || "-()".contains(c)));
        for name in words.filter_map(|word| word.strip_suffix("(1)")).filter(|name| name.starts_with("ballast")) {
            named += 1;
            if !pages.join(format!("{name}.1")).exists() {
                wrong.push(format!("{}: {name}", page.display()));
            }
        }
    }
    assert!(wrong.is_empty() && named > 30, "{named} names\n{}", wrong.join("\n"));
}
