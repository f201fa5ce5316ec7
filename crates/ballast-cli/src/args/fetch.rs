//! The command lines of `pin`, `adopt` and `fetch`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::lock_file::LockFile;

/// The folder of fetched weights, unless `--into` names another one; `bake` takes them from this folder.
pub const FETCHED: &str = "mirror";

#[derive(Debug, Args)]
pub struct Fetch {
    #[command(flatten)]
    pub file: LockFile,
    #[command(flatten)]
    pub fetching: Fetching,
    /// A mirror that is used before the lock file's sources, in order, images first; BALLAST_MIRRORS names more
    #[arg(long, value_name = "URL|DIR|oci://…")]
    pub mirror: Vec<String>,
    /// The number of files at a time
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub jobs: usize,
}

#[derive(Debug, Args)]
pub struct Outdated {
    #[command(flatten)]
    pub file: LockFile,
    #[command(flatten)]
    pub bounds: SourceLimits,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Pin {
    /// The source to pin: a URL, a file, or pip:NAME==VERSION!MEMBER
    #[arg(required_unless_present = "refresh", value_name = "URL|FILE")]
    pub sources: Vec<String>,
    /// Replace the digest of this entry, and move the old one to `previous`; without URL|FILE, from its own sources
    #[arg(long, value_name = "PATH", conflicts_with = "path")]
    pub refresh: Option<String>,
    /// The lock file [default: /etc/ballast/weights.lock, otherwise ./weights.lock]
    #[arg(long, value_name = "FILE", env = "BALLAST_LOCK")]
    pub lock: Option<PathBuf>,
    /// The weight's path below the store's root [default: beside the other weights]
    #[arg(long, value_name = "PATH")]
    pub path: Option<String>,
    /// SPDX expression of the file's licence
    #[arg(long, value_name = "SPDX")]
    pub license: Option<String>,
    /// The store's root in a new lock file
    #[arg(long, value_name = "DIR")]
    pub store: Option<PathBuf>,
    #[command(flatten)]
    pub fetching: Fetching,
}

#[derive(Debug, Args)]
pub struct Adopt {
    /// The cache: a folder of DeepFace, a cache of Hugging Face, any folder of weights, or of a signed model
    pub dir: PathBuf,
    /// The lock file [default: /etc/ballast/weights.lock, otherwise ./weights.lock]
    #[arg(long, value_name = "FILE", env = "BALLAST_LOCK")]
    pub lock: Option<PathBuf>,
    /// The store's root in a new lock file [default: the cache's own]
    #[arg(long, value_name = "DIR")]
    pub store: Option<PathBuf>,
    /// Give each group whose files DIR has its present files, in place of the former ones
    #[arg(long)]
    pub refresh: bool,
    #[command(flatten)]
    pub signed: SignedModel,
}

#[derive(Debug, Args)]
pub struct Sign {
    #[command(flatten)]
    pub file: LockFile,
    /// The private key that signs: ECDSA with P-256, P-384 or P-521, without a password, mode 0600
    #[arg(long, value_name = "PEM")]
    pub private_key: PathBuf,
    /// The bundle to write; it replaces an older bundle and no other file
    pub bundle: PathBuf,
}

// A signed model, and whom to trust about it.
#[derive(Debug, Clone, Args)]
pub struct SignedModel {
    /// The bundle of OpenSSF Model Signing that lists all files of DIR
    #[arg(long, value_name = "BUNDLE", requires = "signer")]
    pub signed: Option<PathBuf>,
    /// The public key that must have signed BUNDLE: ECDSA with P-256, P-384 or P-521
    #[arg(long, value_name = "PEM", requires = "signed", group = "signer")]
    pub key: Option<PathBuf>,
    /// Certificates of authorities; one of them must have issued the certificate of BUNDLE's signer, for any subject
    #[arg(long, value_name = "PEM", requires = "signed", group = "signer")]
    pub certificate_chain: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Init {
    /// The project's folder, with its Dockerfile, compose file and folder of models
    #[arg(default_value = ".")]
    pub dir: PathBuf,
    /// The folder of models [default: models, model, weights or checkpoints in DIR]
    #[arg(long, value_name = "DIR")]
    pub models: Option<PathBuf>,
    /// The new lock file [default: ./weights.lock]
    #[arg(long, value_name = "FILE", env = "BALLAST_LOCK")]
    pub lock: Option<PathBuf>,
}

// The options that `pin`, `fetch` and `pull` share: the target folder and the time limits.
#[derive(Debug, Args)]
pub struct Fetching {
    /// The store into which the files are written
    #[arg(long, value_name = "DIR", default_value = FETCHED)]
    pub into: PathBuf,
    #[command(flatten)]
    pub bounds: SourceLimits,
}

// The longest time that a peer may take, and the certificates to trust.
#[derive(Debug, Args)]
pub struct SourceLimits {
    /// Seconds for one file from one source, retries included
    #[arg(long, value_name = "SECONDS", default_value = "3600", value_parser = seconds)]
    pub timeout: Duration,
    /// Seconds without a byte after which a peer has stalled
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    pub idle_timeout: Duration,
    /// Seconds within which a connection must be made
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub connect_timeout: Duration,
    /// How many times to try a source again after a transient fault
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub retries: u32,
    /// The most bytes of a file whose size is not pinned
    #[arg(long, value_name = "BYTES", default_value_t = 16 << 30)]
    pub max_size: u64,
    /// PEM certificates to trust instead of the built-in ones
    #[arg(long, value_name = "FILE", env = "SSL_CERT_FILE")]
    pub ca_file: Option<PathBuf>,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let number: f64 = text.parse().map_err(|_| format!("expected seconds, found {text:?}"))?;
    match Duration::try_from_secs_f64(number) {
        Ok(time) if !time.is_zero() && time < Duration::from_secs(1 << 30) => Ok(time),
        _ => Err(format!("expected more than 0 seconds, found {text}")),
    }
}
