//! The facts about a container that the rules need, from compose or Kubernetes, each with its line.

/// A value with its line in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct At<T> {
    /// From 1.
    pub line: usize,
    /// The value.
    pub value: T,
}

/// The format of the file, and so of a fix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Platform {
    /// A compose file.
    Compose,
    /// A Kubernetes manifest.
    Kubernetes,
}

/// A container.
#[derive(Debug, Clone)]
pub struct Service {
    /// The format of the file.
    pub platform: Platform,
    /// The name.
    pub name: String,
    /// The line where the container begins.
    pub line: usize,
    /// The image; `None` if the file builds it.
    pub image: Option<At<String>>,
    /// The user at the start; `None` means the image's own user.
    pub user: Option<At<UserField>>,
    /// Whether the root file system is read-only.
    pub read_only_root: bool,
    /// The capabilities.
    pub caps: Capabilities,
    /// Whether `no_new_privs` is set, so that exec gives no privilege.
    pub no_new_privs: bool,
    /// The mounts.
    pub mounts: Vec<Mount>,
    /// The limit of memory, in bytes.
    pub memory: Option<At<u64>>,
    /// The environment.
    pub env: Vec<Variable>,
    /// Whether other files add variables.
    pub env_elsewhere: bool,
    /// The words that replace the image's entrypoint.
    pub entry: Option<At<Vec<String>>>,
    /// The arguments.
    pub args: Option<At<Vec<String>>>,
    /// How health is checked.
    pub health: Option<At<Health>>,
    /// The time that the app may be unhealthy at the start before it counts as failed, in seconds.
    pub health_budget: Option<u64>,
    /// The time that one health check may take, in seconds.
    pub health_timeout: Option<u64>,
    /// The probe that decides on a restart.
    pub liveness: Option<At<Health>>,
    /// The time limits of the start: each with its key, line and seconds.
    pub start_budgets: Vec<At<(&'static str, u64)>>,
    /// The limit on bytes of the container's file system and its emptyDirs.
    pub ephemeral: Option<At<u64>>,
    /// Whether this is an init container, which ends before the app starts.
    pub init: bool,
    /// Whether the container is a job that ends, which needs no health check.
    pub ends: bool,
    /// The group that the kubelet gives volumes to.
    pub fs_group: Option<u32>,
    /// The line that forbids a start as root, if the user is root or unknown.
    pub non_root: Option<usize>,
    /// Keys that refer to other files, which are not read.
    pub elsewhere: Vec<At<String>>,
    /// Keys that are not read.
    pub unread: Vec<At<String>>,
}

/// The user in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserField {
    /// The uid, if the file contains a number.
    pub uid: Option<u32>,
    /// The gid, if the file contains a number.
    pub gid: Option<u32>,
    /// Whether the user or the group is a name.
    pub named: bool,
    /// The field's text, if it is known.
    pub text: Option<String>,
}

/// The capabilities in the file, without `CAP_`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// The dropped capabilities.
    pub drop: Vec<At<String>>,
    /// The added capabilities.
    pub add: Vec<At<String>>,
    /// The line of `privileged: true`, which adds every capability.
    pub privileged: Option<usize>,
}

/// The capabilities that engines grant by default.
const DEFAULT: [&str; 14] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "NET_RAW",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

impl Capabilities {
    /// Returns whether root would have this capability.
    pub fn holds(&self, name: &str) -> bool {
        let has = |list: &[At<String>], name: &str| list.iter().any(|cap| cap.value == name);
        let kept = DEFAULT.contains(&name) && !has(&self.drop, name) && !has(&self.drop, "ALL");
        self.privileged.is_some() || has(&self.add, name) || (has(&self.add, "ALL") && !has(&self.drop, name)) || kept
    }

    /// Returns the line that drops every capability.
    pub fn drops_all(&self) -> Option<usize> {
        self.drop.iter().find(|cap| cap.value == "ALL").map(|cap| cap.line)
    }
}

/// A mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// The line of the mount.
    pub line: usize,
    /// The directory in the container.
    pub target: String,
    /// What is mounted.
    pub kind: MountKind,
    /// Whether the mount is read-only.
    pub read_only: bool,
    /// Whether an init container with Ballast fills the volume.
    pub filled: bool,
}

/// The kind of a mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MountKind {
    /// An engine's volume.
    Volume {
        /// Whether a new volume does not get the image's content and owner.
        no_copy: bool,
        /// The size in bytes, if the file limits it.
        size: Option<At<u64>>,
    },
    /// A directory of the host.
    Host,
    /// A claim, or another volume that outlives the pod.
    Claim {
        /// Whether only a subdirectory is mounted.
        sub_path: bool,
        /// The requested bytes, if the file contains them.
        size: Option<At<u64>>,
    },
    /// A file system in memory.
    Memory {
        /// The size in bytes.
        size: Option<u64>,
        /// The mode of the root directory.
        mode: Option<u32>,
        /// The owner of the root directory.
        uid: Option<u32>,
    },
    /// An emptyDir on disk, which exists as long as the pod.
    Scratch {
        /// The bytes above which the pod is evicted.
        limit: Option<u64>,
    },
    /// The files of an image, for example a layer of weights.
    Image {
        /// The image.
        reference: At<String>,
    },
    /// Configuration and secrets.
    Config,
}

/// A variable of the container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// The line of the variable.
    pub line: usize,
    /// The name.
    pub name: String,
    /// The value, if the file shows it.
    pub value: Option<String>,
    /// The variable of the operator's environment without which this value is empty.
    pub empty_without: Option<String>,
}

/// How health is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// Health is not checked.
    Disabled,
    /// The image's own check; the file changes only its times.
    OfImage,
    /// A command.
    Command(String),
    /// A request to this path, or a connection.
    Request(String),
}

impl Service {
    /// Returns whether the container starts as root: the file names root, or names no user and does not forbid root.
    pub fn starts_as_root(&self) -> bool {
        self.user.as_ref().map_or(self.non_root.is_none(), |user| user.value.uid == Some(0))
    }

    /// Returns the entrypoint in the file if neither it nor the arguments run ballast.
    pub fn bypasses(&self) -> Option<&At<Vec<String>>> {
        self.entry.as_ref().filter(|_| !self.words().any(is_ballast))
    }

    /// Returns a variable by name.
    pub fn variable(&self, name: &str) -> Option<&Variable> {
        self.env.iter().find(|variable| variable.name == name)
    }

    /// Returns the nearest mount at or above a path.
    pub fn over(&self, path: &str) -> Option<&Mount> {
        let above = self.mounts.iter().filter(|mount| is_below(path, &mount.target));
        above.max_by_key(|mount| mount.target.trim_end_matches('/').len())
    }

    /// Returns the words of entrypoint and arguments.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        let entry = self.entry.iter().chain(&self.args);
        entry.flat_map(|at| &at.value).flat_map(|word| word.split_whitespace())
    }
}

/// Returns whether a word is the path or the name of this program.
pub fn is_ballast(word: &str) -> bool {
    word.trim_matches(['"', '\'']).rsplit('/').next() == Some("ballast")
}

/// Returns whether a path is `dir` or lies below it.
pub fn is_below(path: &str, dir: &str) -> bool {
    let (path, dir) = (path.trim_end_matches('/'), dir.trim_end_matches('/'));
    path.strip_prefix(dir).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
