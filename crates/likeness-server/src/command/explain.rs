//! `likeness explain` verifies a decision record offline. With the photographs, it examines them again and
//! compares each value.

use std::path::Path;

use ballast::{escape, foreign};
use likeness::engine::Scratch;
use likeness::examine::{NoAnswer, Options};
use likeness::models::Role;
use serde::Serialize;
use serde_json::Value;

use super::photograph::{no_answer, read};
use crate::args::Explain;
use crate::examiner::FullExaminer;
use crate::exit::{Exit, Failure};
use crate::jws::verified;
use crate::models::LoadedModels;
use crate::print;
use crate::record::{KIND, ModelRecord, PhotographRecord, Record, mode, policy};
use crate::store::JournalEntry;
use crate::trail::Trail;

/// The largest size of a record's file.
const LONGEST: u64 = 1 << 20;

/// A recorded value and the value found now.
#[derive(Debug, Serialize)]
struct Compared {
    photograph: usize,
    value: String,
    recorded: Value,
    found: Value,
    same: bool,
}

#[derive(Serialize)]
struct Explanation {
    record: Record,
    public_key: String,
    compared: Vec<Compared>,
}

/// Runs the command.
///
/// # Errors
/// The record's signature is wrong, or a photograph, a weight or the recorded policy is not usable.
pub fn run(args: &Explain) -> Result<Exit, Failure> {
    let path = &args.record;
    let failed = |why: String| {
        Failure::new(Exit::StoreCorrupt, format!("{}: {why}", path.display())).hint(
            "a record is the answer of `GET /api/v1/records/ID` (scope `audit`), or its line of `likeness journal export`",
        )
    };
    let text = foreign::text_named(path, LONGEST)
        .map_err(|why| Failure::new(Exit::FileFailed, format!("{}: {why}", path.display())))?;
    if let Some(kind) = serde_json::from_str(&text).ok().and_then(|entry: JournalEntry| other_than_record(&entry)) {
        return Err(failed(format!("expected a record, found the journal's entry {kind:?}")));
    }
    let signed = verified(&jws_of(&text), args.public_key.as_deref()).map_err(failed)?;
    if signed.kind != KIND {
        return Err(failed(format!("expected a record, found {:?}", signed.kind)));
    }
    let record: Record = serde_json::from_str(&signed.text).map_err(|why| failed(why.to_string()))?;
    let compared = match args.photographs.as_slice() {
        [] => Vec::new(),
        photographs => again(args, &record, photographs)?,
    };
    let same = compared.iter().all(|one| one.same);
    let explanation = Explanation { record, public_key: signed.public_key, compared };
    let named = args.public_key.is_some();
    print::answer(&explanation, args.json, |explanation| lines(explanation, named));
    Ok(if same { Exit::Success } else { Exit::Rejected })
}

/// Returns the kind of an entry that contains no record.
fn other_than_record(entry: &JournalEntry) -> Option<String> {
    entry.body.get("jws").is_none().then(|| entry.kind.clone())
}

/// Returns the field `jws` of an HTTP response or of a journal's entry, otherwise the text itself.
fn jws_of(text: &str) -> String {
    let json: Option<Value> = serde_json::from_str(text).ok();
    let field =
        json.and_then(|json| json.pointer("/jws").or_else(|| json.pointer("/body/jws"))?.as_str().map(str::to_owned));
    field.unwrap_or_else(|| text.trim().to_owned())
}

fn again(args: &Explain, record: &Record, photographs: &[std::path::PathBuf]) -> Result<Vec<Compared>, Failure> {
    if photographs.len() > record.photographs.len() {
        let (expected, found) = (record.photographs.len(), photographs.len());
        return Err(Failure::new(Exit::Usage, format!("expected at most {expected} photographs, found {found}")));
    }
    let policy = policy(&record.policy).map_err(|why| Failure::new(Exit::StoreCorrupt, why))?;
    let models = LoadedModels::load(&args.weights, &Role::ALL)?;
    let mut compared = weights(record, &models);
    for (at, path) in photographs.iter().enumerate() {
        let recorded = &record.photographs[at];
        let mode = mode(&recorded.mode).ok_or_else(|| {
            Failure::new(Exit::StoreCorrupt, format!("unknown mode of detection: {:?}", recorded.mode))
        })?;
        let options = Options { mode, ..Options::default() };
        let found = examined(&FullExaminer::new(&models, policy, options)?, path)?;
        compared.extend(values(at + 1, recorded, &found));
    }
    Ok(compared)
}

