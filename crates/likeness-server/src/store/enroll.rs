//! Enrols and loads persons, and remembers the response to an enrolment for a repeated request.

use serde_json::json;

use super::digest::{Changes, Table};
use super::entry::NewEntry;
use super::error::{Kind, Result, StoreError};
use super::handle::{Store, columns};
use super::person::{DIMENSION, MOST_TEMPLATES, Person, Subject, TemplateData, Tenant, length};
use super::record::{Names, Opened, content, lay};
use super::seal::{Context, name, open, seal};
use super::sql::Rows;
use super::terms::Terms;
use crate::pseudonym::Pseudonym;

/// The time that a response is remembered, in seconds.
const REMEMBERED: i64 = 24 * 3600;

/// The number of revisions for which the table `gone` keeps an erased person's number; a replica that is further behind
/// reloads.
pub(super) const FOLLOWED: i64 = 1_000_000;

/// How an enrolment changes the person's stored templates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Adds to them. The outcome is [`Outcome::Moved`] unless the person's version is still `seen`.
    Add {
        /// The version that the caller has read; `None` if the person did not exist.
        seen: Option<i64>,
        /// Whether old templates may be removed if there are too many; otherwise the outcome is
        /// [`Outcome::Full`].
        displace: bool,
    },
    /// Replaces all stored templates.
    Replace,
}

/// The identity of a request: two requests with equal fields are the same request.
#[derive(Debug, Clone)]
pub struct Idempotency {
    /// The idempotency key that the caller sent.
    pub key: String,
    /// The route of the request.
    pub route: String,
    /// A digest of the whole request.
    pub request: [u8; 32],
}

/// The arguments of an enrolment.
#[derive(Debug, Clone)]
pub struct Enrollment<'a> {
    /// The person's tenant.
    pub tenant: &'a Tenant,
    /// The person's subject name.
    pub subject: &'a Subject,
    /// One to five templates of one embedding space.
    pub templates: Vec<TemplateData>,
    /// How the stored templates change.
    pub mode: Mode,
    /// The consent and the expiry; a part left open keeps its stored value.
    pub terms: Terms,
    /// The identity of the request and the response to remember, if the caller sent an idempotency key.
    pub remember: Option<(&'a Idempotency, &'a [u8])>,
    /// Seconds since 1970.
    pub now: i64,
}

/// The result of an enrolment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The templates are stored and committed.
    Stored {
        /// The number of the person's templates now.
        templates: usize,
        /// The person's pseudonym.
        pseudonym: Pseudonym,
    },
    /// The same request was stored before; this value is its remembered response.
    Replayed(Vec<u8>),
    /// Another request used the same idempotency key.
    Conflict,
    /// The person changed since the caller read it: read again and retry.
    Moved,
    /// A stored template would be removed, which the caller may not do.
    Full,
}

/// The response that is remembered for an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answered {
    /// The response to the same request.
    Before(Vec<u8>),
    /// The response to another request with the same key.
    Otherwise,
}

impl Store {
    /// Returns whether this person is enrolled.
    ///
    /// # Errors
    /// The database refused.
    #[cfg(test)]
    pub fn exists(&self, tenant: &Tenant, subject: &Subject) -> Result<bool> {
        let name = self.name(tenant, subject);
        self.read(|rows| Ok(rows.row("SELECT id FROM person WHERE name = ?1", &[(&name).into()])?.is_some()))
    }

    /// Loads and decrypts a person, unless the person has expired.
    ///
    /// # Errors
    /// The database refused, or another program changed the person's row.
    pub fn load(&self, tenant: &Tenant, subject: &Subject, now: i64) -> Result<Option<Person>> {
        let opened = self.read(|rows| self.find(rows, tenant, subject))?;
        Ok(opened.map(|opened| opened.person).filter(|person| !person.terms.expired(now)))
    }

    /// Returns the pseudonym of an enrolled person.
    ///
    /// # Errors
    /// The database refused, or another program changed the person's row.
    pub fn pseudonym(&self, tenant: &Tenant, subject: &Subject, now: i64) -> Result<Option<Pseudonym>> {
        Ok(self.load(tenant, subject, now)?.map(|person| person.pseudonym))
    }

