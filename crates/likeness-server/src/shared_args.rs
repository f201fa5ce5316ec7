//! The options that several commands share, as types: weights, and how faces are found.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use likeness::examine::Options;
use likeness::find::{FAST_SIDE, FAST_SIDES, Mode};

/// Where the weights come from.
#[derive(Debug, Clone, Args)]
pub struct Weights {
    /// The lock file that pins the weights [default: /etc/ballast/weights.lock, otherwise ./weights.lock]
    #[arg(long, value_name = "FILE", env = "BALLAST_LOCK")]
    pub lock: Option<PathBuf>,
    /// A folder that contains the weights, instead of the lock file's store and baked layer
    #[arg(long, value_name = "DIR")]
    pub weights: Option<PathBuf>,
    /// The kernel set: avx512, avx2, neon or portable [default: the fastest on this machine]
    #[arg(long, value_name = "NAME", env = "LIKENESS_KERNEL")]
    pub kernel: Option<String>,
    /// Accept an embedder with this digest although it is not a published one
    #[arg(long, value_name = "SHA256", env = "LIKENESS_ACCEPT_EMBEDDER")]
    pub accept_embedder: Option<String>,
}

/// How a photograph is searched for faces.
#[derive(Debug, Clone, Copy, Args)]
pub struct DetectionArgs {
    /// How faces are searched
    #[arg(long, value_enum, default_value_t = ModeArg::Auto)]
    pub mode: ModeArg,
    /// The longer side of the photograph in the first search of `fast`
    #[arg(long, value_name = "PIXELS", default_value_t = FAST_SIDE, value_parser = fast_side)]
    pub fast_side: usize,
}

fn fast_side(text: &str) -> Result<usize, String> {
    let side = text.parse().ok().filter(|side| FAST_SIDES.contains(side));
    side.ok_or_else(|| format!("expected {} to {} pixels", FAST_SIDES.start(), FAST_SIDES.end()))
}

/// The ways to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ModeArg {
    /// Search at 320 pixels; if no face is found, also at 640
    Auto,
    /// Search with a black border and never reduced, as DeepFace does; up to 4.5 megapixels
    Exact,
    /// As `auto`, with another longer side of the first search
    Fast,
}

impl DetectionArgs {
    /// The library's word for it.
    pub fn mode(self) -> Mode {
        match self.mode {
            ModeArg::Auto => Mode::Auto,
            ModeArg::Exact => Mode::Exact,
            ModeArg::Fast => Mode::Fast { side: self.fast_side },
        }
    }
}

/// The face of a photograph that counts.
#[derive(Debug, Clone, Copy, Args)]
pub struct Face {
    #[command(flatten)]
    pub look: DetectionArgs,
    /// Use the largest face, even if another face has over half its area
    #[arg(long)]
    pub largest: bool,
}

impl Face {
    /// The library's options.
    pub fn options(self) -> Options {
        Options { mode: self.look.mode(), largest: self.largest, ..Options::default() }
    }
}
