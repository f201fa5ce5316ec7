//! Decides the command's environment, and whether environment and arguments lead the app to the
//! verified weights.
//!
//! Pure: facts in, variables and remarks out. Arguments are never changed; the operator's variables
//! have priority over the lock file's constants.

use std::ffi::OsString;
use std::path::Path;

use ballast::lock::{Lock, Need, Weight};

use crate::wins;

mod paths;

/// The facts that decide a command's environment.
pub struct EnvFacts<'a> {
    /// The lock file.
    pub lock: &'a Lock,
    /// Whether the app can't write the lock file; otherwise its constants are not set.
    pub believed: bool,
    /// The cache's root.
    pub store: &'a Path,
    /// The root that was verified.
    pub served: Option<&'a Path>,
    /// The variables of this process whose values are text.
    pub env: &'a [(String, String)],
    /// The command and its arguments.
    pub command: &'a [OsString],
    /// The command's working directory, where relative arguments begin.
    pub dir: Option<&'a Path>,
}

/// Variables to set for the command, remarks to report, and what leads to files that were not verified.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct AppEnv {
    /// Variables to set.
    pub set: Vec<(String, String)>,
    /// For the report.
    pub notes: Vec<String>,
    /// Variables and arguments that lead to required weights that were not verified there.
    pub astray: Vec<String>,
}

/// General variables of a process or a user: no library finds its models by these alone.
const GENERAL: [&str; 4] = ["HOME", "PWD", "OLDPWD", "TMPDIR"];
/// General variables below which several libraries find their models. They are named, and end no boot.
const BASES: [&str; 2] = ["XDG_CACHE_HOME", "XDG_DATA_HOME"];
/// The variable that keeps Hugging Face's clients from the hub.
pub const OFFLINE: &str = "HF_HUB_OFFLINE";

/// Decides.
pub fn decide(facts: &EnvFacts) -> AppEnv {
    let mut all = AppEnv::default();
    all.constants(facts);
    all.store_variable(facts);
    all.led_elsewhere(facts);
    all.hub(facts);
    all
}

impl EnvFacts<'_> {
    fn own(&self, name: &str) -> Option<&str> {
        self.env.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The variable's value for the command.
    fn effective(&self, name: &str) -> Option<&str> {
        self.own(name).or_else(|| self.lock.env.get(name).filter(|_| self.believed))
    }
}

impl AppEnv {
    fn constants(&mut self, facts: &EnvFacts) {
        for (name, value) in facts.lock.env.iter() {
            match facts.own(name) {
                Some(own) if own == value => {}
                Some(own) => self
                    .notes
                    .push(format!("{name} stays {own:?}, as the environment has it; the lock file says {value:?}")),
                None if facts.believed => self.set.push((name.to_owned(), value.to_owned())),
                None => self
                    .notes
                    .push(format!("{name} is not set: the app could rewrite the lock file, so its [env] is ignored")),
            }
        }
    }

    /// Sets the store's variables to the verified root. The verified root replaces another value
    /// that the operator set; variables with priority over it are reported.
    fn store_variable(&mut self, facts: &EnvFacts) {
        let Some(served) = facts.served else { return };
        let pointed = facts.lock.pointed(served);
        for ((name, to), (_, cached)) in pointed.iter().zip(facts.lock.pointed(facts.store)) {
            let own = facts.own(name).filter(|own| !own.is_empty() && !same(own, to) && !same(own, &cached));
            if let Some(own) = own {
                self.notes.push(format!("{name} was {own}, and is {} now: that is what was verified", to.display()));
            }
            let set = |name: &str| pointed.iter().any(|(known, _)| known == name);
            let env = |name: &str| facts.effective(name).filter(|_| !set(name)).map(str::to_owned);
            for winner in wins::over(name, &to.display().to_string(), &env) {
                self.notes.push(winner.words(name));
            }
        }
    }

