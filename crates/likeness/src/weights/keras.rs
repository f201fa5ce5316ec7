//! Keras weight files: legacy HDF5, bound by order.
//!
//! The attribute `layer_names` lists the layers, each layer's `weight_names` its tensors; Keras
//! assigns by these orders and never by name, and so do we. Both lists may be split into numbered
//! attributes, may contain fixed or variable strings, and are attributes of the root or, in a saved
//! model, of `/model_weights`. Tensors are returned as views: only contiguous storage is accepted.
//!
//! The HDF5 structures themselves are read by the crate `hdf5-pure`, through a reader that returns
//! a bounded number of bytes: in HDF5 a thousand short references may name one long string.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hdf5_pure::{AttrValue, Datatype, DatatypeByteOrder, FloatingPointLayout, FormatError, Group, Layout, Source};

use super::{WeightError, WeightTensor};

/// Layers, or tensors of one layer, that a file may list.
const MOST: usize = 4096;

const F32: Datatype = Datatype::FloatingPoint {
    size: 4,
    byte_order: DatatypeByteOrder::LittleEndian,
    layout: FloatingPointLayout::IEEE754_BINARY32,
};

/// The most bytes of structure that are read from a file, counting each read as [`READ`] more: some
/// ten times the need of Facenet512's file.
const BUDGET: u64 = 64 << 20;
const READ: u64 = 64;

/// An open file, which owns its bytes.
pub struct File {
    file: hdf5_pure::File,
    ration: Arc<Ration>,
}

/// The file's bytes, and how many more of them the HDF5 library may read.
struct Ration {
    bytes: Vec<u8>,
    left: AtomicU64,
}

impl Ration {
    fn take(&self, offset: u64, length: usize) -> Result<&[u8], FormatError> {
        let cost = READ.saturating_add(length as u64);
        let enough = self.left.try_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(cost));
        if enough.is_err() {
            self.left.store(0, Ordering::Relaxed);
            return Err(FormatError::Source("too much structure".to_owned()));
        }
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let end = FormatError::UnexpectedEof { expected: start.saturating_add(length), available: self.bytes.len() };
        self.bytes.get(start..).and_then(|rest| rest.get(..length)).ok_or(end)
    }
}

/// The HDF5 library's access to the file.
struct Shared(Arc<Ration>);

impl Source for Shared {
    fn len(&self) -> u64 {
        self.0.bytes.len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), FormatError> {
        buffer.copy_from_slice(self.0.take(offset, buffer.len())?);
        Ok(())
    }

    fn read_exact_at(&self, offset: u64, length: usize) -> Result<Vec<u8>, FormatError> {
        self.0.take(offset, length).map(<[u8]>::to_vec)
    }
}

/// A layer that has weights.
#[derive(Debug)]
pub struct Layer<'a> {
    /// The layer's name: for errors only, nothing is bound by it.
    pub name: String,
    /// The layer's tensors, in the file's order.
    pub weights: Vec<WeightTensor<'a>>,
}

impl File {
    /// Opens a file's bytes.
    ///
    /// # Errors
    /// [`WeightError::Hdf5`].
    pub fn open(bytes: Vec<u8>) -> Result<Self, WeightError> {
        let ration = Arc::new(Ration { bytes, left: AtomicU64::new(BUDGET) });
        let file = hdf5_pure::File::from_source(Shared(Arc::clone(&ration))).map_err(hdf5("/"))?;
        Ok(Self { file, ration })
    }

