//! Dropping privilege, proving that it is gone, and becoming the command.
//!
//! The types force the order: [`exec()`] takes a [`Dropped`], and only [`drop_to`] and [`stay`]
//! make one, after the proof: the ids and groups are the target's, uid 0 can't be regained, and the
//! permitted, effective, inheritable and ambient capability sets are empty (the bounding set too,
//! with SETPCAP). Root's session keyring stays behind. If `--user` names root, the process stays
//! root, with its capabilities, and [`Dropped::is_root`] reports that. Ids change in every thread
//! of the process; capabilities in the calling one, which is the one to call [`exec()`].
//!
//! Touches this process's credentials, descriptors and signal state, and `/proc/self` to read.

use std::fmt;
use std::io;
use std::path::PathBuf;

use nix::errno::Errno;
use nix::unistd::{self, Gid, Uid};

use crate::user::Account;

mod caps;
mod dropped;
mod error;
mod exec;
mod keyring;
mod received;

pub use caps::{CapSets, capabilities};
pub use dropped::Dropped;
pub use error::{Kind, LaunchError};
pub use exec::{ExecOptions, exec};
pub use received::{prepare, receive};

/// How to drop.
#[derive(Debug, Clone, Copy, Default)]
pub struct DropOptions {
    /// Set no_new_privs; otherwise it is kept as found.
    pub no_new_privs: bool,
}

/// Returns whether exec can no longer give privilege to this thread.
pub fn no_new_privs() -> bool {
    rustix::thread::no_new_privs().unwrap_or(false)
}

/// Becomes the target in every thread, and proves it. The command's HOME will be the target's.
pub fn drop_to(target: &Account, options: &DropOptions) -> Result<Dropped, LaunchError> {
    let caps = capabilities();
    let ids = ProcessIds::now(target)?;
    if !ids.are(target) || !same_groups(target, &ids.groups) {
        refuse_the_impossible(target, &ids, &caps)?;
    }
    if target.uid != 0 && !ids.are(target) {
        keyring::leave().map_err(|error| keyring_kept(target, &error))?;
    }
    if target.uid != 0 && caps.has(CapSets::SETPCAP) {
        caps::clear_bounding().map_err(|errno| not_proven(target, "an empty bounding set", &errno))?;
    }
    if !ids.are(target) || ids.groups != target.groups {
        become_target(target, &ids, &caps)?;
    }
    finish(target, options)?;
    Ok(Dropped { uid: target.uid, home: Some(target.home.clone()) })
}

/// Keeps the process's ids, with the same proof. HOME stays unchanged.
pub fn stay(options: &DropOptions) -> Result<Dropped, LaunchError> {
    let groups = rustix::process::getgroups().unwrap_or_default();
    let account = Account {
        uid: unistd::geteuid().as_raw(),
        gid: unistd::getegid().as_raw(),
        groups: groups.into_iter().map(rustix::process::Gid::as_raw).collect(),
        home: PathBuf::new(),
        name: None,
    };
    let dropped = drop_to(&account, options)?;
    Ok(Dropped { home: None, ..dropped })
}

/// The six ids and the groups of this process.
struct ProcessIds {
    uids: [u32; 3],
    gids: [u32; 3],
    groups: Vec<u32>,
}

impl ProcessIds {
    fn read() -> nix::Result<Self> {
        let (user, group) = (unistd::getresuid()?, unistd::getresgid()?);
        let groups = rustix::process::getgroups().map_err(|errno| Errno::from_raw(errno.raw_os_error()))?;
        Ok(Self {
            uids: [user.real, user.effective, user.saved].map(Uid::as_raw),
            gids: [group.real, group.effective, group.saved].map(Gid::as_raw),
            groups: groups.into_iter().map(rustix::process::Gid::as_raw).collect(),
        })
    }

    fn now(target: &Account) -> Result<Self, LaunchError> {
        Self::read().map_err(|errno| not_proven(target, "ids that can be read", &errno))
    }

    fn are(&self, target: &Account) -> bool {
        self.uids == [target.uid; 3] && self.gids == [target.gid; 3]
    }
}

/// Returns whether these groups are the target's; the primary group need not be listed.
fn same_groups(target: &Account, groups: &[u32]) -> bool {
    let with_primary = |groups: &[u32]| {
        let mut all = [groups, &[target.gid]].concat();
        all.sort_unstable();
        all.dedup();
        all
    };
    with_primary(groups) == with_primary(&target.groups)
}

/// Fails before any change if a needed capability is absent.
fn refuse_the_impossible(target: &Account, ids: &ProcessIds, caps: &CapSets) -> Result<(), LaunchError> {
    let uid_possible = ids.uids == [target.uid; 3] || caps.has(CapSets::SETUID);
    let groups_right = ids.gids == [target.gid; 3] && same_groups(target, &ids.groups);
    if uid_possible && (groups_right || caps.has(CapSets::SETGID)) {
        return Ok(());
    }
    let [_, uid, _] = ids.uids;
    let [_, gid, _] = ids.gids;
    let found = format!(
        "uid {uid}, gid {gid}, groups {:?}, {}",
        ids.groups,
        capabilities_text(caps.has(CapSets::SETUID), caps.has(CapSets::SETGID))
    );
    Err(cannot_drop(target, caps, found))
}

