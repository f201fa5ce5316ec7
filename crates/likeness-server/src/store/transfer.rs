//! Exports persons from a store to an archive, and imports them from an archive to a store, with either kind
//! of database.
//!
//! If a run was interrupted, the next run continues it. The archive follows the store's revisions: it shows
//! every person as of one revision, even if persons change during the export. An import stores at most
//! [`PAGE`] persons in one transaction and does not change stored persons.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::json;

use super::archive::{Archive, ArchivedPerson, Frame, Place};
use super::digest::{Changes, Meta};
use super::enroll::FOLLOWED;
use super::entry::NewEntry;
use super::error::{Kind, Result, StoreError};
use super::handle::{Store, columns};
use super::keys::{KeyUse, Keyring};
use super::location::Location;
use super::person::{DIMENSION, MOST_TEMPLATES, Person, Subject, Template, TemplateData, Tenant};
use super::record::Opened;
use super::seal::{name, random};
use super::terms::{Consent, Terms};
use crate::hex::{hex, unhex};
use crate::pseudonym::Pseudonym;

/// The number of frames that are written or imported at once.
const PAGE: usize = 100;

/// The result of an export.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Exported {
    /// The number of persons in the archive.
    pub persons: u64,
    /// The number of persons that this run wrote.
    pub written: u64,
    /// The revision of the store that the archive shows.
    pub revision: i64,
}

/// The result of an import.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Imported {
    /// The number of persons that this run stored.
    pub stored: u64,
    /// The number of persons who were stored already, with equal data.
    pub already: u64,
    /// The number of expired persons, which are not stored.
    pub expired: u64,
    /// The names of stored persons whose data differs from the archive's; they were not changed.
    pub conflicts: Vec<String>,
}

/// Reads the key file of an archive.
///
/// # Errors
/// The key file is in the archive's directory, absent, or no key file.
pub fn archive_keys(archive: &Path, key_file: &Path) -> Result<Keyring> {
    Location::Sqlite(archive.to_owned()).refuse_beside(key_file)?;
    Keyring::read(key_file, KeyUse::Archive)
}

/// The contents of an archive.
struct Contents {
    /// The hash that stands for the exported store; `None` if the archive is empty.
    store: Option<String>,
    /// The number and the hash of the last journal entry that the exported store had.
    mark: Option<(i64, String)>,
    persons: BTreeMap<i64, Place>,
    revision: i64,
    /// The place of the `End` frame, if it is the last frame.
    end: Option<Place>,
}

fn contents(archive: &mut Archive) -> Result<Contents> {
    let mut contents = Contents { store: None, mark: None, persons: BTreeMap::new(), revision: 0, end: None };
    while let Some((frame, place)) = archive.next()? {
        contents.note(&frame, place);
    }
    Ok(contents)
}

impl Contents {
    fn note(&mut self, frame: &Frame, place: Place) {
        self.revision = self.revision.max(frame.revision());
        match frame {
            Frame::Store { hash } => self.store = Some(hash.clone()),
            Frame::Mark { seq, sha256 } => self.mark = Some((*seq, sha256.clone())),
            Frame::Person(person) => drop(self.persons.insert(person.id, place)),
            Frame::Gone { person, .. } => drop(self.persons.remove(person)),
            Frame::End { .. } => {}
        }
        self.end = matches!(frame, Frame::End { .. }).then_some(place);
    }
}

impl Store {
    /// Opens an archive to export this store, or creates it, and its key file if neither exists.
    ///
    /// # Errors
    /// The key file is in the archive's directory, absent beside an archive, no key file, or a store's: a rotation of
    /// its master key would leave an archive that nothing opens. The archive is refused as of [`Archive::create`].
    pub fn archive(&self, archive: &Path, key_file: &Path) -> Result<Archive> {
        let keys = match key_file.exists() || archive.exists() {
            true => archive_keys(archive, key_file)?,
            false => {
                Location::Sqlite(archive.to_owned()).refuse_beside(key_file)?;
                Keyring::create(key_file, KeyUse::Archive, None)?
            }
        };
        let of_archive = keys.written_for() == Some(KeyUse::Archive);
        if keys.shares(&self.keyring) || !(of_archive || keys.written_for().is_none() && archive.exists()) {
            let found = format!("key file {}: expected an archive's key, found another one", key_file.display());
            return Err(StoreError::new(Kind::KeyFile, found)
                .hint("--archive-key FILE: a file that does not exist, which the export makes"));
        }
        Archive::create(archive, &keys)
    }

