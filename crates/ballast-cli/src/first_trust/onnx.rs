//! Finds the files outside an ONNX model that contain its tensors.
//!
//! The check reads these protocol buffer fields: `ModelProto.graph` (7), `GraphProto.node` (1) and
//! `.initializer` (5), `NodeProto.attribute` (5), `AttributeProto.t` (5), `.g` (6), `.tensors` (10),
//! `.graphs` (11), `TensorProto.external_data` (13), a map whose key `location` (1, 2) is a file
//! beside the model. Every other field is skipped unread. A file that is no protocol buffer has no
//! such files.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufReader, Read};

use ballast::lock::RelPath;

use super::findings::{Findings, Parts};
use super::parts::beside;
use crate::bounds;

/// Graphs within graphs.
const DEEPEST: usize = 16;
/// Bytes of a key or a value that is read.
const WORD: u64 = 4096;

#[derive(Clone, Copy)]
enum Message {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
}

impl Message {
    /// The message in a field of this message, if tensors can lie below that field.
    fn field(self, number: u64) -> Option<Self> {
        match (self, number) {
            (Self::Model, 7) | (Self::Attribute, 6 | 11) => Some(Self::Graph),
            (Self::Graph, 1) => Some(Self::Node),
            (Self::Graph, 5) | (Self::Attribute, 5 | 10) => Some(Self::Tensor),
            (Self::Node, 5) => Some(Self::Attribute),
            _ => None,
        }
    }
}

/// Checks the file, which is at its beginning.
pub fn check(path: &RelPath, file: &mut File, checked: &mut Findings) -> io::Result<()> {
    let size = file.metadata()?.len();
    let mut walk = Walk { inner: BufReader::new(file), left: bounds::MODEL_FIELDS, locations: BTreeSet::new() };
    // If the walk ends early, the file is not a model, or its own reader will refuse it.
    let whole = walk.message(Message::Model, size, 0).is_some();
    if walk.locations.is_empty() {
        return Ok(());
    }
    if !whole {
        checked.refuse("truncated: the model ends within its graph");
    }
    let mut names = Vec::new();
    for location in walk.locations {
        match beside(path, &location) {
            Ok(name) => names.push(name),
            Err(why) => checked.refuse(format!("its tensors lie outside the store: {why}")),
        }
    }
    checked.parts = Some(Parts::new(path, names));
    Ok(())
}

struct Walk<'a> {
    inner: BufReader<&'a mut File>,
    /// Fields that may still be read.
    left: usize,
    locations: BTreeSet<String>,
}

impl Walk<'_> {
    fn byte(&mut self) -> Option<u8> {
        let mut byte = [0];
        self.inner.read_exact(&mut byte).ok()?;
        Some(byte[0])
    }

    /// A number, and the bytes that it took.
    fn number(&mut self) -> Option<(u64, u64)> {
        let mut number = 0;
        for at in 0..10u32 {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f).checked_shl(7 * at)?;
            if byte & 0x80 == 0 {
                return Some((number, u64::from(at) + 1));
            }
        }
        None
    }

    fn skip(&mut self, bytes: u64) -> Option<()> {
        self.inner.seek_relative(i64::try_from(bytes).ok()?).ok()
    }

    /// Passes each field's number and length to the visitor, which reads exactly that many bytes.
    fn fields(&mut self, mut left: u64, mut visit: impl FnMut(&mut Self, u64, u64) -> Option<()>) -> Option<()> {
        while left > 0 {
            self.left = self.left.checked_sub(1)?;
            let (tag, taken) = self.number()?;
            left = left.checked_sub(taken)?;
            let (length, taken) = match tag & 7 {
                0 => (0, self.number()?.1),
                1 => (8, 0),
                5 => (4, 0),
                2 => self.number()?,
                _ => return None,
            };
            left = left.checked_sub(taken)?.checked_sub(length)?;
            match tag & 7 {
                2 => visit(self, tag >> 3, length)?,
                _ => self.skip(length)?,
            }
        }
        Some(())
    }

    fn message(&mut self, kind: Message, length: u64, depth: usize) -> Option<()> {
        if depth > DEEPEST * 3 {
            return None;
        }
        self.fields(length, |walk, number, length| match (kind, kind.field(number)) {
            (_, Some(inner)) => walk.message(inner, length, depth + 1),
            (Message::Tensor, None) if number == 13 => walk.entry(length),
            _ => walk.skip(length),
        })
    }

    /// Reads one key and value of a tensor's map.
    fn entry(&mut self, length: u64) -> Option<()> {
        let (mut key, mut value) = (String::new(), String::new());
        self.fields(length, |walk, number, length| {
            if length > WORD {
                return walk.skip(length);
            }
            let mut word = vec![0; usize::try_from(length).ok()?];
            walk.inner.read_exact(&mut word).ok()?;
            let word = String::from_utf8(word).ok()?;
            match number {
                1 => key = word,
                2 => value = word,
                _ => {}
            }
            Some(())
        })?;
        if key == "location" && self.locations.len() < bounds::PARTS {
            self.locations.insert(value);
        }
        Some(())
    }
}
