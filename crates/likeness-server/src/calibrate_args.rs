//! The command line of `likeness calibrate`, as types.

use std::path::PathBuf;

use clap::Args;

use crate::shared_args::{Face, Weights};
use crate::store_args::StorePlace;

#[derive(Debug, Args)]
pub struct Calibrate {
    #[command(flatten)]
    pub weights: Weights,
    #[command(flatten)]
    pub face: Face,
    /// The false match rate to claim: at most this part of comparisons of different persons matches
    #[arg(long, value_name = "RATE", default_value_t = 0.001, value_parser = rate)]
    pub fmr: f64,
    /// Lines PERSON,GROUP: the rates are measured within each group too [default: DIR/groups.csv, if it exists]
    #[arg(long, value_name = "FILE")]
    pub groups: Option<PathBuf>,
    /// Compare at most so many pairs of each kind, drawn at random
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub pairs: u64,
    /// How often persons are drawn again for the confidence intervals
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u16).range(100..))]
    pub replicates: u16,
    /// The seed of everything that is drawn at random
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Write the DET curve as SVG
    #[arg(long, value_name = "FILE.svg")]
    pub svg: Option<PathBuf>,
    /// Write the signed calibration; needs --store and --key-file
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// For how many days the calibration may be used
    #[arg(long, value_name = "DAYS", default_value_t = 365, value_parser = clap::value_parser!(u16).range(1..))]
    pub valid_days: u16,
    /// The store whose key signs: sqlite:PATH or postgres://…
    #[arg(long, value_name = "STORE", env = "DATABASE_URL", hide_env_values = true)]
    pub store: Option<String>,
    /// The file with the store's master key
    #[arg(long, value_name = "FILE", env = "LIKENESS_KEY_FILE")]
    pub key_file: Option<PathBuf>,
    /// Answer in JSON
    #[arg(long)]
    pub json: bool,
    /// The folder: below it a folder for each person, with photographs
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse::<f64>().ok().filter(|rate| (1e-9..1.0).contains(rate));
    rate.ok_or_else(|| "expected a rate from 0.000000001 to below 1".to_owned())
}

impl Calibrate {
    /// The store whose key signs, if it is named.
    pub fn place(&self) -> Option<StorePlace> {
        let (store, key_file) = (self.store.clone()?, self.key_file.clone()?);
        Some(StorePlace { store, key_file })
    }
}
