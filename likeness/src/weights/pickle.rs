//! A pickle machine that can build tensors and nothing else.
//!
//! It knows the opcodes and names that PyTorch's legacy writer emits for a state dict; any other is a
//! named error with its offset. Nothing is imported, called or resolved. Values are plain indices
//! into arenas, so nothing recurses, and memory grows only with opcodes that were really read:
//! a file of n bytes makes at most n values.

use std::collections::HashMap;
use std::fmt;

use super::WeightError;
use super::tensor::byte_length;

/// A value on the machine's stack. Compound values are indices into [`Machine`]'s arenas.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value<'a> {
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
    Tensor(usize),
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
            Self::Tensor(_) => f.write_str("a tensor"),
        }
    }
}

/// The only Python names that a state dict needs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Name {
    OrderedDict,
    RebuildTensor,
    Storage(Element),
}

/// What a storage holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Element {
    F32,
    I64,
}

impl Element {
    pub(super) fn size(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::I64 => 8,
        }
    }
}

/// A storage that the pickle refers to by key; its bytes follow the pickles.
#[derive(Debug, Clone, Copy)]
pub(super) struct Storage<'a> {
    pub(super) key: &'a str,
    pub(super) element: Element,
    pub(super) length: usize,
}

/// A tensor as the pickle describes it: a view of a storage.
#[derive(Debug, Clone)]
pub(super) struct View {
    pub(super) storage: usize,
    pub(super) offset: usize,
    pub(super) shape: Vec<usize>,
    pub(super) stride: Vec<usize>,
}

/// The machine: one stack, one memo, arenas. It runs one pickle at a time.
pub(super) struct Machine<'a> {
    file: &'a [u8],
    at: usize,
    stack: Vec<Value<'a>>,
    marks: Vec<usize>,
    memo: HashMap<u32, Value<'a>>,
    items: Vec<Value<'a>>,
    lists: Vec<Vec<Value<'a>>>,
    dicts: Vec<Vec<(Value<'a>, Value<'a>)>>,
    by_key: HashMap<&'a str, usize>,
    pub(super) storages: Vec<Storage<'a>>,
    pub(super) views: Vec<View>,
}

/// What one opcode did.
enum Step {
    More,
    Stop,
}

impl<'a> Machine<'a> {
    pub(super) fn new(file: &'a [u8]) -> Self {
        Self {
            file,
            at: 0,
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
            items: Vec::new(),
            lists: Vec::new(),
            dicts: Vec::new(),
            by_key: HashMap::new(),
            storages: Vec::new(),
            views: Vec::new(),
        }
    }

