//! `image.toml`: a whole service image in a few lines: its files and directories, how it starts,
//! and the lock file's weights at the baked layer's path.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::boot::plan::Ids;
use oci_spec::image::{Config, ConfigBuilder};
use serde::Deserialize;

use super::built::Image;
use super::layer::Layer;
use super::layer::{Content, Meter, ROOT, open};
use super::programs;
use super::weights::{Layout, layers};
use crate::exit::{Exit, Failure};
use crate::setting::Setting;
use crate::{bounds, foreign, user};

/// The lock file's path in a service image: the first default place.
const LOCK: &str = "etc/ballast/weights.lock";
/// The title of the layer of the service's own files.
const TITLE: &str = "service";

/// The description.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceImage {
    /// What loaders call it.
    pub name: String,
    user: String,
    #[serde(default)]
    entrypoint: Vec<String>,
    #[serde(default)]
    cmd: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    expose: Vec<String>,
    workdir: Option<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default, rename = "dir")]
    dirs: Vec<Dir>,
    #[serde(default, rename = "file")]
    files: Vec<Given>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Dir {
    path: String,
    #[serde(default = "shared")]
    mode: String,
    owner: Option<String>,
}

/// A file: taken from this machine, or written here.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    path: String,
    from: Option<PathBuf>,
    text: Option<String>,
    #[serde(default = "read_only")]
    mode: String,
    owner: Option<String>,
}

fn shared() -> String {
    "0755".into()
}

fn read_only() -> String {
    "0444".into()
}

