//! The types of stored persons: checked ids, templates, and the mean that a probe is compared with. Uses no
//! file and no database.

use std::fmt;

use likeness::space::SpaceId;

use super::terms::Terms;
use crate::pseudonym::Pseudonym;

/// The number of components of an embedding.
pub const DIMENSION: usize = 512;

/// The largest number of templates of a person.
pub const MOST_TEMPLATES: usize = 5;

/// The 32 bytes of an embedding space's id.
pub type SpaceBytes = [u8; 32];

/// The error for a text that is no id: an id is 1 to 255 characters of `a-z A-Z 0-9 _ -`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadId;

impl std::error::Error for BadId {}

impl BadId {
    /// What an id is.
    pub const EXPECTED: &'static str = "1 to 255 of a-z, A-Z, 0-9, _ and -";
}

impl fmt::Display for BadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}", Self::EXPECTED)
    }
}

fn checked(text: &str) -> Result<String, BadId> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    match (1..=255).contains(&text.len()) && text.bytes().all(fits) {
        true => Ok(text.to_owned()),
        false => Err(BadId),
    }
}

/// The id of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tenant(String);

/// A person's id within a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subject(String);

impl Tenant {
    /// Creates an id from its text.
    ///
    /// # Errors
    /// The text is no id.
    pub fn new(text: &str) -> Result<Self, BadId> {
        checked(text).map(Self)
    }

    /// Returns the id's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Subject {
    /// Creates an id from its text.
    ///
    /// # Errors
    /// The text is no id.
    pub fn new(text: &str) -> Result<Self, BadId> {
        checked(text).map(Self)
    }

    /// Returns the id's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A template before it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct TemplateData {
    /// The embedding space.
    pub space: SpaceBytes,
    /// When the template was created, in seconds since 1970.
    pub made_at: i64,
    /// The quality of the face, from 0 to 100.
    pub quality: f64,
    /// The embedding: [`DIMENSION`] numbers, a vector of length one.
    pub embedding: Vec<f32>,
}

/// A stored template.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    /// The template's number in this store, never used again.
    pub id: i64,
    /// The content of the template.
    pub data: TemplateData,
}

/// A stored person.
#[derive(Debug, Clone, PartialEq)]
pub struct Person {
    /// The person's number, never used again: a person who is erased and enrolled again gets another number.
    pub id: i64,
    /// The revision of the person's last change.
    pub version: i64,
    /// The person's tenant.
    pub tenant: Tenant,
    /// The person's subject name.
    pub subject: Subject,
    /// The person's templates, at most [`MOST_TEMPLATES`].
    pub templates: Vec<Template>,
    /// The consent and the expiry of the templates.
    pub terms: Terms,
    /// The number that stands for the person in decision records and the journal.
    pub pseudonym: Pseudonym,
}

/// Stored templates that could not be compared, by reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NotCompared {
    /// Templates of another embedding space: made with other models or another look policy.
    pub other_space: usize,
    /// Templates of this space whose mean has no direction.
    pub no_direction: usize,
}

impl NotCompared {
    /// Returns the total number of templates.
    pub fn templates(&self) -> usize {
        self.other_space + self.no_direction
    }

    /// Adds another person's counts.
    pub fn add(&mut self, other: Self) {
        self.other_space += other.other_space;
        self.no_direction += other.no_direction;
    }

    /// Subtracts another person's counts.
    pub fn remove(&mut self, other: Self) {
        self.other_space -= other.other_space;
        self.no_direction -= other.no_direction;
    }
}

impl Person {
    /// Adds templates, then removes templates until five are left: first of another space, then of the lowest
    /// quality, then the oldest.
    pub(super) fn add(&mut self, data: &[TemplateData], revision: i64) {
        let space = data[0].space;
        let numbered = data.iter().zip(0..);
        // A revision adds at most five templates, so eight numbers for each revision are enough.
        self.templates.extend(numbered.map(|(data, at)| Template { id: revision * 8 + at, data: data.clone() }));
        let worth = |template: &Template| (template.data.space == space, template.data.quality, template.id);
        self.templates.sort_by(|a, b| {
            let ((same_a, quality_a, id_a), (same_b, quality_b, id_b)) = (worth(a), worth(b));
            same_b.cmp(&same_a).then(quality_b.total_cmp(&quality_a)).then(id_b.cmp(&id_a))
        });
        self.templates.truncate(MOST_TEMPLATES);
    }

    /// Returns the mean to compare as the library's template, and the counts of templates that can't be
    /// compared.
    pub fn template(&self, space: &SpaceBytes) -> (Option<likeness::embed::Template>, NotCompared) {
        let same = self.of(space).count();
        let mean = self.mean(space);
        let no_direction = if mean.is_none() { same } else { 0 };
        let not_compared = NotCompared { other_space: self.templates.len() - same, no_direction };
        let space = SpaceId::from_bytes(*space);
        (mean.map(|mean| likeness::embed::Template::opened(space, mean)), not_compared)
    }

