//! The suite on SQLite, and what only a file can do.

use super::suite::{Place, SUITE};

#[test]
fn the_suite() {
    for (name, test) in SUITE {
        let place = Place::sqlite();
        let outcome = std::panic::catch_unwind(|| test(&place));
        assert!(outcome.is_ok(), "SQLite: {name}");
    }
}
