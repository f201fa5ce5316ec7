//! PyTorch state dicts in the legacy, non-zip format.
//!
//! Five pickles (magic, protocol, system facts, the state dict with its storages by key, the keys),
//! then for each key an int64 count and the raw elements. Tensors are returned as views of the
//! file's bytes, each checked to lie inside its storage.

use std::collections::{HashMap, HashSet};

use super::error::short;
use super::pickle::{Element, Machine, Value, View};
use super::tensor::byte_length;
use super::{WeightError, WeightTensor};

const MAGIC: i128 = 0x1950_a86a_20f9_469c_fc6c;
const PROTOCOL: i128 = 1001;

/// A state dict: tensors of f32 by key.
#[derive(Debug)]
pub struct StateDict<'a> {
    tensors: HashMap<&'a str, WeightTensor<'a>>,
}

impl<'a> StateDict<'a> {
    /// Reads a whole file. Checks integer tensors, such as `num_batches_tracked`, and omits them.
    ///
    /// # Errors
    /// [`WeightError::Opcode`] and [`WeightError::Global`] for what is outside the allow-list,
    /// [`WeightError::Malformed`] and [`WeightError::Kind`] otherwise.
    pub fn read(file: &'a [u8]) -> Result<Self, WeightError> {
        let mut machine = Machine::new(file);
        expect_int(&mut machine, MAGIC, "the magic number of PyTorch's legacy format")?;
        expect_int(&mut machine, PROTOCOL, "PyTorch's protocol 1001")?;
        expect_little_endian(&mut machine)?;
        let state = machine.run()?;
        let keys = machine.run()?;
        let bytes = storages(&mut machine, keys)?;
        Ok(Self { tensors: tensors(&machine, state, &bytes)? })
    }

    /// The tensor of that key.
    ///
    /// # Errors
    /// [`WeightError::Missing`].
    pub fn tensor(&self, key: &str) -> Result<&WeightTensor<'a>, WeightError> {
        self.tensors.get(key).ok_or_else(|| WeightError::Missing { tensor: key.to_owned() })
    }

    /// Checks that every tensor is in `used`.
    ///
    /// # Errors
    /// [`WeightError::Unused`] names the first unused tensor, in order of key.
    pub fn only(&self, used: &HashSet<String>) -> Result<(), WeightError> {
        match self.tensors.keys().filter(|key| !used.contains(**key)).min() {
            None => Ok(()),
            Some(&key) => Err(WeightError::Unused { tensor: key.to_owned() }),
        }
    }

    /// The tensors, in order of key.
    #[must_use]
    pub fn tensors(&self) -> Vec<&WeightTensor<'a>> {
        let mut tensors: Vec<_> = self.tensors.values().collect();
        tensors.sort_by_key(|tensor| tensor.name());
        tensors
    }

    /// The number of tensors.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tensors.len()
    }

    /// Returns whether there is no tensor.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }
}

fn expect_int(machine: &mut Machine<'_>, expected: i128, what: &str) -> Result<(), WeightError> {
    match machine.run()? {
        Value::Int(number) if number == expected => Ok(()),
        other => Err(machine.cursor.wrong(what, format!("{other}"))),
    }
}

fn expect_little_endian(machine: &mut Machine<'_>) -> Result<(), WeightError> {
    let facts = machine.run()?;
    let order = machine.dict(facts).and_then(|facts| facts.iter().find(|(k, _)| *k == Value::Text("little_endian")));
    match order {
        Some((_, Value::Bool(true))) => Ok(()),
        Some((_, other)) => Err(machine.cursor.wrong("little_endian true in the system facts", other.to_string())),
        None => Err(machine.cursor.wrong("little_endian in the system facts", "no such key".to_owned())),
    }
}

