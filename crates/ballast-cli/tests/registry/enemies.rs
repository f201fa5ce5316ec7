//! Attacks of a registry's or an archive's owner: manifest, layers and index are consistent, but the weights
//! are other bytes. Only the pin reveals this.

use std::fs;
use std::io::Read as _;
use std::path::Path;

use ballast::digest::Digest;
use ballast::index::Index;
use serde_json::{Value, json};

use crate::ground::{Registry, TREE, World, large, made, ready, tool};
use crate::support::{pin_of, stderr};

/// A layout on disk whose blobs can be exchanged.
struct Layout<'a>(&'a Path);

impl Layout<'_> {
    fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&fs::read(self.0.join(name)).unwrap()).unwrap()
    }

    fn blob(&self, descriptor: &Value) -> Vec<u8> {
        let digest = descriptor["digest"].as_str().unwrap().replace(':', "/");
        fs::read(self.0.join("blobs").join(digest)).unwrap()
    }

    /// Writes a blob, and updates its descriptor.
    fn put(&self, descriptor: &mut Value, bytes: &[u8]) {
        let digest = pin_of(bytes);
        fs::write(self.0.join("blobs/sha256").join(&digest), bytes).unwrap();
        descriptor["digest"] = json!(format!("sha256:{digest}"));
        descriptor["size"] = json!(bytes.len());
    }
}

/// Returns the index in an image's small layer, and the lock file.
fn small_layer(bytes: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let (mut index, mut lock) = (Vec::new(), Vec::new());
    for entry in tar::Archive::new(bytes).entries().unwrap() {
        let mut entry = entry.unwrap();
        match String::from_utf8_lossy(&entry.path_bytes()).as_ref() {
            ".ballast/weights.index" => entry.read_to_end(&mut index).map(|_| ()).unwrap(),
            ".ballast/weights.lock" => entry.read_to_end(&mut lock).map(|_| ()).unwrap(),
            _ => {}
        }
    }
    (index, lock)
}

fn packed(index: &[u8], lock: &[u8]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (path, bytes) in [(".ballast/weights.index", index), (".ballast/weights.lock", lock)] {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o444);
        tar.append_data(&mut header, path, bytes).unwrap();
    }
    tar.into_inner().unwrap()
}

/// Creates an image of other bytes whose index lists them under this pin.
fn doctored(dir: &Path, pin: &str, others: &str) {
    let layout = Layout(dir);
    let mut top = layout.json("index.json");
    let mut manifest: Value = serde_json::from_slice(&layout.blob(&top["manifests"][0])).unwrap();
    let mut config: Value = serde_json::from_slice(&layout.blob(&manifest["config"])).unwrap();
    let (index, lock) = small_layer(&layout.blob(&manifest["layers"][0]));
    let index = Index::from_bytes(&index).unwrap();
    let tree = index.tree(&Digest::parse(others).unwrap()).unwrap().clone();
    let mut lying = Index::default();
    lying.add(Digest::parse(pin).unwrap(), tree);
    layout.put(&mut manifest["layers"][0], &packed(&lying.to_bytes(), &lock));
    config["rootfs"]["diff_ids"][0] = manifest["layers"][0]["digest"].clone();
    layout.put(&mut manifest["config"], &serde_json::to_vec(&config).unwrap());
    layout.put(&mut top["manifests"][0], &serde_json::to_vec(&manifest).unwrap());
    fs::write(dir.join("index.json"), serde_json::to_vec(&top).unwrap()).unwrap();
}

#[test]
fn an_index_that_says_of_other_bytes_that_they_are_the_weight_gives_them_no_name() {
    if !ready("an_index_that_says_of_other_bytes_that_they_are_the_weight_gives_them_no_name") {
        return;
    }
    let (registry, world) = (Registry::start(), World::pair());
    let others = made(9, large().len());
    let enemy = World::new(&[("large.bin", others.clone()), ("small.bin", made(2, 5000))]);
    assert!(enemy.ballast(&["export", "e.tar", "--from", "from"]).status.success());
    let dir = enemy.path("layout");
    fs::create_dir(&dir).unwrap();
    tool("tar", &["-xf", enemy.path("e.tar").to_str().unwrap(), "-C", dir.to_str().unwrap()]);
    doctored(&dir, &pin_of(&large()), &pin_of(&others));
    let (from, to) = (format!("oci:{}:latest", dir.display()), registry.docker("models:v1"));
    tool("skopeo", &["copy", "-q", "--preserve-digests", "--dest-tls-verify=false", &from, &to]);
    let archive = enemy.path("doctored.tar").display().to_string();
    tool("tar", &["-cf", &archive, "-C", dir.to_str().unwrap(), "."]);
    let url = registry.url("models:v1");
    let mut flipped = large();
    flipped[5 << 20] ^= 1;
    let mut wrong = Vec::new();
    // The file before: none; the attacker's bytes, each chunk of which the forged index confirms; the weight
    // with one wrong byte.
    for (name, there) in [("nothing", None), ("the enemy's bytes", Some(others)), ("a damaged file", Some(flipped))] {
        for args in [["pull", &url], ["import", &archive]] {
            let _ = fs::remove_dir_all(world.path("mirror"));
            if let Some(bytes) = &there {
                fs::create_dir_all(world.path("mirror").join(TREE)).unwrap();
                fs::write(world.pulled("large.bin"), bytes).unwrap();
            }
            let output = world.ballast(&args);
            let reported = stderr(&output);
            if output.status.code() != Some(17) || !reported.contains("wrong-bytes: ") {
                wrong.push(format!("{name}, {}: {output:?}", args[0]));
            }
            if fs::read(world.pulled("large.bin")).ok() != there || !world.right("small.bin") {
                wrong.push(format!("{name}, {}: the store holds something else", args[0]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
