//! `status`: for probes. A report of this boot is believed only if its own user or root wrote
//! it; without one every byte is verified afresh. Nothing is assumed.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use ballast::disk::LinuxDisk;
use ballast::heal::{self, Outcome};
use ballast::lock::Need;
use ballast::store::Strictness;
use serde::Serialize;

use crate::args::Status;
use crate::exit::{Exit, Failure};
use crate::report::{self, Written};
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
/// [`Exit::WeightsMissing`] when a required weight was not verified in this boot.
pub fn status(args: &Status) -> Result<(), Failure> {
    let answer = match reported(args.report.as_deref()) {
        Some(answer) => answer,
        None => afresh(args)?,
    };
    if args.json {
        print::answer_json(&answer);
    } else {
        print::answer(&format!("{}: {}", if answer.ready { "ready" } else { "not ready" }, answer.from));
    }
    if answer.ready {
        return Ok(());
    }
    Err(Failure::new(Exit::WeightsMissing, "a required weight was not verified in this boot")
        .hint("`ballast verify` names it"))
}

fn reported(asked: Option<&Path>) -> Option<Answer> {
    let places = asked.map_or_else(every_place, |path| vec![path.to_owned()]);
    let boot = report::boot_id();
    places.iter().find_map(|path| {
        let file = foreign::open(path).ok()?;
        let meta = file.metadata().ok()?;
        let trusted = [0, facts::ids().uid].contains(&meta.uid()) && meta.mode() & 0o022 == 0;
        let bytes = foreign::read_from(&file, bounds::REPORT).ok().filter(|_| trusted)?;
        let written: Written = serde_json::from_slice(&bytes).ok()?;
        let ours = trusted && written.version == report::VERSION && written.boot == boot;
        ours.then(|| Answer {
            ready: written.ready,
            from: format!("{}, written by uid {}", path.display(), meta.uid()),
        })
    })
}

fn every_place() -> Vec<PathBuf> {
    report::candidates()
}

fn afresh(args: &Status) -> Result<Answer, Failure> {
    let setting = Setting::read(&args.place)?;
    let wanted = setting.all_wanted();
    for root in std::iter::once(&setting.store).chain(&setting.baked) {
        let Ok(disk) = LinuxDisk::open(root) else { continue };
        let outcomes = heal::verify(&disk, &wanted, Strictness::Layer, facts::threads);
        let right =
            |(outcome, weight): (&Outcome, &ballast::lock::Weight)| outcome.is_right() || weight.need != Need::Required;
        if outcomes.iter().zip(&setting.lock.weights).all(right) {
            return Ok(Answer { ready: true, from: format!("verified afresh in {}", root.display()) });
        }
    }
    Ok(Answer { ready: false, from: "no report of this boot, and no store that verifies".into() })
}