/// The bytes of each storage, by its index, with their offset in the file.
fn storages<'a>(machine: &mut Machine<'a>, keys: Value<'a>) -> Result<Vec<(&'a [u8], usize)>, WeightError> {
    let Some(keys) = machine.list(keys).map(<[_]>::to_vec) else {
        return Err(machine.cursor.wrong("a list of storage keys", format!("{keys}")));
    };
    let by_key: HashMap<&str, usize> = machine.storages.iter().enumerate().map(|(i, s)| (s.key, i)).collect();
    let mut found = vec![None; machine.storages.len()];
    for key in keys {
        let Value::Text(key) = key else {
            return Err(machine.cursor.wrong("a storage key", format!("{key}")));
        };
        let Some(&index) = by_key.get(key) else {
            return Err(machine.cursor.wrong("a key of the state dict's storages", format!("{key:?}")));
        };
        let bytes = storage_bytes(machine, index)?;
        if found[index].replace(bytes).is_some() {
            return Err(machine.cursor.wrong("each storage once", format!("{key:?} twice")));
        }
    }
    if machine.cursor.left() > 0 {
        return Err(machine.cursor.wrong("the end of the file", format!("{} more bytes", machine.cursor.left())));
    }
    let absent = |index: usize| WeightError::Missing { tensor: format!("storage {:?}", machine.storages[index].key) };
    found.into_iter().enumerate().map(|(index, bytes)| bytes.ok_or_else(|| absent(index))).collect()
}

fn storage_bytes<'a>(machine: &mut Machine<'a>, index: usize) -> Result<(&'a [u8], usize), WeightError> {
    let storage = machine.storages[index];
    let count = machine.cursor.array().map(i64::from_le_bytes)?;
    if usize::try_from(count) != Ok(storage.length) {
        return Err(machine.cursor.wrong(&format!("a storage of {} elements", storage.length), format!("{count}")));
    }
    let at = machine.cursor.position();
    Ok((machine.cursor.take(storage.length * storage.element.size())?, at))
}

fn tensors<'a>(
    machine: &Machine<'a>,
    state: Value<'a>,
    bytes: &[(&'a [u8], usize)],
) -> Result<HashMap<&'a str, WeightTensor<'a>>, WeightError> {
    let Some(entries) = machine.dict(state) else {
        return Err(machine.cursor.wrong("a state dict", state.to_string()));
    };
    let mut tensors = HashMap::new();
    for &(key, value) in entries {
        let (Value::Text(key), Value::WeightTensor(index)) = (key, value) else {
            return Err(machine.cursor.wrong("a tensor under a text key", format!("{value} under {key}")));
        };
        let view = &machine.views[index];
        let Some(tensor) = tensor(machine, key, view, bytes[view.storage])? else { continue };
        if tensors.insert(key, tensor).is_some() {
            return Err(machine.cursor.wrong("each key once", format!("{key:?} twice")));
        }
    }
    Ok(tensors)
}

/// The view as a tensor of f32; none if its elements are integers.
fn tensor<'a>(
    machine: &Machine<'a>,
    key: &str,
    view: &View,
    (bytes, at): (&'a [u8], usize),
) -> Result<Option<WeightTensor<'a>>, WeightError> {
    let element = machine.storages[view.storage].element;
    let kind = |found: String| WeightError::Kind { tensor: short(key).to_owned(), found };
    if !row_major(&view.shape, &view.stride) {
        return Err(kind(format!("strides {:?} for shape {:?}", view.stride, view.shape)));
    }
    let length = byte_length(&view.shape).map(|n| n / 4).and_then(|n| n.checked_mul(element.size()));
    let start = view.offset.checked_mul(element.size());
    let range = start.zip(length).and_then(|(start, length)| bytes.get(start..)?.get(..length));
    match (range, element) {
        (None, _) => Err(kind(format!("shape {:?} at {} outside its storage", view.shape, view.offset))),
        (Some(_), Element::I64) => Ok(None),
        (Some(range), Element::F32) => {
            WeightTensor::new(key, view.shape.clone(), range, at + 4 * view.offset).map(Some)
        }
    }
}

/// Returns whether the strides are those of a contiguous tensor; the stride of a dimension of one does not matter.
fn row_major(shape: &[usize], stride: &[usize]) -> bool {
    let mut wanted = 1usize;
    shape.iter().zip(stride).rev().all(|(&n, &stride)| {
        let right = n == 1 || stride == wanted;
        wanted = wanted.saturating_mul(n);
        right
    })
}
