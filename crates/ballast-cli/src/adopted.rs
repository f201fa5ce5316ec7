//! An existing cache: its root, the variable that points at it, which of its files are weights, and
//! which sources its layout shows.
//!
//! DeepFace keeps files in `.deepface/weights`. Hugging Face keeps bytes in `blobs` under the names
//! of digests, and links to them from `snapshots/REVISION`; `refs/main` contains the revision. A
//! reader looks in `refs`, then opens the name in `snapshots`, which may be a plain file. `adopt`
//! enters both files, and the lock file describes the layout by paths alone. Only reads.

use std::fs;
use std::path::{Path, PathBuf};

use ballast::lock::{Lock, RelPath, Source, Weight};

use crate::first_trust::left_out;
use crate::source::joined;
use crate::{bounds, foreign};

mod layouts;
use layouts::{DEEPFACE, REPOSITORIES, in_repository, repositories, repository};

const DEEPEST: usize = 32;
/// The lock file of the face-verification service: four well-known names, with upstream's sources.
const KNOWN: &str = include_str!("../../../weights.lock");

/// A cache, found.
pub struct Cache {
    /// The directory that the variable names.
    pub root: PathBuf,
    /// The variable, if the layout has one.
    pub env: Option<&'static str>,
    /// Variables for directories below the root.
    pub views: Vec<(&'static str, String)>,
    /// Where the weights are.
    within: Vec<PathBuf>,
}

/// One file of it.
pub struct Member {
    /// Below the root.
    pub path: RelPath,
    /// The file with its bytes: the name itself, or the blob that the name links to.
    pub file: PathBuf,
    /// The source that the layout shows.
    pub source: Option<String>,
    /// The directory whose files are one model.
    pub set: Option<String>,
}

impl Member {
    /// Returns whether the file is a reference, which only names a snapshot.
    pub fn is_reference(&self) -> bool {
        self.source.as_ref().is_some_and(|source| source.starts_with("data:"))
    }
}

/// The weights, and the files that are left out, with the reason.
#[derive(Default)]
pub struct Members {
    /// In order of their paths.
    pub files: Vec<Member>,
    /// In order of their paths.
    pub left_out: Vec<(PathBuf, String)>,
}

/// Finds the cache that a directory is, or is part of.
///
/// # Errors
/// The errors of reading the directory.
pub fn find(dir: &Path) -> std::io::Result<Cache> {
    let dir = fs::canonicalize(dir)?;
    let up = |steps: usize| dir.ancestors().nth(steps).map(Path::to_owned);
    let cache = |root: PathBuf, env, within| Cache { root, env, views: Vec::new(), within };
    let deepface = |root: PathBuf| cache(root.clone(), Some("DEEPFACE_HOME"), vec![root.join(DEEPFACE)]);
    if dir.join(DEEPFACE).is_dir() {
        return Ok(deepface(dir));
    }
    let steps = if dir.ends_with(DEEPFACE) { 2 } else { 1 };
    let below = dir.ends_with(DEEPFACE) || (dir.ends_with(".deepface") && dir.join("weights").is_dir());
    if let Some(root) = up(steps).filter(|_| below) {
        return Ok(deepface(root));
    }
    if dir.join("manifests").is_dir() && dir.join("blobs").is_dir() {
        let within = ["manifests", "blobs"].map(|name| dir.join(name)).into();
        return Ok(cache(dir, Some("OLLAMA_MODELS"), within));
    }
    let (hub, one) = match () {
        // A hub on another disk is found where it is.
        () if dir.join("hub").is_symlink() && !repositories(&dir.join("hub"))?.is_empty() => {
            return find(&dir.join("hub"));
        }
        () if !repositories(&dir.join("hub"))?.is_empty() => (dir.join("hub"), None),
        () if !repositories(&dir)?.is_empty() => (dir.clone(), None),
        () if repository(&dir).is_some() => (up(1).unwrap_or_else(|| dir.clone()), Some(dir.clone())),
        () => {
            let (env, views) = (layouts::variable_of(&dir), layouts::views(&dir));
            return Ok(Cache { views, ..cache(dir.clone(), env, vec![dir]) });
        }
    };
    let repositories = one.map_or_else(|| repositories(&hub), |one| Ok(vec![one]))?;
    let within = repositories.iter().flat_map(|dir| [dir.join("refs"), dir.join("snapshots")]).collect();
    Ok(match hub.parent().filter(|_| hub.ends_with("hub")) {
        Some(home) => cache(home.to_owned(), Some("HF_HOME"), within).and_beside_hub(),
        None => cache(hub, Some("HF_HUB_CACHE"), within),
    })
}

impl Cache {
    /// Adds the stores of other libraries that lie beside `hub`.
    fn and_beside_hub(mut self) -> Self {
        let beside = layouts::beside_hub(&self.root);
        self.views = layouts::views(&self.root).into_iter().filter(|(_, path)| !path.starts_with("hub/")).collect();
        self.views.retain(|(_, path)| beside.iter().any(|dir| self.root.join(path).starts_with(dir)));
        self.within.extend(self.views.iter().map(|(_, path)| self.root.join(path)));
        self
    }

