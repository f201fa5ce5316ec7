//! `init`: turns facts from a folder, its Dockerfile and its compose file into the `[store]` of a
//! lock file and lines for the Dockerfile. Facts -> [`Store`] -> text. Pure but for the caller's
//! facts.

pub mod dockerfile;

use crate::doctor::variables;
use crate::user::UserSpec;

/// The default path of the layer in the image.
const BAKED: &str = "/opt/baked-models";
/// The store's root if no variable names one.
const PATH: &str = "/models";
/// The app's user where neither file names one.
const OWNER: &str = "1000:1000";

/// A value, and its place: a file, with a line if known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The value.
    pub value: String,
    /// The place.
    pub place: String,
}

impl Said {
    /// A value of a place.
    pub fn new(value: impl Into<String>, place: impl Into<String>) -> Self {
        Self { value: value.into(), place: place.into() }
    }
}

/// What was found.
#[derive(Debug, Default)]
pub struct ProjectFacts {
    /// Users, in order of priority: compose before the image.
    pub users: Vec<Said>,
    /// Variables with their values, in order of priority.
    pub variables: Vec<(String, Said)>,
    /// The variable that the layout of the models' folder is for.
    pub layout: Option<&'static str>,
    /// Variables that layouts of directories below that folder are for, with their paths.
    pub views: Vec<(&'static str, String)>,
}

impl ProjectFacts {
    /// Returns a remark for each user that is no `user[:group]`.
    pub fn refused_users(&self) -> impl Iterator<Item = String> {
        let refused = |user: &Said| Some((user.value.parse::<UserSpec>().err()?, user.place.clone()));
        self.users.iter().filter_map(refused).map(|(problem, place)| {
            format!("{place} is ignored: the user {}: expected {}", problem.which, problem.expected)
        })
    }
}

/// The `[store]` of a new lock file.
#[derive(Debug, PartialEq, Eq)]
pub struct Store {
    /// The cache's root.
    pub path: Said,
    /// The layer.
    pub baked: Said,
    /// The app's user.
    pub owner: Said,
    /// The variable by which the app finds the root.
    pub env: Option<Said>,
    /// Variables for directories below the root.
    pub views: Vec<(&'static str, String)>,
}

/// Decides the store from the facts.
pub fn plan(facts: &ProjectFacts) -> Store {
    let variable = match facts.layout {
        Some(layout) => {
            let set = facts.variables.iter().find(|(name, said)| name == layout && is_root(&said.value));
            Some((layout, set.map(|(_, said)| said)))
        }
        // Each variable has its own directory, so none has the root.
        None if !facts.views.is_empty() => None,
        None => named(facts),
    };
    let path = variable.and_then(|(name, said)| Some(Said::new(&said?.value, format!("{name} in {}", said?.place))));
    let path = path.or_else(|| above(facts));
    let env = variable.map(|(name, said)| {
        let place = said.map_or_else(|| "the layout of the folder".to_owned(), |said| said.place.clone());
        Said::new(name, place)
    });
    let owner = facts.users.iter().find(|user| is_app(&user.value)).cloned();
    Store {
        path: path.unwrap_or_else(|| Said::new(PATH, "the default")),
        baked: Said::new(BAKED, "the default"),
        owner: owner.unwrap_or_else(|| Said::new(OWNER, "the default: no file names a user other than root")),
        env,
        views: facts.views.clone(),
    }
}

/// The root above the directory of a view, if a file names that directory.
fn above(facts: &ProjectFacts) -> Option<Said> {
    facts.views.iter().find_map(|(view, path)| {
        let (_, said) = facts.variables.iter().find(|(name, _)| name == view)?;
        let root = said.value.trim_end_matches('/').strip_suffix(path)?.trim_end_matches('/');
        is_root(root).then(|| Said::new(root, format!("{view} in {}", said.place)))
    })
}

/// The first known variable of a library that leads to a directory; otherwise the first of the
/// project's own whose name shows that, such as `MODEL_DIR`.
fn named(facts: &ProjectFacts) -> Option<(&str, Option<&Said>)> {
    let known = |name: &str| variables::ALL.iter().any(|known| known.name == name && known.is_for_models());
    let own = |name: &str| {
        let about = ["MODEL", "WEIGHT", "CHECKPOINT"].iter().any(|word| name.contains(word));
        about && ["_DIR", "_HOME", "_ROOT", "MODELS"].iter().any(|end| name.ends_with(end))
    };
    let first = |fits: &dyn Fn(&str) -> bool| facts.variables.iter().find(|(name, _)| fits(name));
    let (name, said) = first(&known).or_else(|| first(&own))?;
    is_root(&said.value).then_some((name.as_str(), Some(said)))
}

/// A directory that a lock file may name.
fn is_root(value: &str) -> bool {
    ballast::lock::RootPath::try_from(value.to_owned()).is_ok()
}

/// A user whom a lock file may name as the owner of an app's weights.
fn is_app(user: &str) -> bool {
    user.parse::<UserSpec>().is_ok_and(|user| !user.is_root())
}

/// The lines for the Dockerfile. `models` is the folder that was read, as a path of the build's context; without one
/// the weights are fetched first. `lists` is true if the lock file has lists.
pub fn lines(store: &Store, models: Option<&str>, lists: bool) -> String {
    let (lock, dir) = if lists { ("weights.lock weights.*.list", "") } else { ("weights.lock", "weights.lock") };
    let (baked, owner, from) = (&store.baked.value, &store.owner.value, models.unwrap_or("mirror"));
    format!(
        "FROM debian:12-slim AS models
COPY ballast /usr/local/bin/ballast
COPY {lock} /src/{dir}
COPY {from} /src/{from}
RUN cd /src && ballast bake --from {from} {baked}

# and in the stage that becomes the image, after its own lines; ballast-entrypoint has no network code:
COPY ballast-entrypoint /usr/local/bin/ballast
COPY {lock} /etc/ballast/{dir}
COPY --from=models {baked} {baked}
# root heals a volume; the app runs as {owner}
USER root
ENTRYPOINT [\"ballast\", \"run\", \"--\"]"
    )
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
