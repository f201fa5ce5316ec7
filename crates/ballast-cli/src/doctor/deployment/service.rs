//! A service as the rules see it: what compose and Kubernetes have in common, each fact with the
//! line that says so. Pure values.

/// A value and its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct At<T> {
    /// From 1.
    pub line: usize,
    /// What is written there.
    pub value: T,
}

/// Which dialect a fix must be written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Platform {
    /// A compose file.
    Compose,
    /// A Kubernetes manifest.
    Kubernetes,
}

/// One container.
#[derive(Debug, Clone)]
pub struct Service {
    /// The dialect.
    pub platform: Platform,
    /// Its name.
    pub name: String,
    /// Where it begins.
    pub line: usize,
    /// The image; `None` when it is built here.
    pub image: Option<At<String>>,
    /// Who starts; `None` is the image's own user.
    pub user: Option<At<UserField>>,
    /// Whether the root file system is read-only.
    pub read_only_root: bool,
    /// Capabilities.
    pub caps: Capabilities,
    /// Whether exec can give privilege.
    pub no_new_privs: bool,
    /// What is mounted.
    pub mounts: Vec<Mount>,
    /// The memory limit in bytes.
    pub memory: Option<At<u64>>,
    /// The environment.
    pub env: Vec<Variable>,
    /// Whether more of it comes from elsewhere.
    pub env_elsewhere: bool,
    /// What replaces the image's entrypoint.
    pub entry: Option<At<Vec<String>>>,
    /// The arguments.
    pub args: Option<At<Vec<String>>>,
    /// How health is checked.
    pub health: Option<At<Health>>,
    /// How long that check gives the app before it counts as failed, in seconds.
    pub health_budget: Option<u64>,
    /// How long one such check may take, in seconds.
    pub health_timeout: Option<u64>,
    /// What decides that it is started anew.
    pub liveness: Option<At<Health>>,
    /// How long the app may take before it is ended: the key that says so, its line, the seconds.
    pub start_budgets: Vec<At<(&'static str, u64)>>,
    /// Bytes of the container's own file system and its emptyDirs.
    pub ephemeral: Option<At<u64>>,
    /// Whether it ends before the app starts.
    pub init: bool,
    /// Whether it is work that ends, which has no health.
    pub ends: bool,
    /// The group that volumes are given to.
    pub fs_group: Option<u32>,
    /// Where a start as root is forbidden.
    pub non_root: Option<usize>,
    /// Keys whose files are not followed.
    pub elsewhere: Vec<At<String>>,
    /// Keys that are not read.
    pub unread: Vec<At<String>>,
}

/// A user as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserField {
    /// The number, if it is one.
    pub uid: Option<u32>,
    /// The group's number, if it is one.
    pub gid: Option<u32>,
    /// Whether a part is a name.
    pub named: bool,
}

impl UserField {
    /// `UID` or `UID:GID`, where it is numbers.
    pub fn words(&self) -> Option<String> {
        let uid = self.uid.filter(|_| !self.named)?;
        Some(self.gid.map_or_else(|| uid.to_string(), |gid| format!("{uid}:{gid}")))
    }
}

/// Capabilities as written, without `CAP_`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// Dropped.
    pub drop: Vec<At<String>>,
    /// Added.
    pub add: Vec<At<String>>,
    /// All of them, by `privileged: true`.
    pub privileged: Option<usize>,
}

/// What engines grant by default.
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
    /// Whether root would hold this one.
    pub fn holds(&self, name: &str) -> bool {
        let has = |list: &[At<String>], name: &str| list.iter().any(|cap| cap.value == name);
        let kept = DEFAULT.contains(&name) && !has(&self.drop, name) && !has(&self.drop, "ALL");
        self.privileged.is_some() || has(&self.add, name) || (has(&self.add, "ALL") && !has(&self.drop, name)) || kept
    }

    /// The line that drops them all.
    pub fn drops_all(&self) -> Option<usize> {
        self.drop.iter().find(|cap| cap.value == "ALL").map(|cap| cap.line)
    }
}

/// Something mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Where it is written.
    pub line: usize,
    /// The directory in the container.
    pub target: String,
    /// What it is.
    pub kind: MountKind,
    /// Whether it is mounted read-only.
    pub read_only: bool,
    /// Whether ballast fills it in an init container.
    pub filled: bool,
}

/// What is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MountKind {
    /// An engine's volume.
    Volume {
        /// A new one does not take the image's content and owner.
        no_copy: bool,
        /// Its size in bytes, where the file limits it.
        size: Option<At<u64>>,
    },
    /// A directory of the host.
    Host,
    /// A claim, or another volume that outlives the pod.
    Claim {
        /// Only a directory of it.
        sub_path: bool,
        /// The requested bytes, if the file has them.
        size: Option<At<u64>>,
    },
    /// In memory.
    Memory {
        /// Its size in bytes.
        size: Option<u64>,
        /// Its mode.
        mode: Option<u32>,
        /// Its owner.
        uid: Option<u32>,
    },
    /// As long as the pod.
    Scratch {
        /// Above this the pod is evicted.
        limit: Option<u64>,
    },
    /// The files of an image, as a layer of weights is one.
    Image {
        /// Which image.
        reference: At<String>,
    },
    /// Configuration and secrets.
    Config,
}

/// A variable of the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// Where.
    pub line: usize,
    /// Its name.
    pub name: String,
    /// Its value, where the file shows it.
    pub value: Option<String>,
    /// The variable of the user who starts it; empty without it.
    pub empty_without: Option<String>,
}

/// How health is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// Not at all.
    Disabled,
    /// By the image's own check, whose times alone the file changes.
    OfImage,
    /// By a command.
    Command(String),
    /// By a request, with its path, or by a connection.
    Request(String),
}

impl Service {
    /// Root, unless the file or the image says otherwise.
    pub fn starts_as_root(&self) -> bool {
        self.user.as_ref().map_or(self.non_root.is_none(), |user| user.value.uid == Some(0))
    }

    /// Whether the file itself replaces the image's entrypoint by something that is not ballast.
    pub fn bypasses(&self) -> Option<&At<Vec<String>>> {
        self.entry.as_ref().filter(|_| !self.words().any(is_ballast))
    }

    /// A variable of the environment.
    pub fn variable(&self, name: &str) -> Option<&Variable> {
        self.env.iter().find(|variable| variable.name == name)
    }

    /// What is mounted over a path: the nearest mount at or above it.
    pub fn over(&self, path: &str) -> Option<&Mount> {
        let above = self.mounts.iter().filter(|mount| is_below(path, &mount.target));
        above.max_by_key(|mount| mount.target.trim_end_matches('/').len())
    }

    /// All words that start the container.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        let entry = self.entry.iter().chain(&self.args);
        entry.flat_map(|at| &at.value).flat_map(|word| word.split_whitespace())
    }
}

/// Whether a word runs this program.
pub fn is_ballast(word: &str) -> bool {
    word.trim_matches(['"', '\'']).rsplit('/').next() == Some("ballast")
}

/// Whether a path is a directory or lies below it.
pub fn is_below(path: &str, dir: &str) -> bool {
    let (path, dir) = (path.trim_end_matches('/'), dir.trim_end_matches('/'));
    path.strip_prefix(dir).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
