//! The random number that stands for a person in decision records and the journal. Uses no file and no database.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::hex::{hex, unhex};

/// A random number that decision records and the journal contain in place of a person's names. Only the person's row
/// connects it with the names (docs/records.md, which also says what else may).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Pseudonym(pub [u8; 16]);

impl fmt::Display for Pseudonym {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl From<Pseudonym> for String {
    fn from(pseudonym: Pseudonym) -> Self {
        pseudonym.to_string()
    }
}

impl TryFrom<String> for Pseudonym {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let mut bytes = [0; 16];
        unhex(&text, &mut bytes).ok_or_else(|| format!("pseudonym: expected 32 hexadecimal digits, found {text:?}"))?;
        Ok(Self(bytes))
    }
}
