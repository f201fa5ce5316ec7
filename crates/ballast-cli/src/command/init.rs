//! `init`: begins a lock file from a folder of models, a Dockerfile and a compose file.
//!
//! Writes only the lock file, and prints the lines that the Dockerfile needs. No file is replaced.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::adopt;
use super::lock_file_editor::LockFileEditor;
use crate::adopted::{self, Cache};
use crate::args::Init;
use crate::doctor::deployment;
use crate::exit::{Exit, Failure};
use crate::init::{self, ProjectFacts, Said, Store, dockerfile};
use crate::{bounds, foreign, print, setting};

/// Folders of a project that may contain models, in order.
const FOLDERS: [&str; 4] = ["models", "model", "weights", "checkpoints"];
const COMPOSE: [&str; 4] = ["compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"];

/// Begins a lock file.
///
/// # Errors
/// [`Exit::BadLock`] if a lock file exists; [`Exit::Usage`] for a file that can't be read; the errors of `adopt`.
pub fn init(args: &Init) -> Result<(), Failure> {
    if let Ok(there) = setting::lock_path(args.lock.as_deref()) {
        return Err(exists(&there));
    }
    let models = models(args)?;
    let facts = facts(args, models.as_ref())?;
    facts.refused_users().for_each(|text| print::remark(&text));
    let store = init::plan(&facts);
    let root = Path::new(&store.path.value);
    let ((table, text), _) = LockFileEditor::edit(args.lock.as_deref(), Some(root), |book| {
        begin(book, &store)?;
        let table = models.as_ref().map(|models| adopt::take(book, &models.cache, false)).transpose()?;
        Ok((table, text(&store, book, models.as_ref(), &args.dir)))
    })?;
    print::answer(&text);
    table.map_or(Ok(()), |table| table.verdict())
}

fn exists(there: &Path) -> Failure {
    Failure::new(Exit::BadLock, format!("{}: a lock file already exists", there.display()))
        .hint("`ballast pin` and `ballast adopt` complete it")
}

/// A folder of models.
struct Models {
    /// The path as the user named it, or as it was found.
    name: PathBuf,
    cache: Cache,
}

impl Models {
    /// Returns the path in the Dockerfile's folder, if the file lies there.
    fn in_context(&self, dir: &Path) -> Option<String> {
        let whole = |path: &Path| std::fs::canonicalize(path).ok();
        let inside = whole(&self.name)?.strip_prefix(whole(dir)?).ok()?.to_str()?.to_owned();
        (!inside.is_empty()).then_some(inside)
    }
}

fn models(args: &Init) -> Result<Option<Models>, Failure> {
    let found = FOLDERS.iter().map(|name| args.dir.join(name)).find(|path| path.is_dir());
    let Some(name) = args.models.clone().or(found) else { return Ok(None) };
    let unreadable = |error| Failure::new(Exit::WeightsMissing, format!("can't read {}: {error}", name.display()));
    let cache = adopted::find(&name).map_err(unreadable)?;
    Ok(Some(Models { name, cache }))
}

fn facts(args: &Init, models: Option<&Models>) -> Result<ProjectFacts, Failure> {
    let cache = models.map(|models| &models.cache);
    let (layout, views) =
        (cache.and_then(|cache| cache.env), cache.map(|cache| cache.views.clone()).unwrap_or_default());
    let mut facts = ProjectFacts { layout, views, ..ProjectFacts::default() };
    for name in COMPOSE {
        let Some(text) = read(&args.dir.join(name))? else { continue };
        let services = deployment::set_up(&text).unwrap_or_else(|why| {
            print::remark(&format!("{name} is ignored: {why}"));
            Vec::new()
        });
        for said in services {
            facts.users.extend(said.user.map(|(line, user)| Said::new(user, format!("{name}, line {line}"))));
            let variable = |(line, key, value)| (key, Said::new(value, format!("{name}, line {line}")));
            facts.variables.extend(said.variables.into_iter().map(variable));
        }
    }
    if let Some(text) = read(&args.dir.join("Dockerfile"))? {
        let said = dockerfile::read("Dockerfile", &text);
        facts.users.extend(said.user);
        facts.variables.extend(said.variables);
    }
    Ok(facts)
}

/// Returns the text of a file, if it exists.
fn read(path: &Path) -> Result<Option<String>, Failure> {
    match foreign::text_named(path, bounds::DEPLOYMENT) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::new(Exit::Usage, format!("{}: {error}", path.display()))),
    }
}

fn begin(book: &mut LockFileEditor, store: &Store) -> Result<(), Failure> {
    if !book.is_new() {
        return Err(exists(book.path()));
    }
    book.store("baked", &store.baked.value);
    book.store("owner", &store.owner.value);
    if let Some(env) = &store.env {
        adopt::name_variable(book, &env.value);
    }
    adopt::name_views(book, &store.views);
    Ok(())
}

fn text(store: &Store, book: &LockFileEditor, models: Option<&Models>, dir: &Path) -> String {
    let mut text = format!("{}: {} weights\n", book.path().display(), book.len());
    let rows = [("path", Some(&store.path)), ("baked", Some(&store.baked)), ("owner", Some(&store.owner))];
    for (key, said) in rows.into_iter().chain([("env", store.env.as_ref())]) {
        let Some(Said { value, place }) = said else { continue };
        let _ = writeln!(text, "  {key:5}  {value:24}  {place}");
    }
    for (name, path) in &store.views {
        let _ = writeln!(text, "  view   {name:24}  {path} below the folder");
    }
    let inside = models.map(|models| models.in_context(dir));
    text += match &inside {
        None => {
            "\nno folder of models was found: `ballast pin URL|FILE` writes an entry for each weight, `ballast fetch` brings them into ./mirror\n"
        }
        Some(None) => {
            "\nthe models lie outside the folder of the Dockerfile: `ballast fetch --mirror DIR` copies them into ./mirror\n"
        }
        Some(Some(_)) => "",
    };
    let _ = write!(
        text,
        "\nlines for the Dockerfile; copy the static `ballast` and `ballast-entrypoint` of the release beside it:\n\n{}",
        init::lines(store, inside.flatten().as_deref(), book.has_lists())
    );
    text
}
