//! One table lists the names that tools use and that are not part of a model. Pure.

/// The tool that owns a directory of this name.
pub fn directory(name: &str) -> Option<&'static str> {
    Some(match name {
        ".git" => "Git's own files",
        ".hg" | ".svn" | ".bzr" | "CVS" => "a version control's own files",
        ".ballast" => "Ballast's own",
        ".cache" => "a tool's cache; name it as the folder to adopt it",
        ".locks" | ".no_exist" => "Hugging Face's own bookkeeping",
        ".dvc" | ".github" | ".gitlab" => "a repository's own settings",
        ".idea" | ".vscode" | ".vs" => "an editor's own files",
        "__pycache__" | ".ipynb_checkpoints" | ".pytest_cache" | ".mypy_cache" | ".venv" => "Python's own files",
        "node_modules" => "installed packages",
        "lost+found" | ".snapshot" | ".snapshots" | ".Trashes" | "$RECYCLE.BIN" => "a file system's own files",
        name if name.starts_with(".Trash-") => "a file system's own files",
        _ => return None,
    })
}

/// Returns the reason to leave out a file of this name.
pub fn file(name: &str) -> Option<&'static str> {
    let ends = |extensions: &[&str]| extensions.iter().any(|extension| name.ends_with(extension));
    Some(match name {
        ".gitattributes" | ".gitignore" | ".gitmodules" | ".gitkeep" | ".git" => "Git's own file",
        ".dockerignore" | ".hfignore" => "a tool's own file",
        ".DS_Store" | "Thumbs.db" | "desktop.ini" => "a desktop's own file",
        "CACHEDIR.TAG" => "the mark of a cache",
        "token" | "stored_tokens" | ".netrc" | ".env" => "it holds secrets",
        name if name.starts_with(".ballast-") => "a file of work in progress",
        name if name.starts_with(".nfs") || name.starts_with("._") => "a file system's own file",
        _ if ends(&[".incomplete", ".lock", ".part", ".partial", ".tmp", ".crdownload", ".aria2", ".download"]) => {
            "a file of work in progress"
        }
        _ if ends(&[".metadata"]) => "a download's bookkeeping",
        _ if ends(&[".pyc", ".pyo"]) => "Python's own file",
        _ if ends(&[".swp", ".swo", "~", ".orig", ".bak"]) => "an editor's own file",
        _ => return None,
    })
}
