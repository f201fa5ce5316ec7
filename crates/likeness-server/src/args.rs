//! The command line, as types.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::calibrate_args::Calibrate;
use crate::config::names;
use crate::jws::public_key;
pub use crate::shared_args::{DetectionArgs, Face, Weights};
use crate::store::{LONGEST, Tenant};
use crate::store_args::{JournalCommand, KeyCommand, StoreCommand, StorePlace};

/// Face verification on CPU. A missing or wrong model never produces a verdict.
#[derive(Debug, Parser)]
#[command(name = "likeness", version = crate::version(), max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Find faces: boxes, confidence, five landmarks
    Detect(Detect),
    /// Judge whether faces are live, spoofs, or neither
    Live(Live),
    /// Compute the embeddings of faces
    Embed(Embed),
    /// Enrol persons from a folder that has a folder for each person; a second run continues
    Enroll(EnrollFolder),
    /// Compare two photographs: verdict with reasons, distance, timings, digests of the weights
    Compare(Compare),
    /// Measure error rates on photographs of known persons, and choose the threshold for a rate
    Calibrate(Calibrate),
    /// Load every network and report what is loaded
    Models(Models),
    /// Measure each network, and each stage of comparing two photographs
    Bench(Bench),
    /// Serve the HTTP interface
    #[command(after_help = names::listed())]
    Serve(Serve),
    /// Check the health of a running service; exit 0 if it is healthy
    Probe(Probe),
    /// Verify a decision record; with its photographs, examine them again and compare every value
    Explain(Explain),
    /// Verify or export the journal of decisions and changes
    #[command(subcommand)]
    Journal(JournalCommand),
    /// Make, check, export, import or rekey a store of templates
    #[command(subcommand)]
    Store(StoreCommand),
    /// Make, list and revoke API keys
    #[command(subcommand)]
    Key(KeyCommand),
}

impl Command {
    /// Returns whether the command prints its results, and so its failure, as JSON.
    pub fn json(&self) -> bool {
        match self {
            Self::Detect(args) => args.json,
            Self::Live(args) => args.json,
            Self::Embed(args) => args.json,
            Self::Compare(args) => args.json,
            Self::Calibrate(args) => args.json,
            Self::Models(args) => args.json,
            Self::Bench(args) => args.json,
            Self::Explain(args) => args.json,
            Self::Enroll(args) => args.json,
            Self::Journal(JournalCommand::Verify(args)) => args.json,
            Self::Store(StoreCommand::Check(args)) | Self::Key(KeyCommand::List(args)) => args.json,
            Self::Store(StoreCommand::Export(args) | StoreCommand::Import(args)) => args.json,
            Self::Store(_) | Self::Key(_) | Self::Journal(_) | Self::Serve(_) | Self::Probe(_) => false,
        }
    }
}

