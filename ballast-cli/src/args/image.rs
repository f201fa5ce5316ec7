//! The command lines of `push`, `pull`, `export` and `import`.

use std::path::PathBuf;

use clap::Args;

use super::{Bounds, FETCHED, Fetching, LockFile};

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
}

#[derive(Debug, Args)]
pub struct Push {
    /// Where to: oci://HOST/REPOSITORY:TAG
    #[arg(value_name = "oci://…")]
    pub target: String,
    #[command(flatten)]
    pub weights: Weights,
    #[command(flatten)]
    pub bounds: Bounds,
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
    pub fetching: Fetching,
    /// Files at a time
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub jobs: usize,
    /// Speak http, unencrypted, to a host that is not this machine
    #[arg(long)]
    pub plain_http: bool,
}
