//! `adopt --signed`: a signed model is one group with its provenance, or none.

use std::path::PathBuf;

use ballast::lock::Provenance;
use toml_edit::{Item, Table};

use super::{Grouped, LockFileEditor};
use crate::exit::{Exit, Failure};

impl LockFileEditor {
    /// The store's root, as it is written.
    pub fn root(&self) -> Option<PathBuf> {
        self.text["store"].get("path").and_then(Item::as_str).map(PathBuf::from)
    }

    /// Adds the group of a signed model; a group with the same files and bundle stays as it is.
    ///
    /// # Errors
    /// [`Exit::PinMismatch`] if other entries have one of its paths.
    pub fn enter_signed_group(&mut self, group: &Grouped) -> Result<(), Failure> {
        let path = |name: &str| if group.dir.is_empty() { name.to_owned() } else { format!("{}/{name}", group.dir) };
        let there = |name: &String| self.places.contains_key(name) || self.grouped.contains_key(name);
        let Some(taken) = group.files.iter().map(|(name, ..)| path(name)).find(there) else {
            return self.enter_group(group);
        };
        if self.has_signed(group) {
            return Ok(());
        }
        Err(Failure::new(Exit::PinMismatch, format!("{taken} is pinned already, and not from this bundle"))
            .hint("remove its entry from the lock file to take the signed model instead, or name another --lock"))
    }

    /// Whether the same bundle was adopted at the same place.
    fn has_signed(&self, group: &Grouped) -> bool {
        let tables = self.text.get("group").and_then(Item::as_array_of_tables);
        let text = |table: &Table, key: &str| table.get(key).and_then(Item::as_str).map(str::to_owned);
        tables.into_iter().flat_map(toml_edit::ArrayOfTables::iter).any(|table| {
            let adopted = text(table, "signed").and_then(|signed| Provenance::try_from(signed).ok());
            let same =
                adopted.is_some_and(|adopted| group.signed.is_some_and(|signed| signed.bundle == adopted.bundle));
            same && text(table, "path").unwrap_or_default() == group.dir
        })
    }
}
