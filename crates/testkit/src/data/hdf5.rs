//! HDF5 as Keras 2 wrote it through h5py: superblock 0, groups with symbol tables, contiguous datasets.
//!
//! Written bottom-up into one buffer: an object's address is known once its members are written.

use super::tensor::Tensor;

/// Entries of a symbol table's leaf, and children of a node above: twice HDF5's defaults of 4 and 16.
const LEAF: usize = 8;
const NODE: usize = 32;
const UNDEFINED: u64 = u64::MAX;
const SUPERBLOCK: usize = 96;

/// A value of an attribute: text, a list of texts, or Keras's empty list.
pub enum Attribute {
    /// One text.
    Text(&'static str, String),
    /// Texts of fixed length; the empty list is one of f64, as NumPy makes it.
    Texts(&'static str, Vec<String>),
}

/// A member of a group.
pub enum Object {
    /// A group: attributes, and members by name.
    Group(Vec<Attribute>, Vec<(String, Object)>),
    /// A dataset; its name is where it is listed.
    Dataset(Tensor),
}

/// The address of an object, and of a group's B-tree and heap.
struct Written {
    header: u64,
    tree_and_heap: Option<[u64; 2]>,
}

/// The file with this root, which must be a group.
pub fn file(root: Object) -> Vec<u8> {
    let mut out = Writer(vec![0; SUPERBLOCK]);
    let root = out.object(root);
    let end = out.0.len() as u64;
    let mut head = b"\x89HDF\r\n\x1a\n\0\0\0\0\0\x08\x08\0".to_vec();
    head.extend((LEAF as u16 / 2).to_le_bytes());
    head.extend((NODE as u16 / 2).to_le_bytes());
    head.extend(0_u32.to_le_bytes());
    [0, UNDEFINED, end, UNDEFINED].iter().for_each(|number: &u64| head.extend(number.to_le_bytes()));
    head.extend(entry(0, &root));
    out.0[..SUPERBLOCK].copy_from_slice(&head);
    out.0
}

/// An entry of a symbol table: the name's place in the heap, the object.
fn entry(name: u64, object: &Written) -> Vec<u8> {
    let [tree, heap] = object.tree_and_heap.unwrap_or_default();
    let cached = u64::from(object.tree_and_heap.is_some());
    [name, object.header, cached, tree, heap].iter().flat_map(|number| number.to_le_bytes()).collect()
}

struct Writer(Vec<u8>);

impl Writer {
    /// Appends a block at a multiple of 8; its address.
    fn block(&mut self, bytes: &[u8]) -> u64 {
        self.0.resize(self.0.len().next_multiple_of(8), 0);
        let at = self.0.len() as u64;
        self.0.extend(bytes);
        at
    }

    fn object(&mut self, object: Object) -> Written {
        match object {
            Object::Group(attributes, members) => self.group(&attributes, members),
            Object::Dataset(tensor) => self.dataset(&tensor),
        }
    }

    fn dataset(&mut self, tensor: &Tensor) -> Written {
        let bytes = tensor.bytes();
        let at = self.block(&bytes);
        let layout = [&[3, 1][..], &at.to_le_bytes(), &(bytes.len() as u64).to_le_bytes()].concat();
        // Allocated late, fill value written if set; the default value.
        let fill = [2, 2, 2, 1, 0, 0, 0, 0];
        let messages = [(1, dataspace(&tensor.shape)), (3, float(4)), (5, fill.to_vec()), (8, layout)];
        Written { header: self.header(&messages), tree_and_heap: None }
    }

    fn group(&mut self, attributes: &[Attribute], mut members: Vec<(String, Object)>) -> Written {
        members.sort_by(|a, b| a.0.cmp(&b.0));
        // The heap begins with the empty name.
        let (mut names, mut entries) = (vec![0; 8], Vec::new());
        for (name, object) in members {
            let at = names.len() as u64;
            names.extend(padded(&[name.as_bytes(), &[0]].concat()));
            entries.push((at, entry(at, &self.object(object))));
        }
        let data = self.block(&names);
        let heap = [b"HEAP\0\0\0\0".to_vec(), words(&[names.len() as u64, 1, data])].concat();
        let heap = self.block(&heap);
        let tree = self.tree(&entries);
        let mut messages = vec![(0x11, words(&[tree, heap]))];
        messages.extend(attributes.iter().map(|attribute| (0xc, attribute.message())));
        Written { header: self.header(&messages), tree_and_heap: Some([tree, heap]) }
    }

    /// A B-tree over leaves of symbols; its root's address.
    fn tree(&mut self, entries: &[(u64, Vec<u8>)]) -> u64 {
        // Each child with its greatest name.
        let mut children: Vec<(u64, u64)> = Vec::new();
        for part in entries.chunks(LEAF) {
            let head = [b"SNOD\x01\0".to_vec(), (part.len() as u16).to_le_bytes().to_vec()].concat();
            let mut leaf = part.iter().fold(head, |leaf, (_, entry)| [leaf, entry.clone()].concat());
            leaf.resize(8 + LEAF * 40, 0);
            children.push((part[part.len() - 1].0, self.block(&leaf)));
        }
        let mut level = 0;
        loop {
            let nodes = self.nodes(level, &children);
            if let [(_, root)] = nodes[..] {
                return root;
            }
            (children, level) = (nodes, level + 1);
        }
    }

    /// The nodes of one level, beside each other; at least one.
    fn nodes(&mut self, level: u8, children: &[(u64, u64)]) -> Vec<(u64, u64)> {
        const SIZE: usize = 24 + (2 * NODE + 1) * 8;
        let first = self.0.len().next_multiple_of(8);
        let parts: Vec<_> = if children.is_empty() { vec![children] } else { children.chunks(NODE).collect() };
        let mut nodes = Vec::new();
        let mut least = 0;
        for (index, part) in parts.iter().enumerate() {
            let beside = |there: bool, index: usize| if there { (first + index * SIZE) as u64 } else { UNDEFINED };
            let mut node = [b"TREE\0".as_slice(), &[level], &(part.len() as u16).to_le_bytes()].concat();
            let (left, right) = (beside(index > 0, index.wrapping_sub(1)), beside(index + 1 < parts.len(), index + 1));
            node.extend(words(&[left, right, least]));
            part.iter().for_each(|(greatest, child)| node.extend(words(&[*child, *greatest])));
            node.resize(SIZE, 0);
            least = part.last().map_or(0, |(greatest, _)| *greatest);
            nodes.push((least, self.block(&node)));
        }
        nodes
    }

    /// An object header of version 1.
    fn header(&mut self, messages: &[(u16, Vec<u8>)]) -> u64 {
        let mut body = Vec::new();
        for (kind, data) in messages {
            let data = padded(data);
            body.extend(kind.to_le_bytes());
            body.extend(u16::try_from(data.len()).unwrap().to_le_bytes());
            body.extend([0; 4]);
            body.extend(data);
        }
        let mut header = vec![1, 0];
        header.extend((messages.len() as u16).to_le_bytes());
        header.extend(1_u32.to_le_bytes());
        header.extend((body.len() as u64).to_le_bytes());
        header.extend(body);
        self.block(&header)
    }
}

fn words(numbers: &[u64]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

fn padded(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
}

fn dataspace(shape: &[usize]) -> Vec<u8> {
    let head = [1, shape.len() as u8, 0, 0, 0, 0, 0, 0];
    [head.to_vec(), words(&shape.iter().map(|n| *n as u64).collect::<Vec<_>>())].concat()
}

/// A little-endian IEEE number of 4 or 8 bytes.
fn float(size: u8) -> Vec<u8> {
    let (sign, exponent_at, exponent, mantissa, bias) =
        if size == 4 { (31, 23, 8, 23, 127_u32) } else { (63, 52, 11, 52, 1023) };
    let mut kind = vec![0x11, 0x20, sign, 0, size, 0, 0, 0, 0, 0, 8 * size, 0, exponent_at, exponent, 0, mantissa];
    kind.extend(bias.to_le_bytes());
    kind
}

/// Text of this length, padded with zeros.
fn text(length: usize) -> Vec<u8> {
    [&[0x13, 1, 0, 0][..], &u32::try_from(length).unwrap().to_le_bytes()].concat()
}

impl Attribute {
    fn message(&self) -> Vec<u8> {
        let (name, kind, space, data) = match self {
            Self::Text(name, value) => (name, text(value.len()), dataspace(&[]), value.as_bytes().to_vec()),
            Self::Texts(name, none) if none.is_empty() => (name, float(8), dataspace(&[0]), Vec::new()),
            Self::Texts(name, values) => {
                let longest = values.iter().map(String::len).max().unwrap_or(1);
                let mut data = Vec::new();
                for value in values {
                    data.extend(value.as_bytes());
                    data.resize(data.len() + longest - value.len(), 0);
                }
                (name, text(longest), dataspace(&[values.len()]), data)
            }
        };
        let mut message = vec![1, 0];
        for length in [name.len() + 1, kind.len(), space.len()] {
            message.extend((length as u16).to_le_bytes());
        }
        for part in [&[name.as_bytes(), &[0]].concat(), &kind, &space] {
            message.extend(padded(part));
        }
        message.extend(data);
        message
    }
}