    /// Appends the changes since the archive's revision, then an `End` frame.
    ///
    /// # Errors
    /// The database or the file refused, the archive is of another store, or a person's row can't be
    /// decrypted.
    pub fn export(&self, archive: &mut Archive, now: i64) -> Result<Exported> {
        let mut contents = contents(archive)?;
        let here = contents.end.unwrap_or_else(|| archive.here());
        let revision = self.read(|rows| Meta::read(rows, &self.secrets.digests))?.revision;
        self.continues(archive.path(), &contents, revision)?;
        archive.cut(here)?;
        if contents.store.is_none() {
            archive.append(&[Frame::Store { hash: self.hash() }])?;
        }
        let mut written = 0;
        loop {
            let (mut frames, mark) = self.since(contents.revision, now)?;
            let last = frames.is_empty();
            // The mark is before the frames, so that each cut leaves it with them.
            if contents.mark != mark.marked() {
                frames.insert(0, mark);
            }
            for (frame, place) in frames.iter().zip(archive.append(&frames)?) {
                contents.note(frame, place);
                written += u64::from(matches!(frame, Frame::Person(_)));
            }
            if last {
                break;
            }
        }
        let persons = contents.persons.len() as u64;
        archive.append(&[Frame::End { revision: contents.revision, persons }])?;
        Ok(Exported { persons, written, revision: contents.revision })
    }

    /// Returns the hash that stands for this store in an archive.
    fn hash(&self) -> String {
        hex(&name(&self.secrets.names, &[b"archive"]))
    }

    /// Refuses an archive that this store, at this revision, can't continue.
    fn continues(&self, archive: &Path, contents: &Contents, revision: i64) -> Result<()> {
        let begun = contents.revision > 0 || contents.end.is_some();
        let refused = |what: String| {
            let what = format!("archive {}: {what}", archive.display());
            Err(StoreError::new(Kind::BadSetting, what).hint("export into a file that does not exist"))
        };
        match &contents.store {
            Some(hash) if *hash != self.hash() => {
                refused("expected an export of this store, found one of another store".into())
            }
            None if begun => refused("expected the store's hash in its first frame, found none".into()),
            _ if begun && !self.continues_mark(contents.mark.as_ref())? => refused(
                "expected an export of this store's history, found another one: the store is another copy".into(),
            ),
            _ if revision < contents.revision => refused(format!(
                "expected a revision up to {revision}, as the store has it, found {}: the store is an older copy",
                contents.revision
            )),
            _ if begun && revision - contents.revision > FOLLOWED => refused(format!(
                "expected a revision from {} on, found {}: the store no longer knows who was erased before",
                revision - FOLLOWED,
                contents.revision
            )),
            _ => Ok(()),
        }
    }

    fn continues_mark(&self, mark: Option<&(i64, String)>) -> Result<bool> {
        let Some((seq, sha256)) = mark else { return Ok(false) };
        self.read(|rows| self.has_entry(rows, *seq, sha256))
    }

    /// Returns the next changes after a revision, in order, and the mark of the store that has them.
    fn since(&self, revision: i64, now: i64) -> Result<(Vec<Frame>, Frame)> {
        let most = i64::try_from(PAGE).unwrap_or(i64::MAX);
        let changed = concat!("SELECT ", columns!(), " FROM person WHERE version > ?1 ORDER BY version LIMIT ?2");
        let gone = "SELECT revision, person FROM gone WHERE revision > ?1 ORDER BY revision LIMIT ?2";
        let values = [revision.into(), most.into()];
        let (changed, gone, (seq, sha256)) = self
            .snapshot(|rows| Ok((rows.rows(changed, &values)?, rows.rows(gone, &values)?, self.last_entry(rows)?)))?;
        let full = [changed.len(), gone.len()].map(|found| found == PAGE);
        let mut frames = Vec::with_capacity(PAGE);
        for row in changed {
            let person = self.opened(row)?.person;
            frames.push(match person.terms.expired(now) {
                true => Frame::Gone { person: person.id, revision: person.version },
                false => Frame::Person(archived(&person)),
            });
        }
        let last = |frames: &[Frame]| frames.last().map_or(i64::MAX, Frame::revision);
        let mut erased = Vec::with_capacity(PAGE);
        for mut row in gone {
            let (revision, person) = (row.int()?, row.int()?);
            erased.push(Frame::Gone { person, revision });
        }
        // A full page may continue: changes of the other table beyond its last revision must wait.
        let known = if full[0] { last(&frames) } else { i64::MAX }.min(if full[1] { last(&erased) } else { i64::MAX });
        frames.append(&mut erased);
        frames.retain(|frame| frame.revision() <= known);
        frames.sort_by_key(Frame::revision);
        Ok((frames, Frame::Mark { seq, sha256 }))
    }

