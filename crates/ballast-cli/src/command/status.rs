//! `status`: for probes. The container is ready if this boot's report says so, the report is of
//! this lock file, and the verified files are unchanged. A probe hashes nothing; `--verify` hashes
//! every byte.

use serde::Serialize;

use crate::args::Status;
use crate::command::verify;
use crate::exit::{Exit, Failure};
use crate::print;
use crate::record::{self, Record};
use crate::setting::Setting;

#[derive(Serialize)]
struct ProbeReport {
    ready: bool,
    from: String,
}

/// Answers a probe.
///
/// # Errors
/// [`Exit::WeightsMissing`] if a required weight was not verified in this boot, or was replaced since.
pub fn status(args: &Status) -> Result<(), Failure> {
    let setting = Setting::read(&args.place)?;
    let answer = if args.verify { afresh(args, &setting) } else { recorded(args, &setting) };
    if args.json {
        print::answer_json(&answer);
    } else {
        print::answer(&format!("{}: {}", if answer.ready { "ready" } else { "not ready" }, answer.from));
    }
    if answer.ready {
        return Ok(());
    }
    let hint = if args.verify {
        "`ballast verify` names each weight; `ballast heal` makes a cache right"
    } else {
        "start the container's command by `ballast run`; `ballast status --verify` hashes every byte instead"
    };
    Err(Failure::new(Exit::WeightsMissing, "a required weight is not known to be right").hint(hint))
}

fn recorded(args: &Status, setting: &Setting) -> ProbeReport {
    let record = match Record::find(args.report.as_deref()) {
        Ok(record) => record,
        Err(from) => return ProbeReport { ready: false, from },
    };
    let why_not = record.why_not_ready(setting);
    let ready = why_not.is_none();
    let believed = || format!("{}, written by uid {}", record.path.display(), record.writer);
    ProbeReport { ready, from: why_not.unwrap_or_else(believed) }
}

fn afresh(args: &Status, setting: &Setting) -> ProbeReport {
    let (root, why) = record::root_to_verify(setting, args.report.as_deref());
    let ready = verify::is_ready(setting, &root);
    ProbeReport { ready, from: format!("every byte hashed in {} ({why})", root.display()) }
}
