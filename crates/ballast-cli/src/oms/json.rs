//! Reads foreign JSON strictly: an object with the same key twice is refused at any depth, since two readers could use
//! different values. Pure, and bounded: an object has at most [`KEYS`] keys.

use std::cell::RefCell;
use std::collections::HashSet;

use serde::de::{DeserializeOwned, DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Deserializer;

use super::refusal::{BadModel, Reason};
use crate::escape;

/// The most keys of one object.
const KEYS: usize = 1000;

/// Reads one document; `broken` is the reason if it is no JSON, `odd` if it has other fields.
///
/// # Errors
/// These reasons, and [`Reason::DuplicateKey`].
pub fn read<T: DeserializeOwned>(bytes: &[u8], broken: Reason, odd: Reason) -> Result<T, BadModel> {
    let twice = RefCell::new(None);
    let mut document = Deserializer::from_slice(bytes);
    let walked = Unique(&twice).deserialize(&mut document).and_then(|()| document.end());
    if let Some(key) = twice.into_inner() {
        return Err(BadModel::new(Reason::DuplicateKey, format!("an object has the key {key:?} twice")));
    }
    walked.map_err(|error| BadModel::new(broken, format!("it is not JSON: {}", escape::line(&error.to_string()))))?;
    serde_json::from_slice(bytes).map_err(|error| BadModel::new(odd, escape::line(&error.to_string())))
}

/// Walks a document and notes the first key that an object has twice.
#[derive(Clone, Copy)]
struct Unique<'a>(&'a RefCell<Option<String>>);

impl<'de> DeserializeSeed<'de> for Unique<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Unique<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        let mut keys = HashSet::new();
        while let Some(key) = object.next_key::<String>()? {
            if keys.contains(&key) {
                self.0.replace(Some(key));
                return Err(A::Error::custom("a key twice"));
            }
            keys.insert(key);
            if keys.len() > KEYS {
                return Err(A::Error::custom(format_args!("an object has more than {KEYS} keys")));
            }
            object.next_value_seed(self)?;
        }
        Ok(())
    }
}
