//! The command lines of `push`, `pull`, `export` and `import`.

use std::path::PathBuf;

use ballast::lock::RelPath;
use clap::Args;

use super::fetch::{FETCHED, Fetching, SourceLimits};
use super::lock_file::LockFile;
use crate::boot::plan::Ids;
use crate::user::numbers;

fn prefix(text: &str) -> Result<RelPath, String> {
    RelPath::try_from(text.trim_matches('/').to_owned())
}

// The weights of an image, and their place in it.
#[derive(Debug, Args)]
pub struct Weights {
    #[command(flatten)]
    pub file: LockFile,
    /// The folder with the weights: a fetched store, or a plain folder of files
    #[arg(long, value_name = "DIR", default_value = FETCHED)]
    pub from: Vec<PathBuf>,
    /// The owner of the weights, in numbers [default: the lock file's owner, otherwise 0:0]
    #[arg(long, value_name = "UID:GID", value_parser = numbers)]
    pub owner: Option<Ids>,
    /// The architecture in the image's configuration [default: that of the image's programs, otherwise amd64]
    #[arg(long, value_name = "NAME")]
    pub architecture: Option<String>,
    /// The directory of the weights in the image, such as KServe's `models` [default: the image's root]
    #[arg(long, value_name = "DIR", value_parser = prefix, conflicts_with = "image")]
    pub prefix: Option<RelPath>,
    /// Make the whole service image that this file describes, instead of an image of the weights alone
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = "image.toml")]
    pub image: Option<PathBuf>,
    /// Replace a file of the description, or add a file
    #[arg(long = "file", value_name = "PATH=FROM", requires = "image")]
    pub files: Vec<String>,
}

#[derive(Debug, Args)]
pub struct Push {
    /// The target: oci://HOST/REPOSITORY:TAG
    #[arg(value_name = "oci://…")]
    pub target: String,
    #[command(flatten)]
    pub weights: Weights,
    /// Send an index of images that this repository has, one for each architecture, instead of an image
    #[arg(long, value_name = "oci://…", conflicts_with_all = ["image", "prefix", "architecture", "owner"])]
    pub index: Vec<String>,
    #[command(flatten)]
    pub bounds: SourceLimits,
    /// Use unencrypted http to a host that is not this machine
    #[arg(long)]
    pub plain_http: bool,
}

#[derive(Debug, Args)]
pub struct Pull {
    /// The image: oci://HOST/REPOSITORY:TAG, or …@sha256:DIGEST
    #[arg(value_name = "oci://…")]
    pub source: String,
    #[command(flatten)]
    pub file: LockFile,
    #[command(flatten)]
    pub trust: Trust,
    #[command(flatten)]
    pub fetching: Fetching,
    /// The number of files at a time
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub jobs: usize,
    /// Use unencrypted http to a host that is not this machine
    #[arg(long)]
    pub plain_http: bool,
}

#[derive(Debug, Args)]
pub struct Export {
    /// The archive to write
    pub file: PathBuf,
    #[command(flatten)]
    pub weights: Weights,
    /// The name of the image for loaders [default: models:latest, or the name in image.toml]
    #[arg(long, value_name = "NAME:TAG")]
    pub name: Option<String>,
}

#[derive(Debug, Args)]
pub struct Import {
    /// The archive
    pub archive: PathBuf,
    #[command(flatten)]
    pub file: LockFile,
    #[command(flatten)]
    pub trust: Trust,
    /// The store into which the files are written
    #[arg(long, value_name = "DIR", default_value = FETCHED)]
    pub into: PathBuf,
    /// The number of files at a time
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub jobs: usize,
}

// What to trust if there is no lock file yet.
#[derive(Debug, Args)]
pub struct Trust {
    /// Begin the lock file with the image's own: a first trust
    #[arg(long)]
    pub first_trust: bool,
}
