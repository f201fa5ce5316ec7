//! `status`: for probes. Ready is about what the app reads: a report of this boot, written by its own user
//! or root, says which files were verified, and they are still those files. A probe reads no weight.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use ballast::lock::Need;
use serde::Serialize;

use crate::args::Status;
use crate::exit::{Exit, Failure};
use crate::report::{self, FileStamp, Written, WrittenWeight};
use crate::setting::Setting;
use crate::{bounds, facts, foreign, print};

#[derive(Serialize)]
struct Answer {
    ready: bool,
    from: String,
}

/// Answers a probe.
///
/// # Errors
/// [`Exit::WeightsMissing`] when a required weight was not verified in this boot, or has changed since.
pub fn status(args: &Status) -> Result<(), Failure> {
    // A lock file that is wrong, or not signed as required, is the first thing to say.
    Setting::read(&args.place)?;
    let unreported = || Answer { ready: false, from: "no report of this boot".into() };
    let answer = reported(args.report.as_deref()).unwrap_or_else(unreported);
    if args.json {
        print::answer_json(&answer);
    } else {
        print::answer(&format!("{}: {}", if answer.ready { "ready" } else { "not ready" }, answer.from));
    }
    if answer.ready {
        return Ok(());
    }
    Err(Failure::new(Exit::WeightsMissing, "the weights that the app reads were not all verified in this boot")
        .hint("`ballast verify` names what is wrong; `ballast run` or `ballast heal` verifies, mends and reports"))
}

/// The first report of this boot that can be believed.
fn reported(named: Option<&Path>) -> Option<Answer> {
    let places = named.map_or_else(report::candidates, |path| vec![path.to_owned()]);
    places.iter().find_map(|path| {
        let (written, uid) = believed(path)?;
        let from = format!("{}, written by uid {uid}", path.display());
        Some(match changed(&written) {
            Some(weight) if written.ready => {
                Answer { ready: false, from: format!("{weight} has changed since ({from})") }
            }
            _ => Answer { ready: written.ready, from },
        })
    })
}

/// A report of this boot, and who wrote it: root, or this user, and nobody else could.
fn believed(path: &Path) -> Option<(Written, u32)> {
    let file = foreign::open(path).ok()?;
    let meta = file.metadata().ok()?;
    let trusted = [0, facts::ids().uid].contains(&meta.uid()) && meta.mode() & 0o022 == 0;
    let bytes = foreign::read_from(&file, bounds::REPORT).ok().filter(|_| trusted)?;
    let written: Written = serde_json::from_slice(&bytes).ok()?;
    (written.version == report::VERSION && written.boot == report::boot_id()).then_some((written, meta.uid()))
}

/// The first required weight that is no longer the file that was verified.
fn changed(written: &Written) -> Option<&str> {
    let root = &written.served.as_ref()?.root;
    let now = |weight: &WrittenWeight| facts::stat(&root.join(&weight.path)).map(FileStamp::from);
    let differs = |weight: &&WrittenWeight| weight.file.is_none() || now(weight) != weight.file;
    let required = written.weights.iter().filter(|weight| weight.need == Need::Required);
    required.filter(differs).map(|weight| weight.path.as_str()).next()
}
