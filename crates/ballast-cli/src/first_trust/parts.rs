//! Finds the other files that a file needs: an index names shards, a shard has a number, a model
//! has external data.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::io;

use ballast::lock::RelPath;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, de};

use super::blob::digest_of_name;
use super::findings::{Findings, Parts};
use crate::{bounds, foreign};

/// The path of a file that another file names, relative to that file's directory.
pub fn beside(path: &RelPath, name: &str) -> Result<RelPath, String> {
    let name = name.strip_prefix("./").unwrap_or(name);
    let whole = if path.parent().is_empty() { name.to_owned() } else { format!("{}/{name}", path.parent()) };
    RelPath::try_from(whole)
}

/// The whole set of `NAME-00003-of-00005.EXT`.
pub fn numbered(path: &RelPath) -> Option<Parts> {
    let (stem, extension) = path.file_name().split_once('.')?;
    let (stem, all) = stem.rsplit_once("-of-")?;
    let (stem, this) = stem.rsplit_once('-')?;
    let digits = |text: &str| (4..=6).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let (width, count): (usize, usize) = (this.len(), all.parse().ok().filter(|_| digits(all) && digits(this))?);
    let this: usize = this.parse().ok()?;
    if !(2..=bounds::PARTS).contains(&count) || this > count {
        return None;
    }
    let name = |at: usize| beside(path, &format!("{stem}-{at:0width$}-of-{all}.{extension}")).ok();
    let names: Vec<_> = (1..=count).filter_map(name).collect();
    Some(Parts { first: name(0), ..Parts::new(path, names) })
}

/// Names under which tokenizers look for their files; one is enough.
const TOKENIZERS: [&str; 14] = [
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "vocab.json",
    "vocab.txt",
    "vocab.bpe",
    "vocabulary.json",
    "vocabulary.txt",
    "spiece.model",
    "sentencepiece.bpe.model",
    "source.spm",
    "tekken.json",
    "tokenizer.model.v3",
    "qwen.tiktoken",
];

#[derive(Deserialize)]
struct Config {
    vocab_size: Option<de::IgnoredAny>,
}

/// The tokenizer of a model whose `config.json` has a vocabulary. A pipeline keeps that of a text encoder in another
/// folder.
pub fn read_config(path: &RelPath, file: &File, checked: &mut Findings) -> io::Result<()> {
    let folder = path.parent().rsplit('/').next().unwrap_or_default();
    if folder.starts_with("text_encoder") || file.metadata()?.len() > bounds::MANIFEST {
        return Ok(());
    }
    let config = serde_json::from_slice::<Config>(&foreign::read_from(file, bounds::MANIFEST)?);
    if config.is_ok_and(|config| config.vocab_size.is_some()) {
        let names = TOKENIZERS.iter().filter_map(|name| beside(path, name).ok()).collect();
        checked.parts = Some(Parts { one_is_enough: true, ..Parts::new(path, names) });
    }
    Ok(())
}

struct Shards(BTreeSet<String>);

#[derive(Deserialize)]
struct Index {
    weight_map: Option<Shards>,
}

impl<'de> Deserialize<'de> for Shards {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Map;
        impl<'de> Visitor<'de> for Map {
            type Value = Shards;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map from tensors to files")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Shards, A::Error> {
                let mut all = BTreeSet::new();
                while let Some((_, shard)) = map.next_entry::<de::IgnoredAny, String>()? {
                    all.insert(shard);
                    if all.len() > bounds::PARTS {
                        return Err(de::Error::custom("too many files"));
                    }
                }
                Ok(Shards(all))
            }
        }
        from.deserialize_map(Map)
    }
}

/// The shards that an index such as `model.safetensors.index.json` names.
pub fn read_index(path: &RelPath, file: &File, checked: &mut Findings) -> io::Result<()> {
    if file.metadata()?.len() > bounds::HEADER {
        checked.doubt("it is too long to check which files it names");
        return Ok(());
    }
    let index: Index = match serde_json::from_slice(&foreign::read_from(file, bounds::HEADER)?) {
        Ok(index) => index,
        Err(error) => {
            checked.refuse(format!("it is damaged: {error}"));
            return Ok(());
        }
    };
    let mut names = Vec::new();
    for shard in index.weight_map.map(|shards| shards.0).unwrap_or_default() {
        match beside(path, &shard) {
            Ok(name) => names.push(name),
            Err(why) => checked.refuse(format!("it names a file with an invalid path: {why}")),
        }
    }
    checked.parts = (!names.is_empty()).then(|| Parts::new(path, names));
    Ok(())
}

#[derive(Deserialize)]
struct Manifest {
    config: Option<ManifestLayer>,
    #[serde(default)]
    layers: Vec<ManifestLayer>,
}

#[derive(Deserialize)]
struct ManifestLayer {
    digest: String,
}

/// The blobs that a manifest of Ollama's store names: `blobs` lies beside `manifests`.
pub fn read_manifest(path: &RelPath, file: &File, checked: &mut Findings) -> io::Result<()> {
    if file.metadata()?.len() > bounds::MANIFEST {
        return Ok(());
    }
    // Another tool's file at this place is not a manifest, and needs no other file.
    let bytes = foreign::read_from(file, bounds::MANIFEST)?;
    let Ok(manifest) = serde_json::from_slice::<Manifest>(&bytes) else { return Ok(()) };
    let store: Vec<&str> = path.names().take_while(|name| *name != "manifests").collect();
    let blob = |layer: &ManifestLayer| {
        let hex = layer.digest.strip_prefix("sha256:").filter(|hex| digest_of_name(hex).is_some())?;
        let name = format!("blobs/sha256-{hex}");
        RelPath::try_from(if store.is_empty() { name } else { format!("{}/{name}", store.join("/")) }).ok()
    };
    let names: Vec<_> = manifest.config.iter().chain(&manifest.layers).filter_map(blob).collect();
    checked.parts = (!names.is_empty()).then(|| Parts::new(path, names));
    Ok(())
}