    /// The offset of the next byte to be read.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// Runs one pickle to its end and returns its value.
    pub(super) fn run(&mut self) -> Result<Value<'a>, WeightError> {
        self.stack.clear();
        self.marks.clear();
        self.memo.clear();
        loop {
            let at = self.at;
            let code = self.byte()?;
            if let Step::Stop = self.step(code, at)? {
                return self.pop();
            }
        }
    }

    pub(super) fn dict(&self, value: Value<'a>) -> Option<&[(Value<'a>, Value<'a>)]> {
        match value {
            Value::Dict(index) => Some(&self.dicts[index]),
            _ => None,
        }
    }

    pub(super) fn list(&self, value: Value<'a>) -> Option<&[Value<'a>]> {
        match value {
            Value::List(index) => Some(&self.lists[index]),
            _ => None,
        }
    }

    fn step(&mut self, code: u8, at: usize) -> Result<Step, WeightError> {
        match code {
            b'.' => return Ok(Step::Stop),
            0x80 => self.protocol()?,
            b'(' => self.marks.push(self.stack.len()),
            b'N' => self.push(Value::None),
            0x88 => self.push(Value::Bool(true)),
            0x89 => self.push(Value::Bool(false)),
            b'K' | b'M' | b'J' | 0x8a => self.number(code)?,
            b'X' => self.text()?,
            b')' => self.tuple(0)?,
            0x85..=0x87 => self.tuple(usize::from(code - 0x84))?,
            b't' => self.marked_tuple()?,
            b'}' => self.new_dict(),
            b']' => {
                self.lists.push(Vec::new());
                self.push(Value::List(self.lists.len() - 1));
            }
            b's' | b'u' => self.set_items(code == b's')?,
            b'e' => self.append()?,
            b'q' | b'r' | b'h' | b'j' => self.memory(code)?,
            b'c' => self.global(at)?,
            b'R' => self.reduce()?,
            b'b' => self.build()?,
            b'Q' => self.storage()?,
            _ => return Err(WeightError::Opcode { code, at }),
        }
        Ok(Step::More)
    }

    fn protocol(&mut self) -> Result<(), WeightError> {
        match self.byte()? {
            2 => Ok(()),
            other => Err(self.wrong("pickle protocol 2", format!("{other}"))),
        }
    }

    fn number(&mut self, code: u8) -> Result<(), WeightError> {
        let value = match code {
            b'K' => i128::from(self.byte()?),
            b'M' => i128::from(u16::from_le_bytes(self.array()?)),
            b'J' => i128::from(i32::from_le_bytes(self.array()?)),
            _ => self.long()?,
        };
        self.push(Value::Int(value));
        Ok(())
    }

    fn long(&mut self) -> Result<i128, WeightError> {
        let length = usize::from(self.byte()?);
        let digits = self.take(length)?;
        let mut wide = [if digits.last().is_some_and(|top| top & 0x80 != 0) { 0xff } else { 0 }; 16];
        match wide.get_mut(..length) {
            Some(low) => low.copy_from_slice(digits),
            None => return Err(self.wrong("an integer of at most 16 bytes", format!("{length} bytes"))),
        }
        Ok(i128::from_le_bytes(wide))
    }

    fn text(&mut self) -> Result<(), WeightError> {
        let length = u32::from_le_bytes(self.array()?) as usize;
        let bytes = self.take(length)?;
        let text = str::from_utf8(bytes).map_err(|_| self.wrong("UTF-8 text", "other bytes".to_owned()))?;
        self.push(Value::Text(text));
        Ok(())
    }

    fn new_dict(&mut self) {
        self.dicts.push(Vec::new());
        self.push(Value::Dict(self.dicts.len() - 1));
    }

    /// Moves the top `length` values into the arena as one tuple.
    fn tuple(&mut self, length: usize) -> Result<(), WeightError> {
        let values = self.split(length)?;
        self.push_tuple(values);
        Ok(())
    }

    fn push_tuple(&mut self, values: Vec<Value<'a>>) {
        let (start, length) = (self.items.len(), values.len());
        self.items.extend(values);
        self.push(Value::Tuple { start, length });
    }

    fn marked_tuple(&mut self) -> Result<(), WeightError> {
        let values = self.marked()?;
        self.push_tuple(values);
        Ok(())
    }

    fn set_items(&mut self, single: bool) -> Result<(), WeightError> {
        let pairs = if single { self.split(2)? } else { self.marked()? };
        let (pairs, rest) = pairs.as_chunks::<2>();
        if !rest.is_empty() {
            return Err(self.wrong("pairs of key and value", "an odd number of values".to_owned()));
        }
        match self.top()? {
            Value::Dict(index) => self.dicts[index].extend(pairs.iter().map(|&[key, value]| (key, value))),
            other => return Err(self.wrong("a dict to fill", format!("{other}"))),
        }
        Ok(())
    }

    fn append(&mut self) -> Result<(), WeightError> {
        let values = self.marked()?;
        match self.top()? {
            Value::List(index) => self.lists[index].extend(values),
            other => return Err(self.wrong("a list to extend", format!("{other}"))),
        }
        Ok(())
    }

    fn memory(&mut self, code: u8) -> Result<(), WeightError> {
        let slot = match code {
            b'q' | b'h' => u32::from(self.byte()?),
            _ => u32::from_le_bytes(self.array()?),
        };
        if matches!(code, b'q' | b'r') {
            let value = self.top()?;
            self.memo.insert(slot, value);
            return Ok(());
        }
        match self.memo.get(&slot) {
            Some(&value) => self.push(value),
            None => return Err(self.wrong("a remembered value", format!("nothing in memo slot {slot}"))),
        }
        Ok(())
    }

    fn global(&mut self, at: usize) -> Result<(), WeightError> {
        let (module, name) = (self.line()?, self.line()?);
        self.push(Value::Name(match (module, name) {
            (b"collections", b"OrderedDict") => Name::OrderedDict,
            (b"torch._utils", b"_rebuild_tensor_v2") => Name::RebuildTensor,
            (b"torch", b"FloatStorage") => Name::Storage(Element::F32),
            (b"torch", b"LongStorage") => Name::Storage(Element::I64),
            _ => {
                let name = [module, name].map(|part| String::from_utf8_lossy(part).into_owned()).join(".");
                return Err(WeightError::Global { name: short(&name).to_owned(), at });
            }
        }));
        Ok(())
    }

    fn reduce(&mut self) -> Result<(), WeightError> {
        let (arguments, callee) = (self.pop()?, self.pop()?);
        match (callee, self.tuple_items(arguments)) {
            (Value::Name(Name::OrderedDict), Some([])) => self.new_dict(),
            (Value::Name(Name::RebuildTensor), Some(&[storage, offset, shape, stride, Value::Bool(_), _hooks])) => {
                let view = self.view(storage, offset, shape, stride)?;
                self.views.push(view);
                self.push(Value::Tensor(self.views.len() - 1));
            }
            _ => return Err(self.wrong("a call that builds a dict or a tensor", callee.to_string())),
        }
        Ok(())
    }

    fn view(
        &self,
        storage: Value<'a>,
        offset: Value<'a>,
        shape: Value<'a>,
        stride: Value<'a>,
    ) -> Result<View, WeightError> {
        match (storage, size(offset), self.sizes(shape), self.sizes(stride)) {
            (Value::Storage(storage), Some(offset), Some(shape), Some(stride)) if shape.len() == stride.len() => {
                Ok(View { storage, offset, shape, stride })
            }
            _ => Err(self.wrong("storage, offset, shape and strides of a tensor", "other arguments".to_owned())),
        }
    }

    /// A state for an object: PyTorch attaches a dict of versions to the state dict. It is not used.
    fn build(&mut self) -> Result<(), WeightError> {
        match (self.pop()?, self.top()?) {
            (Value::Dict(_), Value::Dict(_)) => Ok(()),
            (state, object) => Err(self.wrong("a dict to attach to a dict", format!("{state} for {object}"))),
        }
    }

    fn storage(&mut self) -> Result<(), WeightError> {
        let id = self.pop()?;
        let (key, element, length) = match self.tuple_items(id) {
            Some(
                &[
                    Value::Text("storage"),
                    Value::Name(Name::Storage(element)),
                    Value::Text(key),
                    Value::Text(_device),
                    length,
                    Value::None,
                ],
            ) => (key, element, size(length)),
            _ => return Err(self.wrong("a reference to a whole storage", "another reference".to_owned())),
        };
        let Some(length) = length.filter(|&n| byte_length(&[n, 2]).is_some()) else {
            return Err(self.wrong("a storage's length", "a number out of range".to_owned()));
        };
        let index = *self.by_key.entry(key).or_insert(self.storages.len());
        match self.storages.get(index) {
            None => self.storages.push(Storage { key, element, length }),
            Some(known) if (known.element, known.length) == (element, length) => {}
            Some(_) => return Err(self.wrong("one description for each storage", format!("two for {key}"))),
        }
        self.push(Value::Storage(index));
        Ok(())
    }

    fn tuple_items(&self, value: Value<'a>) -> Option<&[Value<'a>]> {
        match value {
            Value::Tuple { start, length } => Some(&self.items[start..start + length]),
            _ => None,
        }
    }

    /// A tuple of at most four sizes.
    fn sizes(&self, value: Value<'a>) -> Option<Vec<usize>> {
        let items = self.tuple_items(value).filter(|items| items.len() <= 4)?;
        items.iter().map(|&item| size(item)).collect()
    }

    fn push(&mut self, value: Value<'a>) {
        self.stack.push(value);
    }

    fn pop(&mut self) -> Result<Value<'a>, WeightError> {
        Ok(self.split(1)?[0])
    }

    fn top(&self) -> Result<Value<'a>, WeightError> {
        match self.stack.last() {
            Some(&value) if self.stack.len() > self.floor() => Ok(value),
            _ => Err(self.wrong("a value on the stack", "none".to_owned())),
        }
    }

    /// Values below the last mark are out of reach, so that a mark is never above the stack.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    /// Takes the top `length` values.
    fn split(&mut self, length: usize) -> Result<Vec<Value<'a>>, WeightError> {
        let there = self.stack.len() - self.floor();
        if there < length {
            return Err(self.wrong(&format!("{length} values on the stack"), there.to_string()));
        }
        Ok(self.stack.split_off(self.stack.len() - length))
    }

    /// Takes all values above the last mark, and the mark.
    fn marked(&mut self) -> Result<Vec<Value<'a>>, WeightError> {
        let Some(mark) = self.marks.pop() else {
            return Err(self.wrong("a mark on the stack", "none".to_owned()));
        };
        Ok(self.stack.split_off(mark))
    }

    fn byte(&mut self) -> Result<u8, WeightError> {
        Ok(self.array::<1>()?[0])
    }

    /// The next `N` bytes.
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], WeightError> {
        let bytes = self.take(N)?;
        Ok(std::array::from_fn(|i| bytes[i]))
    }

    fn line(&mut self) -> Result<&'a [u8], WeightError> {
        let rest = &self.file[self.at..];
        let Some(length) = rest.iter().position(|&byte| byte == b'\n') else {
            return Err(self.wrong("a line", "the end of the file".to_owned()));
        };
        self.at += length + 1;
        Ok(&rest[..length])
    }

    /// The next `length` bytes.
    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], WeightError> {
        let rest = &self.file[self.at..];
        let Some(bytes) = rest.get(..length) else {
            return Err(self.wrong(&format!("{length} more bytes"), format!("the end after {}", rest.len())));
        };
        self.at += length;
        Ok(bytes)
    }

    /// The length of the file.
    pub(super) fn length(&self) -> usize {
        self.file.len()
    }

    pub(super) fn wrong(&self, expected: &str, found: String) -> WeightError {
        WeightError::Malformed { at: self.at, expected: expected.to_owned(), found: short(&found).to_owned() }
    }
}

/// The beginning of a text from the file, for an error.
pub(super) fn short(text: &str) -> &str {
    &text[..text.floor_char_boundary(100)]
}

fn size(value: Value<'_>) -> Option<usize> {
    match value {
        Value::Int(number) => usize::try_from(number).ok(),
        _ => None,
    }
}
