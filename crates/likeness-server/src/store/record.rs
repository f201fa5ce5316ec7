//! Converts a person to the bytes of a row and back. The master key wraps the data key and both ids; the data
//! key seals each template. Uses no file and no database.
//!
//! ```text
//! filler  489 zeros
//! length  of what follows but the last zeros, 8 bytes
//! wrapped 2 bytes of length, then data key, its version, the hash of all that follows, the pseudonym, the consent
//!         with 2 bytes of length, tenant, subject
//! each    id 8, space 32, made at 8, sealed (quality, embedding)
//! zeros   up to whole pages
//! ```
//! The filler and the zeros are for SQLite. SQLite's `secure_delete` zeroes freed pages, but its balancing rebuilds a
//! page without clearing it. Such a page (of 4096 bytes) contains at most the first 489 bytes of a row of this length.
//! The following bytes are in the row's own pages, which are zeroed when freed.

use zeroize::Zeroizing;

use super::error::{Kind, Result, StoreError};
use super::keys::MasterKey;
use super::person::{DIMENSION, Person, SpaceBytes, Subject, Template, TemplateData, Tenant};
use super::seal::{Context, Key, OVERHEAD, open, random, random_key, seal};
use super::terms::Terms;
use crate::pseudonym::Pseudonym;

/// The most bytes of a long row that SQLite stores in a page with other rows, in pages of 4096 bytes.
const FILLER: usize = 489;

/// The number of a row's further bytes in an overflow page of 4096 bytes.
const PAGE: usize = 4092;

/// The columns before the bytes are shorter than this.
const COLUMNS: usize = 128;

const PLAIN: usize = 8 + 4 * DIMENSION;
const SEALED: usize = PLAIN + OVERHEAD;
const EACH: usize = 8 + 32 + 8 + SEALED;

/// A decrypted person, with the data key of their templates.
pub struct Opened {
    /// The person with their templates.
    pub person: Person,
    key: DataKey,
}

/// The key of one person's templates, and the revision at which the key was created.
struct DataKey {
    key: Key,
    version: i64,
}

/// A person's row as it is stored, still sealed.
pub struct Stored {
    /// The person's number.
    pub id: i64,
    /// The revision of the person's last change.
    pub version: i64,
    /// The keyed hash of the tenant.
    pub tenant: [u8; 16],
    /// The keyed hash of tenant and subject.
    pub name: [u8; 32],
    /// When the person expires, in seconds since 1970; 0 means never.
    pub expires_at: i64,
    /// The bytes that the module comment describes.
    pub data: Vec<u8>,
}

impl Stored {
    fn wrapping(&self, master: &MasterKey) -> Context {
        let names = Names { tenant: &self.tenant, name: &self.name };
        wrapping(&names, (self.id, self.version, self.expires_at), master)
    }
}

/// Adds filler and zeros to content, so that SQLite zeroes all of the content when the row is deleted.
pub fn lay(content: &[u8]) -> Vec<u8> {
    let least = FILLER + 8 + content.len();
    let pages = (least + COLUMNS - FILLER).div_ceil(PAGE);
    let mut data = Vec::with_capacity(FILLER + pages * PAGE);
    data.resize(FILLER, 0);
    data.extend((content.len() as u64).to_le_bytes());
    data.extend(content);
    data.resize(FILLER + pages * PAGE - COLUMNS, 0);
    data
}

/// Returns the content that [`lay`] was given.
pub fn content(data: &[u8]) -> Option<&[u8]> {
    let (length, rest) = data.get(FILLER..)?.split_first_chunk::<8>()?;
    rest.get(..usize::try_from(u64::from_le_bytes(*length)).ok()?)
}

/// The two columns of a row that are keyed hashes of names; no master key changes them.
pub struct Names<'a> {
    /// The keyed hash of the tenant.
    pub tenant: &'a [u8; 16],
    /// The keyed hash of tenant and subject.
    pub name: &'a [u8; 32],
}

fn wrapping(names: &Names<'_>, (id, version, expires_at): (i64, i64, i64), master: &MasterKey) -> Context {
    let context = Context::new("person").field(names.tenant).field(names.name);
    context.number(id).number(version).number(expires_at).field(&master.id())
}

