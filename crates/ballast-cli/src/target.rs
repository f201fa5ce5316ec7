//! Decides which user the command runs as, and from which user the weights are protected. Reads
//! account files.

use crate::boot::plan::{self, App, Ids};
use crate::exit::{Exit, Failure};
use crate::facts;
use crate::setting::Setting;
use crate::user::{Account, Accounts, Problem, UserSpec};

/// The facts of an account for the plan.
pub fn app(account: &Account, explicit: bool) -> App {
    let ids = Ids { uid: account.uid, gid: account.gid };
    App { ids, explicit, mapped: facts::mapped(ids) }
}

/// The user that the weights are protected from, with groups: the app, or this process if the platform chose another
/// user than the lock file's owner.
pub fn guarded(account: Option<&Account>, app: Option<App>) -> (Ids, Vec<u32>) {
    let who = facts::who();
    let becomes = plan::becomes(&who, app).unwrap_or(app.map(|app| app.ids));
    match (becomes.or_else(|| app.map(|app| app.ids).filter(|ids| *ids == who.ids)), account) {
        (Some(ids), Some(account)) => (ids, account.groups.clone()),
        _ => (who.ids, who.groups),
    }
}

/// The user that the command runs as, and whether the command line names the user.
///
/// # Errors
/// [`Exit::Usage`] if the user is invalid or in no account file.
pub fn target(user: Option<&str>, setting: &Setting) -> Result<Option<(Account, bool)>, Failure> {
    let explicit = user.is_some();
    let Some(text) = user.or(setting.lock.store.owner.as_deref()) else {
        return Ok(None);
    };
    let resolve = || -> Result<Account, Problem> {
        let spec = text.parse::<UserSpec>()?;
        Accounts::read_for(&spec)?.resolve(&spec, facts::ids().gid)
    };
    let account = resolve().map_err(|problem| {
        let failure = Failure::new(Exit::Usage, problem.to_string());
        if problem.hint.is_empty() { failure } else { failure.hint(problem.hint) }
    })?;
    Ok(Some((account, explicit)))
}
