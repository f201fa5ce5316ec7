//! The folder of the generated data, below the target folder; it is written once, whole or not at all.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use sha2::{Digest, Sha256};

/// SHA-256 of the weight files that the generators here make. `own_data` refuses other files, and
/// the recorded outputs are those of these files.
const PINS: [(&str, &str); 4] = [
    (super::DETECTOR, "4aae656a050e272238f5dbbd05c3d1145b24cf2616ff33d95c5834e8c1e0f19e"),
    (super::SPOOF_NEAR, "39decb80fe1d71182b324da74fc8557ac00a66a55a28ed5d9db415ec0f88fc08"),
    (super::SPOOF_FAR, "fb22481f53e24768cf0779b752ab396a7b8c65cbd346cfe2dbb5ac51d47fa073"),
    (super::EMBEDDER, "d3ef053dbaaa89e0037a9ba0978282dc104c87416203c80b2cabb08bc8b9fba3"),
];

/// The generated data.
pub struct OwnData {
    root: PathBuf,
}

/// The data, generated unless this target folder has it.
pub fn own_data() -> &'static OwnData {
    static DATA: OnceLock<OwnData> = OnceLock::new();
    DATA.get_or_init(|| OwnData { root: generated(&crate::paths::target().join("own-data")) })
}

impl OwnData {
    /// The folder that has `weights` and `images`, as the shared test data has them.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the text of the repository's lock file, with the pins and sizes of these generated weight files in place of
    /// the published ones.
    #[must_use]
    pub fn lock(&self) -> String {
        let text = fs::read_to_string(crate::paths::repository().join("weights.lock")).unwrap();
        let mut own = None;
        let mut pinned = |line: &str| {
            let (key, value) = line.split_once(" = ").unwrap_or((line, ""));
            match (key, own) {
                ("path", _) => own = PINS.iter().find(|(name, _)| value.trim_matches('"').ends_with(name)).copied(),
                ("sha256", Some((_, pin))) => return format!("sha256 = \"{pin}\"\n"),
                ("size", Some((name, _))) => return format!("size = {}\n", self.weight(name).len()),
                _ => {}
            }
            format!("{line}\n")
        };
        text.lines().map(&mut pinned).collect()
    }

    /// The folder of the four weight files.
    #[must_use]
    pub fn weights(&self) -> PathBuf {
        self.root.join("weights")
    }

    /// The folder of the photographs.
    #[must_use]
    pub fn images(&self) -> PathBuf {
        self.root.join("images")
    }

    /// A weight file's SHA-256, in hexadecimal.
    #[must_use]
    pub fn sha256(name: &str) -> &'static str {
        PINS.iter().find(|(file, _)| *file == name).map(|(_, pin)| *pin).unwrap()
    }

    /// A weight file's bytes.
    #[must_use]
    pub fn weight(&self, name: &str) -> Vec<u8> {
        read(&self.weights().join(name))
    }

    /// A photograph's bytes.
    #[must_use]
    pub fn image(&self, name: &str) -> Vec<u8> {
        read(&self.images().join(name))
    }
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

/// One process generates the files; other processes wait for it.
fn generated(folder: &Path) -> PathBuf {
    let root = folder.join(version());
    fs::create_dir_all(folder).unwrap();
    let lock = File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    if root.is_dir() {
        return root;
    }
    let part = folder.join("part");
    let _ = fs::remove_dir_all(&part);
    fs::create_dir_all(part.join("weights")).unwrap();
    fs::create_dir_all(part.join("images")).unwrap();
    for (name, bytes) in super::weights() {
        let found = hex(&Sha256::digest(&bytes));
        let hint = "another generator needs other pins here and other answers: tools/own-data-answers";
        assert_eq!(found, OwnData::sha256(name), "{name}: {hint}");
        fs::write(part.join("weights").join(name), bytes).unwrap();
    }
    for (name, scene) in super::photographs::all() {
        fs::write(part.join("images").join(name), scene.draw().jpeg()).unwrap();
    }
    fs::rename(&part, &root).unwrap();
    root
}

/// A name for this state of the generators: another state gets another folder.
fn version() -> String {
    let sources = [include_str!("draw.rs"), include_str!("photographs.rs")];
    hex(&Sha256::digest(format!("{PINS:?}{sources:?}")))[..16].to_owned()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder of an earlier state would hide a change of the generators.
    #[test]
    fn the_generators_make_the_files_that_are_pinned() {
        let made = super::super::weights().map(|(name, bytes)| (name, hex(&Sha256::digest(bytes))));
        assert_eq!(made, PINS.map(|(name, pin)| (name, pin.to_owned())));
    }

    #[test]
    fn the_lock_file_pins_all_four_files_and_no_other() {
        let lock = own_data().lock();
        let pinned: Vec<&str> = lock.lines().filter_map(|line| line.strip_prefix("sha256 = ")).collect();
        assert_eq!(pinned.len(), PINS.len(), "{lock}");
        for (name, pin) in PINS {
            assert!(pinned.contains(&format!("\"{pin}\"").as_str()), "{name}: {lock}");
        }
    }

    #[test]
    fn the_folder_has_what_was_generated() {
        let data = own_data();
        for (name, pin) in PINS {
            assert_eq!(hex(&Sha256::digest(data.weight(name))), pin, "{name}");
        }
        for (name, scene) in super::super::photographs::all() {
            assert_eq!(data.image(&name), scene.draw().jpeg(), "{name}");
        }
    }
}
