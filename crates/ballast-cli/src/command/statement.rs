//! `statement`: what this boot verified, for others to keep. Made of the boot's report; refuses where `status` does.

use crate::args::{FormatArg, Statement};
use crate::exit::{Exit, Failure};
use crate::print;
use crate::record::Record;
use crate::setting::Setting;
use crate::statement::{self, Verified};

/// Prints the statement.
///
/// # Errors
/// [`Exit::WeightsMissing`] with the reason that `status` gives.
pub fn statement(args: &Statement) -> Result<(), Failure> {
    let setting = Setting::read(&args.place)?;
    let refused = |why| {
        Failure::new(Exit::WeightsMissing, why)
            .hint("`ballast status` answers for the same report; start by `ballast run`")
    };
    let record = Record::find(args.report.as_deref()).map_err(refused)?;
    if let Some(why) = record.why_not_ready(&setting) {
        return Err(refused(why));
    }
    let (boot, ms) = record.boot();
    let verified = Verified {
        boot,
        seconds: ms / 1e3,
        time: record.time,
        lock: setting.lock_sha256,
        serial: setting.lock.serial,
        weights: record.verified(&setting),
        groups: &setting.lock.groups,
    };
    match args.format {
        FormatArg::InToto => print::answer_json(&statement::in_toto(&verified)),
        FormatArg::CycloneDx => print::answer_json(&statement::cyclone_dx(&verified)),
        FormatArg::Prometheus => print::answer(statement::prometheus(&verified).trim_end()),
    }
    Ok(())
}
