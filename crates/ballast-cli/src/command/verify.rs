//! `verify`: every file, every byte, against the pins.

use std::path::{Path, PathBuf};

use crate::boot::plan::Ids;
use crate::boot::protection::Protection;
use ballast::digest::Digest;
use ballast::disk::LinuxDisk;
use ballast::heal::{self, Outcome};
use ballast::lock::{Need, Weight};
use ballast::store::{Damage, ExpectedWeight, Strictness, WeightState};
use serde::Serialize;

use crate::args::Verify;
use crate::exit::{Exit, Failure};
use crate::extra;
use crate::hints::Lack;
use crate::record;
use crate::report::WeightLine;
use crate::setting::Setting;
use crate::write_access::WriteAccess;
use crate::{facts, print, target};

#[derive(Serialize)]
struct VerifyReport {
    #[serde(serialize_with = "print::path")]
    root: PathBuf,
    /// The reason for this root, if the user named none.
    chosen: Option<String>,
    ready: bool,
    #[serde(serialize_with = "apart")]
    weights: Vec<VerifiedWeight>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    groups: Vec<VerifiedGroup>,
    /// Files beside them that no entry names.
    extra: Vec<String>,
}

/// Leaves out right files of groups, which the group's line counts.
fn apart<S: serde::Serializer>(weights: &[VerifiedWeight], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(weights.iter().filter(|entry| !entry.line.is_summed_up()))
}

/// A group, in numbers.
#[derive(Serialize)]
struct VerifiedGroup {
    path: String,
    files: usize,
    right: usize,
}

#[derive(Serialize)]
struct VerifiedWeight {
    #[serde(flatten)]
    line: WeightLine,
    owner: Option<String>,
    mode: Option<String>,
    /// The SHA-256 of the bytes, if they were read.
    found_sha256: Option<String>,
}

/// Verifies one tree and reports it.
///
/// # Errors
/// [`Exit::WeightsMissing`] when a required weight is not right; [`Exit::NotInThisBuild`] for a signed model in the
/// entrypoint build.
pub fn verify(args: &Verify) -> Result<(), Failure> {
    #[cfg(feature = "full")]
    if let Some(bundle) = &args.signed.signed {
        return super::signed::verify(args, bundle);
    }
    #[cfg(not(feature = "full"))]
    if !args.signed.is_empty() {
        return Err(crate::exit::not_in_this_build());
    }
    let setting = Setting::read(&args.place)?;
    let (root, chosen) = match &args.dir {
        Some(dir) => (dir.clone(), None),
        None => {
            let (root, why) = record::root_to_verify(&setting, None);
            (root, Some(why))
        }
    };
    let opened = LinuxDisk::open(&root);
    if let (Err(error), false) = (&opened, args.json) {
        let lack = Lack::of_tree(&setting, &root);
        let why = lack.cause().unwrap_or_else(|| format!("can't open {}: {error}", root.display()));
        let hint = if lack.cause().is_some() { lack.hint() } else { "name the tree: `ballast verify DIR`".into() };
        return Err(Failure::new(Exit::WeightsMissing, why).hint(hint));
    }
    let mut answer = examine(&setting, &root);
    answer.chosen = chosen;
    let extras = extra::find(&setting.lock, &root);
    answer.extra = extras.paths.iter().cloned().collect();
    if args.json {
        print::answer_json(&answer)
    } else {
        tell(&answer, args.long)
    }
    if let Some(words) = extras.words(&root).filter(|_| !args.json) {
        print::remark(&words);
    }
    if answer.ready {
        return extras.verdict(&setting.lock, &root);
    }
    Err(Failure::new(Exit::WeightsMissing, format!("a required weight is not right in {}", root.display()))
        .hint(hint(&setting, &root)))
}

/// Returns the hint that repairs a tree: from the layer, or a damaged layer from a folder.
fn hint(setting: &Setting, root: &Path) -> String {
    let layer = setting.baked.as_deref().filter(|baked| baked.is_dir());
    match layer {
        Some(baked) if baked != root => {
            format!("`ballast heal` repairs the cache from the layer at {}", baked.display())
        }
        Some(baked) => format!("bake it again from this lock file: `ballast bake --from DIR {}`", baked.display()),
        None => {
            "`ballast heal --mirror DIR` repairs the cache from a folder that has the files; `ballast fetch` fills one"
                .into()
        }
    }
}

/// Returns whether every required weight below a root is right, by SHA-256.
pub fn is_ready(setting: &Setting, root: &Path) -> bool {
    examine(setting, root).ready
}

