//! The command lines of `push`, `pull`, `export` and `import`.

use std::path::PathBuf;

use ballast::lock::RelPath;
use clap::Args;

use super::fetch::{FETCHED, Fetching, SourceLimits};
use super::lock_file::LockFile;

fn prefix(text: &str) -> Result<RelPath, String> {
    RelPath::try_from(text.trim_matches('/').to_owned())
}

// Which weights, and how they lie in the image.
#[derive(Debug, Args)]
pub struct Weights {
    #[command(flatten)]
    pub file: LockFile,
    /// Where the weights are now: a fetched store, or a plain folder of files
    #[arg(long, value_name = "DIR", default_value = FETCHED)]
    pub from: Vec<PathBuf>,
    /// Who owns the weights, in numbers [default: the lock file's owner, else 0:0]
    #[arg(long, value_name = "UID:GID")]
    pub owner: Option<String>,
    /// The architecture that the image says it is for
    #[arg(long, value_name = "NAME", default_value = "amd64")]
    pub architecture: String,
    /// The directory of the image that the weights are in, such as KServe's `models` [default: its root]
    #[arg(long, value_name = "DIR", value_parser = prefix, conflicts_with = "image")]
    pub prefix: Option<RelPath>,
    /// The whole service image that this file describes, instead of the weights alone
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = "image.toml")]
    pub image: Option<PathBuf>,
    /// Take a file of the description from elsewhere, or add one that it does not have
    #[arg(long = "file", value_name = "PATH=FROM", requires = "image")]
    pub files: Vec<String>,
}

#[derive(Debug, Args)]
pub struct Push {
    /// Where to: oci://HOST/REPOSITORY:TAG
    #[arg(value_name = "oci://…")]
    pub target: String,
    #[command(flatten)]
    pub weights: Weights,
    #[command(flatten)]
    pub bounds: SourceLimits,
    /// Speak http, unencrypted, to a host that is not this machine
    #[arg(long)]
    pub plain_http: bool,
}

#[derive(Debug, Args)]
pub struct Pull {
    /// Where from: oci://HOST/REPOSITORY:TAG, or …@sha256:DIGEST
    #[arg(value_name = "oci://…")]
    pub source: String,
    #[command(flatten)]
    pub file: LockFile,
    #[command(flatten)]
    pub trust: Trust,
    #[command(flatten)]
    pub fetching: Fetching,
    /// Files at a time
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub jobs: usize,
    /// Speak http, unencrypted, to a host that is not this machine
    #[arg(long)]
    pub plain_http: bool,
}

#[derive(Debug, Args)]
pub struct Export {
    /// The archive that is written
    pub file: PathBuf,
    #[command(flatten)]
    pub weights: Weights,
    /// What loaders call the image [default: models:latest, else as image.toml says]
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
    /// The store that is filled
    #[arg(long, value_name = "DIR", default_value = FETCHED)]
    pub into: PathBuf,
    /// Files at a time
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub jobs: usize,
}

// What to believe where there is no lock file yet.
#[derive(Debug, Args)]
pub struct Trust {
    /// Begin the lock file with the image's own: a first trust
    #[arg(long)]
    pub first_trust: bool,
}
