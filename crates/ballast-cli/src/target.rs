//! Decides which user the command runs as, from which user the weights are protected, and to whom the files of an image
//! belong. Reads account files.

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
    let account = resolve().map_err(|problem| match explicit {
        true => Failure::new(Exit::Usage, problem.to_string()).hint(problem.hint),
        false => of_lock(&problem, setting, "--user"),
    })?;
    Ok(Some((account, explicit)))
}

/// The owner that the lock file gives to the files of an image: the same wherever the image is built. A name has a
/// number only in the account file of the image that is to run, so the files of a name belong to root, and `note` is the
/// remark about that.
///
/// # Errors
/// [`Exit::Usage`] if the owner is invalid.
#[cfg(feature = "full")]
pub fn file_owner(setting: &Setting) -> Result<Option<FileOwner>, Failure> {
    let Some(text) = setting.lock.store.owner.as_deref() else { return Ok(None) };
    let spec = text.parse::<UserSpec>().map_err(|problem| of_lock(&problem, setting, "--owner"))?;
    let ids = spec.numbers();
    let note = ids.is_none().then(|| {
        format!(
            "owner {text:?} of {} is a name, which has a number only in the image that runs: the files belong to root, \
             and every user can read them; --owner UID:GID names another owner",
            setting.lock_path.display()
        )
    });
    Ok(Some(FileOwner { ids: ids.unwrap_or(Ids { uid: 0, gid: 0 }), note }))
}

/// To whom the files of an image belong.
#[cfg(feature = "full")]
pub struct FileOwner {
    /// In numbers.
    pub ids: Ids,
    /// Why it is root, if the lock file has a name.
    pub note: Option<String>,
}

/// A failure about the lock file's owner, with the option that replaces the owner.
fn of_lock(problem: &Problem, setting: &Setting, option: &str) -> Failure {
    let what = format!("{}: owner under [store]: {problem}", setting.lock_path.display());
    Failure::new(Exit::Usage, what).hint(format!("{}; `{option} UID:GID` replaces the owner", problem.hint))
}
