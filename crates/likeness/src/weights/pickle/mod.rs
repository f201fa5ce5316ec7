//! A pickle machine that can build only tensors.
//!
//! The machine knows the opcodes and names that PyTorch's legacy writer emits for a state dict; any
//! other opcode or name is an error with its offset. The machine imports, calls and resolves
//! nothing. Values are plain indices into arenas, so nothing recurses, and memory grows only with
//! opcodes that were really read: a file of n bytes makes at most n values.

mod cursor;
mod stack;
mod value;

use std::collections::HashMap;
use std::ops::ControlFlow;

use super::WeightError;
use super::error::short;
use super::tensor::byte_length;
use cursor::Cursor;
use value::size;
pub(super) use value::{Element, Name, Storage, Value, View};

/// Bytes of a text. Texts become keys, which are hashed as often as the file names them.
const LONGEST: usize = 1024;

/// The machine: one stack, one memo, arenas. The machine runs one pickle at a time.
pub(super) struct Machine<'a> {
    pub(super) cursor: Cursor<'a>,
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

impl<'a> Machine<'a> {
    pub(super) fn new(file: &'a [u8]) -> Self {
        Self {
            cursor: Cursor::new(file),
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

    /// Runs one pickle to its end and returns its value.
    pub(super) fn run(&mut self) -> Result<Value<'a>, WeightError> {
        self.stack.clear();
        self.marks.clear();
        self.memo.clear();
        loop {
            let at = self.cursor.position();
            let code = self.cursor.byte()?;
            if self.step(code, at)?.is_break() {
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

    fn step(&mut self, code: u8, at: usize) -> Result<ControlFlow<()>, WeightError> {
        match code {
            b'.' => return Ok(ControlFlow::Break(())),
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
        Ok(ControlFlow::Continue(()))
    }

    fn protocol(&mut self) -> Result<(), WeightError> {
        match self.cursor.byte()? {
            2 => Ok(()),
            other => Err(self.cursor.wrong("pickle protocol 2", format!("{other}"))),
        }
    }

    fn number(&mut self, code: u8) -> Result<(), WeightError> {
        let value = match code {
            b'K' => i128::from(self.cursor.byte()?),
            b'M' => i128::from(u16::from_le_bytes(self.cursor.array()?)),
            b'J' => i128::from(i32::from_le_bytes(self.cursor.array()?)),
            _ => self.long()?,
        };
        self.push(Value::Int(value));
        Ok(())
    }

    fn long(&mut self) -> Result<i128, WeightError> {
        let length = usize::from(self.cursor.byte()?);
        let digits = self.cursor.take(length)?;
        let mut wide = [if digits.last().is_some_and(|top| top & 0x80 != 0) { 0xff } else { 0 }; 16];
        match wide.get_mut(..length) {
            Some(low) => low.copy_from_slice(digits),
            None => return Err(self.cursor.wrong("an integer of at most 16 bytes", format!("{length} bytes"))),
        }
        Ok(i128::from_le_bytes(wide))
    }

    fn text(&mut self) -> Result<(), WeightError> {
        let length = u32::from_le_bytes(self.cursor.array()?) as usize;
        if length > LONGEST {
            return Err(self.cursor.wrong(&format!("text of at most {LONGEST} bytes"), length.to_string()));
        }
        let bytes = self.cursor.take(length)?;
        let text = str::from_utf8(bytes).map_err(|_| self.cursor.wrong("UTF-8 text", "other bytes".to_owned()))?;
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
            return Err(self.cursor.wrong("pairs of key and value", "an odd number of values".to_owned()));
        }
        match self.top()? {
            Value::Dict(index) => self.dicts[index].extend(pairs.iter().map(|&[key, value]| (key, value))),
            other => return Err(self.cursor.wrong("a dict to fill", format!("{other}"))),
        }
        Ok(())
    }

    fn append(&mut self) -> Result<(), WeightError> {
        let values = self.marked()?;
        match self.top()? {
            Value::List(index) => self.lists[index].extend(values),
            other => return Err(self.cursor.wrong("a list to extend", format!("{other}"))),
        }
        Ok(())
    }

    fn memory(&mut self, code: u8) -> Result<(), WeightError> {
        let slot = match code {
            b'q' | b'h' => u32::from(self.cursor.byte()?),
            _ => u32::from_le_bytes(self.cursor.array()?),
        };
        if matches!(code, b'q' | b'r') {
            let value = self.top()?;
            self.memo.insert(slot, value);
            return Ok(());
        }
        match self.memo.get(&slot) {
            Some(&value) => self.push(value),
            None => return Err(self.cursor.wrong("a remembered value", format!("nothing in memo slot {slot}"))),
        }
        Ok(())
    }

    fn global(&mut self, at: usize) -> Result<(), WeightError> {
        let (module, name) = (self.cursor.line()?, self.cursor.line()?);
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
                self.push(Value::WeightTensor(self.views.len() - 1));
            }
            _ => return Err(self.cursor.wrong("a call that builds a dict or a tensor", callee.to_string())),
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
            _ => Err(self.cursor.wrong("storage, offset, shape and strides of a tensor", "other arguments".to_owned())),
        }
    }

    /// Ignores an object's state: PyTorch attaches a dict of versions to the state dict.
    fn build(&mut self) -> Result<(), WeightError> {
        match (self.pop()?, self.top()?) {
            (Value::Dict(_), Value::Dict(_)) => Ok(()),
            (state, object) => Err(self.cursor.wrong("a dict to attach to a dict", format!("{state} for {object}"))),
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
            _ => return Err(self.cursor.wrong("a reference to a whole storage", "another reference".to_owned())),
        };
        let Some(length) = length.filter(|&n| byte_length(&[n, 2]).is_some()) else {
            return Err(self.cursor.wrong("a storage's length", "a number out of range".to_owned()));
        };
        let index = *self.by_key.entry(key).or_insert(self.storages.len());
        match self.storages.get(index) {
            None => self.storages.push(Storage { key, element, length }),
            Some(known) if (known.element, known.length) == (element, length) => {}
            Some(_) => return Err(self.cursor.wrong("one description for each storage", format!("two for {key}"))),
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
}
