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
    /// The false match rate to claim: the greatest part of comparisons of different persons that may match
    #[arg(long, value_name = "RATE", default_value_t = 0.001, value_parser = rate)]
    pub fmr: f64,
    /// A file of lines PERSON,GROUP, to measure the rates within each group [default: DIR/groups.csv, if it exists]
    #[arg(long, value_name = "FILE")]
    pub groups: Option<PathBuf>,
    /// The most pairs of each kind to compare; of more pairs, a random sample
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub pairs: u64,
    /// The number of resamples of persons for the confidence intervals
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u16).range(100..))]
    pub replicates: u16,
    /// The seed of all random choices
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Write the DET curve to this SVG file
    #[arg(long, value_name = "FILE.svg")]
    pub svg: Option<PathBuf>,
    /// Write the signed calibration to this file; needs --store and --key-file
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// The number of days for which the calibration may be used
    #[arg(long, value_name = "DAYS", default_value_t = 365, value_parser = clap::value_parser!(u16).range(1..))]
    pub valid_days: u16,
    /// The store whose key signs: sqlite:PATH or postgres://…
    #[arg(long, value_name = "STORE", env = "DATABASE_URL", hide_env_values = true)]
    pub store: Option<String>,
    /// The file with the store's master key
    #[arg(long, value_name = "FILE", env = "LIKENESS_KEY_FILE")]
    pub key_file: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// A folder that contains a folder of photographs for each person
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
