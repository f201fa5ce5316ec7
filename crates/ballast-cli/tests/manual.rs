//! Checks that each command of `ballast` has a man page and is completed in each shell, and that the program
//! accepts each command that the documents show.

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
