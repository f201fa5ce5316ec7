//! `likeness calibrate DIR` measures error rates on photographs of known persons, chooses the threshold for a
//! claimed rate, and writes a signed calibration.
//!
//! Promises: the same photographs, models and seed give the same numbers. With too few persons for the claimed rate, no
//! threshold is chosen and no file is written. A file is written whole or not at all, and the journal knows it.
//! Photographs and embeddings stay in memory. Reads the folders and the file of groups; writes the calibration and the
//! drawing.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use ballast::foreign;
use likeness::calibration::{
    Bootstrap, CONFIDENCE, Pairs, Point, Resamples, Score, Scores, pairs, person_pairs_needed, persons_needed,
    smallest_claim,
};
use likeness::embed::Direction;
use likeness::policy::Threshold;
use likeness::verdict::Similarity;

use super::batch::{in_order, photographs};
use super::folders::persons;
use super::journal::signer;
use super::store::open;
use crate::calibrate_args::Calibrate;
use crate::calibrate_report::{CalibrateReport, Claim, Written, no_distance};
use crate::calibration::{Calibration, Chosen, ComparisonCount, GroupRates, KIND, Measurement, VERSION, id};
use crate::clock::{now, rfc3339};
use crate::config::policy_without_calibration;
use crate::det::Det;
use crate::examiner::{Examiner, reach};
use crate::exit::{Exit, Failure};
use crate::handler::response::brief;
use crate::hex::hex;
use crate::models::{LoadedModels, kernels};
use crate::print;
use crate::record::Program;
use crate::report::RefusedPhotograph;
use crate::routes::Needs;
use crate::store::{NewEntry, Store};

/// Rates for which the report lists the persons needed and the threshold.
const USUAL: [f64; 4] = [0.01, 0.001, 0.0001, 0.00001];
/// The code of a photograph whose bytes occur twice.
const DUPLICATE: &str = "DUPLICATE_PHOTOGRAPH";
/// The largest size of the file of groups, in bytes.
const LONGEST: u64 = 16 << 20;
/// The largest length of a group's name.
const LONGEST_NAME: usize = 64;

/// The photographs that gave an embedding.
#[derive(Default)]
struct Collection {
    /// The name of each person with such a photograph.
    names: Vec<String>,
    /// The person of each photograph, as an index into `names`, in ascending order.
    owners: Vec<u32>,
    directions: Vec<Direction>,
    refused: Vec<RefusedPhotograph>,
    /// The BLAKE3 hash over the person and the hash of each photograph.
    digest: String,
}

