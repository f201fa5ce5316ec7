//! Turns facts into a plan: one pure function, without a call to the kernel.
//!
//! A plan is an order of attempts, not a promise: the kernel may still refuse a call that the facts
//! allow. In that case the boot makes the next attempt, and the report names the refusal.

use serde::Serialize;

/// A user and a group, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Ids {
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

/// The capabilities that matter here, in the effective set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "one bit per capability, as the kernel has it")]
pub struct Caps {
    /// CAP_CHOWN.
    pub chown: bool,
    /// CAP_DAC_OVERRIDE.
    pub dac_override: bool,
    /// CAP_FOWNER.
    pub fowner: bool,
    /// CAP_SETUID.
    pub setuid: bool,
    /// CAP_SETGID.
    pub setgid: bool,
}

/// Who this process is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Who {
    /// Effective user and group.
    pub ids: Ids,
    /// Supplementary groups.
    pub groups: Vec<u32>,
    /// Effective capabilities.
    pub caps: Caps,
    /// Whether `no_new_privs` is set.
    pub no_new_privs: bool,
}

/// The app that the command will run as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct App {
    /// Its user and group.
    pub ids: Ids,
    /// Whether the command line sets the user; then no other user replaces it.
    pub explicit: bool,
    /// Whether the user and the group exist in this user namespace.
    pub mapped: bool,
}

/// How long a file system keeps its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fs {
    /// The file system is on a disk or a network.
    Durable,
    /// In memory: tmpfs and ramfs.
    Memory,
    /// A container's writable layer, which is removed with the container.
    Overlay,
}

/// The cache that the app would read first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum Volume {
    /// No such directory; its nearest ancestor is on this kind of file system.
    Absent {
        /// The ancestor's file system.
        fs: Fs,
    },
    /// Not a directory, or one that can't be opened: the errno.
    Unusable {
        /// The kernel's answer.
        errno: i32,
    },
    /// A directory.
    Present(VolumeFacts),
}

/// Facts of a cache that exists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VolumeFacts {
    /// Owner of its root.
    pub owner: Ids,
    /// Permission bits of its root.
    pub mode: u32,
    /// Its file system.
    pub fs: Fs,
    /// Whether it is mounted read-only.
    pub read_only: bool,
    /// Whether a file system is mounted at the cache's root.
    pub mount_point: bool,
    /// Free bytes, if known.
    pub free: Option<u64>,
}

/// All facts that a plan depends on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Facts {
    /// This process.
    pub who: Who,
    /// The app, if a user is named.
    pub app: Option<App>,
    /// The app's supplementary groups.
    pub app_groups: Vec<u32>,
    /// The cache.
    pub volume: Volume,
    /// Whether the image has a layer of baked weights.
    pub baked: bool,
    /// Whether a variable can point the app at the baked layer.
    pub can_repoint: bool,
    /// Bytes of all weights whose sizes are known.
    pub bytes: u64,
    /// The memory limit of this container, if the cache lies in memory.
    pub memory_limit: Option<u64>,
}

/// Who owns healed weights: `--hold`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CacheOwner {
    /// The app, which owns the volume's root too.
    App,
    /// Root, in root-owned sticky directories.
    Root,
}

/// The order of attempts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The new owner of the cache's root, set before the drop; `None` if it stays.
    pub hand_over: Option<Ids>,
    /// The user to become; `None` if the user stays.
    pub drop_to: Option<Ids>,
    /// The places to serve from, in order.
    pub serve: Vec<Serve>,
}

/// One way to serve the weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Serve {
    /// As root, before the privilege drop: take ownership of the cache's root, then verify and repair.
    #[serde(rename = "keep-volume")]
    RootOwnedVolume,
    /// Verify the cache and repair what is wrong.
    HealVolume,
    /// Verify the cache and leave it as it is.
    VerifyVolume,
    /// Point the app at the image's own layer.
    Baked,
}

/// The reason why no correct start exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// Root without the capabilities to become another user.
    CannotDrop {
        /// Whom to become.
        to: Ids,
    },
    /// A plain user can't become another one.
    CannotBecome {
        /// Whom to become.
        to: Ids,
    },
    /// The user namespace of this process has no such user or group.
    NotMapped {
        /// Whom to become.
        to: Ids,
    },
}

