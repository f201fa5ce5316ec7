//! One table maps missing weights, after a boot or a verification, to hints.
//!
//! [`Lack::of_boot`] and [`Lack::of_tree`] look at the store's root and the layer's; the rest is pure.

use std::path::{Path, PathBuf};

use crate::boot::plan::Serve;
use rustix::io::Errno;

use crate::report::{Outlook, Report, WeightLine};
use crate::setting::Setting;

/// The reason why weights are missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lack {
    /// The store's root is a symlink, which is not followed.
    SymlinkedRoot { root: PathBuf, target: PathBuf },
    /// The store's root is no directory.
    RootIsNoDirectory(PathBuf),
    /// The lock file names no baked layer, and no mirror was named.
    NoLayerNamed,
    /// The lock file names a layer that does not exist.
    NoLayer(PathBuf),
    /// The layer does not contain the file, or contains other bytes.
    LayerIsOther(PathBuf),
    /// The layer contains the file, and no variable can lead the app there.
    NoVariable(PathBuf),
    /// The call that failed on the store: its errno, and whether a `refused:` line says why root did not help.
    Refused { root: PathBuf, errno: i32, by_root: bool },
    /// A baked layer or a mirror, which may have the weights, can't be read: its root, and the errno of the call.
    SourceRefused { source: PathBuf, errno: i32 },
    /// Root could not protect the weights from the app.
    NotKept,
}

impl Lack {
    /// The cause for a boot that leaves required weights wrong.
    pub fn of_boot(setting: &Setting, report: &Report) -> Self {
        let wrong = || report.weights.iter().filter(|line| !line.right);
        let errno = |line: &WeightLine| match line.outlook {
            Outlook::Refused(errno) => Some(errno),
            _ => None,
        };
        let source = |line: &WeightLine| match &line.outlook {
            Outlook::SourceRefused(source, errno) => Some((source.clone(), *errno)),
            _ => None,
        };
        if let Some(root) = Self::of_root(&setting.store) {
            return root;
        }
        if let Some(errno) = wrong().find_map(errno) {
            return Self::Refused { root: setting.store.clone(), errno, by_root: !report.refused.is_empty() };
        }
        if let Some((source, errno)) = wrong().find_map(source) {
            return Self::SourceRefused { source, errno };
        }
        if wrong().any(|line| line.outlook == Outlook::NotKept) {
            return Self::NotKept;
        }
        // The heal used the layer's files, so the layer lacks the weights that are still wrong.
        let healed = report
            .served
            .as_ref()
            .is_some_and(|served| matches!(served.from, Serve::HealVolume | Serve::RootOwnedVolume));
        Self::of_layer(setting, !healed)
    }

    /// The cause for a tree that was verified, or could not be opened.
    pub fn of_tree(setting: &Setting, root: &Path) -> Self {
        let linked = Self::of_root(root).filter(|lack| matches!(lack, Self::SymlinkedRoot { .. }));
        linked.unwrap_or_else(|| Self::of_layer(setting, false))
    }

    fn of_root(root: &Path) -> Option<Self> {
        let Ok(target) = std::fs::read_link(root) else {
            let other = std::fs::symlink_metadata(root).is_ok_and(|facts| !facts.is_dir());
            return other.then(|| Self::RootIsNoDirectory(root.to_owned()));
        };
        let target = root.parent().map_or(target.clone(), |dir| dir.join(&target));
        let target = std::fs::canonicalize(&target).unwrap_or(target);
        Some(Self::SymlinkedRoot { root: root.to_owned(), target })
    }

    fn of_layer(setting: &Setting, could_serve: bool) -> Self {
        match &setting.baked {
            None => Self::NoLayerNamed,
            Some(baked) if !baked.is_dir() => Self::NoLayer(baked.clone()),
            Some(baked) if could_serve && !setting.lock.can_repoint() && holds_a_weight(setting, baked) => {
                Self::NoVariable(baked.clone())
            }
            Some(baked) => Self::LayerIsOther(baked.clone()),
        }
    }

    /// The cause in words, if the weights' own lines do not show it.
    pub fn cause(&self) -> Option<String> {
        match self {
            Self::SymlinkedRoot { root, target } => Some(format!(
                "{} is a symlink to {}, and Ballast follows no symlink at the store's root",
                root.display(),
                target.display()
            )),
            Self::RootIsNoDirectory(root) => Some(format!("{} is no directory", root.display())),
            _ => None,
        }
    }

