//! `outdated`: each source beside its pin, without fetching a file: same, changed, gone, moved or unknown.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use ballast::lock::{Lock, Source, Weight};
use serde::Serialize;

use super::fetch::sources_of;
use crate::args::{Outdated, Place};
use crate::exit::{Exit, Failure};
use crate::print;
use crate::setting::Setting;
use crate::source::{self, Compared, Drift, Sources, label_of};

/// Sources at a time.
const THREADS: usize = 8;

#[derive(Serialize)]
struct Comparison {
    sources: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    path: String,
    /// The source's text without a possible secret.
    source: Option<String>,
    state: Drift,
    why: String,
    sha256: String,
    found_sha256: Option<String>,
    size: Option<u64>,
    found_size: Option<u64>,
    moved_to: Option<String>,
    /// The address that doesn't move, if `source` is a branch or a name for the newest.
    fixed_address: Option<String>,
}

/// Compares every source of every weight.
///
/// # Errors
/// [`Exit::SourceDrifted`] if a source changed, moved or is gone; otherwise [`Exit::SourceUnknown`] if one isn't proven
/// the same.
pub fn outdated(args: &Outdated) -> Result<(), Failure> {
    let setting = Setting::read(&Place { file: args.file.clone(), store: None, baked: None })?;
    let sources = sources_of(&args.bounds, &[])?;
    let rows = compare(&setting.lock, &sources);
    let verdict = verdict(&rows);
    if args.json {
        print::answer_json(&Comparison { sources: rows });
    } else {
        rows.iter().for_each(tell);
    }
    verdict
}

fn compare(lock: &Lock, sources: &Sources) -> Vec<Row> {
    let mut pairs: Vec<(&Weight, Option<Source>)> = Vec::new();
    for weight in &lock.weights {
        let whole = source::with_sources(lock, weight);
        pairs.extend(whole.sources.iter().map(|source| (weight, Some(source.clone()))));
        if whole.sources.is_empty() {
            pairs.push((weight, None));
        }
    }
    let (next, rows) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some((weight, source)) = pairs.get(at) else { return };
            let row = row(weight, source.as_ref(), sources);
            rows.lock().unwrap_or_else(PoisonError::into_inner).push((at, row));
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..THREADS.min(pairs.len()) {
            // If no thread can be started, the comparison is slower, but complete.
            let _ = std::thread::Builder::new().spawn_scoped(scope, work);
        }
        work();
    });
    let mut rows = rows.into_inner().unwrap_or_else(PoisonError::into_inner);
    rows.sort_by_key(|(at, _)| *at);
    rows.into_iter().map(|(_, row)| row).collect()
}

fn row(weight: &Weight, source: Option<&Source>, sources: &Sources) -> Row {
    let compared = source.map(|source| sources.compare(weight, source));
    let compared = compared.unwrap_or_else(|| Compared::unknown("the lock file names no source"));
    let Compared { drift, why, claim, fixed } = compared;
    let other = claim.digests.iter().find(|digest| **digest != weight.sha256);
    Row {
        path: weight.path.to_string(),
        source: source.map(label_of),
        state: drift,
        why,
        sha256: weight.sha256.to_string(),
        found_sha256: other.or(claim.digests.first()).map(ToString::to_string),
        size: weight.size,
        found_size: claim.size,
        moved_to: claim.moved_to.map(|to| source::public(&to).0),
        fixed_address: fixed,
    }
}

fn tell(row: &Row) {
    let source = row.source.as_deref().unwrap_or("none");
    let mut text = format!("{:8} {}  {source}\n         {}", row.state.name(), row.path, row.why);
    if row.state == Drift::Changed {
        text += &format!("\n         expected {}", row.sha256);
        text += &row.found_sha256.as_ref().map(|found| format!("\n         found    {found}")).unwrap_or_default();
    }
    if let Some(fixed) = &row.fixed_address {
        text += &format!("\n         the content of this address may change; a fixed address: {fixed}");
    }
    print::answer(&text);
}

fn verdict(rows: &[Row]) -> Result<(), Failure> {
    let count = |which: fn(Drift) -> bool| rows.iter().filter(|row| which(row.state)).count();
    let drifted = count(|drift| matches!(drift, Drift::Changed | Drift::Gone | Drift::Moved));
    let unknown = count(|drift| drift == Drift::Unknown);
    if drifted > 0 {
        let what = format!("{drifted} of {} sources changed, moved or are gone", rows.len());
        let hint = "`ballast pin --refresh NAME` takes the present bytes, and removes or replaces sources that moved or are gone; if all are gone, add URL|FILE";
        return Err(Failure::new(Exit::SourceDrifted, what).hint(hint));
    }
    if unknown > 0 {
        let what =
            format!("{unknown} of {} sources: it is unknown whether they still have the pinned bytes", rows.len());
        return Err(Failure::new(Exit::SourceUnknown, what).hint("`ballast fetch --into DIR` reads every byte"));
    }
    Ok(())
}
