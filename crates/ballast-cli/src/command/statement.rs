//! `statement`: what this boot verified, for others to keep. Made of the boot's report; refuses where `status` does.
//! Writes a file only if one is named.

use std::io::{self, ErrorKind};
use std::path::Path;

use crate::args::{FormatArg, Statement};
use crate::exit::{Exit, Failure};
use crate::record::Record;
use crate::setting::Setting;
use crate::statement::{self, Verified};
use crate::{print, termination, whole_file};

/// Prints or writes the statement.
///
/// # Errors
/// [`Exit::WeightsMissing`] with the reason that `status` gives; [`Exit::Usage`] if the file can't be written.
pub fn statement(args: &Statement) -> Result<(), Failure> {
    let setting = Setting::read(&args.place)?;
    let refused = |why| {
        Failure::new(Exit::WeightsMissing, why)
            .hint("start the command by `ballast run`; `ballast status` reads the same report")
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
    let text = match args.format {
        FormatArg::InToto => print::document(&statement::in_toto(&verified)),
        FormatArg::CycloneDx => print::document(&statement::cyclone_dx(&verified)),
        FormatArg::Prometheus => statement::prometheus(&verified),
    };
    let Some(path) = &args.to else {
        print::answer(text.trim_end());
        return Ok(());
    };
    write(path, &text).map_err(|error| {
        Failure::new(Exit::Usage, format!("can't write {}: {error}", path.display()))
            .hint("name a file in a folder that you can write")
    })
}

/// A file that is a mount, as Kubernetes' termination log is, can't be replaced: it is written in place.
fn write(path: &Path, text: &str) -> io::Result<()> {
    whole_file::replace(path, text).or_else(|error| match error.kind() {
        ErrorKind::ResourceBusy | ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem if path.is_file() => {
            termination::replace(path, text)
        }
        _ => Err(error),
    })
}
