//! The values of a pickle for a state dict.

use std::fmt;

use crate::weights::error::short;

/// A value on the machine's stack. Compound values are indices into the machine's arenas.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::weights) enum Value<'a> {
    None,
    Bool(bool),
    Int(i128),
    Text(&'a str),
    Name(Name),
    /// A run of the arena of items.
    Tuple {
        start: usize,
        length: usize,
    },
    List(usize),
    Dict(usize),
    Storage(usize),
    WeightTensor(usize),
}

/// A value in an error, shortened.
impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Int(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "the text {:?}", short(text)),
            Self::Name(name) => write!(f, "the name {name:?}"),
            Self::Tuple { length, .. } => write!(f, "a tuple of {length}"),
            Self::List(_) => f.write_str("a list"),
            Self::Dict(_) => f.write_str("a dict"),
            Self::Storage(_) => f.write_str("a storage"),
            Self::WeightTensor(_) => f.write_str("a tensor"),
        }
    }
}

/// The only Python names that a state dict needs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::weights) enum Name {
    OrderedDict,
    RebuildTensor,
    Storage(Element),
}

/// The type of a storage's elements.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::weights) enum Element {
    F32,
    I64,
}

impl Element {
    pub(in crate::weights) fn size(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::I64 => 8,
        }
    }
}

/// A storage that the pickle refers to by key; its bytes follow the pickles.
#[derive(Debug, Clone, Copy)]
pub(in crate::weights) struct Storage<'a> {
    pub(in crate::weights) key: &'a str,
    pub(in crate::weights) element: Element,
    pub(in crate::weights) length: usize,
}

/// A tensor as the pickle describes it: a view of a storage.
#[derive(Debug, Clone)]
pub(in crate::weights) struct View {
    pub(in crate::weights) storage: usize,
    pub(in crate::weights) offset: usize,
    pub(in crate::weights) shape: Vec<usize>,
    pub(in crate::weights) stride: Vec<usize>,
}

/// An integer as a size, if it can be one.
pub(super) fn size(value: Value<'_>) -> Option<usize> {
    match value {
        Value::Int(number) => usize::try_from(number).ok(),
        _ => None,
    }
}
