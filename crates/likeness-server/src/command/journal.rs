//! `likeness journal` verifies a journal, or exports one with a signed head.

use std::io::{BufRead, BufReader, Read as _};
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

/// The most bytes of a line of an exported journal. The file itself may have any length: it is read line by line.
const LONGEST: usize = 1 << 20;

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
    let hint = "if key and heads are this journal's, it is incomplete or changed: compare it with an exported journal";
    Failure::new(Exit::StoreCorrupt, format!("the journal does not verify: {why}")).hint(hint)
}

fn verify(args: &VerifyJournal) -> Result<Exit, Failure> {
    let store = args.place().map(|place| open(&place)).transpose()?;
    if store.is_none() && (args.store.is_some() || args.key_file.is_some()) {
        return Err(Failure::new(Exit::Usage, "expected --store and --key-file together, found one of them"));
    }
    let own = store.as_ref().map(|store| signer(store)).transpose()?.map(|signer| signer.public_key);
    let key = args.public_key.clone().or(own);
    let mut heads = Vec::new();
    for path in &args.head {
        // The last line of an exported journal contains its head.
        let mut last = String::new();
        each_line(path, |line| {
            line.clone_into(&mut last);
            Ok(())
        })?;
        let jws = head_of(&last).unwrap_or(last);
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

/// Follows an exported journal, which ends with its signed head: without it the file was cut, or is no journal.
fn follow_file(chain: &mut Chain, path: &Path, key: Option<&str>) -> Result<(), Failure> {
    let mut ended = false;
    each_line(path, |line| {
        if ended {
            return Err(broken("there are lines after its head".into()));
        }
        let Some(jws) = head_of(line) else { return chain.follow(line).map_err(broken) };
        let head = JournalHead::read(&jws, key).map_err(|why| broken(format!("its head: {why}")))?;
        if (head.seq, &head.sha256) != (chain.seq, &chain.sha256) {
            return Err(broken(format!("its head is of entry {}, found {}", head.seq, chain.seq)));
        }
        ended = true;
        Ok(())
    })?;
    if ended { Ok(()) } else { Err(broken("expected a signed head in its last line, found none".into())) }
}

fn head_of(line: &str) -> Option<String> {
    serde_json::from_str::<serde_json::Value>(line).ok()?.get("head")?.as_str().map(str::to_owned)
}

/// Calls `act` with each line of a file, or of stdin for `-`, that is not empty; keeps one line in memory.
fn each_line(path: &Path, mut act: impl FnMut(&str) -> Result<(), Failure>) -> Result<(), Failure> {
    let failed = |why: std::io::Error| Failure::new(Exit::FileFailed, format!("{}: {why}", path.display()));
    let mut input: Box<dyn BufRead> = match path == Path::new("-") {
        true => Box::new(std::io::stdin().lock()),
        false => Box::new(BufReader::new(foreign::open_named(path).map_err(failed)?)),
    };
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        if (&mut input).take(LONGEST as u64 + 1).read_until(b'\n', &mut line).map_err(failed)? == 0 {
            break;
        }
        if line.len() > LONGEST {
            let what = format!("{}: line {number}: expected at most {LONGEST} bytes, found more", path.display());
            return Err(Failure::new(Exit::FileFailed, what));
        }
        let text = std::str::from_utf8(&line).map_err(|why| broken(format!("line {number}: {why}")))?.trim();
        if !text.is_empty() {
            act(text)?;
        }
    }
    Ok(())
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