    /// The same cache as part of a store whose root is above it: its variable becomes a view.
    pub fn below(mut self, store: &Path) -> Self {
        let Some(path) = self.root.strip_prefix(store).ok().and_then(Path::to_str).filter(|path| !path.is_empty())
        else {
            return self;
        };
        let views = self.views.into_iter().map(|(name, below)| (name, format!("{path}/{below}")));
        self.views = self.env.map(|name| (name, path.to_owned())).into_iter().chain(views).collect();
        self.env = None;
        self.root = store.to_owned();
        self
    }

    /// Returns whether a path below the root is one that the cache's search reads.
    pub fn covers(&self, path: &str) -> bool {
        let path = self.root.join(path);
        self.within.iter().any(|dir| path.starts_with(dir))
    }

    /// Every weight of the cache, and what was left out.
    ///
    /// # Errors
    /// More files than a lock file can have.
    pub fn members(&self) -> Result<Members, String> {
        let mut all = Members::default();
        self.within.iter().for_each(|dir| self.walk(dir, 0, &mut all));
        if self.env == Some("HF_HOME") {
            let apart = |dir: &PathBuf| !self.within.iter().any(|within| within.starts_with(dir));
            let others = layouts::beside_hub(&self.root).into_iter().filter(apart);
            others.for_each(|dir| all.leave_out(&dir, "not of the hub's cache; name it as the folder to adopt it"));
        }
        if all.is_full() {
            return Err(format!("expected at most {} files, found more", bounds::ADOPTED));
        }
        all.files.sort_by(|one, other| one.path.cmp(&other.path));
        all.left_out.sort();
        Ok(all)
    }

    fn walk(&self, dir: &Path, depth: usize, all: &mut Members) {
        if depth > DEEPEST {
            return all.leave_out(dir, "deeper than 32 directories");
        }
        let entries = match fs::read_dir(dir) {
            Ok(entries) => entries,
            // A repository that was downloaded only by commit has no refs.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
            Err(error) => return all.leave_out(dir, &error.to_string()),
        };
        for entry in entries {
            let path = match entry {
                Ok(entry) => entry.path(),
                Err(error) => return all.leave_out(dir, &error.to_string()),
            };
            if all.is_full() {
                return;
            }
            let own = path.file_name().and_then(|name| left_out::directory(name.to_str()?));
            match (fs::symlink_metadata(&path), own) {
                (Ok(facts), Some(whose)) if facts.is_dir() => all.leave_out(&path, whose),
                // Readers of a repository open the names in its snapshots, not its blobs.
                (Ok(facts), _) if facts.is_dir() && repository(&path).is_some() && path.join("snapshots").is_dir() => {
                    ["refs", "snapshots"].iter().for_each(|name| self.walk(&path.join(name), depth + 2, all));
                }
                (Ok(facts), _) if facts.is_dir() => self.walk(&path, depth + 1, all),
                (Ok(facts), _) => match self.member(&path, &facts) {
                    Ok(member) => all.files.push(member),
                    Err(why) => all.leave_out(&path, &why),
                },
                (Err(error), _) => all.leave_out(&path, &error.to_string()),
            }
        }
    }