/// Compares the recorded weights with the weights loaded now.
fn weights(record: &Record, models: &LoadedModels) -> Vec<Compared> {
    let now = models.reports();
    let one = |recorded: &ModelRecord| {
        let role = Role::ALL.into_iter().find(|role| crate::models::key(*role) == recorded.role)?;
        let found = now.iter().find(|model| model.role == crate::models::name(role))?.sha256.clone();
        let same = found == recorded.sha256;
        let value = format!("weights of {}", recorded.role);
        Some(Compared { photograph: 0, value, recorded: recorded.sha256.clone().into(), found: found.into(), same })
    };
    record.models.loaded.iter().filter_map(one).collect()
}

fn examined(examiner: &FullExaminer, path: &Path) -> Result<PhotographRecord, Failure> {
    let bytes = read(path)?;
    let trail = Trail::default();
    let judged =
        trail.clone().within(|| examiner.judged::<NoAnswer>(&mut Scratch::default(), &bytes, &mut |_| {}, |_| Ok(())));
    judged.map_err(|why| no_answer(path, &why))?;
    let seen = trail.seen();
    let one = seen.photographs.first().cloned().unwrap_or_default();
    Ok(PhotographRecord::of(&one, String::new()))
}

/// Compares each recorded value with the value found now. The hash is left out: this command does not have
/// its key.
fn values(photograph: usize, recorded: &PhotographRecord, found: &PhotographRecord) -> Vec<Compared> {
    let flat = |one: &PhotographRecord| {
        let mut all = Vec::new();
        flatten("", &serde_json::to_value(one).unwrap_or_default(), &mut all);
        all
    };
    let found = flat(found);
    let compare = |(value, recorded): (String, Value)| {
        let found = found.iter().find(|(name, _)| *name == value).map_or(Value::Null, |(_, found)| found.clone());
        Compared { photograph, same: recorded == found, value, recorded, found }
    };
    // A value that was not measured then is not compared.
    let measured =
        flat(recorded).into_iter().filter(|(name, value)| name != "/hash" && name != "/mode" && !value.is_null());
    measured.map(compare).collect()
}

fn flatten(path: &str, value: &Value, all: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| flatten(&format!("{path}/{name}"), value, all)),
        Value::Array(values) => {
            values.iter().enumerate().for_each(|(at, value)| flatten(&format!("{path}/{at}"), value, all));
        }
        _ => all.push((path.to_owned(), value.clone())),
    }
}

fn lines(explanation: &Explanation, named: bool) -> String {
    let Explanation { record, public_key, compared } = explanation;
    let trust =
        if named { "the key that was named" } else { "the key that it names; --public-key checks whose key it is" };
    let mut lines = String::new();
    // The signer of a record may have written anything in it.
    let mut say = |text: String| lines.extend([&*escape::line(&text), "\n"]);
    say(format!("signed by {trust}"));
    say(format!("  {public_key}"));
    say(format!("record {}", record.id));
    let verdict = record.verdict.as_deref().unwrap_or("no verdict");
    let code = record.error_code.as_deref().map(|code| format!(", {code}")).unwrap_or_default();
    say(format!("{}: {verdict}, status {}{code}, request {}", record.route, record.status, record.request_id));
    for reason in &record.reasons {
        say(format!("  because: {reason}"));
    }
    for distance in &record.distances {
        let most = record.threshold.as_ref().map(|rule| format!(", at most {} ({})", rule.value, rule.source));
        say(format!("  distance {distance}{}", most.unwrap_or_default()));
    }
    for (at, photograph) in record.photographs.iter().enumerate() {
        let judged = photograph.liveness.as_ref().map(|judged| format!(", {}", judged.verdict)).unwrap_or_default();
        say(format!("photograph {}{judged}, keyed hash", at + 1));
        say(format!("  {}", photograph.hash));
        for (name, value) in photograph.face.iter().flat_map(|face| &face.quality) {
            say(format!("  {name} {value}"));
        }
        for network in photograph.liveness.iter().flat_map(|judged| &judged.probabilities) {
            say(format!("  probabilities {}", network.join(" ")));
        }
    }
    for rule in record.policy.iter().filter(|rule| rule.source != "default") {
        say(format!("policy {} {} ({})", rule.name, rule.value, rule.source));
    }
    let different = compared.iter().filter(|one| !one.same);
    for Compared { photograph, value, recorded, found, .. } in different {
        say(format!("different: {photograph} {value}: recorded {recorded}, found {found}"));
    }
    if !compared.is_empty() {
        let same = compared.iter().filter(|one| one.same).count();
        say(format!("examined again: {same} of {} values are the same", compared.len()));
    }
    lines
}