/// Hashes the person's ids, consent and expiry, to which each template's seal is bound.
fn owner(tenant: &Tenant, subject: &Subject, terms: &Terms) -> [u8; 32] {
    let context = Context::new("owner").field(tenant.as_str().as_bytes()).field(subject.as_str().as_bytes());
    context.number(terms.column()).field(&terms.consent_bytes()).hash()
}

fn sealing(owner: &[u8; 32], key: i64, id: i64, space: &SpaceBytes, made_at: i64) -> Context {
    Context::new("template").field(owner).number(id).field(space).number(made_at).number(key)
}

impl Opened {
    /// Creates a person without templates, with a random data key and a random pseudonym.
    ///
    /// # Errors
    /// The system returned no random numbers.
    pub fn fresh(id: i64, revision: i64, tenant: &Tenant, subject: &Subject) -> Result<Self> {
        let (tenant, subject) = (tenant.clone(), subject.clone());
        let (templates, terms, pseudonym) = (Vec::new(), Terms::default(), Pseudonym(random()?));
        let person = Person { id, version: revision, tenant, subject, templates, terms, pseudonym };
        Ok(Self { person, key: DataKey { key: random_key()?, version: revision } })
    }

    /// Decrypts a row.
    ///
    /// # Errors
    /// Another program changed the row, or the master key is wrong.
    pub fn open(stored: &Stored, master: &MasterKey) -> Result<Self> {
        let (ids, mut rest) = unwrap(stored, master)?;
        let broken = || corrupt(stored.id);
        let (key, ids) = ids.split_first_chunk::<32>().ok_or_else(broken)?;
        let (version, ids) = ids.split_first_chunk::<8>().ok_or_else(broken)?;
        let (list, ids) = ids.split_first_chunk::<32>().ok_or_else(broken)?;
        let (pseudonym, ids) = ids.split_first_chunk::<16>().ok_or_else(broken)?;
        // The hash covers the whole list, so a template that is added, removed or moved is found.
        if blake3::hash(rest).as_bytes() != list {
            return Err(broken());
        }
        let key = DataKey { key: Zeroizing::new(*key), version: i64::from_le_bytes(*version) };
        let (length, ids) = ids.split_first_chunk::<2>().ok_or_else(broken)?;
        let (consent, ids) = ids.split_at_checked(u16::from_le_bytes(*length).into()).ok_or_else(broken)?;
        let terms = Terms::of(consent, stored.expires_at).ok_or_else(broken)?;
        let (tenant, subject) = std::str::from_utf8(ids).ok().and_then(|ids| ids.split_once('/')).ok_or_else(broken)?;
        let tenant = Tenant::new(tenant).map_err(|_| broken())?;
        let subject = Subject::new(subject).map_err(|_| broken())?;
        let (owner, mut templates) = (owner(&tenant, &subject, &terms), Vec::new());
        while !rest.is_empty() {
            let (each, others) = rest.split_at_checked(EACH).ok_or_else(broken)?;
            templates.push(template(each, &key, &owner).ok_or_else(broken)?);
            rest = others;
        }
        let (id, version, pseudonym) = (stored.id, stored.version, Pseudonym(*pseudonym));
        let person = Person { id, version, tenant, subject, templates, terms, pseudonym };
        Ok(Self { person, key })
    }

    /// Returns the row's bytes, wrapped by this master key.
    ///
    /// # Errors
    /// The system returned no random numbers.
    pub fn data(&self, names: &Names<'_>, master: &MasterKey) -> Result<Vec<u8>> {
        let Person { id, version, tenant, subject, templates, terms, pseudonym } = &self.person;
        let owner = owner(tenant, subject, terms);
        let mut list = Vec::with_capacity(templates.len() * EACH);
        for Template { id: number, data } in templates {
            list.extend(number.to_le_bytes());
            list.extend(data.space);
            list.extend(data.made_at.to_le_bytes());
            let context = sealing(&owner, self.key.version, *number, &data.space, data.made_at);
            list.extend(seal(&self.key.key, &context, &plain(data))?);
        }
        let mut ids = Zeroizing::new(Vec::with_capacity(2048));
        ids.extend(*self.key.key);
        ids.extend(self.key.version.to_le_bytes());
        ids.extend(blake3::hash(&list).as_bytes());
        ids.extend(pseudonym.0);
        let consent = terms.consent_bytes();
        ids.extend(u16::try_from(consent.len()).expect("a consent is below 64 KiB").to_le_bytes());
        ids.extend(consent);
        ids.extend(format!("{}/{}", tenant.as_str(), subject.as_str()).bytes());
        let mut content = Vec::new();
        let context = wrapping(names, (*id, *version, terms.column()), master);
        push_wrapped(&mut content, &seal(&master.key, &context, &ids)?);
        content.extend(list);
        Ok(lay(&content))
    }
}