/// Runs the command.
///
/// # Errors
/// A weight, the folder, the groups or the store is not usable, or the collection is too small for the claimed rate.
pub fn run(args: &Calibrate) -> Result<Exit, Failure> {
    let place = args.place();
    let store = match (&args.out, place) {
        (Some(_), None) => {
            return Err(Failure::new(Exit::Usage, "--out: expected --store and --key-file, whose key signs"));
        }
        (Some(_), Some(place)) => Some(open(&place)?),
        (None, _) => None,
    };
    let groups = groups(args)?;
    let models = LoadedModels::load(&args.weights, Needs::Embedding.roles())?;
    Needs::Embedding.met(&models)?;
    let collection = collection(args, &models)?;
    let [genuine, impostor] = pairs(&collection.owners, args.pairs, args.seed);
    let scores = scores(&collection, &genuine, &impostor)?;
    let resamples = Resamples::new(collection.names.len(), args.replicates.into(), args.seed);
    let bootstrap = Bootstrap::new(&scores, &resamples);
    let contract_id = models.encoder()?.space().to_string();
    let measured = measured(args, &collection, contract_id, [&genuine, &impostor], &scores, &bootstrap)?;
    let claim = |rate: f64| claim(&bootstrap, measured.person_pairs, rate);
    let mut rates: Vec<_> = USUAL.into_iter().filter(|rate| *rate != args.fmr).chain([args.fmr]).collect();
    rates.sort_by(|a, b| b.total_cmp(a));
    let claims: Vec<_> = rates.into_iter().map(claim).collect();
    let chosen = claim(args.fmr).threshold.and_then(|threshold| {
        let rates = |scores: &Scores, group: String, persons| {
            let bootstrap = Bootstrap::new(scores, &resamples);
            let [fmr, fnmr] = [bootstrap.fmr(threshold), bootstrap.fnmr(threshold)].map(|rate| rate.map(Into::into));
            GroupRates { group, persons, fmr, fnmr }
        };
        let GroupRates { fmr, fnmr, .. } = rates(&scores, String::new(), 0);
        let groups = members(&groups, &collection.names)
            .into_iter()
            .map(|(group, members)| rates(&scores.among(|person| members.contains(&person)), group, members.len()));
        Some(Chosen { claimed_fmr: args.fmr, threshold, fmr: fmr?, fnmr: fnmr?, groups: groups.collect() })
    });
    let mark = |chosen: &Chosen| Point { distance: chosen.threshold, fmr: chosen.fmr.value, fnmr: chosen.fnmr.value };
    let det = Det::new(&scores.curve(), [impostor.chosen.len(), genuine.chosen.len()], chosen.as_ref().map(mark));
    if let Some(path) = &args.svg {
        let title = format!("{} photographs of {} persons", measured.photographs, measured.persons);
        write(path, &det.svg(&title))?;
    }
    let refusal = chosen.is_none().then(|| no_claim(args.fmr, &measured));
    let written = match (&args.out, store, &chosen) {
        (Some(out), Some(store), Some(chosen)) => Some(signed(args, out, &store, &measured, chosen)?),
        _ => None,
    };
    let (plot, refused, det) = (det.text(), collection.refused, det.points());
    let report = CalibrateReport { measured, claims, chosen, refused, det, plot, written };
    print::answer(&report, args.json, CalibrateReport::lines);
    refusal.map_or(Ok(Exit::Success), Err)
}

/// Embeds every photograph of every person.
fn collection(args: &Calibrate, models: &LoadedModels) -> Result<Collection, Failure> {
    let (mut paths, mut owners) = (Vec::new(), Vec::new());
    for (subject, folder) in persons(&args.folder)? {
        let found = photographs(&[folder])?;
        owners.extend(std::iter::repeat_n(subject.as_str().to_owned(), found.len()));
        paths.extend(found);
    }
    let policy = policy_without_calibration()?;
    let examiner = Examiner::new(models, policy, args.face.options())?;
    let encoder = models.encoder()?;
    let (mut all, mut hasher, mut seen) = (Collection::default(), blake3::Hasher::new(), HashMap::new());
    let mut owners = owners.into_iter();
    in_order(
        &paths,
        |scratch, _, bytes| {
            let face = examiner.subject(scratch, bytes, &mut |_| {})?;
            if let Err(problem) = reach(face.quality(), &policy.verify) {
                return Ok(Err(problem));
            }
            let face = face.with_embedding(&encoder, scratch, &mut |_| {})?;
            Ok(Ok((face.embedding().direction().clone(), blake3::hash(bytes))))
        },
        |path, answer| {
            let owner = owners.next().unwrap_or_default();
            let (direction, hash) = match answer {
                Err(why) => return all.refused.push(why.refused(path).1),
                Ok(Err(problem)) => {
                    return all.refused.push(left_out(path, problem.code().name(), problem.message()));
                }
                Ok(Ok(found)) => found,
            };
            if let Some(first) = seen.get(&hash) {
                return all.refused.push(left_out(path, DUPLICATE, &format!("the same bytes as {first}")));
            }
            seen.insert(hash, path.display().to_string());
            hasher.update(&(owner.len() as u64).to_le_bytes()).update(owner.as_bytes()).update(hash.as_bytes());
            if all.names.last() != Some(&owner) {
                all.names.push(owner);
            }
            all.owners.push(all.names.len() as u32 - 1);
            all.directions.push(direction);
        },
    );
    all.digest = hex(hasher.finalize().as_bytes());
    Ok(all)
}

