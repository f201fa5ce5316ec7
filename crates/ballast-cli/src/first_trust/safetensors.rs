//! Compares the header of a safetensors file with the file's length.
//!
//! The format: 8 bytes with the header's length, the header in JSON, then the tensors' bytes without gaps. The reader
//! of safetensors refuses a file that is longer or shorter than the header says.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};

use serde::de::{Deserialize, IgnoredAny, MapAccess, Visitor};
use serde::{Deserializer, de};

use super::findings::Findings;
use crate::bounds;

/// The longest header that the format allows.
const LONGEST: u64 = 100_000_000;

/// The end of the last tensor.
struct End(u64);

#[derive(serde::Deserialize)]
struct Tensor {
    data_offsets: Option<(u64, u64)>,
}

impl<'de> Deserialize<'de> for End {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Header;
        impl<'de> Visitor<'de> for Header {
            type Value = End;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of tensors")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<End, A::Error> {
                let mut end = 0;
                while let Some(name) = map.next_key::<std::borrow::Cow<'de, str>>()? {
                    if name == "__metadata__" {
                        map.next_value::<IgnoredAny>()?;
                        continue;
                    }
                    let tensor: Tensor = map.next_value()?;
                    let (begin, last) = tensor.data_offsets.ok_or_else(|| de::Error::missing_field("data_offsets"))?;
                    if begin > last {
                        return Err(de::Error::custom("a tensor ends before it begins"));
                    }
                    end = last.max(end);
                }
                Ok(End(end))
            }
        }
        from.deserialize_map(Header)
    }
}

/// Checks the file, which is at its beginning.
pub fn check(file: &mut File, checked: &mut Findings) -> io::Result<()> {
    let found = file.metadata()?.len();
    let mut begin = Vec::new();
    file.take(9).read_to_end(&mut begin)?;
    let [length @ .., b'{'] = begin.as_slice() else {
        checked.doubt("it does not begin as a .safetensors file does");
        return Ok(());
    };
    let Ok(header) = <[u8; 8]>::try_from(length).map(u64::from_le_bytes) else { return Ok(()) };
    if header > LONGEST {
        checked.doubt("it does not begin as a .safetensors file does");
        return Ok(());
    }
    if header + 8 > found {
        checked.refuse(format!("truncated: its header alone has {} bytes, the file has {found}", header + 8));
        return Ok(());
    }
    if header > bounds::HEADER {
        checked.doubt(format!("its header of {header} bytes is too long to check"));
        return Ok(());
    }
    let mut text = begin.split_off(8);
    file.take(header - 1).read_to_end(&mut text)?;
    match serde_json::from_slice::<End>(&text) {
        Ok(End(end)) if end.checked_add(header + 8) != Some(found) => {
            let expected = end.saturating_add(header + 8);
            checked.refuse(format!("wrong length: its header says {expected} bytes, the file has {found}"));
        }
        Ok(_) => {}
        Err(error) => checked.refuse(format!("its header is damaged: {error}")),
    }
    Ok(())
}