    fn member(&self, path: &Path, facts: &fs::Metadata) -> Result<Member, String> {
        let hub = path.strip_prefix(&self.root).is_ok_and(in_repository);
        let file = match facts.file_type() {
            kind if kind.is_file() => path.to_owned(),
            kind if kind.is_symlink() && hub => self.blob(path)?,
            kind if kind.is_symlink() => return Err("a symlink".into()),
            _ => return Err("no regular file".into()),
        };
        let relative = path.strip_prefix(&self.root).ok().and_then(Path::to_str).ok_or("its name is not UTF-8")?;
        let name = relative.rsplit('/').next().unwrap_or(relative);
        if let Some(why) = left_out::file(name) {
            return Err(why.into());
        }
        if !hub && facts.len() == 0 {
            return Err("empty, as a download that was cut leaves it".into());
        }
        let path = RelPath::try_from(relative.to_owned())?;
        let source = if hub { hub_source(&path, &file) } else { None };
        let set = self.set(&path);
        Ok(Member { path, file, source, set })
    }

    /// A snapshot, DeepFace's weights, or the whole folder. References belong to no set.
    fn set(&self, path: &RelPath) -> Option<String> {
        match self.env {
            Some("DEEPFACE_HOME") => Some(DEEPFACE.to_owned()),
            _ if in_repository(Path::new(path.as_str())) => {
                let (before, rest) = path.as_str().split_once("/snapshots/")?;
                let (revision, _) = rest.split_once('/')?;
                Some(format!("{before}/snapshots/{revision}"))
            }
            _ => Some(String::new()),
        }
    }

    /// The target of a snapshot's link, which must be a file of this cache.
    fn blob(&self, link: &Path) -> Result<PathBuf, String> {
        let file = fs::canonicalize(link).map_err(|error| format!("a link that leads nowhere: {error}"))?;
        if !file.starts_with(&self.root) {
            return Err(format!("a link out of the cache, to {}", file.display()));
        }
        if file.is_file() { Ok(file) } else { Err("a link to what is no file".into()) }
    }
}

impl Members {
    fn is_full(&self) -> bool {
        self.files.len() > bounds::ADOPTED || self.left_out.len() > bounds::ADOPTED
    }

    fn leave_out(&mut self, path: &Path, why: &str) {
        self.left_out.push((path.to_owned(), why.to_owned()));
    }
}

/// The address of a file in `snapshots`; for a file in `refs`, its content as a source.
fn hub_source(path: &RelPath, file: &Path) -> Option<String> {
    let names: Vec<&str> = path.names().collect();
    let at = names.iter().position(|name| REPOSITORIES.iter().any(|(start, _)| name.starts_with(start)))?;
    let repository = file.ancestors().find_map(repository)?;
    match names.get(at + 1..)? {
        ["refs", ..] => {
            let word = foreign::text_named(file, bounds::ADOPTED_WORD).ok()?;
            Source::try_from(format!("data:,{word}")).ok().map(|source| source.to_string())
        }
        ["snapshots", revision, rest @ ..] => {
            Some(joined(&format!("{repository}/resolve/{revision}"), &rest.join("/")))
        }
        _ => None,
    }
}

/// The well-known files: their pins, licences and upstream's sources.
pub fn known() -> Vec<Weight> {
    Lock::parse(KNOWN).map(|lock| lock.weights).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_four_well_known_files_are_known_by_name_with_upstreams_sources() {
        let names = [
            "facenet512_weights.h5",
            "centerface.onnx",
            "2.7_80x80_MiniFASNetV2.pth",
            "4_0_0_80x80_MiniFASNetV1SE.pth",
        ];
        let all = known();
        let sources =
            |name: &str| all.iter().any(|weight| weight.path.file_name() == name && !weight.sources.is_empty());
        let unknown: Vec<_> = names.iter().filter(|name| !sources(name)).collect();
        assert!(unknown.is_empty() && !sources("other.h5"), "{unknown:?}");
    }
}