fn capabilities_text(setuid: bool, setgid: bool) -> &'static str {
    match (setuid, setgid) {
        (true, true) => "with SETUID and SETGID",
        (true, false) => "with SETUID, without SETGID",
        (false, true) => "with SETGID, without SETUID",
        (false, false) => "without SETUID and SETGID",
    }
}

/// Changes groups first and the user last: the change of the user removes the right to change groups.
fn become_target(target: &Account, ids: &ProcessIds, caps: &CapSets) -> Result<(), LaunchError> {
    let refused = |call: &str, errno: Errno| cannot_drop(target, caps, format!("{call}: {}", io::Error::from(errno)));
    let groups: Vec<Gid> = target.groups.iter().copied().map(Gid::from_raw).collect();
    match unistd::setgroups(&groups) {
        Ok(()) => {}
        Err(Errno::EPERM) if same_groups(target, &ids.groups) => {}
        Err(Errno::EPERM) if groups_denied() => return Err(denied(target, &ids.groups)),
        Err(errno) => return Err(refused("setgroups", errno)),
    }
    let (uid, gid) = (Uid::from_raw(target.uid), Gid::from_raw(target.gid));
    unistd::setresgid(gid, gid, gid).map_err(|errno| refused("setresgid", errno))?;
    unistd::setresuid(uid, uid, uid).map_err(|errno| refused("setresuid", errno))
}

fn groups_denied() -> bool {
    std::fs::read("/proc/self/setgroups").is_ok_and(|word| word.starts_with(b"deny"))
}

fn finish(target: &Account, options: &DropOptions) -> Result<(), LaunchError> {
    if target.uid != 0 {
        caps::clear().map_err(|errno| not_proven(target, "no capability left", &errno))?;
    }
    if options.no_new_privs {
        rustix::thread::set_no_new_privs(true).map_err(|errno| no_new_privs_refused(&errno))?;
    }
    prove(target)
}

fn prove(target: &Account) -> Result<(), LaunchError> {
    let ids = ProcessIds::now(target)?;
    if !ids.are(target) || !same_groups(target, &ids.groups) {
        let found = format!("uids {:?}, gids {:?}, groups {:?}", ids.uids, ids.gids, ids.groups);
        return Err(not_proven(target, "its ids and groups", &found));
    }
    if target.uid == 0 {
        return Ok(());
    }
    let root = Uid::from_raw(0);
    if unistd::setresuid(root, root, root).is_ok() {
        return Err(not_proven(target, "no way back to uid 0", &"uid 0 again"));
    }
    match CapSets::read() {
        Ok(caps) if caps.none() => Ok(()),
        Ok(caps) => Err(not_proven(target, "no capability left", &format!("{caps:x?}"))),
        Err(errno) => Err(not_proven(target, "no capability left", &errno)),
    }
}

fn label(target: &Account) -> String {
    format!("{}:{}", target.uid, target.gid)
}

fn cannot_drop(target: &Account, caps: &CapSets, found: String) -> LaunchError {
    let kind = Kind::CannotDrop { have_setuid: caps.has(CapSets::SETUID), have_setgid: caps.has(CapSets::SETGID) };
    let who = label(target);
    let hint = format!("start as the user itself with user: \"{who}\", or add cap_add: [CHOWN, SETUID, SETGID]");
    let expected = format!("to be it already, groups {:?}, or SETUID and SETGID", target.groups);
    LaunchError::new(kind, "cannot become", who, &expected, found, hint)
}

fn denied(target: &Account, groups: &[u32]) -> LaunchError {
    let hint = "map the groups into the namespace with newgidmap, or start as the user itself";
    LaunchError::new(
        Kind::GroupsDenied,
        "cannot set the groups of",
        label(target),
        &format!("groups {:?}, or a user namespace that allows setgroups", target.groups),
        format!("groups {groups:?} and setgroups denied"),
        hint.into(),
    )
}

fn not_proven(target: &Account, expected: &str, found: &dyn fmt::Display) -> LaunchError {
    let hint = "nothing was started; report this with the kernel's version".into();
    LaunchError::new(Kind::NotProven, "cannot prove the drop to", label(target), expected, found.to_string(), hint)
}

fn keyring_kept(target: &Account, error: &io::Error) -> LaunchError {
    LaunchError::new(
        Kind::NotProven,
        "cannot leave the session keyring before the drop to",
        label(target),
        "a new, empty session keyring",
        error.to_string(),
        "root has no room for one more key: raise kernel.keys.root_maxkeys and kernel.keys.root_maxbytes".into(),
    )
}

fn no_new_privs_refused(errno: &dyn fmt::Display) -> LaunchError {
    LaunchError::new(
        Kind::NoNewPrivs,
        "cannot set",
        "no_new_privs".into(),
        "a kernel that allows it",
        errno.to_string(),
        "leave --no-new-privs out, or set security_opt: [no-new-privileges:true]".into(),
    )
}