/// Wraps the same row by another master key; the templates' bytes do not change.
///
/// # Errors
/// Another program changed the row, or the master key is wrong.
pub fn rewrap(stored: &Stored, from: &MasterKey, to: &MasterKey) -> Result<Vec<u8>> {
    let (ids, templates) = unwrap(stored, from)?;
    let mut content = Vec::new();
    push_wrapped(&mut content, &seal(&to.key, &stored.wrapping(to), &ids)?);
    content.extend(templates);
    Ok(lay(&content))
}

fn push_wrapped(content: &mut Vec<u8>, wrapped: &[u8]) {
    let length = u16::try_from(wrapped.len()).expect("a key and two ids are below 64 KiB");
    content.extend(length.to_le_bytes());
    content.extend(wrapped);
}

/// Returns the unwrapped part and the templates' bytes.
fn unwrap<'a>(stored: &'a Stored, master: &MasterKey) -> Result<(Zeroizing<Vec<u8>>, &'a [u8])> {
    let parts = || {
        let (length, rest) = content(&stored.data)?.split_first_chunk::<2>()?;
        let (wrapped, templates) = rest.split_at_checked(u16::from_le_bytes(*length).into())?;
        Some((open(&master.key, &stored.wrapping(master), wrapped)?, templates))
    };
    parts().ok_or_else(|| corrupt(stored.id))
}

fn corrupt(person: i64) -> StoreError {
    StoreError::new(Kind::Corrupt, format!("person {person}: the stored row was changed or damaged"))
        .hint("`likeness store check` names every such person; restore a backup")
}

fn plain(data: &TemplateData) -> Zeroizing<Vec<u8>> {
    let mut plain = Zeroizing::new(Vec::with_capacity(PLAIN));
    plain.extend(data.quality.to_le_bytes());
    data.embedding.iter().for_each(|number| plain.extend(number.to_le_bytes()));
    plain
}

fn template(each: &[u8], key: &DataKey, owner: &[u8; 32]) -> Option<Template> {
    let (id, rest) = each.split_first_chunk::<8>()?;
    let (space, rest) = rest.split_first_chunk::<32>()?;
    let (made_at, sealed) = rest.split_first_chunk::<8>()?;
    let (id, made_at) = (i64::from_le_bytes(*id), i64::from_le_bytes(*made_at));
    let plain = open(&key.key, &sealing(owner, key.version, id, space, made_at), sealed)?;
    let (quality, numbers) = plain.split_first_chunk::<8>()?;
    let embedding = numbers.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    let data = TemplateData { space: *space, made_at, quality: f64::from_le_bytes(*quality), embedding };
    Some(Template { id, data })
}

/// Returns the sealed parts of a row without the plain bytes between them.
pub fn sealed(data: &[u8]) -> Vec<&[u8]> {
    let parts = || {
        let (length, rest) = content(data)?.split_first_chunk::<2>()?;
        rest.split_at_checked(u16::from_le_bytes(*length).into())
    };
    let Some((wrapped, templates)) = parts() else { return Vec::new() };
    templates.chunks_exact(EACH).map(|each| &each[EACH - SEALED..]).chain([wrapped]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_its_length_all_but_the_filler_lies_in_pages_of_its_own() {
        // Returns the number of a row's bytes that SQLite stores within the tree, by its file format, for 4096-byte
        // pages.
        let local = |payload: usize| {
            let (most, least) = (4096 - 35, (4096 - 12) * 32 / 255 - 23);
            let rest = least + (payload - least) % (4096 - 4);
            match (payload <= most, rest <= most) {
                (true, _) => payload,
                (false, true) => rest,
                (false, false) => least,
            }
        };
        let mut wrong = Vec::new();
        for length in (0..12_000).step_by(7) {
            let laid = lay(&vec![9; length]);
            assert_eq!(content(&laid), Some(vec![9; length].as_slice()));
            for columns in 4..COLUMNS {
                let within = local(columns + laid.len());
                if within > columns + FILLER {
                    wrong.push((length, columns, within));
                }
            }
        }
        assert!(wrong.is_empty(), "{wrong:?}");
    }
}
