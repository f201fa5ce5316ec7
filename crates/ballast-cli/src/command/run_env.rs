//! Collects the facts for [`crate::app_env`]: this process's environment, and whether the lock file
//! is trusted.

use std::ffi::OsString;

use crate::boot::plan::Ids;

use crate::app_env::{AppEnv, EnvFacts, decide};
use crate::exit::{Exit, Failure};
use crate::report::Report;
use crate::setting::Setting;
use crate::write_access::WriteAccess;

/// The command's environment after this boot.
pub fn of(setting: &Setting, report: &Report, guarded: Ids, groups: &[u32], command: &[OsString]) -> AppEnv {
    let text = |word: OsString| word.into_string().ok();
    let env: Vec<_> = std::env::vars_os().filter_map(|(name, value)| Some((text(name)?, text(value)?))).collect();
    // If the command runs as root, root counts as the operator, since it can write everything.
    let believed = guarded.uid == 0 || WriteAccess::new(guarded, groups).is_trusted(&setting.lock_path);
    let dir = std::env::current_dir().ok();
    decide(&EnvFacts {
        lock: &setting.lock,
        believed,
        store: &setting.store,
        served: report.served.as_ref().map(|served| served.root.as_path()),
        env: &env,
        command,
        dir: dir.as_deref(),
    })
}

/// Fails if the app would read required weights that were not verified.
///
/// # Errors
/// [`Exit::WeightsMissing`], with what leads there.
pub fn verdict(found: &AppEnv) -> Result<(), Failure> {
    if found.astray.is_empty() {
        return Ok(());
    }
    Err(Failure::new(Exit::WeightsMissing, found.astray.join("\n")).hint(
        "point it at the verified weights by the store's variable (env under [store]) or a view (views), or make the cache writable, so that it can be healed",
    ))
}