    /// If the layer serves, reports other variables and arguments that point below the cache, to
    /// unverified files.
    fn led_elsewhere(&mut self, facts: &EnvFacts) {
        let Some(served) = facts.served.filter(|served| *served != facts.store) else { return };
        let constants = std::mem::take(&mut self.set);
        let variables = facts.env.iter().chain(&constants).map(|(name, value)| (name.as_str(), value.as_str()));
        let arguments = facts.command.iter().skip(1).filter_map(|argument| argument.to_str());
        for Leading { what, path, required } in leading_below(facts.lock, facts.store, facts.dir, variables, arguments)
        {
            let line = format!("{what} leads to {path}, where nothing was verified: {} serves", served.display());
            if required { self.astray.push(line) } else { self.notes.push(line) }
        }
        self.set = constants;
    }

    /// Warns that a hub's client with network access reads the newest revision.
    fn hub(&mut self, facts: &EnvFacts) {
        if in_hub_layout(facts.lock) && !facts.effective(OFFLINE).is_some_and(is_on) {
            self.notes.push(hub_words());
        }
    }
}

/// A variable or an argument that leads to the cache or below it.
pub struct Leading {
    /// The variable's name, or the argument.
    pub what: String,
    /// Where it leads.
    pub path: String,
    /// Whether a required weight lies below this path.
    pub required: bool,
}

/// Variables and arguments that lead to the cache by its path, and not by the store's variable. A relative argument is
/// one of `dir`.
pub fn leading_below<'a>(
    lock: &Lock,
    store: &Path,
    dir: Option<&Path>,
    variables: impl Iterator<Item = (&'a str, &'a str)>,
    arguments: impl Iterator<Item = &'a str>,
) -> Vec<Leading> {
    let follow = lock.pointed(store);
    let general = |name: &str| GENERAL.contains(&name) || name.starts_with("BALLAST_");
    let follows = |name: &str| follow.iter().any(|(known, _)| known == name);
    let variables = variables.filter(|(name, _)| !follows(name) && !general(name)).filter_map(|(name, value)| {
        let mut leading = leading(lock, store, None, name.to_owned(), value)?;
        leading.required &= !BASES.contains(&name);
        Some(leading)
    });
    let arguments =
        arguments.filter_map(|argument| leading(lock, store, dir, format!("the argument {argument}"), argument));
    variables.chain(arguments).collect()
}

/// The first path in a text that leads to the cache: one to a required weight, if there is one.
fn leading(lock: &Lock, store: &Path, dir: Option<&Path>, what: String, text: &str) -> Option<Leading> {
    let mut found = None;
    for path in paths::of(text) {
        let absolute = path.starts_with('/');
        let Some(below) = paths::below(path, store, dir.filter(|_| !absolute)) else { continue };
        let mut weights = lock.weights.iter().filter(|weight| Path::new(weight.path.as_str()).starts_with(&below));
        // A relative word may be anything; it is a path if it is a weight's, or has a slash and leads to weights.
        let is_path = |weight: &Weight| path.contains('/') || Path::new(weight.path.as_str()) == below;
        if !absolute && !weights.clone().any(is_path) {
            continue;
        }
        let required = weights.any(|weight| weight.need == Need::Required);
        let leading = Leading { what: what.clone(), path: path.to_owned(), required };
        if required {
            return Some(leading);
        }
        found.get_or_insert(leading);
    }
    found
}

/// Reads a truth word as Hugging Face's clients do.
pub fn is_on(value: &str) -> bool {
    ["1", "true", "yes", "on"].contains(&value.to_ascii_lowercase().as_str())
}

/// The warning about clients of the hub with network access.
pub fn hub_words() -> String {
    format!(
        "{OFFLINE} is not 1: a client of the hub may fetch and read another revision than the pinned one; write {OFFLINE} = \"1\" under [env] in the lock file"
    )
}

/// Returns whether weights lie in the layout of Hugging Face's client.
pub fn in_hub_layout(lock: &Lock) -> bool {
    let is_snapshot =
        |path: &str| path.contains("/snapshots/") && path.split('/').any(|name| name.starts_with("models--"));
    lock.weights.iter().any(|weight| is_snapshot(weight.path.as_str()))
}

fn same(one: &str, other: &Path) -> bool {
    Path::new(one).components().eq(other.components())
}

#[cfg(test)]
#[path = "app_env_tests.rs"]
mod tests;
