//! The consent to keep a person's templates, and their expiry. Both texts are associated data of every template's seal,
//! so changing either makes the templates unreadable. Uses no file and no database.

/// The longest reference and version of a consent, in bytes.
pub const LONGEST: usize = 255;

/// A person's consent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// The caller's own reference to the proof of consent.
    pub reference: String,
    /// The version of the text that the person agreed to.
    pub version: String,
    /// When the consent was given, in seconds since 1970.
    pub given_at: i64,
}

/// The consent and the expiry of a person's templates.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Terms {
    /// The newest consent.
    pub consent: Option<Consent>,
    /// When the person expires, in seconds since 1970; `None` means never.
    pub expires_at: Option<i64>,
}

impl Terms {
    /// Returns whether the person has expired.
    pub fn expired(&self, now: i64) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }

    /// Returns these terms, with each missing part taken from the former terms.
    #[must_use]
    pub fn or(&self, before: Self) -> Self {
        let consent = self.consent.clone().or(before.consent);
        Self { consent, expires_at: self.expires_at.or(before.expires_at) }
    }

    /// Returns bytes that differ if the consent's reference or version, or the expiry, differs. The time of
    /// the consent is not part of them.
    pub fn bytes(&self) -> Vec<u8> {
        let consent = self.consent.as_ref().map(|consent| (&consent.reference, &consent.version));
        format!("{consent:?} {:?}", self.expires_at).into_bytes()
    }

    /// Returns the value of the column `expires_at`; 0 means never.
    pub(super) fn column(&self) -> i64 {
        self.expires_at.unwrap_or(0)
    }

    /// Returns the consent as bytes; no bytes if there is no consent.
    pub(super) fn consent_bytes(&self) -> Vec<u8> {
        let Some(Consent { reference, version, given_at }) = &self.consent else { return Vec::new() };
        let length = u16::try_from(reference.len()).expect("a reference has at most 255 bytes");
        [&given_at.to_le_bytes()[..], &length.to_le_bytes(), reference.as_bytes(), version.as_bytes()].concat()
    }

    /// Reads the terms from a row's parts.
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