    /// Stores every person of a complete archive who is not stored yet.
    ///
    /// # Errors
    /// The archive has no `End` frame or was changed, or the database refused. Persons already imported stay.
    pub fn import(&self, archive: &mut Archive, now: i64) -> Result<Imported> {
        let contents = contents(archive)?;
        if contents.end.is_none() {
            let what = "the archive has no end: its export was interrupted, or it was cut";
            return Err(StoreError::new(Kind::Corrupt, what).hint("`likeness store export` continues it"));
        }
        let mut imported = Imported::default();
        let places: Vec<Place> = contents.persons.into_values().collect();
        for page in places.chunks(PAGE) {
            let persons = page.iter().map(|place| match archive.frame(*place)? {
                Frame::Person(person) => unarchived(&person),
                _ => Err(broken()),
            });
            let persons = persons.collect::<Result<Vec<_>>>()?;
            let done = self.write(|changes| {
                let mut done = Imported::default();
                persons.iter().try_for_each(|person| self.import_one(changes, person, now, &mut done))?;
                Ok(done)
            })?;
            imported.stored += done.stored;
            imported.already += done.already;
            imported.expired += done.expired;
            imported.conflicts.extend(done.conflicts);
        }
        Ok(imported)
    }

    fn import_one(&self, changes: &mut Changes<'_>, person: &Person, now: i64, done: &mut Imported) -> Result<()> {
        let Person { tenant, subject, templates, terms, pseudonym, .. } = person;
        if terms.expired(now) {
            done.expired += 1;
            return Ok(());
        }
        let mut found = self.find(changes.rows(), tenant, subject)?.map(|opened| opened.person);
        if let Some(over) = found.take_if(|found| found.terms.expired(now)) {
            self.end(changes, over.id, now)?;
        }
        if let Some(found) = found {
            let data = |of: &[Template]| of.iter().map(|template| template.data.clone()).collect::<Vec<_>>();
            match found.terms == *terms && data(&found.templates) == data(templates) {
                true => done.already += 1,
                false => done.conflicts.push(format!("{}/{}", tenant.as_str(), subject.as_str())),
            }
            return Ok(());
        }
        let revision = changes.next_revision();
        let mut opened = Opened::fresh(revision, revision, tenant, subject)?;
        let numbered = templates.iter().zip(0..);
        opened.person.templates =
            numbered.map(|(template, at)| Template { id: revision * 8 + at, data: template.data.clone() }).collect();
        opened.person.terms = terms.clone();
        opened.person.pseudonym = *pseudonym;
        self.put(changes, &opened, true)?;
        let body = json!({ "subject": pseudonym, "imported": true });
        changes.entries.push(NewEntry::of("enrolled", now, body));
        done.stored += 1;
        Ok(())
    }
}

fn broken() -> StoreError {
    StoreError::new(Kind::Corrupt, "the archive contains an invalid person")
}

fn archived(person: &Person) -> ArchivedPerson {
    let template = |template: &Template| {
        let TemplateData { space, made_at, quality, embedding } = &template.data;
        (hex(space), *made_at, quality.to_bits(), embedding.iter().map(|number| number.to_bits()).collect())
    };
    let consent = person.terms.consent.clone();
    ArchivedPerson {
        id: person.id,
        version: person.version,
        tenant: person.tenant.as_str().to_owned(),
        subject: person.subject.as_str().to_owned(),
        consent: consent.map(|consent| (consent.reference, consent.version, consent.given_at)),
        expires_at: person.terms.expires_at,
        templates: person.templates.iter().map(template).collect(),
        pseudonym: Some(person.pseudonym),
    }
}

fn unarchived(person: &ArchivedPerson) -> Result<Person> {
    let pseudonym = person.pseudonym.map_or_else(|| random().map(Pseudonym), Ok)?;
    named(person, pseudonym).ok_or_else(broken)
}

fn named(person: &ArchivedPerson, pseudonym: Pseudonym) -> Option<Person> {
    let template = |(space, made_at, quality, numbers): &(String, i64, u64, Vec<u32>)| {
        let embedding: Vec<f32> = numbers.iter().copied().map(f32::from_bits).collect();
        let mut bytes = [0; 32];
        unhex(space, &mut bytes)?;
        let data = TemplateData { space: bytes, made_at: *made_at, quality: f64::from_bits(*quality), embedding };
        (data.embedding.len() == DIMENSION).then_some(Template { id: 0, data })
    };
    let templates = person.templates.iter().map(template).collect::<Option<Vec<_>>>()?;
    let consent = person.consent.clone();
    let consent = consent.map(|(reference, version, given_at)| Consent { reference, version, given_at });
    (1..=MOST_TEMPLATES).contains(&templates.len()).then_some(())?;
    Some(Person {
        id: person.id,
        version: person.version,
        tenant: Tenant::new(&person.tenant).ok()?,
        subject: Subject::new(&person.subject).ok()?,
        templates,
        terms: Terms { consent, expires_at: person.expires_at },
        pseudonym,
    })
}