    /// Returns the normalised mean of this space's templates; `None` if there is no template or the mean has
    /// no direction.
    pub fn mean(&self, space: &SpaceBytes) -> Option<Vec<f32>> {
        let mut own = self.of(space);
        if let (Some(only), None) = (own.next(), own.next()) {
            // The mean of one template has the length one already: it is returned unchanged, so that a comparison gives
            // the same bits as with the photograph.
            return Some(only.data.embedding.clone());
        }
        let mut sum = [0.0_f64; DIMENSION];
        for template in self.of(space) {
            let scale = 1.0 / length(&template.data.embedding);
            template.data.embedding.iter().zip(&mut sum).for_each(|(v, sum)| *sum += f64::from(*v) * scale);
        }
        let mut sums = [0.0_f64; 8];
        for eight in sum.chunks(8) {
            eight.iter().zip(&mut sums).for_each(|(v, sum)| *sum += v * v);
        }
        let length = sums.iter().sum::<f64>().sqrt();
        // The mean of opposite embeddings, or of no templates, has no direction.
        (length > 1e-6).then(|| sum.iter().map(|v| narrow(v * (1.0 / length))).collect())
    }

    /// Returns whether a comparison is with a mean of several templates of this space.
    pub fn is_averaged(&self, space: &SpaceBytes) -> bool {
        self.of(space).nth(1).is_some()
    }

    /// Returns when the newest template of this space was created.
    pub fn newest(&self, space: &SpaceBytes) -> Option<i64> {
        self.of(space).map(|template| template.data.made_at).max()
    }

    fn of<'a>(&'a self, space: &'a SpaceBytes) -> impl Iterator<Item = &'a Template> {
        self.templates.iter().filter(move |template| template.data.space == *space)
    }
}

pub(super) fn length(embedding: &[f32]) -> f64 {
    // Eight sums in parallel: in one sum, each addition would wait for the previous one.
    let mut sums = [0.0_f64; 8];
    for eight in embedding.chunks(8) {
        eight.iter().zip(&mut sums).for_each(|(v, sum)| *sum += f64::from(*v) * f64::from(*v));
    }
    sums.iter().sum::<f64>().sqrt()
}

#[expect(clippy::cast_possible_truncation, reason = "embeddings are f32: this is rounding")]
fn narrow(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_id_is_refused() {
        let long = "x".repeat(255);
        let longer = "x".repeat(256);
        let table = [
            ("a", true),
            ("A-b_9", true),
            (long.as_str(), true),
            (longer.as_str(), false),
            ("", false),
            ("a b", false),
            ("../x", false),
            ("ä", false),
            ("a\0", false),
            ("a\n", false),
        ];
        let wrong: Vec<_> = table.iter().filter(|(id, fits)| Subject::new(id).is_ok() != *fits).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
        let wrong: Vec<_> = table.iter().filter(|(id, fits)| Tenant::new(id).is_ok() != *fits).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    #[test]
    fn the_mean_counts_each_template_of_the_contract_once_whatever_its_length() {
        let template = |space: u8, axis: usize, length: f32| {
            let mut embedding = vec![0.0; DIMENSION];
            embedding[axis] = length;
            Template {
                id: 1,
                data: TemplateData { space: [space; 32], made_at: axis as i64, quality: 80.0, embedding },
            }
        };
        let person = |templates| Person {
            id: 1,
            version: 1,
            tenant: Tenant::new("t").unwrap(),
            subject: Subject::new("s").unwrap(),
            templates,
            terms: Terms::default(),
            pseudonym: Pseudonym([0; 16]),
        };
        let some = person(vec![template(1, 0, 1.0), template(1, 1, 9.0), template(2, 2, 1.0)]);
        let mean = some.mean(&[1; 32]).unwrap();
        let half = std::f32::consts::FRAC_1_SQRT_2;
        assert!((mean[0] - half).abs() < 1e-6 && (mean[1] - half).abs() < 1e-6 && mean[2] == 0.0, "{:?}", &mean[..3]);
        assert_eq!((some.newest(&[1; 32]), some.newest(&[2; 32])), (Some(1), Some(2)));
        assert_eq!((some.mean(&[3; 32]), some.newest(&[3; 32])), (None, None));
        let opposites = person(vec![template(1, 0, 1.0), template(1, 0, -1.0), template(2, 3, 1.0)]);
        assert_eq!(opposites.mean(&[1; 32]), None);
        let (none, not_compared) = opposites.template(&[1; 32]);
        assert_eq!((none, not_compared), (None, NotCompared { other_space: 1, no_direction: 2 }));
        let (one, not_compared) = opposites.template(&[2; 32]);
        assert_eq!((one.is_some(), not_compared.templates()), (true, 2));
    }
}