    /// The layers that have weights, in the file's order.
    ///
    /// # Errors
    /// [`WeightError::Missing`] if the file has no list of layers, [`WeightError::Hdf5`] and
    /// [`WeightError::Kind`] otherwise.
    pub fn layers(&self) -> Result<Vec<Layer<'_>>, WeightError> {
        // If the budget ends, unread structure can look absent.
        self.listed().map_err(|why| if self.ration.left.load(Ordering::Relaxed) > 0 { why } else { too_much("/") })
    }

    fn listed(&self) -> Result<Vec<Layer<'_>>, WeightError> {
        let (root, names) = self.root()?;
        let mut groups = members(&root)?;
        let mut layers = Vec::new();
        for name in names {
            let Some(group) = groups.remove(&name) else {
                return Err(WeightError::Missing { tensor: format!("layer {name}") });
            };
            let weights = self.weights(&group, &name)?;
            if !weights.is_empty() {
                layers.push(Layer { name, weights });
            }
        }
        Ok(layers)
    }

    /// The group that lists the layers, with its list.
    fn root(&self) -> Result<(Group, Vec<String>), WeightError> {
        let root = self.file.root();
        if let Some(names) = list(&root, "layer_names", "/")? {
            return Ok((root, names));
        }
        let missing = || WeightError::Missing { tensor: "attribute layer_names of / or /model_weights".to_owned() };
        let inner = root.group("model_weights").map_err(|_| missing())?;
        let names = list(&inner, "layer_names", "/model_weights")?.ok_or_else(missing)?;
        Ok((inner, names))
    }

    fn weights(&self, group: &Group, layer: &str) -> Result<Vec<WeightTensor<'_>>, WeightError> {
        let names = list(group, "weight_names", layer)?;
        let names =
            names.ok_or_else(|| WeightError::Missing { tensor: format!("attribute weight_names of {layer}") })?;
        names.iter().map(|name| self.tensor(group, layer, name)).collect()
    }

    fn tensor(&self, group: &Group, layer: &str, name: &str) -> Result<WeightTensor<'_>, WeightError> {
        let full = format!("{layer}/{name}");
        let dataset = group.dataset(name).map_err(hdf5(&full))?;
        let kind = |found: String| WeightError::Kind { tensor: full.clone(), found };
        let element = dataset.datatype().map_err(hdf5(&full))?;
        if element != F32 {
            return Err(kind(format!("{element:?}")));
        }
        let shape = dataset.shape().map_err(hdf5(&full))?;
        let shape = shape.iter().map(|&n| usize::try_from(n).ok()).collect::<Option<Vec<_>>>();
        let (address, size) = match dataset.layout().map_err(hdf5(&full))? {
            Layout::Contiguous { address: Some(address), size } => (address, size),
            other => return Err(kind(format!("{other:?}"))),
        };
        let start = usize::try_from(address).unwrap_or(usize::MAX);
        let bytes = usize::try_from(size).ok().and_then(|size| self.ration.bytes.get(start..)?.get(..size));
        match (bytes, shape) {
            (Some(bytes), Some(shape)) => WeightTensor::new(&full, shape, bytes, start),
            _ => Err(kind(format!("{size} bytes at {address}, outside the file"))),
        }
    }
}

/// The groups directly below one, by name.
fn members(root: &Group) -> Result<HashMap<String, Group>, WeightError> {
    Ok(root.iter_groups().map_err(hdf5("/"))?.collect())
}

/// A list of names: one attribute, or `name0`, `name1`, … in a row.
fn list(group: &Group, name: &str, object: &str) -> Result<Option<Vec<String>>, WeightError> {
    let attributes = group.attrs().map_err(hdf5(object))?;
    let strings = |key: &str| attributes.get(key).map(|value| texts(value, object, key));
    if let Some(names) = strings(name) {
        return names.map(Some);
    }
    let mut all = Vec::new();
    for number in 0.. {
        match strings(&format!("{name}{number}")) {
            Some(more) => all.extend(more?),
            None if number == 0 => return Ok(None),
            None => break,
        }
    }
    Ok(Some(all))
}

/// The strings of an attribute. Keras writes an empty list as an empty array of f64.
fn texts(value: &AttrValue, object: &str, key: &str) -> Result<Vec<String>, WeightError> {
    let wrong = |found: String| WeightError::Hdf5 {
        object: format!("attribute {key} of {object}"),
        why: format!("expected a list of at most {MOST} names, found {found}"),
    };
    if matches!(value, AttrValue::F64Array(none) if none.is_empty()) {
        return Ok(Vec::new());
    }
    match value.as_strings() {
        Some(names) if names.len() <= MOST => Ok(names.iter().map(|name| name.to_string()).collect()),
        Some(names) => Err(wrong(names.len().to_string())),
        None => Err(wrong("another kind of value".to_owned())),
    }
}

fn too_much(object: &str) -> WeightError {
    let why = format!("expected at most {BUDGET} bytes of structure to read, found more");
    WeightError::Hdf5 { object: object.to_owned(), why }
}

fn hdf5<E: std::fmt::Display>(object: &str) -> impl FnOnce(E) -> WeightError {
    move |why| WeightError::Hdf5 { object: object.to_owned(), why: why.to_string() }
}
