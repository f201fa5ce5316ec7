//! `pin --refresh`: the one way in which an entry's digest is replaced. The old one goes to `previous`.

use ballast::digest::Digest;
use toml_edit::{Array, Item, Table, value};

use super::{Before, LockFileEditor, Pinned};
use crate::exit::{Exit, Failure};

impl LockFileEditor {
    /// The path and the sources of the entry with this path or file name.
    ///
    /// # Errors
    /// [`Exit::Usage`] if no entry or several have it.
    pub fn named(&self, name: &str) -> Result<(String, Vec<String>), Failure> {
        let is_named = |path: &str| path == name || path.rsplit('/').next() == Some(name);
        let path = |table: &Table| table.get("path").and_then(Item::as_str).map(str::to_owned);
        let found: Vec<_> = self.weights().filter_map(|table| Some((path(table)?, table))).collect();
        let exact = found.iter().filter(|(path, _)| path == name);
        let loose = found.iter().filter(|(path, _)| path != name && is_named(path));
        let mut all = exact.chain(loose);
        match (all.next(), all.next()) {
            (Some((path, table)), other) if path == name || other.is_none() => {
                let sources = table.get("sources").and_then(Item::as_array).into_iter().flat_map(Array::iter);
                Ok((path.clone(), sources.filter_map(|source| Some(source.as_str()?.to_owned())).collect()))
            }
            (None, _) => {
                let is_grouped = self.grouped.keys().any(|path| is_named(path));
                let grouped = if is_grouped { ": it is of a group" } else { "" };
                let failure = Failure::new(Exit::Usage, format!("expected a [[weight]] {name:?}, found none{grouped}"));
                Err(match is_grouped {
                    true => failure.hint("`ballast adopt --refresh DIR` pins the files of its group again"),
                    false => failure,
                })
            }
            _ => Err(Failure::new(Exit::Usage, format!("several entries are named {name:?}: give the whole path"))),
        }
    }

    /// Replaces digest and size, and moves the old digest to `previous`; removes these sources. `None` if the digest is
    /// the same.
    ///
    /// # Errors
    /// [`Exit::BadLock`] if the entry is not as it was when it was named.
    pub fn refresh(&mut self, pinned: &Pinned, leave: &[String]) -> Result<Option<Before>, Failure> {
        let at = self.places.get(pinned.path.as_str()).copied();
        let tables = self.text.get_mut("weight").and_then(Item::as_array_of_tables_mut);
        let table = at.zip(tables).and_then(|(at, tables)| tables.get_mut(at));
        let absent = || Failure::new(Exit::BadLock, format!("expected the entry {}, found none", pinned.path));
        let table = table.ok_or_else(absent)?;
        let text = |key: &str| table.get(key).and_then(Item::as_str).map(str::to_owned);
        let size = table.get("size").and_then(Item::as_integer);
        let before = Before { sha256: text("sha256").unwrap_or_default(), size, pin_env: text("pin_env") };
        let is_same = Digest::parse(&before.sha256) == Ok(pinned.sha256);
        if !is_same {
            set(table, "sha256", pinned.sha256.to_string().into());
        }
        set(table, "size", i64::try_from(pinned.size).unwrap_or(i64::MAX).into());
        if let Some(license) = pinned.license {
            set(table, "license", license.into());
        }
        let list = |table: &mut Table, key: &str, all: &[&str], leave: &[String]| {
            let list = table.entry(key).or_insert(value(Array::new()));
            let Some(list) = list.as_array_mut() else { return };
            list.retain(|known| known.as_str().is_none_or(|known| !leave.iter().any(|text| text == known)));
            // The element that is now the first one has no space before it.
            let first = list.get_mut(0).map(toml_edit::Value::decor_mut);
            if let Some(bare) = first.filter(|decor| decor.prefix().and_then(|raw| raw.as_str()) == Some(" ")) {
                bare.set_prefix("");
            }
            for text in all.iter().rev() {
                if !list.iter().any(|known| known.as_str() == Some(text)) {
                    list.insert(0, *text);
                    // An array's former first element has no space before it.
                    let second = list.get_mut(1).map(toml_edit::Value::decor_mut);
                    if let Some(bare) = second.filter(|decor| decor.prefix().and_then(|raw| raw.as_str()) == Some("")) {
                        bare.set_prefix(" ");
                    }
                }
            }
        };
        if !is_same {
            list(table, "previous", &[&before.sha256], &[pinned.sha256.to_string()]);
        }
        let sources: Vec<_> = pinned.sources.iter().map(String::as_str).collect();
        list(table, "sources", &sources, leave);
        Ok((!is_same).then_some(before))
    }
}

/// Sets a key and keeps the comment behind its value.
pub(super) fn set(table: &mut Table, key: &str, mut new: toml_edit::Value) {
    if let Some(old) = table.get(key).and_then(Item::as_value) {
        *new.decor_mut() = old.decor().clone();
    }
    table[key] = Item::Value(new);
}
