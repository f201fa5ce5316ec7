//! `adopt --signed`: writes a signed model into a lock file, as one group with its provenance. The command makes no
//! first trust: the bundle says which bytes are right. The folder is only read.

use std::path::{Path, PathBuf};

use ballast::lock::RootPath;

use super::lock_file_editor::groups::Grouped;
use super::lock_file_editor::{LockFileEditor, SignedBy, written_path};
use super::signed;
use crate::args::Adopt;
use crate::exit::{Exit, Failure};
use crate::oms::{self, Examined, Signed};
use crate::{escape, print, whole_file};

/// Enters the files of a signed model, if the folder has exactly these.
///
/// # Errors
/// The errors of `verify --signed`; [`Exit::PinMismatch`] if entries of these paths exist and belong to another group:
/// the lock file then stays unchanged.
pub fn adopt(args: &Adopt, bundle: &Path) -> Result<(), Failure> {
    let believed = signed::read(&args.signed, bundle)?;
    let dir = std::fs::canonicalize(&args.dir).map_err(|error| {
        Failure::new(Exit::WeightsMissing, format!("can't read {}: {error}", args.dir.display()))
            .hint("name the folder of the signed model")
    })?;
    let root = args.store.clone().unwrap_or_else(|| dir.clone());
    let root = std::path::absolute(&root).unwrap_or(root);
    RootPath::try_from(written_path(&root)?.to_owned())
        .map_err(|why| Failure::new(Exit::Usage, why).hint("name the root that the app will read with --store DIR"))?;
    let (text, _) = LockFileEditor::edit(args.lock.as_deref(), Some(&root), |book| {
        outside(&dir, book.path())?;
        let examined = oms::examine(&dir, &[bundle], &believed.manifest);
        signed::verdict(&dir, &examined)?;
        let group = group_of(&dir, &written_root(book, args.store.as_deref(), root.clone())?)?;
        enter(book, &group, &believed, &examined, args.refresh)?;
        Ok(text(book, &group, &believed, &examined))
    })?;
    print::answer(&text);
    Ok(())
}

/// The lock file is no signed file, so it can't lie in the folder, where `verify --signed` would find it.
fn outside(dir: &Path, lock: &Path) -> Result<(), Failure> {
    match std::fs::canonicalize(whole_file::folder(lock)) {
        Ok(folder) if folder.starts_with(dir) => {
            let what = format!("{} lies in the signed folder, and is no signed file", lock.display());
            Err(Failure::new(Exit::Usage, what).hint("name a lock file outside the folder with --lock"))
        }
        _ => Ok(()),
    }
}

/// The root of the lock file, which `--store` may not contradict.
fn written_root(book: &LockFileEditor, store: Option<&Path>, begun: PathBuf) -> Result<PathBuf, Failure> {
    let Some(written) = book.root() else { return Ok(begun) };
    let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if store.is_none() || real(&begun) == real(&written) {
        return Ok(written);
    }
    let lock = book.path().display();
    let what = format!("--store is {}, and {lock} has another\n  path = {:?}", begun.display(), written.display());
    Err(Failure::new(Exit::Usage, what).hint("leave out --store, or name another --lock"))
}

/// The folder's path below the store's root; empty if it is the root itself, or if the root is not on this machine.
fn group_of(dir: &Path, root: &Path) -> Result<String, Failure> {
    let below = match std::fs::canonicalize(root) {
        Ok(real) => dir.strip_prefix(real).map_err(|_| {
            Failure::new(Exit::Usage, format!("{} lies outside the store's root {}", dir.display(), root.display()))
                .hint("move the folder below the root, or name another --lock")
        })?,
        Err(_) => Path::new(""),
    };
    let text = below.to_str().ok_or_else(|| Failure::new(Exit::Usage, "the folder's name is not UTF-8"))?;
    Ok(text.to_owned())
}

fn enter(
    book: &mut LockFileEditor,
    dir: &str,
    signed: &Signed,
    examined: &Examined,
    refresh: bool,
) -> Result<(), Failure> {
    let right = signed.manifest.files.iter().zip(&examined.files);
    let files =
        right.filter_map(|(file, right)| right.map(|(size, sha256)| (file.path.to_string(), sha256, Some(size))));
    let by = SignedBy { method: signed.method, signer: signed.signer, bundle: signed.bundle };
    let group = Grouped { dir, source: None, files: &files.collect::<Vec<_>>(), signed: Some(by) };
    book.enter_signed_group(&group, refresh)
}

fn text(book: &LockFileEditor, group: &str, believed: &Signed, examined: &Examined) -> String {
    let bytes: u64 = examined.files.iter().flatten().map(|(size, _)| size).sum();
    let mut lines: Vec<_> = signed::provenance(believed).into();
    lines.extend(signed::names("left out, since the manifest ignores it", &examined.ignored));
    lines.extend(signed::names("left out, since an empty file has no shard", &examined.empty));
    lines.extend(signed::names("left out, since they are Ballast's own", &examined.ballast));
    let group = if group.is_empty() { "." } else { group };
    let group = escape::line(group);
    let path: PathBuf = book.path().to_owned();
    lines.push(format!(
        "{} files of {bytes} bytes are in {}, as the signed group {group}; without a source: fill in `sources`, or keep a mirror",
        examined.files.len(),
        path.display()
    ));
    let lacking = book.lacking();
    if !lacking.is_empty() {
        lines.push(format!("to add by hand under [store]: {}", lacking.join(", ")));
    }
    lines.join("\n")
}