    /// Returns the remembered response to a request, so that a repeated request needs no work.
    ///
    /// # Errors
    /// The database refused.
    pub fn answered(&self, tenant: &Tenant, request: &Idempotency, now: i64) -> Result<Option<Answered>> {
        self.read(|rows| self.remembered(rows, tenant, request, now))
    }

    /// Enrols in one transaction: the whole enrolment is written, or none of it.
    ///
    /// # Errors
    /// The database refused. If the connection was lost during the commit, the enrolment may be stored;
    /// repeating the request with the same key returns the outcome.
    pub fn enroll(&self, enrollment: &Enrollment<'_>) -> Result<Outcome> {
        sound(&enrollment.templates)?;
        self.write(|changes| self.enroll_in(changes, enrollment))
    }

    pub(super) fn enroll_in(&self, changes: &mut Changes<'_>, enrollment: &Enrollment<'_>) -> Result<Outcome> {
        let Enrollment { tenant, subject, mode, remember, now, .. } = enrollment;
        if let Some((request, _)) = remember {
            match self.remembered(changes.rows(), tenant, request, *now)? {
                Some(Answered::Before(answer)) => return Ok(Outcome::Replayed(answer)),
                Some(Answered::Otherwise) => return Ok(Outcome::Conflict),
                None => {}
            }
        }
        let mut found = self.find(changes.rows(), tenant, subject)?;
        if let Some(over) = found.take_if(|opened| opened.person.terms.expired(*now)) {
            self.end(changes, over.person.id, *now)?;
        }
        let version = found.as_ref().map(|opened| opened.person.version);
        if matches!(mode, Mode::Add { seen, .. } if *seen != version) {
            return Ok(Outcome::Moved);
        }
        let stored = found.as_ref().map_or(0, |opened| opened.person.templates.len());
        let over = stored > 0 && stored + enrollment.templates.len() > MOST_TEMPLATES;
        if over && matches!(mode, Mode::Add { displace: false, .. }) {
            return Ok(Outcome::Full);
        }
        let revision = changes.next_revision();
        let before = found.as_ref().map(|opened| opened.person.terms.clone()).unwrap_or_default();
        let mut opened = match found {
            Some(opened) if matches!(mode, Mode::Add { .. }) => opened,
            // A new data key: the key that is stored from now on can't open what was sealed before.
            Some(Opened { person, .. }) => {
                let mut fresh = Opened::fresh(person.id, revision, tenant, subject)?;
                fresh.person.pseudonym = person.pseudonym;
                fresh
            }
            None => Opened::fresh(revision, revision, tenant, subject)?,
        };
        opened.person.version = revision;
        opened.person.terms = enrollment.terms.or(before);
        opened.person.add(&enrollment.templates, revision);
        self.put(changes, &opened, version.is_none())?;
        if let Some((request, answer)) = remember {
            self.remember(changes, tenant, request, opened.person.id, answer, *now)?;
        }
        let replace = matches!(mode, Mode::Replace);
        let body = json!({ "subject": opened.person.pseudonym, "replace": replace });
        changes.entries.push(NewEntry::of("enrolled", *now, body));
        Ok(Outcome::Stored { templates: opened.person.templates.len(), pseudonym: opened.person.pseudonym })
    }

    pub(super) fn find(&self, rows: &mut dyn Rows, tenant: &Tenant, subject: &Subject) -> Result<Option<Opened>> {
        let name = self.name(tenant, subject);
        let row = rows.row(concat!("SELECT ", columns!(), " FROM person WHERE name = ?1"), &[(&name).into()])?;
        row.map(|row| self.opened(row)).transpose()
    }

    pub(super) fn put(&self, changes: &mut Changes<'_>, opened: &Opened, new: bool) -> Result<()> {
        let Person { id, version, tenant, subject, terms, .. } = &opened.person;
        let master = self.master(&changes.meta.master)?;
        let (tenant, name) = (self.tenant_name(tenant), self.name(tenant, subject));
        let data = opened.data(&Names { tenant: &tenant, name: &name }, &master)?;
        let values = [
            (*id).into(),
            (&tenant).into(),
            (&name).into(),
            (*version).into(),
            terms.column().into(),
            (&master.id()).into(),
            data.into(),
        ];
        changes.change(
            Table::Person,
            ("SELECT * FROM person WHERE id = ?1", 1),
            match new {
                true => {
                    "INSERT INTO person (id, tenant, name, version, expires_at, master, data) \
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"
                }
                false => {
                    "UPDATE person SET version = ?4, expires_at = ?5, master = ?6, data = ?7 \
                     WHERE id = ?1 AND tenant = ?2 AND name = ?3"
                }
            },
            &values,
        )?;
        Ok(())
    }

