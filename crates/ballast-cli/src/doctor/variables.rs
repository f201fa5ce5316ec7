//! Lists the cache variables that libraries read, and each variable's default path.
//!
//! This file contains only a table and a pure function: the caller provides the environment and checks write
//! access.

use std::path::PathBuf;

/// How a library uses a variable's path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// The library always writes there: a set but unwritable path is an error.
    Writes,
    /// The library keeps models or settings at this path. Reading can be enough for it: an unwritable path is a warning.
    MayRead,
}

/// The default path of a variable that is not set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unset {
    /// Below the home directory.
    Home(&'static str),
    /// Below the directory of another variable.
    Below(&'static str, &'static str),
    /// A fixed path.
    Fixed(&'static str),
    /// No path: the library works without one, or the variable is an old name of another.
    Nowhere,
}

/// A cache variable of a library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheVariable {
    /// The variable's name.
    pub name: &'static str,
    /// How the library uses the path.
    pub usage: Use,
    unset: Unset,
}

const fn row(name: &'static str, usage: Use, unset: Unset) -> CacheVariable {
    CacheVariable { name, usage, unset }
}

use Unset::{Below, Fixed, Home, Nowhere};
use Use::{MayRead, Writes};

/// Every variable that `doctor` examines. A variable comes before those whose default depends on it.
pub const ALL: &[CacheVariable] = &[
    row("HOME", MayRead, Fixed("/")),
    row("TMPDIR", Writes, Fixed("/tmp")),
    row("XDG_CACHE_HOME", MayRead, Home(".cache")),
    row("XDG_CONFIG_HOME", MayRead, Home(".config")),
    row("NUMBA_CACHE_DIR", Writes, Below("XDG_CACHE_HOME", "numba")),
    row("MPLCONFIGDIR", Writes, Below("XDG_CONFIG_HOME", "matplotlib")),
    row("HF_HOME", MayRead, Below("XDG_CACHE_HOME", "huggingface")),
    row("HF_HUB_CACHE", MayRead, Below("HF_HOME", "hub")),
    row("HF_DATASETS_CACHE", MayRead, Below("HF_HOME", "datasets")),
    row("HUGGINGFACE_HUB_CACHE", MayRead, Nowhere),
    row("TRANSFORMERS_CACHE", MayRead, Nowhere),
    row("SENTENCE_TRANSFORMERS_HOME", MayRead, Nowhere),
    row("TORCH_HOME", MayRead, Below("XDG_CACHE_HOME", "torch")),
    row("TORCH_EXTENSIONS_DIR", Writes, Below("XDG_CACHE_HOME", "torch_extensions")),
    row("TORCHINDUCTOR_CACHE_DIR", Writes, Below("TMPDIR", "torchinductor")),
    row("TRITON_CACHE_DIR", Writes, Home(".triton/cache")),
    row("CUDA_CACHE_PATH", Writes, Home(".nv/ComputeCache")),
    row("KERAS_HOME", MayRead, Home(".keras")),
    row("DEEPFACE_HOME", MayRead, Home("")),
    row("TFHUB_CACHE_DIR", MayRead, Below("TMPDIR", "tfhub_modules")),
    row("NLTK_DATA", MayRead, Home("nltk_data")),
    row("YOLO_CONFIG_DIR", MayRead, Below("XDG_CONFIG_HOME", "Ultralytics")),
    row("INSIGHTFACE_HOME", MayRead, Home(".insightface")),
    row("U2NET_HOME", MayRead, Home(".u2net")),
    row("EASYOCR_MODULE_PATH", MayRead, Home(".EasyOCR")),
    row("OLLAMA_MODELS", MayRead, Home(".ollama/models")),
    row("MODELSCOPE_CACHE", MayRead, Below("XDG_CACHE_HOME", "modelscope")),
    row("JOBLIB_TEMP_FOLDER", Writes, Fixed("/dev/shm")),
    row("PYTHONPYCACHEPREFIX", Writes, Nowhere),
    row("JAX_COMPILATION_CACHE_DIR", Writes, Nowhere),
];

#[cfg(feature = "full")]
impl CacheVariable {
    /// Returns whether libraries store models there, and the directory is not a general one such as `HOME`.
    pub fn is_for_models(&self) -> bool {
        self.usage == MayRead && !["HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "YOLO_CONFIG_DIR"].contains(&self.name)
    }
}

/// Returns a variable's path and whether it is set; an empty value counts as unset. `None` if it has no path.
pub fn leads_to(variable: &CacheVariable, env: &dyn Fn(&str) -> Option<String>) -> Option<(PathBuf, bool)> {
    if let Some(set) = env(variable.name).filter(|value| !value.is_empty()) {
        return Some((PathBuf::from(set), true));
    }
    let path = match variable.unset {
        Fixed(path) => PathBuf::from(path),
        Home(rest) => join(&known("HOME", env)?, rest),
        Below(name, rest) => join(&known(name, env)?, rest),
        Nowhere => return None,
    };
    Some((path, false))
}

fn known(name: &str, env: &dyn Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let variable = ALL.iter().find(|variable| variable.name == name)?;
    Some(leads_to(variable, env)?.0)
}

fn join(root: &std::path::Path, rest: &str) -> PathBuf {
    if rest.is_empty() { root.to_owned() } else { root.join(rest) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_variable_leads_where_its_library_looks() {
        let env = |name: &str| match name {
            "HOME" => Some("/home/app".to_owned()),
            "XDG_CACHE_HOME" => Some("/caches".to_owned()),
            "HF_HUB_CACHE" => Some("/hub".to_owned()),
            "TORCH_HOME" => Some(String::new()),
            _ => None,
        };
        let rows = [
            ("HOME", Some(("/home/app", true))),
            ("NUMBA_CACHE_DIR", Some(("/caches/numba", false))),
            ("MPLCONFIGDIR", Some(("/home/app/.config/matplotlib", false))),
            ("HF_HUB_CACHE", Some(("/hub", true))),
            ("HF_DATASETS_CACHE", Some(("/caches/huggingface/datasets", false))),
            ("TORCH_HOME", Some(("/caches/torch", false))),
            ("DEEPFACE_HOME", Some(("/home/app", false))),
            ("TFHUB_CACHE_DIR", Some(("/tmp/tfhub_modules", false))),
            ("TRANSFORMERS_CACHE", None),
            ("PYTHONPYCACHEPREFIX", None),
        ];
        let wrong: Vec<_> = rows
            .iter()
            .filter(|(name, expected)| {
                let variable = ALL.iter().find(|variable| variable.name == *name).expect("in the table");
                leads_to(variable, &env) != expected.map(|(path, set)| (PathBuf::from(path), set))
            })
            .collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    #[test]
    fn a_variable_comes_after_the_one_that_it_builds_on_and_none_comes_twice() {
        let at = |name: &str| ALL.iter().position(|variable| variable.name == name);
        let wrong: Vec<_> = ALL
            .iter()
            .enumerate()
            .filter(|(place, variable)| {
                let base = match variable.unset {
                    Below(name, _) => at(name),
                    Home(_) => at("HOME"),
                    _ => Some(0),
                };
                at(variable.name) != Some(*place) || base.is_none_or(|base| base > *place)
            })
            .map(|(_, variable)| variable.name)
            .collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }
}
