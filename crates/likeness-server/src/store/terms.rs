//! What a person's templates are kept under: a consent, and until when. Both are associated data of every
//! template, so that neither can be changed beside them. Touches nothing.

/// The longest reference and version of a consent, in bytes.
pub const LONGEST: usize = 255;

/// A consent that was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// Where the caller keeps its proof, in the caller's own words.
    pub reference: String,
    /// Which text was agreed to.
    pub version: String,
    /// When, in seconds since 1970.
    pub given_at: i64,
}

/// What a person's templates are kept under.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Terms {
    /// The newest consent.
    pub consent: Option<Consent>,
    /// From this second on the person is gone, in seconds since 1970.
    pub expires_at: Option<i64>,
}

impl Terms {
    /// Whether the person is gone.
    pub fn expired(&self, now: i64) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }

    /// These, and what they leave open from those that stood before.
    #[must_use]
    pub fn or(&self, before: Self) -> Self {
        let consent = self.consent.clone().or(before.consent);
        Self { consent, expires_at: self.expires_at.or(before.expires_at) }
    }

    /// All of it, as bytes that differ where it does. A time that the caller left to the service is not part of it.
    pub fn bytes(&self) -> Vec<u8> {
        let consent = self.consent.as_ref().map(|consent| (&consent.reference, &consent.version));
        format!("{consent:?} {:?}", self.expires_at).into_bytes()
    }

    /// The column `expires_at`; 0 is never.
    pub(super) fn column(&self) -> i64 {
        self.expires_at.unwrap_or(0)
    }

    /// The consent as bytes; nothing where there is none.
    pub(super) fn consent_bytes(&self) -> Vec<u8> {
        let Some(Consent { reference, version, given_at }) = &self.consent else { return Vec::new() };
        let length = u16::try_from(reference.len()).expect("a reference has at most 255 bytes");
        [&given_at.to_le_bytes()[..], &length.to_le_bytes(), reference.as_bytes(), version.as_bytes()].concat()
    }

    /// Of a row.
    pub(super) fn of(consent: &[u8], expires_at: i64) -> Option<Self> {
        let expires_at = (expires_at != 0).then_some(expires_at);
        if consent.is_empty() {
            return Some(Self { consent: None, expires_at });
        }
        let (given_at, rest) = consent.split_first_chunk::<8>()?;
        let (length, rest) = rest.split_first_chunk::<2>()?;
        let (reference, version) = rest.split_at_checked(u16::from_le_bytes(*length).into())?;
        let text = |bytes: &[u8]| std::str::from_utf8(bytes).ok().map(str::to_owned);
        let consent =
            Consent { reference: text(reference)?, version: text(version)?, given_at: i64::from_le_bytes(*given_at) };
        Some(Self { consent: Some(consent), expires_at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_read_as_they_were_written_and_what_is_left_open_stays() {
        let consent = Consent { reference: "c-1".into(), version: "2026-05".into(), given_at: 7 };
        for terms in [
            Terms::default(),
            Terms { consent: Some(consent.clone()), expires_at: None },
            Terms { consent: None, expires_at: Some(9) },
            Terms { consent: Some(Consent { version: String::new(), ..consent.clone() }), expires_at: Some(-1) },
        ] {
            assert_eq!(Terms::of(&terms.consent_bytes(), terms.column()), Some(terms));
        }
        let before = Terms { consent: Some(consent.clone()), expires_at: Some(9) };
        assert_eq!(Terms::default().or(before.clone()), before);
        let later = Terms { consent: None, expires_at: Some(10) };
        assert_eq!(later.or(before), Terms { consent: Some(consent), expires_at: Some(10) });
        let table = [(None, false), (Some(99), true), (Some(100), true), (Some(101), false)];
        let wrong: Vec<_> = table
            .iter()
            .filter(|(end, gone)| Terms { consent: None, expires_at: *end }.expired(100) != *gone)
            .collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }
}
