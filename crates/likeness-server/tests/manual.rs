//! Checks that each command of `likeness` has a man page and is completed in each shell.

#[test]
fn every_command_has_a_page_and_is_completed() {
    let lacking = testkit::manual::lacking(&likeness_server::grammar());
    assert!(lacking.is_empty(), "{lacking:?}");
}
