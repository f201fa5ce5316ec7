//! Collections of photographs: a folder for each person, named by the person's id. Reads the names in folders.

use std::path::{Path, PathBuf};

use crate::exit::{Exit, Failure};
use crate::store::Subject;

/// Returns the paths in a folder, sorted by name.
///
/// # Errors
/// The folder can't be read.
pub fn inside(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let failed = |why: std::io::Error| Failure::new(Exit::FileFailed, format!("{}: {why}", folder.display()));
    let entries = std::fs::read_dir(folder).map_err(failed)?;
    let mut paths =
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>().map_err(failed)?;
    paths.sort();
    Ok(paths)
}

/// Returns each person's folder, with the person's id.
///
/// # Errors
/// The folder can't be read or contains no folder, or a name is no person's id.
pub fn persons(folder: &Path) -> Result<Vec<(Subject, PathBuf)>, Failure> {
    let mut folders = Vec::new();
    for path in inside(folder)?.into_iter().filter(|path| path.is_dir()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let subject =
            Subject::new(&name).map_err(|why| Failure::new(Exit::Usage, format!("{}: {why}", path.display())))?;
        folders.push((subject, path));
    }
    match folders.is_empty() {
        true => Err(Failure::new(Exit::Usage, format!("{}: expected a folder for each person", folder.display()))),
        false => Ok(folders),
    }
}
