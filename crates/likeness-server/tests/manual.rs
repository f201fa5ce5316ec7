//! Checks that each command of `likeness` has a man page and is completed in each shell, and that the program
//! accepts each command that the documents show.

#[test]
fn every_command_has_a_page_and_is_completed() {
    let lacking = testkit::manual::lacking(&likeness_server::grammar());
    assert!(lacking.is_empty(), "{lacking:?}");
}

#[test]
fn the_program_accepts_every_command_in_the_documents() {
    let (shown, refused) = testkit::documents::refused(&likeness_server::grammar());
    assert!(refused.is_empty() && shown > 30, "{shown} commands\n{}", refused.join("\n"));
}

#[test]
fn bash_offers_options_after_a_dash_and_files_or_commands_elsewhere() {
    // An empty offer makes bash offer files.
    let rows: [(&[&str], &[&str]); 4] = [
        (&["likeness", "compare", ""], &[]),
        (&["likeness", "compare", "a.jpg", ""], &[]),
        (&["likeness", "store", "che"], &["check"]),
        (&["likeness", "detect", "--dr"], &["--draw"]),
    ];
    let found =
        rows.map(|(words, expected)| (words, testkit::manual::offered(&likeness_server::grammar(), words), expected));
    let wrong: Vec<_> = found.iter().filter(|(_, found, expected)| found != expected).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}