#[derive(Debug, Args)]
pub struct Detect {
    #[command(flatten)]
    pub weights: Weights,
    #[command(flatten)]
    pub look: DetectionArgs,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Write a PNG of the photograph with numbered boxes of its faces; only for one photograph
    #[arg(long, value_name = "OUT.png")]
    pub draw: Option<PathBuf>,
    /// JPEG, PNG or WebP files, folders of them, or - for stdin
    #[arg(required = true, value_name = "IMG")]
    pub images: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Live {
    #[command(flatten)]
    pub weights: Weights,
    #[command(flatten)]
    pub face: Face,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// JPEG, PNG or WebP files, folders of them, or - for stdin
    #[arg(required = true, value_name = "IMG")]
    pub images: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Embed {
    #[command(flatten)]
    pub weights: Weights,
    #[command(flatten)]
    pub face: Face,
    /// Print JSON, with all 512 numbers
    #[arg(long)]
    pub json: bool,
    /// JPEG, PNG or WebP files, folders of them, or - for stdin
    #[arg(required = true, value_name = "IMG")]
    pub images: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub struct EnrollFolder {
    #[command(flatten)]
    pub weights: Weights,
    #[command(flatten)]
    pub look: DetectionArgs,
    #[command(flatten)]
    pub place: StorePlace,
    /// The tenant of the persons
    #[arg(long, value_name = "ID", default_value = "default", value_parser = Tenant::new)]
    pub tenant: Tenant,
    /// A reference to the proof that every person consented
    #[arg(long, value_name = "TEXT", requires = "consent_version", value_parser = bounded)]
    pub consent_reference: Option<String>,
    /// The version of the text to which the persons agreed
    #[arg(long, value_name = "TEXT", requires = "consent_reference", value_parser = bounded)]
    pub consent_version: Option<String>,
    /// The time of the consent, such as 2026-05-01T12:00:00Z [default: now]
    #[arg(long, value_name = "MOMENT", requires = "consent_reference")]
    pub consent_given_at: Option<String>,
    /// The time at which the enrolments expire
    #[arg(long, value_name = "MOMENT")]
    pub expires_at: Option<String>,
    /// Print lines of JSON
    #[arg(long)]
    pub json: bool,
    /// A folder that contains a folder of photographs for each person, named by the person's id
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
}

fn bounded(text: &str) -> Result<String, String> {
    match (1..=LONGEST).contains(&text.len()) {
        true => Ok(text.to_owned()),
        false => Err(format!("expected 1 to {LONGEST} bytes")),
    }
}

#[derive(Debug, Args)]
pub struct Compare {
    #[command(flatten)]
    pub weights: Weights,
    #[command(flatten)]
    pub face: Face,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// The greatest cosine distance of a match [default: VERIFICATION_THRESHOLD, otherwise DeepFace's]
    #[arg(long, value_name = "DISTANCE")]
    pub threshold: Option<f64>,
    /// A JPEG, PNG or WebP file
    #[arg(value_name = "A")]
    pub first: PathBuf,
    /// The second photograph
    #[arg(value_name = "B")]
    pub second: PathBuf,
}

#[derive(Debug, Args)]
pub struct Explain {
    #[command(flatten)]
    pub weights: Weights,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// The public key that must have signed the record, as `likeness key public` prints it
    #[arg(long, value_name = "HEX", value_parser = public_key)]
    pub public_key: Option<String>,
    /// The record: an answer of /api/v1/records, a line of an exported journal, or the signed text alone
    #[arg(value_name = "RECORD")]
    pub record: PathBuf,
    /// The photographs of the request, in the same order
    #[arg(value_name = "IMG")]
    pub photographs: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Models {
    #[command(flatten)]
    pub weights: Weights,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Bench {
    #[command(flatten)]
    pub weights: Weights,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// The least number of measurements of each value
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..))]
    pub rounds: u16,
    /// A JPEG, PNG or WebP file; with two files, the stages of their comparison are measured
    #[arg(value_name = "A", requires = "second")]
    pub first: Option<PathBuf>,
    /// The second photograph
    #[arg(value_name = "B")]
    pub second: Option<PathBuf>,
}

#[derive(Debug, Clone, Args)]
pub struct Serve {
    #[command(flatten)]
    pub weights: Weights,
    #[command(flatten)]
    pub look: DetectionArgs,
    /// The address to listen at; other addresses than loopback need an API key
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub host: IpAddr,
    /// The port to listen at; 0 chooses a free one
    #[arg(long, value_name = "PORT", default_value_t = 8001)]
    pub port: u16,
    /// The routes that must work for the service to be healthy [default: all], for example verify,liveness
    #[arg(long, value_name = "ROUTES", value_delimiter = ',')]
    pub require: Vec<String>,
    /// The database for templates: sqlite:PATH, postgres://…, or none [default: DATABASE_URL]
    #[arg(long, value_name = "STORE")]
    pub store: Option<String>,
    /// The master key of the store [default: LIKENESS_KEY_FILE]
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// Refuse an enrolment without a consent [default: LIKENESS_REQUIRE_CONSENT]
    #[arg(long)]
    pub require_consent: bool,
    /// Also serve metrics without a key, at this loopback address, for example 127.0.0.1:9001
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub metrics_listen: Option<SocketAddr>,
    /// Serve TLS with this certificate chain, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// The private key of the certificate, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Serve DeepFace's routes also at the root, not only under /deepface
    #[arg(long)]
    pub deepface_root: bool,
}

#[derive(Debug, Args)]
pub struct Probe {
    /// The URL of the health route
    #[arg(value_name = "URL", default_value = "http://127.0.0.1:8001/api/v1/health")]
    pub url: String,
    /// A certificate in PEM to trust for https [default: on loopback, any certificate]
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
}
