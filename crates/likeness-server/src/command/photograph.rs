//! Reads a photograph that a command names, and converts a failed examination to an exit code.

use std::path::Path;

use ballast::foreign;
use likeness::examine::NoAnswer;
use likeness::image::Limits;

use crate::exit::{Exit, Failure};

/// Reads a photograph's bytes; a file longer than the decoder's limit is an error.
pub fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |error: std::io::Error| Failure::new(Exit::FileFailed, format!("{}: {error}", path.display()));
    foreign::read_named(path, Limits::default().bytes as u64).map_err(failed)
}

/// Converts a failed examination to the command's error.
pub fn no_answer(path: &Path, why: &NoAnswer) -> Failure {
    let (exit, hint) = match why {
        NoAnswer::Decode(_) => (Exit::BadImage, None),
        NoAnswer::Find(likeness::find::FindError::TooLargeForExact { .. }) => {
            (Exit::BadImage, Some("--mode fast, or --mode auto"))
        }
        NoAnswer::Find(likeness::find::FindError::BadSide { .. }) => (Exit::Usage, Some("--fast-side PIXELS")),
        NoAnswer::Find(_) | NoAnswer::Run(_) | NoAnswer::NoDirection | NoAnswer::OtherSpace(_) => {
            (Exit::NetworkFailed, None)
        }
        NoAnswer::Unfit(likeness::quality::Unfit::SeveralFaces { .. }) => {
            (Exit::Unfit, Some("--largest takes the largest"))
        }
        NoAnswer::Unfit(_) => (Exit::Unfit, None),
    };
    let failure = Failure::new(exit, format!("{}: {}: {why}", path.display(), why.code()));
    Failure { hint: hint.map(str::to_owned), ..failure }
}