/// Names a photograph that is not compared, and why.
fn left_out(path: &Path, error_code: &'static str, why: &str) -> RefusedPhotograph {
    let image = path.display().to_string();
    RefusedPhotograph { message: format!("{image}: {why}"), image, error_code }
}

/// Measures the distance of each pair.
fn scores(collection: &Collection, genuine: &Pairs, impostor: &Pairs) -> Result<Scores, Failure> {
    let Collection { owners, directions, .. } = collection;
    let score = |[a, b]: &[usize; 2]| {
        let similarity = Similarity::of(&directions[*a], &directions[*b], Threshold::requested(2.0));
        let distance = similarity.map_err(|why| Failure::new(Exit::NetworkFailed, why.to_string()))?.distance();
        Ok(Score { persons: [owners[*a], owners[*b]], distance })
    };
    let scores = genuine.chosen.iter().chain(&impostor.chosen).map(score);
    Ok(Scores::new(scores.collect::<Result<_, Failure>>()?))
}

fn measured(
    args: &Calibrate,
    collection: &Collection,
    contract_id: String,
    [genuine, impostor]: [&Pairs; 2],
    scores: &Scores,
    bootstrap: &Bootstrap<'_>,
) -> Result<Measurement, Failure> {
    let count = |pairs: &Pairs| ComparisonCount { compared: pairs.chosen.len(), of: pairs.of };
    let (persons, photographs) = (collection.names.len(), collection.owners.len());
    let few = || {
        let what = format!("expected two persons, one of them with two photographs, found {photographs} of {persons}");
        let first = collection.refused.first().map(|refused| format!("the first left out: {}", refused.message));
        Failure::new(Exit::TooFewPersons, what).hint(first.unwrap_or("more photographs".into()))
    };
    Ok(Measurement {
        contract_id,
        detection: args.face.options().search(&policy_without_calibration()?.face).into(),
        persons,
        photographs,
        left_out: collection.refused.len(),
        collection: collection.digest.clone(),
        genuine: count(genuine),
        impostor: count(impostor),
        person_pairs: scores.units()[1],
        confidence: CONFIDENCE,
        replicates: args.replicates.into(),
        seed: args.seed,
        eer: bootstrap.eer().ok_or_else(few)?.into(),
    })
}

/// Returns what the claim of a rate needs, and what it gives if the collection is large enough.
fn claim(bootstrap: &Bootstrap<'_>, person_pairs: usize, rate: f64) -> Claim {
    let enough = person_pairs as u64 >= person_pairs_needed(rate);
    let threshold = enough.then(|| bootstrap.threshold(rate)).flatten();
    let fnmr = threshold.and_then(|threshold| bootstrap.fnmr(threshold)).map(Into::into);
    Claim { fmr: rate, persons_needed: persons_needed(rate), threshold, fnmr }
}

/// Returns the refusal to claim a rate: too few pairs of persons, or no distance that keeps the rate.
fn no_claim(rate: f64, measured: &Measurement) -> Failure {
    let (needed, found) = (person_pairs_needed(rate), measured.person_pairs as u64);
    if found >= needed {
        let hint = "photographs of more persons, or a larger --fmr";
        return Failure::new(Exit::TooFewPersons, format!("{}: {found} pairs of persons", no_distance(rate)))
            .hint(hint);
    }
    let what = format!(
        "a false match rate of {} needs {needed} pairs of persons ({} persons), found {found} ({})",
        brief(rate),
        persons_needed(rate),
        measured.persons
    );
    let sampled = measured.impostor.of > measured.impostor.compared as u64;
    let hint = match smallest_claim(found) {
        _ if sampled => format!("--pairs {}, or photographs of more persons", measured.impostor.of),
        smallest if smallest < 1.0 => {
            // Rounded up: the rate that is named must be one that the collection supports.
            let unit = 10_f64.powi(2 - smallest.log10().floor() as i32);
            format!("photographs of more persons, or --fmr {} or more", (smallest * unit).ceil() / unit)
        }
        _ => "photographs of more persons".into(),
    };
    Failure::new(Exit::TooFewPersons, what).hint(hint)
}

