//! The image under test, one root file system for every tier: busybox, gosu, Ballast, both entrypoints, the replaced
//! service's lock file and its baked layer.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use testkit::data::own_data;

use crate::support::docker::find;
use crate::support::{pin_of, program, stderr};

/// The replaced service's four weights, with the sizes in bytes of the generated ones.
pub const WEIGHTS: [(&str, usize); 4] = [
    ("facenet512_weights.h5", 94_772_464),
    ("centerface.onnx", 7_532_772),
    ("2.7_80x80_MiniFASNetV2.pth", 1_852_121),
    ("4_0_0_80x80_MiniFASNetV1SE.pth", 1_858_644),
];
/// The directory of the weights below a root.
pub const TREE: &str = ".deepface/weights";
/// The baked layer's root in the image.
pub const BAKED: &str = "opt/baked-models";

const LOCK: &str = include_str!("../../../../weights.lock");
const ENTRYPOINT: &str = include_str!("entrypoint.sh");
const READER: &str = include_str!("reader.sh");
const APPLETS: [&str; 14] =
    ["sh", "cat", "chown", "cp", "date", "id", "ls", "mkdir", "mv", "rm", "sleep", "stat", "tr", "true"];

/// The root file system of the image.
pub struct Image {
    /// The root's path on this machine.
    pub root: PathBuf,
}

/// Returns an image with weights at a tenth of their size, which only saves time in most situations.
pub fn tenth() -> &'static Image {
    static IMAGE: OnceLock<Image> = OnceLock::new();
    IMAGE.get_or_init(|| Image::new("tenth", |name, size| made_up(name, size / 10)))
}

/// Returns an image with weights at their real size, for readers of the real formats.
pub fn whole() -> &'static Image {
    static IMAGE: OnceLock<Image> = OnceLock::new();
    IMAGE.get_or_init(|| Image::new("whole", generated))
}

/// Returns an image with weights of a few bytes, for a thousand boots.
pub fn tiny() -> &'static Image {
    static IMAGE: OnceLock<Image> = OnceLock::new();
    IMAGE.get_or_init(|| Image::new("tiny", |name, size| made_up(name, size / 10_000)))
}

/// Returns a generated weight.
fn generated(name: &str, size: usize) -> Vec<u8> {
    let bytes = own_data().weight(name);
    assert_eq!(bytes.len(), size, "{name}: the sizes here are those of the generated weights");
    bytes
}

/// Returns bytes that differ for each name and each chunk.
fn made_up(name: &str, size: usize) -> Vec<u8> {
    let mut state = name
        .bytes()
        .fold(0x9e37_79b9_7f4a_7c15_u64, |state, byte| (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

impl Image {
    fn new(name: &str, weight: impl Fn(&str, usize) -> Vec<u8>) -> Self {
        let root = testkit::ground::lasting("scenarios").join(name);
        if root.exists() {
            fs::remove_dir_all(&root).unwrap();
        }
        let image = Self { root };
        for dir in
            ["bin", "usr/local/bin", "etc/ballast", "opt", "tmp", "var/log", "proc", "sys", "dev", "run", "outside"]
        {
            fs::create_dir_all(image.path(dir)).unwrap();
        }
        fs::set_permissions(image.path("tmp"), fs::Permissions::from_mode(0o1777)).unwrap();
        image.programs();
        image.file("etc/passwd", "root:x:0:0:root:/:/bin/sh\napp:x:100:101::/tmp:/bin/sh\n", 0o444);
        image.file("etc/group", "root:x:0:\napp:x:101:\n", 0o444);
        image.file("entrypoint.sh", ENTRYPOINT, 0o755);
        image.file("reader.sh", READER, 0o755);
        image.bake(weight);
        image
    }

    /// Returns the path on this machine of a file in the image.
    pub fn path(&self, rel: &str) -> PathBuf {
        self.root.join(rel)
    }

    /// Returns the path on this machine of a baked weight.
    pub fn baked(&self, name: &str) -> PathBuf {
        self.root.join(BAKED).join(TREE).join(name)
    }

    fn file(&self, rel: &str, text: &str, mode: u32) {
        fs::write(self.path(rel), text).unwrap();
        fs::set_permissions(self.path(rel), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn programs(&self) {
        fs::copy(find("busybox"), self.path("bin/busybox")).unwrap();
        for applet in APPLETS {
            symlink("busybox", self.path("bin").join(applet)).unwrap();
        }
        fs::copy(find("gosu"), self.path("usr/local/bin/gosu")).unwrap();
        // busybox's own `cmp` takes a second for 106 MB.
        for (program, to) in [(find("cmp"), "bin/cmp"), (program(), "usr/local/bin/ballast")] {
            fs::copy(&program, self.path(to)).unwrap();
            libraries(&program).iter().for_each(|library| self.library(library));
        }
        // The full build bakes the image, whichever build is under test.
        libraries(env!("CARGO_BIN_EXE_ballast").as_ref()).iter().for_each(|library| self.library(library));
    }

    fn library(&self, library: &Path) {
        let to = self.path(library.strip_prefix("/").unwrap().to_str().unwrap());
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(library, to).unwrap();
    }

    /// Writes the replaced service's lock file with the pins of these bytes, and bakes the layer.
    fn bake(&self, weight: impl Fn(&str, usize) -> Vec<u8>) {
        let source = self.path("source");
        fs::create_dir(&source).unwrap();
        let mut lock = LOCK.to_owned();
        for (name, size) in WEIGHTS {
            let bytes = weight(name, size);
            lock = with_pin(&lock, name, &pin_of(&bytes), bytes.len());
            fs::write(source.join(name), bytes).unwrap();
        }
        self.file("etc/ballast/weights.lock", &lock, 0o444);
        let mut bake = Command::new(env!("CARGO_BIN_EXE_ballast"));
        bake.arg("bake").arg("--lock").arg(self.path("etc/ballast/weights.lock"));
        let baked = bake.arg("--from").arg(&source).arg(self.path(BAKED)).output().unwrap();
        assert!(baked.status.success(), "{}", stderr(&baked));
        fs::remove_dir_all(source).unwrap();
    }
}

/// Returns the SHA-256 of a file.
pub fn pin(path: &Path) -> String {
    pin_of(&fs::read(path).unwrap())
}

/// Returns the lock file with another pin and size for one weight.
fn with_pin(lock: &str, name: &str, pin: &str, size: usize) -> String {
    let mut inside = false;
    let mut lines = Vec::new();
    for line in lock.lines() {
        if line.starts_with("path = ") {
            inside = line.contains(&format!("/{name}\""));
        }
        match line {
            _ if inside && line.starts_with("sha256 = ") => lines.push(format!("sha256 = \"{pin}\"\nsize = {size}")),
            _ if inside && line.starts_with("size = ") => {}
            _ => lines.push(line.to_owned()),
        }
    }
    lines.join("\n") + "\n"
}

/// Returns the libraries that a program needs; none for a static program.
fn libraries(program: &Path) -> Vec<PathBuf> {
    let listed = Command::new("ldd").arg(program).output().unwrap();
    let text = String::from_utf8_lossy(&listed.stdout).into_owned();
    let words = text.lines().flat_map(str::split_whitespace);
    words.filter(|word| word.starts_with('/')).map(PathBuf::from).collect()
}
