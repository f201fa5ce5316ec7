//! `likeness store` creates, checks, exports, imports and unlocks a store, and rotates its master key.

use std::sync::Arc;

use serde::Serialize;

use crate::clock::now;
use crate::exit::{Exit, Failure};
use crate::print;
use crate::store::{Archive, Exported, Imported, archive_keys};
use crate::store::{Checked, Erasure, Kind, Location, Purpose, Store, StoreError};
use crate::store_args::{Check, Rotate, StoreCommand, StorePlace, Transfer, Unlock};

/// Runs the command.
///
/// # Errors
/// The store refused; the exit code depends on the error's kind.
pub fn run(command: &StoreCommand) -> Result<Exit, Failure> {
    match command {
        StoreCommand::Init(place) => init(place),
        StoreCommand::Rotate(args) => rotate(args),
        StoreCommand::Check(args) => check(args),
        StoreCommand::Export(args) => export(args),
        StoreCommand::Import(args) => import(args),
        StoreCommand::Unlock(args) => unlock(args),
    }
}

/// Opens a store to manage it.
///
/// # Errors
/// The store refused.
pub fn open(place: &StorePlace) -> Result<Arc<Store>, Failure> {
    let location: Location = place.store.parse()?;
    Ok(Store::open(&location, &place.key_file, Purpose::Manage)?)
}

#[derive(Serialize)]
struct Made {
    store: String,
    key_file: String,
}

fn init(place: &StorePlace) -> Result<Exit, Failure> {
    let location: Location = place.store.parse()?;
    Store::init(&location, &place.key_file)?;
    let made = Made { store: location.to_string(), key_file: place.key_file.display().to_string() };
    print::answer(&made, false, |made| {
        let Made { store, key_file } = made;
        format!("made {store}\nits master key is in {key_file}: keep a copy, apart from the data and its backups\n")
    });
    Ok(Exit::Success)
}

fn rotate(args: &Rotate) -> Result<Exit, Failure> {
    let store = open(&args.place)?;
    let key_file = &args.place.key_file;
    if args.prepare {
        store.prepare_rotation(key_file)?;
        let report =
            format!("{} holds two keys\ncopy it to every replica, then `likeness store rotate`\n", key_file.display());
        print::answer(&report, false, String::clone);
        return Ok(Exit::Success);
    }
    let rotated = store.rotate(key_file)?;
    let left = match rotated.erasure {
        Erasure::Done => "nothing wrapped by the old key is left in the database",
        Erasure::Pending => {
            "a reader still uses the former state: keys that the old master key wrapped are removed at the next checkpoint"
        }
    };
    let report = format!("{} data keys wrapped by master key {}\n{left}\n", rotated.persons, rotated.key);
    print::answer(&report, false, String::clone);
    Ok(Exit::Success)
}

fn unlock(args: &Unlock) -> Result<Exit, Failure> {
    let forgotten = open(&args.place)?.forget_failures(&args.tenant, &args.user)?;
    let user = args.user.as_str();
    let report = match forgotten {
        true => format!("unlocked: the failures of {user} are removed\n"),
        false => format!("no failure of {user} counts\n"),
    };
    print::answer(&report, false, String::clone);
    Ok(Exit::Success)
}

fn export(args: &Transfer) -> Result<Exit, Failure> {
    let store = open(&args.place)?;
    let exported = store.export(&mut store.archive(&args.archive, &args.archive_key)?, now())?;
    print::answer(&exported, args.json, |exported| {
        let Exported { persons, written, revision } = exported;
        let key = args.archive_key.display();
        format!(
            "{persons} persons as of revision {revision}, {written} of them written now\nthe key {key} opens the archive: keep them apart\n"
        )
    });
    Ok(Exit::Success)
}

fn import(args: &Transfer) -> Result<Exit, Failure> {
    let store = open(&args.place)?;
    let keys = archive_keys(&args.archive, &args.archive_key)?;
    let imported = store.import(&mut Archive::open(&args.archive, &keys)?, now())?;
    print::answer(&imported, args.json, |imported| {
        let Imported { stored, already, expired, conflicts } = imported;
        let mut lines = format!("{stored} persons stored, {already} already stored, {expired} expired\n");
        for person in conflicts {
            lines += &format!("{person}: the store has another person of this name, who stays unchanged\n");
        }
        lines
    });
    Ok(if imported.conflicts.is_empty() { Exit::Success } else { Exit::ImportConflict })
}

fn check(args: &Check) -> Result<Exit, Failure> {
    let checked = open(&args.place)?.check()?;
    print::answer(&checked, args.json, lines);
    Ok(if checked.right() { Exit::Success } else { Exit::StoreCorrupt })
}

fn lines(checked: &Checked) -> String {
    let Checked { persons, templates, keys, unreadable, changed, former_key, key } = checked;
    let mut lines = format!("{persons} persons, {templates} templates, {keys} API keys, master key {key}\n");
    if *former_key > 0 {
        lines += &format!("{former_key} persons under a former master key: `likeness store rotate` continues\n");
    }
    for person in unreadable {
        lines += &format!("person {person}: changed or damaged\n");
    }
    for table in changed {
        lines += &format!("table {table}: another program added, removed or changed a row; restore a backup\n");
    }
    lines
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let exit = match error.kind {
            Kind::BadSetting => Exit::BadSetting,
            Kind::Locked => Exit::StoreLocked,
            Kind::WrongKey => Exit::WrongKey,
            Kind::Corrupt => Exit::StoreCorrupt,
            Kind::Layout => Exit::StoreLayout,
            Kind::Unavailable | Kind::Busy | Kind::Absent | Kind::Loading => Exit::StoreUnavailable,
            Kind::Full => Exit::StoreFull,
            Kind::ReadOnly => Exit::StoreReadOnly,
            Kind::KeyFile => Exit::KeyFile,
        };
        Self { exit, what: error.to_string(), hint: error.hint }
    }
}
