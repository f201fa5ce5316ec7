//! `statement`: what this boot verified, for others to keep. Made of the boot's report; refuses where `status` does.
//! Writes a file only if one is named.

use std::io::{self, ErrorKind};
use std::path::Path;

use crate::args::{FormatArg, Statement};
use crate::exit::{Exit, Failure};
use crate::record::Record;
use crate::setting::{INDEX, Setting};
use crate::statement::{self, Verified};
use crate::whole_file::Target;
use crate::{print, serial, termination};

/// Prints or writes the statement. Metrics also say that a boot is not ready, so that no older file outlives it.
///
/// # Errors
/// [`Exit::WeightsMissing`] with the reason that `status` gives; [`Exit::Usage`] if the file can't be written.
pub fn statement(args: &Statement) -> Result<(), Failure> {
    let setting = Setting::read(&args.place)?;
    let record = Record::find(args.report.as_deref());
    let to = args.to.as_deref().map(|path| target(path, &setting, record.as_ref().ok())).transpose()?;
    let refused = |why| {
        Failure::new(Exit::WeightsMissing, why)
            .hint("start the command by `ballast run`; `ballast status` reads the same report")
    };
    let (verified, ready) = match &record {
        Ok(record) => {
            let found = verified(record, &setting);
            let stale = |why| {
                Failure::new(Exit::WeightsMissing, why)
                    .hint("start again, so that a boot of this Ballast obeys this lock file")
            };
            let ready = record.why_not_ready(&setting).map_or(Ok(()), |why| Err(refused(why)));
            let obeyed = found.as_ref().map_or_else(|why| Err(stale(why.clone())), |_| Ok(()));
            (found.ok(), ready.and(obeyed))
        }
        Err(why) => (None, Err(refused(why.clone()))),
    };
    let text = match (args.format, &verified) {
        (FormatArg::Prometheus, _) => statement::prometheus(&setting.lock, verified.as_ref(), ready.is_ok()),
        (FormatArg::InToto, Some(verified)) if ready.is_ok() => print::document(&statement::in_toto(verified)),
        (FormatArg::CycloneDx, Some(verified)) if ready.is_ok() => print::document(&statement::cyclone_dx(verified)),
        _ => return ready,
    };
    match to {
        Some((path, target)) => write(path, &target, &text).map_err(|error| cannot_write(path, &error))?,
        None => print::answer(text.trim_end()),
    }
    ready
}

/// What the boot verified and is unchanged.
///
/// # Errors
/// Why the report is not one of this lock file.
fn verified<'a>(record: &'a Record, setting: &'a Setting) -> Result<Verified<'a>, String> {
    let time = record.verified_at(setting)?;
    record.disagreement(setting).map_or(Ok(()), Err)?;
    let (boot, ms) = record.boot();
    Ok(Verified {
        boot,
        seconds: ms / 1e3,
        time,
        writer: record.writer,
        lock: setting.lock_sha256,
        serial: setting.lock.serial,
        weights: record.verified(setting),
        groups: &setting.lock.groups,
    })
}

/// The file that is to have the statement: none that a boot reads or wrote.
fn target<'a>(path: &'a Path, setting: &Setting, record: Option<&Record>) -> Result<(&'a Path, Target<'a>), Failure> {
    let layer = setting.baked.iter().flat_map(|root| [root.join(INDEX), root.join(serial::BAKED)]);
    let kept = setting.files().chain(layer).chain(record.map(|record| record.path.clone()));
    Ok((path, Target::at(path, kept).map_err(|error| cannot_write(path, &error))?))
}

fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    Failure::new(Exit::Usage, format!("can't write {}: {error}", path.display()))
        .hint("name another file, in a folder that you can write; without --to, stdout has the statement")
}

/// A file that is a mount, as Kubernetes' termination log is, can't be replaced: it is written in place.
fn write(path: &Path, target: &Target, text: &str) -> io::Result<()> {
    target.replace(text).or_else(|error| match error.kind() {
        ErrorKind::ResourceBusy | ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem if path.is_file() => {
            termination::replace(path, text)
        }
        _ => Err(error),
    })
}
