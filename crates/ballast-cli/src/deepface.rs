//! Finds the weights that an installed DeepFace opens, and whether the lock file pins these names.
//!
//! DeepFace 0.0.98 opens an `.h5` and two `.pth`. 0.0.103 opens all three as `.onnx`, `.h5` or
//! `.pth`, depending on the engine (`commons/backend_utils.py`); it downloads a missing name,
//! unpinned. Reads only which packages are installed.

use std::path::{Path, PathBuf};
use std::{fs, iter};

use ballast::lock::Lock;

/// The names without their endings, and the endings of 0.0.98.
const NAMES: [(&str, &str); 3] =
    [("facenet512_weights", "h5"), ("2.7_80x80_MiniFASNetV2", "pth"), ("4_0_0_80x80_MiniFASNetV1SE", "pth")];
/// The engines of 0.0.103: name, package, ending. DeepFace uses the first engine that is installed.
const ENGINES: [(&str, &str, &str); 3] =
    [("tensorflow", "tensorflow", "h5"), ("pytorch", "torch", "pth"), ("onnx", "onnxruntime", "onnx")];
/// The variable that names an engine.
const ENGINE: &str = "DEEPFACE_BACKEND_ENGINE";
/// The most directories of Python versions that are searched.
const MOST: usize = 64;

/// An installed DeepFace.
#[derive(Debug, PartialEq, Eq)]
pub struct Installed {
    /// The directory of its packages.
    packages: PathBuf,
    /// The engine, if the version has a choice.
    engine: Option<&'static str>,
    /// The ending of its weights, if all three have the same.
    ending: Option<&'static str>,
}

/// The installed DeepFace, if the lock file pins its weights in any format.
pub fn concerned(lock: &Lock, env: &dyn Fn(&str) -> Option<String>) -> Option<Installed> {
    let stem = |name: &str| name.rsplit_once('.').map_or(String::new(), |(stem, _)| stem.to_owned());
    let pinned = |weight: &ballast::lock::Weight| NAMES.iter().any(|(name, _)| *name == stem(weight.path.file_name()));
    if lock.weights.iter().any(pinned) { installed(env) } else { None }
}

/// The first DeepFace that this environment's Python would find.
fn installed(env: &dyn Fn(&str) -> Option<String>) -> Option<Installed> {
    let packages = folders(env).into_iter().find(|folder| folder.join("deepface").is_dir())?;
    if !packages.join("deepface/commons/onnx_utils.py").exists() {
        return Some(Installed { packages, engine: None, ending: None });
    }
    let named = env(ENGINE).map(|name| name.trim().to_lowercase()).filter(|name| !name.is_empty());
    let right = |(name, package, _): &&(&str, &str, &str)| match &named {
        Some(named) => named == name,
        None => packages.join(package).is_dir(),
    };
    let (engine, _, ending) = ENGINES.iter().find(right)?;
    Some(Installed { engine: Some(engine), ending: Some(ending), packages })
}

impl Installed {
    /// The warning about weights that DeepFace opens and that the lock file pins only in another format.
    pub fn words(&self, lock: &Lock) -> Option<String> {
        let pinned: Vec<&str> = lock.weights.iter().map(|weight| weight.path.file_name()).collect();
        let other = |(stem, old): &(&str, &'static str)| {
            let opened = format!("{stem}.{}", self.ending.unwrap_or(old));
            let form = pinned.iter().any(|name| name.rsplit_once('.').is_some_and(|(found, _)| found == *stem));
            (form && !pinned.contains(&opened.as_str())).then_some(opened)
        };
        let missing: Vec<String> = NAMES.iter().filter_map(other).collect();
        let engine = self.engine.map(|engine| format!(" with the engine {engine}")).unwrap_or_default();
        (!missing.is_empty()).then(|| {
            format!(
                "the DeepFace in {}{engine} opens {}, which the lock file pins in another form only: it downloads {}, unpinned",
                self.packages.display(),
                missing.join(", "),
                if missing.len() == 1 { "it" } else { "them" }
            )
        })
    }

