//! Checks that a journal is complete: each entry contains the previous entry's hash, each record's signature
//! is right, and the journal contains every given head.

use serde::{Deserialize, Serialize};

use super::document::{KIND, Record};
use crate::jws::{Signer, verified};
use crate::store::{JournalEntry, NOTHING, hash_of_entry};

/// The `typ` of a signed head.
const HEAD: &str = "likeness-journal-head+jws";

/// The newest entry of a journal at some time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalHead {
    /// The number of the entry.
    pub seq: i64,
    /// The SHA-256 of the entry.
    pub sha256: String,
    /// When it was signed, in seconds since 1970.
    pub at: i64,
}

impl JournalHead {
    /// Signs the head.
    pub fn signed(&self, signer: &Signer) -> String {
        signer.sign(HEAD, &serde_json::to_string(self).unwrap_or_default())
    }

    /// Verifies and parses a signed head.
    ///
    /// # Errors
    /// The text is no signed head, or its signature is wrong.
    pub fn read(jws: &str, public_key: Option<&str>) -> Result<Self, String> {
        let signed = verified(jws, public_key)?;
        let kind = signed.kind;
        if kind != HEAD {
            return Err(format!("expected a journal's head, found {kind:?}"));
        }
        serde_json::from_str(&signed.text).map_err(|why| why.to_string())
    }
}

/// Follows a journal from its first entry.
pub struct Chain {
    public_key: Option<String>,
    /// The newest entry so far.
    pub seq: i64,
    /// The SHA-256 of the entry.
    pub sha256: String,
    /// The number of records so far.
    pub records: u64,
    /// Heads that the journal must contain.
    heads: Vec<JournalHead>,
}

impl Chain {
    /// Starts before the first entry. If a key is given, every record must be signed by that key.
    pub fn new(public_key: Option<String>, heads: Vec<JournalHead>) -> Self {
        Self { public_key, seq: 0, sha256: NOTHING.into(), records: 0, heads }
    }

    /// Checks the next entry.
    ///
    /// # Errors
    /// The entry does not follow the previous one, its record's signature is wrong, or a head differs from
    /// it.
    pub fn follow(&mut self, text: &str) -> Result<(), String> {
        let expected = self.seq + 1;
        let wrong = |why: String| format!("entry {expected}: {why}");
        let entry: JournalEntry = serde_json::from_str(text).map_err(|why| wrong(why.to_string()))?;
        if entry.seq != expected {
            return Err(wrong(format!("expected number {expected}, found {}", entry.seq)));
        }
        if entry.previous != self.sha256 {
            return Err(wrong(format!("expected the previous entry to be {}, found {}", entry.previous, self.sha256)));
        }
        if entry.kind == "decision" {
            let jws = entry.body["jws"].as_str().unwrap_or_default();
            let record = verified(jws, self.public_key.as_deref()).and_then(|signed| match signed.kind == KIND {
                true => serde_json::from_str::<Record>(&signed.text).map_err(|why| why.to_string()),
                false => Err(format!("expected a record, found {:?}", signed.kind)),
            });
            record.map_err(|why| wrong(format!("its record: {why}")))?;
            self.records += 1;
        }
        (self.seq, self.sha256) = (expected, hash_of_entry(text));
        let other = self.heads.iter().find(|head| head.seq == expected && head.sha256 != self.sha256);
        other.map_or(Ok(()), |head| {
            Err(wrong(format!("expected {} as in the signed head, found {}", head.sha256, self.sha256)))
        })
    }

    /// Checks after the last entry that the journal is not shorter than a head.
    ///
    /// # Errors
    /// The journal ends before a signed head: its tail was removed.
    pub fn end(&self) -> Result<(), String> {
        let beyond = self.heads.iter().find(|head| head.seq > self.seq);
        beyond.map_or(Ok(()), |head| {
            Err(format!("a head of entry {} was signed, the journal ends at {}", head.seq, self.seq))
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn journal() -> Vec<String> {
        let mut previous = NOTHING.to_owned();
        let texts = (1..=4).map(|seq| {
            let body = json!({ "number": seq, "text": "a" });
            let entry = JournalEntry { seq, previous: previous.clone(), at: 7, kind: "policy".into(), body };
            let text = serde_json::to_string(&entry).unwrap();
            previous = hash_of_entry(&text);
            text
        });
        texts.collect()
    }

    fn checked(texts: &[String], heads: Vec<JournalHead>) -> Result<JournalHead, String> {
        let mut chain = Chain::new(None, heads);
        texts.iter().try_for_each(|text| chain.follow(text))?;
        chain.end()?;
        Ok(JournalHead { seq: chain.seq, sha256: chain.sha256, at: 9 })
    }

    #[test]
    fn an_entry_that_is_changed_removed_added_or_moved_breaks_the_chain() {
        let signer = Signer::of(&[1; 32]).unwrap();
        let whole = journal();
        let head = checked(&whole, Vec::new()).unwrap();
        let read = JournalHead::read(&head.signed(&signer), Some(&signer.public_key)).unwrap();
        assert_eq!(read, head);
        let mut kept = Vec::new();
        let mut must_fail = |what: String, texts: &[String]| {
            if checked(texts, vec![head.clone()]).is_ok() {
                kept.push(what);
            }
        };
        for at in 0..whole.len() {
            let fields = serde_json::from_str::<Value>(&whole[at]).unwrap();
            for field in fields.as_object().unwrap().keys() {
                let mut changed = fields.clone();
                changed[field] = match &fields[field] {
                    Value::Number(number) => json!(number.as_i64().unwrap() + 1),
                    Value::String(text) => json!(format!("{text}x")),
                    _ => json!({ "number": at }),
                };
                let mut texts = whole.clone();
                texts[at] = changed.to_string();
                must_fail(format!("{field} of {at}"), &texts);
            }
            let mut texts = whole.clone();
            texts.remove(at);
            must_fail(format!("without {at}"), &texts);
            let mut texts = whole.clone();
            texts.insert(at, whole[at].clone());
            must_fail(format!("{at} twice"), &texts);
            if at > 0 {
                let mut texts = whole.clone();
                texts.swap(at - 1, at);
                must_fail(format!("{at} moved"), &texts);
            }
        }
        assert!(kept.is_empty(), "{kept:?}");
        // Without a head, a missing tail is not found.
        assert!(checked(&whole[..3], Vec::new()).is_ok());
    }
}
