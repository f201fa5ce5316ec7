//! The options that several commands share, as types: weights, and how faces are found.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use likeness::examine::Options;
use likeness::find::{FAST_SIDE, Mode};

/// Where the weights come from.
#[derive(Debug, Clone, Args)]
pub struct Weights {
    /// The lock file that pins them [default: /etc/ballast/weights.lock, else ./weights.lock]
    #[arg(long, value_name = "FILE", env = "BALLAST_LOCK")]
    pub lock: Option<PathBuf>,
    /// A folder that holds the files, instead of the lock file's store and baked layer
    #[arg(long, value_name = "DIR")]
    pub weights: Option<PathBuf>,
    /// Which kernels to use: avx512, avx2, neon or portable [default: the fastest here]
    #[arg(long, value_name = "NAME", env = "LIKENESS_KERNEL")]
    pub kernel: Option<String>,
    /// Accept the embedder of this digest although it is not a published one
    #[arg(long, value_name = "SHA256", env = "LIKENESS_ACCEPT_EMBEDDER")]
    pub accept_embedder: Option<String>,
}

/// How a photograph is looked at.
#[derive(Debug, Clone, Copy, Args)]
pub struct DetectionArgs {
    /// How faces are looked for
    #[arg(long, value_enum, default_value_t = ModeArg::Auto)]
    pub mode: ModeArg,
    /// The longer side of the first look of `fast`
    #[arg(long, value_name = "PIXELS", default_value_t = FAST_SIDE)]
    pub fast_side: usize,
}

/// The ways to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ModeArg {
    /// Reduced to 320 pixels, then once more where the face is small there
    Auto,
    /// With a black border, never reduced, as DeepFace looks; up to 4.5 megapixels
    Exact,
    /// As `auto`, with another longer side of the first look
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

/// Which face of a photograph counts.
#[derive(Debug, Clone, Copy, Args)]
pub struct Face {
    #[command(flatten)]
    pub look: DetectionArgs,
    /// Take the largest face, even where a second one has over half its area
    #[arg(long)]
    pub largest: bool,
}

impl Face {
    /// The library's options.
    pub fn options(self) -> Options {
        Options { mode: self.look.mode(), largest: self.largest, ..Options::default() }
    }
}