    pub(super) fn request_id(&self, tenant: &Tenant, request: &Idempotency) -> ([u8; 32], i64) {
        let fields = [request.key.as_bytes(), tenant.as_str().as_bytes(), request.route.as_bytes()];
        let id = name(&self.secrets.answers, &fields);
        // 63 bits of the hash are the row's number; the seal binds the whole hash.
        let number = id.first_chunk().map_or(0, |bytes| i64::from_le_bytes(*bytes) & i64::MAX);
        (id, number)
    }

    fn remembered(
        &self,
        rows: &mut dyn Rows,
        tenant: &Tenant,
        request: &Idempotency,
        now: i64,
    ) -> Result<Option<Answered>> {
        let (id, number) = self.request_id(tenant, request);
        let values = [number.into(), (now - REMEMBERED).into()];
        let sql = "SELECT person, made_at, data FROM answer WHERE id = ?1 AND made_at > ?2";
        let Some(mut row) = rows.row(sql, &values)? else { return Ok(None) };
        let (context, data) = (remembering(&id, row.int()?, row.int()?), row.bytes()?);
        let opened = content(&data).and_then(|sealed| open(&self.secrets.answers, &context, sealed));
        let Some((digest, answer)) = opened.as_deref().and_then(|plain| plain.split_first_chunk::<32>()) else {
            return Err(StoreError::new(Kind::Corrupt, "a remembered answer was changed or damaged"));
        };
        Ok(Some(match *digest == self.digest(request) {
            true => Answered::Before(answer.to_vec()),
            false => Answered::Otherwise,
        }))
    }

    fn remember(
        &self,
        changes: &mut Changes<'_>,
        tenant: &Tenant,
        request: &Idempotency,
        person: i64,
        answer: &[u8],
        now: i64,
    ) -> Result<()> {
        let old = ("SELECT * FROM answer WHERE made_at <= ?1", 1);
        changes.change(Table::Answer, old, "DELETE FROM answer WHERE made_at <= ?1", &[(now - REMEMBERED).into()])?;
        let (id, number) = self.request_id(tenant, request);
        let plain = [&self.digest(request), answer].concat();
        let data = lay(&seal(&self.secrets.answers, &remembering(&id, person, now), &plain)?);
        let values = [number.into(), person.into(), now.into(), data.into()];
        let row = ("SELECT * FROM answer WHERE id = ?1", 1);
        let put = "INSERT INTO answer (id, person, made_at, data) VALUES (?1, ?2, ?3, ?4)";
        changes.change(Table::Answer, row, put, &values)?;
        Ok(())
    }

    fn digest(&self, request: &Idempotency) -> [u8; 32] {
        name(&self.secrets.answers, &[b"request", &request.request])
    }
}

fn remembering(id: &[u8; 32], person: i64, made_at: i64) -> Context {
    Context::new("answer").field(id).number(person).number(made_at)
}

fn sound(templates: &[TemplateData]) -> Result<()> {
    let wrong = |what: String| Err(StoreError::new(Kind::BadSetting, what));
    if !(1..=MOST_TEMPLATES).contains(&templates.len()) {
        return wrong(format!("templates: expected 1 to {MOST_TEMPLATES}, found {}", templates.len()));
    }
    for template in templates {
        let length = length(&template.embedding);
        let unit = (0.999..1.001).contains(&length);
        if template.embedding.len() != DIMENSION || !unit || !template.quality.is_finite() {
            return wrong(format!("template: expected {DIMENSION} numbers of length one and a finite quality"));
        }
        if template.space != templates[0].space {
            return wrong("templates of two spaces at once".into());
        }
    }
    Ok(())
}
