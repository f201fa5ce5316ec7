//! `likeness journal` verifies a journal, or exports one with a signed head.

use std::io::BufRead as _;
use std::path::Path;

use ballast::foreign;
use serde::Serialize;

use super::store::open;
use crate::clock::now;
use crate::exit::{Exit, Failure};
use crate::jws::Signer;
use crate::print;
use crate::record::chain::{Chain, JournalHead};
use crate::store::{Kind, Store, StoreError};
use crate::store_args::{JournalCommand, VerifyJournal};

/// The largest size of an exported journal.
const LONGEST: u64 = 4 << 30;

/// Runs the command.
///
/// # Errors
/// The journal is not complete, or the store refused.
pub fn run(command: &JournalCommand) -> Result<Exit, Failure> {
    match command {
        JournalCommand::Verify(args) => verify(args),
        JournalCommand::Export(place) => export(&*open(place)?),
    }
}

#[derive(Serialize)]
struct Whole {
    entries: i64,
    records: u64,
    head: String,
    public_key: Option<String>,
}

fn broken(why: String) -> Failure {
    let hint = "an exported journal, and its head, show what was there";
    Failure::new(Exit::StoreCorrupt, format!("the journal is not whole: {why}")).hint(hint)
}

fn verify(args: &VerifyJournal) -> Result<Exit, Failure> {
    let store = args.place().map(|place| open(&place)).transpose()?;
    let own = store.as_ref().map(|store| signer(store)).transpose()?.map(|signer| signer.public_key);
    let key = args.public_key.clone().or(own);
    let mut heads = Vec::new();
    for path in &args.head {
        let text = read(path)?;
        // The last line of an exported journal contains its head.
        let jws = text.lines().last().and_then(head_of).unwrap_or_else(|| text.trim().to_owned());
        heads
            .push(JournalHead::read(&jws, key.as_deref()).map_err(|why| broken(format!("{}: {why}", path.display())))?);
    }
    let mut chain = Chain::new(key.clone(), heads);
    match (&args.file, store) {
        (Some(path), _) => follow_file(&mut chain, path, key.as_deref())?,
        (None, Some(store)) => {
            let counted =
                store.journal(|text| chain.follow(text).map_err(|why| StoreError::new(Kind::Corrupt, why)))?;
            if !counted {
                return Err(broken("entries were added or removed by another program".into()));
            }
        }
        (None, None) => {
            return Err(Failure::new(Exit::Usage, "expected a FILE, or --store and --key-file"));
        }
    }
    chain.end().map_err(broken)?;
    let whole = Whole { entries: chain.seq, records: chain.records, head: chain.sha256, public_key: key };
    print::answer(&whole, args.json, |whole| {
        let key = whole.public_key.as_deref().unwrap_or("the key that each names");
        let Whole { entries, records, head, .. } = whole;
        format!("whole: {entries} entries, {records} records signed by\n  {key}\nhead\n  {head}\n")
    });
    Ok(Exit::Success)
}

fn follow_file(chain: &mut Chain, path: &Path, key: Option<&str>) -> Result<(), Failure> {
    let text = read(path)?;
    for line in text.lines().filter(|line| !line.is_empty()) {
        let Some(jws) = head_of(line) else {
            chain.follow(line).map_err(broken)?;
            continue;
        };
        let head = JournalHead::read(&jws, key).map_err(|why| broken(format!("its head: {why}")))?;
        if (head.seq, &head.sha256) != (chain.seq, &chain.sha256) {
            return Err(broken(format!("its head is of entry {}, found {}", head.seq, chain.seq)));
        }
    }
    Ok(())
}

fn head_of(line: &str) -> Option<String> {
    serde_json::from_str::<serde_json::Value>(line).ok()?.get("head")?.as_str().map(str::to_owned)
}

fn read(path: &Path) -> Result<String, Failure> {
    let failed = |why: std::io::Error| Failure::new(Exit::FileFailed, format!("{}: {why}", path.display()));
    if path == Path::new("-") {
        let lines: Result<Vec<String>, _> = std::io::stdin().lock().lines().collect();
        return lines.map(|lines| lines.join("\n")).map_err(failed);
    }
    foreign::text_named(path, LONGEST).map_err(failed)
}

/// Returns the key that signs the records of a store.
pub fn signer(store: &Store) -> Result<Signer, Failure> {
    Signer::of(&store.record_keys().0).map_err(|why| Failure::new(Exit::KeyFile, why))
}

fn export(store: &Store) -> Result<Exit, Failure> {
    let signer = signer(store)?;
    let mut chain = Chain::new(Some(signer.public_key.clone()), Vec::new());
    let counted = store.journal(|text| {
        chain.follow(text).map_err(|why| StoreError::new(Kind::Corrupt, why))?;
        print::line(text);
        Ok(())
    })?;
    if !counted {
        return Err(broken("entries were added or removed by another program".into()));
    }
    let head = JournalHead { seq: chain.seq, sha256: chain.sha256.clone(), at: now() };
    print::line(&serde_json::json!({"head": head.signed(&signer), "public_key": signer.public_key}).to_string());
    Ok(Exit::Success)
}