/// Verifies by SHA-256 alone, so the result depends only on the pins.
fn examine(setting: &Setting, root: &Path) -> VerifyReport {
    let wanted: Vec<_> = setting.lock.weights.iter().map(ExpectedWeight::by_pin).collect();
    let outcomes = match LinuxDisk::open(root) {
        Ok(disk) => heal::verify(&disk, &wanted, Strictness::Layer, facts::threads),
        Err(_) => wanted.iter().map(|_| Outcome::missing()).collect(),
    };
    let groups = facts::who().groups;
    let custody = WriteAccess::new(reader(setting), &groups);
    let lines = setting.lock.weights.iter().zip(&outcomes).map(|(weight, outcome)| {
        let path = root.join(weight.path.as_str());
        let stat = facts::stat(&path);
        let kept: Option<Protection> = outcome.is_right().then(|| custody.protection(&path)).flatten();
        VerifiedWeight {
            line: WeightLine::new(weight, outcome, kept),
            owner: stat.map(|stat| format!("{}:{}", stat.uid, stat.gid)),
            mode: stat.map(|stat| format!("{:04o}", stat.mode)),
            found_sha256: digest_of(&outcome.found, weight).map(|digest| digest.to_string()),
        }
    });
    let weights: Vec<_> = lines.collect();
    let ready = weights.iter().all(|entry| entry.line.right || entry.line.need != Need::Required);
    let groups = setting.lock.groups.iter().map(|group| {
        let files = weights.get(group.members.clone()).unwrap_or_default();
        let right = files.iter().filter(|entry| entry.line.right).count();
        VerifiedGroup { path: group.name().to_owned(), files: files.len(), right }
    });
    let groups = groups.collect();
    VerifyReport { root: root.to_owned(), chosen: None, ready, weights, groups, extra: Vec::new() }
}

/// Returns the user who will read the weights: the lock file's owner, or this process if no account file has that name.
fn reader(setting: &Setting) -> Ids {
    let account = target::target(None, setting).ok().flatten();
    account.map_or_else(facts::ids, |(account, _)| Ids { uid: account.uid, gid: account.gid })
}

fn digest_of(found: &WeightState, weight: &Weight) -> Option<Digest> {
    match found {
        WeightState::Right => Some(weight.sha256),
        WeightState::Damaged(Damage::Bytes { found, .. }) => *found,
        _ => None,
    }
}

fn tell(answer: &VerifyReport, long: bool) {
    if let Some(why) = &answer.chosen {
        print::remark(&format!("verifying {}: {why}", answer.root.display()));
    }
    let alone = answer.weights.iter().filter(|entry| entry.line.group.is_none()).count();
    let brief = !long && alone > print::EACH;
    let is_shown = |entry: &&VerifiedWeight| long || !entry.line.right || (!brief && entry.line.group.is_none());
    for entry in answer.weights.iter().filter(is_shown) {
        let verdict = if entry.line.right { "ok" } else { "WRONG" };
        let path = answer.root.join(&entry.line.path);
        match (long && entry.line.right, &entry.owner, &entry.mode) {
            (true, Some(owner), Some(mode)) => {
                print::answer(&format!("{verdict:5}  {owner:9} {mode}  {}  {}", entry.line.sha256, path.display()));
            }
            _ => print::answer(&format!("{verdict:5}  {}  {}", path.display(), entry.line.found)),
        }
        if long && !entry.line.right {
            tell_wrong(entry);
        }
    }
    for VerifiedGroup { path, files, right } in &answer.groups {
        let verdict = if files == right { "ok" } else { "WRONG" };
        let path = answer.root.join(path);
        print::answer(&format!("{verdict:5}  {}/  {right} of {files} files right", path.display()));
    }
    if brief {
        let right = answer.weights.iter().filter(|entry| entry.line.right).count();
        print::answer(&format!("{right} of {} right in {}", answer.weights.len(), answer.root.display()));
    }
}

/// Prints whole digests on aligned lines of their own.
fn tell_wrong(entry: &VerifiedWeight) {
    let unknown = || "none".to_owned();
    let (owner, mode) = (entry.owner.clone().unwrap_or_else(unknown), entry.mode.clone().unwrap_or_else(unknown));
    let found = entry.found_sha256.clone().unwrap_or_else(|| "not read".into());
    print::answer(&format!("       owner    {owner}, mode {mode}"));
    print::answer(&format!("       expected {}\n       found    {found}", entry.line.sha256));
}
