//! The seal uses Landlock, so that even the owner of a verified weight can't change it before it is
//! loaded.
//!
//! A Landlock ruleset lists what is allowed, so the seal allows every entry beside the weights'
//! paths, and not the paths themselves. The app loses no right only if it could not write those
//! directories before. The seal binds this process tree, not another replica, and covers neither
//! chmod nor chown.

use std::fs;
use std::path::{Path, PathBuf};

use crate::boot::plan::Ids;
use crate::boot::protection;
use ballast::disk::Stat;
use landlock::{
    ABI, AccessFs, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreatedAttr,
};

use crate::bounds::SEAL_ENTRIES;
use crate::{facts, launch};

/// The oldest Landlock version that also forbids truncation.
const NEEDED: ABI = ABI::V3;

/// The reason why the weights are not sealed.
pub type Unsealed = String;

/// Seals these weights for this process and its descendants.
///
/// # Errors
/// The reason, and what is needed.
pub fn seal(weights: &[PathBuf], app: Ids, groups: &[u32]) -> Result<(), Unsealed> {
    if weights.is_empty() {
        return Err("no weight to seal".into());
    }
    if !launch::no_new_privs() {
        return Err("it needs no_new_privs (`security_opt: [no-new-privileges:true]`, or --no-new-privs)".into());
    }
    if let Some(dir) = weights.iter().find_map(|weight| loose_ancestor(weight, app, groups)) {
        return Err(format!(
            "uid {} can write {}, and a seal there would stop the app's own work",
            app.uid,
            dir.display()
        ));
    }
    let beside = beside(weights).ok_or_else(|| format!("more than {SEAL_ENTRIES} names lie beside the weights"))?;
    restrict(beside).map_err(|error| format!("the kernel's Landlock is too old or off ({error})"))
}

fn loose_ancestor(weight: &Path, app: Ids, groups: &[u32]) -> Option<PathBuf> {
    let loose = |dir: &&Path| facts::reach(dir).is_none_or(|stat: Stat| protection::writable(&stat, app, groups));
    weight.ancestors().skip(1).find(loose).map(Path::to_owned)
}

fn restrict(beside: Vec<PathBuf>) -> Result<(), Box<dyn std::error::Error>> {
    let writes = AccessFs::from_write(NEEDED);
    let mut ruleset =
        Ruleset::default().set_compatibility(CompatLevel::HardRequirement).handle_access(writes)?.create()?;
    for path in beside {
        // A name that was removed, or that the app can't open, needs no rule.
        let Ok(opened) = PathFd::new(&path) else { continue };
        let rights = if path.is_dir() { writes } else { writes & AccessFs::from_file(NEEDED) };
        if rights != BitFlags::EMPTY {
            ruleset = ruleset.add_rule(PathBeneath::new(opened, rights))?;
        }
    }
    ruleset.restrict_self()?;
    Ok(())
}

/// Every entry beside the paths to the weights, from `/` down; none if there are too many.
fn beside(weights: &[PathBuf]) -> Option<Vec<PathBuf>> {
    let mut on_path: Vec<&Path> = weights.iter().flat_map(|weight| weight.ancestors()).collect();
    on_path.sort_unstable();
    on_path.dedup();
    let dirs = on_path.iter().filter(|path| !weights.iter().any(|weight| weight == **path));
    let entries = dirs.flat_map(|dir| fs::read_dir(dir).into_iter().flatten().flatten());
    let beside = entries.map(|entry| entry.path()).filter(|path| on_path.binary_search(&path.as_path()).is_err());
    let beside: Vec<_> = beside.take(SEAL_ENTRIES + 1).collect();
    Some(beside).filter(|beside| beside.len() <= SEAL_ENTRIES)
}
