//! The suite on SQLite, and what only a file can do.

use super::suite::{Place, SUITE};
use super::suite_index::MORE;

#[test]
fn the_suite() {
    for (name, test) in SUITE.into_iter().chain(MORE) {
        let place = Place::sqlite();
        let outcome = std::panic::catch_unwind(|| test(&place));
        assert!(outcome.is_ok(), "SQLite: {name}");
    }
}
