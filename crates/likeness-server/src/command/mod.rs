//! One file per command. Each loads what it needs, answers, and says how to end.

mod bench;
mod compare;
mod detect;
mod embed;
mod key;
mod live;
mod models;
mod probe;
mod serve;
mod store;

pub use bench::run as bench;
pub use compare::run as compare;
pub use detect::run as detect;
pub use embed::run as embed;
pub use key::run as key;
pub use live::run as live;
pub use models::run as models;
pub use probe::run as probe;
pub use serve::run as serve;
pub use store::run as store;

use std::path::Path;

use ballast::foreign;
use likeness::examine::NoAnswer;
use likeness::image::Limits;

use crate::exit::{Exit, Failure};

/// Reads a photograph's bytes, never more than are decoded.
fn photograph(path: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |error: std::io::Error| Failure::new(Exit::FileFailed, format!("{}: {error}", path.display()));
    foreign::read_named(path, Limits::default().bytes as u64).map_err(failed)
}

/// A photograph that gave no answer.
fn no_answer(path: &Path, why: &NoAnswer) -> Failure {
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