/// Signs the calibration, notes it in the store's journal, and writes it.
fn signed(
    args: &Calibrate,
    out: &Path,
    store: &Arc<Store>,
    measured: &Measurement,
    chosen: &Chosen,
) -> Result<Written, Failure> {
    let (signer, made) = (signer(store)?, now());
    let valid_until = rfc3339(made + i64::from(args.valid_days) * 86_400);
    let calibration = Calibration {
        version: VERSION,
        made_at: rfc3339(made),
        valid_until: valid_until.clone(),
        program: Program::of(kernels(args.weights.kernel.as_deref())?.name()),
        measured: measured.clone(),
        chosen: chosen.clone(),
    };
    let text = serde_json::to_string(&calibration).map_err(|why| Failure::new(Exit::FileFailed, why.to_string()))?;
    let file = signer.sign(KIND, &text) + "\n";
    let sha256 = hex(&id(&file));
    let body = serde_json::json!({"sha256": sha256, "threshold": chosen.threshold, "claimed_fmr": chosen.claimed_fmr});
    // The journal comes first: it may name a file that could not be written, but it misses no file that exists.
    store.append(&[NewEntry::of("calibration_made", made, body)])?;
    write(out, &file)?;
    Ok(Written { file: out.display().to_string(), sha256, public_key: signer.public_key, valid_until })
}

/// Writes a file whole: under a temporary name beside it, which is then renamed.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let temporary = path.with_file_name(format!(".{name}.{}.new", std::process::id()));
    let written = File::create_new(&temporary)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&temporary, path));
    written.map_err(|why| {
        let _ = std::fs::remove_file(&temporary);
        Failure::new(Exit::FileFailed, format!("{}: {why}", path.display()))
    })
}

/// Reads the group of each person; empty without a file.
fn groups(args: &Calibrate) -> Result<BTreeMap<String, String>, Failure> {
    let own = args.folder.join("groups.csv");
    let path = match &args.groups {
        Some(path) => path,
        None if own.exists() => &own,
        None => return Ok(BTreeMap::new()),
    };
    let failed = |exit, why: String| Failure::new(exit, format!("{}: {why}", path.display()));
    let text = foreign::text_named(path, LONGEST).map_err(|why| failed(Exit::FileFailed, why.to_string()))?;
    let known = persons(&args.folder)?.into_iter().map(|(subject, _)| subject.as_str().to_owned()).collect();
    parsed(&text, &known).map_err(|why| failed(Exit::Usage, why))
}

/// Parses lines PERSON,GROUP; the first line may be a head.
fn parsed(text: &str, known: &BTreeSet<String>) -> Result<BTreeMap<String, String>, String> {
    let mut groups = BTreeMap::new();
    for (number, line) in text.lines().enumerate().map(|(at, line)| (at + 1, line.trim())) {
        if line.is_empty() || number == 1 && line.eq_ignore_ascii_case("person,group") {
            continue;
        }
        let expected = format!("line {number}: expected PERSON,GROUP without quotes, found {line:?}");
        let (person, group) = line.split_once(',').ok_or(&expected)?;
        let (person, group) = (person.trim(), group.trim());
        if group.is_empty() || group.len() > LONGEST_NAME || group.contains([',', '"']) {
            return Err(expected);
        }
        if !known.contains(person) {
            return Err(format!("line {number}: no folder of the person {person:?}"));
        }
        if groups.insert(person.to_owned(), group.to_owned()).is_some() {
            return Err(format!("line {number}: the person {person:?} is there twice"));
        }
    }
    Ok(groups)
}