/// Decides the plan. `plan_tests.rs` has the truth table.
///
/// # Errors
/// [`Refusal`] if no correct start exists: the command must not run as root instead.
pub fn plan(facts: &Facts, owner: CacheOwner) -> Result<Plan, Refusal> {
    let drop_to = becomes(&facts.who, facts.app)?;
    let hand = drop_to.unwrap_or(facts.who.ids);
    let lasting = writable_volume(facts).is_some_and(|volume| lasting(volume, facts));
    let app = drop_to.is_some_and(|to| to.uid != 0);
    if owner == CacheOwner::Root && facts.who.ids.uid == 0 && app && lasting {
        return Ok(Plan { hand_over: None, drop_to, serve: keep(facts) });
    }
    Ok(Plan { hand_over: drop_to.and(hand_over(facts, hand)), drop_to, serve: serve(facts) })
}

/// The user that this process becomes; `None` if the user stays.
///
/// # Errors
/// [`Refusal`] if no correct start exists.
pub fn becomes(who: &Who, app: Option<App>) -> Result<Option<Ids>, Refusal> {
    let Some(app) = app else { return Ok(None) };
    let caps = who.caps;
    if app.ids == who.ids {
        // The ids are right already. The groups may differ, and stay if they can't be changed.
        return Ok((app.explicit && caps.setuid && caps.setgid).then_some(app.ids));
    }
    let root = who.ids.uid == 0;
    if !app.mapped && (root || app.explicit) {
        return Err(Refusal::NotMapped { to: app.ids });
    }
    match (root, caps.setuid && caps.setgid && app.mapped) {
        (_, true) => Ok(Some(app.ids)),
        (true, false) => Err(Refusal::CannotDrop { to: app.ids }),
        (false, false) if app.explicit => Err(Refusal::CannotBecome { to: app.ids }),
        // The platform chose this uid: it has priority over the lock file's owner.
        (false, false) => Ok(None),
    }
}

fn writable_volume(facts: &Facts) -> Option<&VolumeFacts> {
    match &facts.volume {
        Volume::Present(volume) if !volume.read_only => Some(volume),
        _ => None,
    }
}

fn hand_over(facts: &Facts, hand: Ids) -> Option<Ids> {
    let volume = writable_volume(facts)?;
    (lasting(volume, facts) && !may_write(volume, hand, &facts.app_groups)).then_some(hand)
}

/// Decides by permission bits alone, not by access lists. A volume of a group that the app is in
/// (Kubernetes' fsGroup) is writable, so it stays unchanged.
fn may_write(volume: &VolumeFacts, hand: Ids, groups: &[u32]) -> bool {
    let shift = if volume.owner.uid == hand.uid {
        6
    } else if volume.owner.gid == hand.gid || groups.contains(&volume.owner.gid) {
        3
    } else {
        0
    };
    volume.mode >> shift & 0o3 == 0o3
}

/// A copy is made only if it outlives this container and fits.
fn lasting(volume: &VolumeFacts, facts: &Facts) -> bool {
    match volume.fs {
        Fs::Durable => true,
        Fs::Overlay => volume.mount_point,
        Fs::Memory => volume.mount_point && fits(facts),
    }
}

/// The weights may take half the limit: the app needs memory too.
fn fits(facts: &Facts) -> bool {
    facts.memory_limit.is_none_or(|limit| facts.bytes <= limit / 2)
}

/// Root owns the cache, or the layer serves: a cache that the app can change is no alternative.
fn keep(facts: &Facts) -> Vec<Serve> {
    std::iter::once(Serve::RootOwnedVolume).chain(baked(facts)).collect()
}

fn baked(facts: &Facts) -> Option<Serve> {
    (facts.baked && facts.can_repoint).then_some(Serve::Baked)
}

fn serve(facts: &Facts) -> Vec<Serve> {
    let baked = baked(facts);
    let (first, baked_first) = match &facts.volume {
        Volume::Present(volume) if volume.read_only => (Some(Serve::VerifyVolume), false),
        Volume::Present(volume) if lasting(volume, facts) => (Some(Serve::HealVolume), false),
        Volume::Present(volume) if volume.fs == Fs::Memory && !fits(facts) => (Some(Serve::VerifyVolume), true),
        Volume::Absent { fs: Fs::Durable } => (Some(Serve::HealVolume), false),
        Volume::Absent { fs: Fs::Memory } if !fits(facts) => (None, true),
        Volume::Present(_) | Volume::Absent { .. } => (Some(Serve::HealVolume), true),
        Volume::Unusable { .. } => (None, true),
    };
    let order = if baked_first { [baked, first] } else { [first, baked] };
    order.into_iter().flatten().collect()
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