    /// The way out.
    pub fn fix(&self) -> &'static str {
        match self.ending {
            Some("onnx") => {
                "pin the .onnx files with `ballast pin`, or set DEEPFACE_BACKEND_ENGINE to the engine of the pinned form"
            }
            _ => "pin the files that it opens with `ballast pin`",
        }
    }
}

/// Directories that may contain packages: those of PYTHONPATH, the virtual environment, the system's Pythons.
fn folders(env: &dyn Fn(&str) -> Option<String>) -> Vec<PathBuf> {
    let named = env("PYTHONPATH").unwrap_or_default();
    let named = named.split(':').filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let homes = env("VIRTUAL_ENV").into_iter().chain(["/opt/venv", "/usr/local", "/usr"].map(str::to_owned));
    let within = homes.flat_map(|home| versions(&Path::new(&home).join("lib")));
    named.chain(within).collect()
}

fn versions(lib: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(lib).into_iter().flatten().flatten();
    let pythons = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("python3")).take(MOST);
    pythons
        .flat_map(|entry| {
            iter::repeat(entry.path()).zip(["site-packages", "dist-packages"]).map(|(path, name)| path.join(name))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(ending: [&str; 3]) -> Lock {
        let weight = |(stem, ending): (&str, &str)| {
            format!("[[weight]]\npath = \".deepface/weights/{stem}.{ending}\"\nsha256 = \"{}\"\n", "0".repeat(64))
        };
        let weights: String = NAMES.iter().map(|(stem, _)| *stem).zip(ending).map(weight).collect();
        Lock::parse(&format!("version = 1\n[store]\npath = \"/srv/store\"\n{weights}")).unwrap()
    }

    /// The warning in an environment with these packages.
    fn said(packages: &[&str], engine: &str, endings: [&str; 3]) -> Option<String> {
        let folder = tempfile::tempdir().unwrap();
        for package in packages {
            let path = folder.path().join(package);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            if package.ends_with(".py") { fs::write(path, "").unwrap() } else { fs::create_dir_all(path).unwrap() }
        }
        let env = |name: &str| match name {
            "PYTHONPATH" => Some(folder.path().display().to_string()),
            ENGINE => Some(engine.to_owned()),
            _ => None,
        };
        installed(&env).filter(|found| found.packages == folder.path()).and_then(|found| found.words(&lock(endings)))
    }

    #[test]
    fn a_deepface_that_opens_other_names_than_are_pinned_is_named_with_them() {
        let new: &[&str] = &["deepface/commons/onnx_utils.py", "onnxruntime"];
        let both: &[&str] = &["deepface/commons/onnx_utils.py", "onnxruntime", "tensorflow"];
        let (old, onnx) = (["h5", "pth", "pth"], ["onnx"; 3]);
        // Packages, the named engine, the pinned endings, the names in the warning.
        type Row<'r> = (&'r [&'r str], &'r str, [&'r str; 3], &'r [&'r str]);
        let rows: [Row; 8] = [
            (&["deepface/commons"], "", old, &[]),
            (&["deepface/commons"], "", onnx, &["facenet512_weights.h5", "MiniFASNetV2.pth", "MiniFASNetV1SE.pth"]),
            (new, "", old, &["engine onnx", "facenet512_weights.onnx", "MiniFASNetV2.onnx", "MiniFASNetV1SE.onnx"]),
            (new, "", onnx, &[]),
            (both, "", old, &["engine tensorflow", "MiniFASNetV2.h5", "MiniFASNetV1SE.h5"]),
            (both, " ONNX ", onnx, &[]),
            (new, "pytorch", old, &["engine pytorch", "facenet512_weights.pth"]),
            (&["onnxruntime"], "", old, &[]),
        ];
        let mut wrong = Vec::new();
        for (packages, engine, endings, expected) in rows {
            let found = said(packages, engine, endings);
            let right = match &found {
                Some(words) => !expected.is_empty() && expected.iter().all(|part| words.contains(part)),
                None => expected.is_empty(),
            };
            if !right {
                wrong.push(format!("{packages:?} {engine:?} {endings:?}: {found:?}"));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}
