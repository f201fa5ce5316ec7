//! Checks that each command of `ballast` has a man page and is completed in each shell.

#[test]
fn every_command_has_a_page_and_is_completed() {
    let lacking = testkit::manual::lacking(&ballast_cli::grammar());
    assert!(lacking.is_empty(), "{lacking:?}");
}
