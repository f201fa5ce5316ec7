//! An image whose list of packs is false: no weight gets its name by it.

use std::time::Duration;

use ballast::lock::Lock;
use ballast::store::WeightState;
use oci_spec::image::Config;

use super::*;
use crate::image::layer::{Content, ROOT};
use crate::image::packs::{LIST, Packed, Packs};
use crate::image::{Image, Layer};
use crate::print::Progress;
use crate::setting::INDEX;
use crate::source::{Limits, Sources};

const PACK: &str = ".ballast/pack-00";
const LIMITS: Limits = Limits {
    overall: Duration::from_secs(60),
    idle: Duration::from_secs(60),
    connect: Duration::from_secs(60),
    retries: 0,
    max_size: 1 << 20,
};

/// Blobs in memory.
struct Memory(Vec<Vec<u8>>);

impl Blobs for Memory {
    fn read(&self, blob: &Blob, from: u64, to: u64, _: &ProgressLine, take: Take) -> Result<(), Fault> {
        let found = self.0.iter().find(|bytes| Measured::of(bytes) == blob.measured);
        let bytes = found.ok_or_else(|| Fault::NotFound("no such blob".into()))?;
        take(&bytes[from as usize..to as usize])
    }

    fn label(&self) -> String {
        "memory".into()
    }
}

/// Obtains the weight `b` of an image whose pack contains `a` and `b`, and whose list has this text.
fn obtained(list: &str) -> Result<String, String> {
    let weights = [("a", &b"first weight"[..]), ("b", b"other weight")];
    let mut lock = "version = 1\n[store]\npath = \"/srv/models\"\n".to_owned();
    let mut pack = Layer::new(PACK);
    for (path, bytes) in weights {
        lock += &format!("[[weight]]\npath = \"{path}\"\nsha256 = \"{}\"\n", Measured::of(bytes).digest);
        pack.add(path, 0o444, ROOT, Content::Bytes(bytes.to_vec())).unwrap();
    }
    let mut small = Layer::new(BALLAST);
    for (path, bytes) in
        [(INDEX, Index::default().to_bytes()), (LIST, list.as_bytes().to_vec()), ("weights.lock", lock.clone().into())]
    {
        small.add(path, 0o444, ROOT, Content::Bytes(bytes)).unwrap();
    }
    let image = Image::new(vec![small, pack], "amd64", Config::default()).unwrap();
    let blobs = image.layers.iter().map(|(layer, _)| layer.write(Vec::new()).unwrap()).collect();
    let line = Progress::new().line("test", None);
    let remote = RemoteImage::open(Box::new(Memory(blobs)), &image.manifest, &line).map_err(|why| why.to_string())?;
    let dir = tempfile::tempdir().unwrap();
    let (disk, store) = (LinuxDisk::open(dir.path()).unwrap(), Lock::parse(&lock).unwrap().weights);
    let sources = Sources::only(remote, LIMITS).unwrap();
    let obtained = sources.obtain(&disk, &store, &store[1], &WeightState::Missing, &line);
    let name = std::fs::read(dir.path().join("b"));
    assert_eq!(name.ok().as_deref(), obtained.is_ok().then_some(weights[1].1), "{list}");
    obtained.map_err(|faults| faults.iter().map(|(_, fault)| fault.to_string()).collect())
}

#[test]
fn a_false_list_of_packs_gives_no_file_its_name_and_says_why() {
    // Headers and contents of `a`, then of `b`.
    let right = format!("{PACK}\t512\t12\ta\n{PACK}\t1536\t12\tb\n");
    assert_eq!(obtained(&right), Ok("memory".into()));
    let rows = [
        (right.replace("1536", "512"), "sha256 is"),
        (right.replace("\t12\tb", "\t11\tb"), "sha256 is"),
        (right.replace("\t1536\t", "\t9999999\t"), "beyond the end of the layer"),
        (right.replace("\t1536\t", &format!("\t{}\t", u64::MAX)), "beyond the end of the layer"),
        (right.replace("\t12\tb", &format!("\t{}\tb", u64::MAX)), "beyond the end of the layer"),
        (format!("gone\t512\t12\tb\n{PACK}\t512\t12\ta\n"), "which the image lacks"),
        (format!("{PACK}\t512\t12\ta\n"), "no layer of that title"),
        (right.replace("1536", "x"), "expected TITLE AT SIZE PATH"),
    ];
    let said = |list: &str| obtained(list).err().unwrap_or_default();
    let wrong: Vec<_> =
        rows.iter().map(|(list, part)| (said(list), part)).filter(|(found, part)| !found.contains(**part)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_offsets_of_a_layer_are_where_its_files_begin() {
    let mut layer = Layer::new(PACK);
    let long = format!("{}/w.bin", "d".repeat(180));
    for path in ["a/b/w.bin", "c", &long, "a/e.bin"] {
        layer.add(path, 0o444, ROOT, Content::Bytes(path.repeat(700).into())).unwrap();
    }
    let (bytes, mut packs) = (layer.write(Vec::new()).unwrap(), Packs::default());
    for (path, at, size) in layer.offsets().unwrap() {
        assert_eq!(&bytes[at as usize..(at + size) as usize], path.repeat(700).as_bytes(), "{path}");
        packs.add(path, Packed { layer: PACK.into(), at, size });
    }
    assert!(packs.get("c").is_some() && packs.get(&long).is_some());
}