/// Returns the numbers of each group's persons.
fn members(groups: &BTreeMap<String, String>, names: &[String]) -> BTreeMap<String, BTreeSet<u32>> {
    let mut members: BTreeMap<String, BTreeSet<u32>> = BTreeMap::new();
    for (number, name) in names.iter().enumerate() {
        if let Some(group) = groups.get(name) {
            members.entry(group.clone()).or_default().insert(number as u32);
        }
    }
    members
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_refusal_of_a_rate_says_what_is_lacking() {
        let measured = |person_pairs: usize, of: u64| {
            let count = json!({"compared": 100, "of": of});
            let rate = json!({"value": 0.1, "low": 0.05, "high": 0.2});
            let detection = json!({"mode": "auto", "largest": false, "centerface_threshold": 0.35});
            let fields = json!({
                "contract_id": "", "detection": detection, "persons": 10, "photographs": 20, "left_out": 0,
                "collection": "", "genuine": count, "impostor": count, "person_pairs": person_pairs,
                "confidence": 0.95, "replicates": 200, "seed": 1, "eer": rate,
            });
            serde_json::from_value::<Measurement>(fields).unwrap()
        };
        let table = [
            (100, 100, "needs 300 pairs of persons (25 persons), found 100 (10)", "or --fmr 0.3 or more"),
            (100, 900, "needs 300 pairs of persons", "--pairs 900"),
            (10, 100, "needs 300 pairs of persons", "photographs of more persons"),
            (300, 100, "no distance keeps a false match rate of at most 0.1", "a larger --fmr"),
            (300, 900, "no distance keeps a false match rate of at most 0.1", "a larger --fmr"),
        ];
        let wrong: Vec<_> = table
            .into_iter()
            .map(|(pairs, of, what, hint)| (no_claim(0.1, &measured(pairs, of)), what, hint))
            .filter(|(failure, what, hint)| {
                !failure.what.contains(what) || !failure.hint.as_deref().is_some_and(|found| found.contains(hint))
            })
            .collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    #[test]
    fn a_file_is_replaced_whole_and_a_failure_leaves_the_old_one() {
        let folder = testkit::paths::scratch().join(format!("calibrate-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("out/inside")).unwrap();
        let file = folder.join("file");
        for text in ["one", "another"] {
            write(&file, text).unwrap();
            assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
        }
        // A folder can't be replaced by a file.
        assert!(write(&folder.join("out"), "text").is_err());
        let left: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left.len(), 2, "a temporary file stayed: {left:?}");
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn groups_are_lines_of_known_persons_once_each() {
        let known = ["anna", "bert"].map(str::to_owned).into();
        let table = [
            ("person,group\nanna, a b \n\nbert,c\n", Ok(2)),
            ("anna,a", Ok(1)),
            ("", Ok(0)),
            ("anna", Err("line 1: expected PERSON,GROUP")),
            ("anna,", Err("line 1: expected PERSON,GROUP")),
            ("anna,\"a\"", Err("line 1: expected PERSON,GROUP")),
            ("anna,a,b", Err("line 1: expected PERSON,GROUP")),
            ("anna,a\ncarl,b", Err("line 2: no folder of the person \"carl\"")),
            ("anna,a\nanna,b", Err("line 2: the person \"anna\" is there twice")),
        ];
        for (text, expected) in table {
            let found = parsed(text, &known).map(|groups| groups.len());
            let same = match (&found, expected) {
                (Ok(found), Ok(expected)) => *found == expected,
                (Err(found), Err(expected)) => found.starts_with(expected),
                _ => false,
            };
            assert!(same, "{text:?}: {found:?}");
        }
    }
}