    /// What to do.
    pub fn hint(&self) -> String {
        const BAKE: &str = "RUN [\"ballast\", \"bake\", \"--from\", \"/mirror\"";
        match self {
            Self::SymlinkedRoot { target, .. } => {
                format!("name the directory itself: path = \"{0}\" under [store], or --store {0}", target.display())
            }
            Self::RootIsNoDirectory(root) => {
                format!("mount a directory at {}, or name another one: path under [store], or --store DIR", root.display())
            }
            Self::NoLayerNamed => "the lock file names no baked layer: write baked = \"/opt/baked-models\" and env = \"VARIABLE\" under [store], and bake it there; or name a folder that has the files with --mirror DIR".into(),
            Self::NoLayer(baked) => format!(
                "no layer is at {0}: bake it into the image, {BAKE}, \"{0}\"]; or name a folder that has the files with --mirror DIR",
                baked.display()
            ),
            Self::LayerIsOther(baked) => format!(
                "the layer at {0} does not have these bytes either, see `ballast verify {0}`: bake it again from this lock file, {BAKE}, \"{0}\"]; or name a folder that has the files with --mirror DIR",
                baked.display()
            ),
            Self::NoVariable(baked) => format!(
                "the layer at {} can serve once the lock file names the variable that the app reads: env = \"VARIABLE\" under [store]",
                baked.display()
            ),
            Self::Refused { root, errno, by_root } => refused(root, *errno, *by_root),
            Self::SourceRefused { source, errno } => source_refused(source, *errno),
            Self::NotKept => "start as root with a path to the store that only root can change, or with --hold owned".into(),
        }
    }
}

fn refused(root: &Path, errno: i32, by_root: bool) -> String {
    let root = root.display();
    match Errno::from_raw_os_error(errno) {
        Errno::NOSPC | Errno::DQUOT => {
            format!("make room in {root}; or write env = \"VARIABLE\" under [store], so that the baked layer can serve")
        }
        Errno::ACCESS | Errno::PERM if by_root => format!(
            "do what the line `refused:` says; or chown {root} to the app; or drop the mount, so that the baked layer serves"
        ),
        Errno::ACCESS | Errno::PERM => format!(
            "let the app write {root}: chown it to the app on the volume, or start as root with cap_add: [CHOWN, SETUID, SETGID]; or drop the mount, so that the baked layer serves"
        ),
        Errno::ROFS => format!("mount {root} read-write, or drop the mount, so that the baked layer serves"),
        Errno::MFILE | Errno::NFILE => "allow more open files: ulimit -n".into(),
        _ => format!("check the disk or the server of {root}"),
    }
}

fn source_refused(source: &Path, errno: i32) -> String {
    let source = source.display();
    match Errno::from_raw_os_error(errno) {
        Errno::ACCESS | Errno::PERM => format!("let the app read {source}: chmod -R a+rX, or chown it to the app"),
        Errno::MFILE | Errno::NFILE => "allow more open files: ulimit -n".into(),
        _ => format!(
            "check the disk or the server of {source}; or name another folder that has the files with --mirror DIR"
        ),
    }
}

/// Returns whether a layer contains the lock file's first weight; compares the length only.
fn holds_a_weight(setting: &Setting, baked: &Path) -> bool {
    setting.lock.weights.iter().any(|weight| {
        let found = std::fs::metadata(baked.join(weight.path.as_str())).ok();
        found.is_some_and(|found| found.is_file() && weight.size.is_none_or(|size| size == found.len()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_hint_names_what_is_missing_and_no_other_command_s_circle() {
        let at = |text: &str| PathBuf::from(text);
        let refused = |errno: Errno| Lack::Refused { root: at("/cache"), errno: errno.raw_os_error(), by_root: false };
        let source = |errno: Errno| Lack::SourceRefused { source: at("/mirror"), errno: errno.raw_os_error() };
        let rows = [
            (Lack::SymlinkedRoot { root: at("/mnt"), target: at("/real") }, "path = \"/real\"", "bake"),
            (Lack::RootIsNoDirectory(at("/cache")), "mount a directory at /cache", "bake"),
            (Lack::NoLayerNamed, "baked = ", "ballast heal"),
            (Lack::NoLayer(at("/layer")), "no layer is at /layer", "env ="),
            (Lack::LayerIsOther(at("/layer")), "ballast verify /layer", "env ="),
            (Lack::NoVariable(at("/layer")), "env = ", "bake"),
            (refused(Errno::NOSPC), "make room in /cache", "--mirror"),
            (refused(Errno::DQUOT), "make room in /cache", "--mirror"),
            (refused(Errno::ACCESS), "chown", "--mirror"),
            (
                Lack::Refused { root: at("/cache"), errno: Errno::ACCESS.raw_os_error(), by_root: true },
                "`refused:`",
                "start as root",
            ),
            (refused(Errno::ROFS), "read-write", "--mirror"),
            (refused(Errno::MFILE), "ulimit", "--mirror"),
            (refused(Errno::IO), "disk", "--mirror"),
            (source(Errno::ACCESS), "let the app read /mirror", "/cache"),
            (source(Errno::MFILE), "ulimit", "/cache"),
            (source(Errno::IO), "of /mirror", "/cache"),
            (Lack::NotKept, "--hold owned", "--mirror"),
        ];
        let wrong: Vec<_> = rows
            .iter()
            .filter(|(lack, with, without)| !lack.hint().contains(with) || lack.hint().contains(without))
            .map(|(lack, ..)| (lack, lack.hint()))
            .collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}
