//! Recognises the layouts in which libraries keep their models, by the names of directories. Only reads names.

use std::fs;
use std::path::{Path, PathBuf};

use crate::bounds;
use crate::source::HUB;

/// Where DeepFace keeps its weights.
pub const DEEPFACE: &str = ".deepface/weights";
/// Prefixes of a repository's folder, and of its address on the hub.
pub const REPOSITORIES: [(&str, &str); 3] = [("models--", ""), ("datasets--", "datasets/"), ("spaces--", "spaces/")];
/// Directories within directories that are searched for layouts.
const DEEPEST: usize = 2;
/// What the hub's clients keep beside `hub`.
const BESIDE_HUB: [&str; 6] = ["hub", "xet", "assets", "modules", "datasets", ".locks"];

/// The folders of a hub's repositories in a directory, in order.
///
/// # Errors
/// Those of reading it.
pub fn repositories(dir: &Path) -> std::io::Result<Vec<PathBuf>> {
    if !dir.is_dir() {
        return Ok(Vec::new());
    }
    let mut all = Vec::new();
    for (count, entry) in fs::read_dir(dir)?.enumerate() {
        if count == bounds::ADOPTED_NAMES || all.len() == bounds::ADOPTED {
            return Err(std::io::Error::other(format!("{}: too many names", dir.display())));
        }
        all.extend(Some(entry?.path()).filter(|path| repository(path).is_some()));
    }
    all.sort();
    Ok(all)
}

/// The address on the hub of a repository with this folder's name.
pub fn repository(dir: &Path) -> Option<String> {
    let name = dir.file_name()?.to_str()?;
    let (start, begins) = REPOSITORIES.iter().find(|(start, _)| name.starts_with(start))?;
    let id = name.strip_prefix(start)?.replace("--", "/");
    (!id.is_empty() && dir.is_dir()).then(|| format!("{HUB}{begins}{id}"))
}

/// Whether a path leads through a repository's folder.
pub fn in_repository(path: &Path) -> bool {
    let is_one = |name: &std::ffi::OsStr| {
        name.to_str().is_some_and(|name| REPOSITORIES.iter().any(|(start, _)| name.starts_with(start)))
    };
    path.iter().any(is_one)
}

/// The variable whose value a directory with this content is.
pub fn variable_of(dir: &Path) -> Option<&'static str> {
    let has = |name: &str| dir.join(name).is_dir();
    let hub = |dir: &Path| repositories(dir).is_ok_and(|found| !found.is_empty());
    match () {
        () if has(DEEPFACE) => Some("DEEPFACE_HOME"),
        () if has("manifests") && has("blobs") => Some("OLLAMA_MODELS"),
        () if has("hub") && hub(&dir.join("hub")) => Some("HF_HOME"),
        () if hub(dir) => Some("HF_HUB_CACHE"),
        () if has("hub/checkpoints") => Some("TORCH_HOME"),
        () => None,
    }
}

/// The directories below a root that have layouts of their own: each variable with the path below the root. Of two
/// directories with one layout the first counts.
pub fn views(root: &Path) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    search(root, "", 1, &mut found);
    found
}

fn search(dir: &Path, path: &str, depth: usize, found: &mut Vec<(&'static str, String)>) {
    for name in directories(dir) {
        let below = dir.join(&name);
        let path = if path.is_empty() { name } else { format!("{path}/{name}") };
        match variable_of(&below) {
            Some(variable) if found.iter().all(|(known, _)| *known != variable) => found.push((variable, path)),
            Some(_) => {}
            None if depth < DEEPEST => search(&below, &path, depth + 1, found),
            None => {}
        }
    }
}

/// The directories beside `hub` that no client of the hub keeps there.
pub fn beside_hub(root: &Path) -> Vec<PathBuf> {
    let others = directories(root).into_iter().filter(|name| !BESIDE_HUB.contains(&name.as_str()));
    others.map(|name| root.join(name)).collect()
}

/// The names of a directory's directories, in order; links are not followed.
fn directories(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten().take(bounds::ADOPTED_NAMES).flatten();
    let directories = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let mut names: Vec<_> = directories.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}