impl ServiceImage {
    /// Reads a description; the paths in it are relative to its folder.
    ///
    /// # Errors
    /// [`Exit::Usage`] with line and column.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let failed = |why: String| Failure::new(Exit::Usage, format!("{}: {why}", path.display()));
        let text = foreign::text_named(path, bounds::DESCRIPTION).map_err(|error| failed(error.to_string()))?;
        let mut service: Self = toml::from_str(&text).map_err(|error| failed(error.to_string().trim_end().into()))?;
        let root = path.parent().unwrap_or(Path::new("."));
        for file in &mut service.files {
            file.from = file.from.take().map(|from| root.join(from));
        }
        Ok(service)
    }

    /// Replaces or adds the file PATH of the image by the file FROM (`PATH=FROM`). A new file belongs to root and has mode 0444.
    ///
    /// # Errors
    /// A word that is no such pair.
    pub fn take(&mut self, given: &str) -> Result<(), Failure> {
        let Some((path, from)) = given.split_once('=') else {
            return Err(Failure::new(Exit::Usage, format!("expected --file PATH=FROM, found {given:?}")));
        };
        let there = self.files.iter().position(|file| file.path == path);
        let mode = there.map_or_else(read_only, |at| self.files[at].mode.clone());
        let owner = there.and_then(|at| self.files.remove(at).owner);
        self.files.push(Given { path: path.into(), from: Some(from.into()), text: None, mode, owner });
        Ok(())
    }

    /// The image: lock file and index, the weights, and last the service's own files, which change
    /// most often.
    ///
    /// # Errors
    /// [`Exit::WeightsMissing`], or a description that makes no sense.
    pub fn image(
        &self,
        setting: &Setting,
        from: &[PathBuf],
        owner: Ids,
        architecture: Option<&str>,
    ) -> Result<Image, Failure> {
        let baked = setting.baked.as_deref().and_then(Path::to_str).ok_or_else(|| {
            Failure::new(Exit::BadLock, "the lock file names no baked layer")
                .hint("[store] baked = \"/opt/baked-models\" says where the weights lie in the image")
        })?;
        let root = format!("{}/", baked.trim_matches('/'));
        let mut layers = layers(setting, from, &Layout { root: &root, owner, lock: LOCK })?;
        layers.push(self.layer().map_err(|why| Failure::new(Exit::Usage, format!("the image: {why}")))?);
        let usage = |why: String| Failure::new(Exit::Usage, why);
        let architecture = self.architecture(architecture).map_err(usage)?;
        let image = Image::new(layers, &architecture, self.config().map_err(usage)?);
        image.map_err(|error| Failure::new(Exit::FetchFailed, format!("the image: {error}")))
    }

    /// The requested architecture, or that of the programs.
    fn architecture(&self, requested: Option<&str>) -> Result<String, String> {
        let mut programs = Vec::new();
        for file in &self.files {
            let found = file.head().map_err(|error| error.to_string()).and_then(|head| programs::machine(&head));
            let found = found.map_err(|why| format!("{}: {why}", file.path))?;
            programs.extend(found.map(|machine| (file.path.as_str(), machine)));
        }
        programs::architecture(requested, &programs)
    }

    fn layer(&self) -> Result<Layer, String> {
        let mut layer = Layer::new(TITLE);
        let mut dirs: Vec<_> = self.dirs.iter().collect();
        // A directory comes before its entries: otherwise they would create it with default mode and owner.
        dirs.sort_by(|one, other| one.path.cmp(&other.path));
        for dir in dirs {
            layer.add(inner(&dir.path)?, mode(&dir.mode)?, owner(dir.owner.as_ref())?, Content::Directory)?;
        }
        let mut files: Vec<_> = self.files.iter().collect();
        files.sort_by(|one, other| one.path.cmp(&other.path));
        for file in files {
            let content = file.content().map_err(|why| format!("{}: {why}", file.path))?;
            layer.add(inner(&file.path)?, mode(&file.mode)?, owner(file.owner.as_ref())?, content)?;
        }
        Ok(layer)
    }

    fn config(&self) -> Result<Config, String> {
        let mut config = ConfigBuilder::default()
            .user(self.user.clone())
            .env(self.env.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>())
            .working_dir(self.workdir.clone().unwrap_or_else(|| "/".into()));
        if !self.entrypoint.is_empty() {
            config = config.entrypoint(self.entrypoint.clone());
        }
        if !self.cmd.is_empty() {
            config = config.cmd(self.cmd.clone());
        }
        if !self.expose.is_empty() {
            config = config.exposed_ports(self.expose.clone());
        }
        if !self.labels.is_empty() {
            config = config.labels(self.labels.clone().into_iter().collect::<std::collections::HashMap<_, _>>());
        }
        config.build().map_err(|error| error.to_string())
    }
}

impl Given {
    /// Its first bytes, if it is taken from this machine.
    fn head(&self) -> io::Result<Vec<u8>> {
        let mut head = Vec::new();
        if let Some(from) = &self.from {
            open(from)?.take(programs::HEAD as u64).read_to_end(&mut head)?;
        }
        Ok(head)
    }

    fn content(&self) -> Result<Content, String> {
        match (&self.from, &self.text) {
            (Some(from), None) => {
                let reported = |error: io::Error| error.to_string();
                let mut meter = Meter::default();
                io::copy(&mut open(from).map_err(reported)?, &mut meter).map_err(reported)?;
                Ok(Content::File(from.clone(), meter.measured()))
            }
            (None, Some(text)) => Ok(Content::Bytes(text.clone().into_bytes())),
            _ => Err("expected either `from` or `text`".into()),
        }
    }
}

/// A path as a layer writes it.
fn inner(path: &str) -> Result<&str, String> {
    path.strip_prefix('/').ok_or_else(|| format!("expected an absolute path, found {path:?}"))
}

fn mode(text: &str) -> Result<u32, String> {
    let bits = u32::from_str_radix(text, 8).ok().filter(|bits| *bits <= 0o1777);
    bits.ok_or_else(|| format!("expected an octal mode from 0000 to 1777, found {text:?}"))
}

fn owner(text: Option<&String>) -> Result<Ids, String> {
    text.map_or(Ok(ROOT), |text| user::numbers(text))
}
