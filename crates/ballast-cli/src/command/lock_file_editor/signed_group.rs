//! `adopt --signed`: a signed model is one group with its provenance, or none.

use std::collections::HashSet;
use std::path::PathBuf;

use ballast::lock::{Group, Weight};
use toml_edit::Item;

use super::groups::{Grouped, lines_of, path_below};
use super::{LockFileEditor, SignedBy};
use crate::exit::{Exit, Failure};
use crate::image::Measured;

impl LockFileEditor {
    /// The store's root, as it is written.
    pub fn root(&self) -> Option<PathBuf> {
        self.text.get("store")?.get("path").and_then(Item::as_str).map(PathBuf::from)
    }

    /// Adds the group of a signed model; a group that is in all parts as this one would be stays as it is. With `refresh`
    /// the group of the same path gets these files.
    ///
    /// # Errors
    /// [`Exit::PinMismatch`] if other entries have one of its paths.
    pub fn enter_signed_group(&mut self, group: &Grouped, refresh: bool) -> Result<(), Failure> {
        let former = self.groups().remove(group.dir).map(|there| there.files);
        let own: Vec<_> = former.iter().flatten().map(|(name, ..)| path_below(group.dir, name)).collect();
        let is_own: HashSet<&str> = own.iter().map(String::as_str).collect();
        let there = |name: &String| self.places.contains_key(name) || self.grouped.contains_key(name);
        let wanted = || group.files.iter().map(|(name, ..)| group.path_of(name));
        let is_foreign = wanted().any(|name| there(&name) && !is_own.contains(name.as_str()));
        let taken = wanted().find(there).or_else(|| own.first().cloned());
        let Some(taken) = taken.filter(|_| !refresh || is_foreign) else { return self.enter_group(group) };
        let lock = self.lock().map_err(|error| Failure::new(Exit::BadLock, error.to_string()))?;
        let entry = lock.weights.iter().find(|weight| weight.path.as_str() == taken);
        let adopted = entry.and_then(|weight| lock.groups.get(weight.group? as usize));
        let difference = match (adopted, group.signed) {
            (Some(adopted), Some(signed)) => {
                let members = lock.weights.get(adopted.members.clone()).unwrap_or_default();
                difference(adopted, members, group, signed)
            }
            _ => Some("its entry is of no group".to_owned()),
        };
        difference.map_or(Ok(()), |what| {
            let what = format!("{taken} is pinned already, and not from this bundle: {what}");
            let hint = match own.is_empty() || is_foreign {
                true => "remove its entry from the lock file to take the signed model instead, or name another --lock",
                false => "`ballast adopt --refresh --signed …` replaces the files of the group, or name another --lock",
            };
            Err(Failure::new(Exit::PinMismatch, what).hint(hint))
        })
    }
}

/// The first part in which a group is not as it would be written now.
fn difference(there: &Group, members: &[Weight], group: &Grouped, signed: SignedBy) -> Option<String> {
    // The lock file is what was expected; the bundle is what was found.
    let other = |what: &str, found: &str, pinned: &str| {
        (found != pinned).then(|| format!("{what} differs\n  expected {pinned}\n  found    {found}"))
    };
    let dir = if group.dir.is_empty() { "." } else { group.dir };
    let path = || other("the group's path", dir, there.name());
    let Some(by) = &there.signed else {
        return path().or_else(|| Some("its group has no `signed`".to_owned()));
    };
    let digest =
        |what: &str, found: &dyn ToString, pinned: &dyn ToString| other(what, &found.to_string(), &pinned.to_string());
    let lines = lines_of(group);
    let pins = members.iter().map(|member| {
        let size = member.size.map_or_else(|| "-".to_owned(), |size| size.to_string());
        format!("{} {size} {}", member.sha256, there.within(&member.path))
    });
    let pin = || {
        let mut pins = pins.clone();
        let differs = lines.lines().find_map(|line| other("a pin", line, &pins.next().unwrap_or_default()));
        differs.or_else(|| other("a pin", "no more files", &pins.next().unwrap_or_else(|| "no more files".into())))
    };
    path()
        .or_else(|| other("the method", signed.method, &by.method))
        .or_else(|| digest("the signer", &signed.signer, &by.signer))
        .or_else(|| digest("the bundle", &signed.bundle, &by.bundle))
        .or_else(pin)
        .or_else(|| digest("the text of the group's lines", &Measured::of(lines.as_bytes()).digest, &there.sha256))
}
