//! PyTorch's legacy, non-zip files: five pickles, then the raw numbers of each storage.

use super::tensor::Tensor;

/// Opcodes of pickle protocol 2, without a memo: every object is written where it stands.
#[derive(Default)]
struct Pickle(Vec<u8>);

impl Pickle {
    fn new() -> Self {
        Self(b"\x80\x02".to_vec())
    }

    fn op(mut self, code: &[u8]) -> Self {
        self.0.extend(code);
        self
    }

    fn text(self, text: &str) -> Self {
        self.op(b"X").op(&u32::try_from(text.len()).unwrap().to_le_bytes()).op(text.as_bytes())
    }

    fn int(self, number: usize) -> Self {
        match u8::try_from(number) {
            Ok(small) => self.op(&[b'K', small]),
            Err(_) => self.op(b"J").op(&i32::try_from(number).unwrap().to_le_bytes()),
        }
    }

    fn tuple(self, numbers: &[usize]) -> Self {
        numbers.iter().fold(self.op(b"("), |pickle, number| pickle.int(*number)).op(b"t")
    }

    fn ordered_dict(self) -> Self {
        self.op(b"ccollections\nOrderedDict\n)R")
    }

    /// A tensor that is the whole of a storage.
    fn tensor(self, tensor: &Tensor, storage: &str) -> Self {
        let pickle = self.text(&tensor.name).op(b"ctorch._utils\n_rebuild_tensor_v2\n((").text("storage");
        let pickle = pickle.op(format!("ctorch\n{}\n", kind(tensor)).as_bytes());
        let pickle = pickle.text(storage).text("cuda:0").int(tensor.values.len()).op(b"NtQ").int(0);
        pickle.tuple(&tensor.shape).tuple(&strides(&tensor.shape)).op(b"\x89").ordered_dict().op(b"tR")
    }

    fn stop(self) -> Vec<u8> {
        self.op(b".").0
    }
}

/// A state dict in a file. Scalars are integers: PyTorch's counters of batches.
pub fn file(tensors: &[Tensor]) -> Vec<u8> {
    let keys: Vec<String> =
        (0..tensors.len()).map(|index| (94_000_000_000_000_usize + 64 * index).to_string()).collect();
    let magic = [&[0x8a, 10][..], &0x1950_a86a_20f9_469c_fc6c_u128.to_le_bytes()[..10]].concat();
    let mut file = Pickle::new().op(&magic).stop();
    file.extend(Pickle::new().int(1001).stop());
    file.extend(system_facts());
    let state = Pickle::new().ordered_dict().op(b"(");
    let state = tensors.iter().zip(&keys).fold(state, |state, (tensor, key)| state.tensor(tensor, key)).op(b"u");
    // `state_dict()._metadata`, which PyTorch sets as an attribute.
    let metadata = state.op(b"}").text("_metadata").ordered_dict();
    let metadata = metadata.text("").op(b"}").text("version").int(1).op(b"ss").op(b"sb");
    file.extend(metadata.stop());
    file.extend(keys.iter().fold(Pickle::new().op(b"]("), |list, key| list.text(key)).op(b"e").stop());
    for tensor in tensors {
        file.extend((tensor.values.len() as i64).to_le_bytes());
        file.extend(bytes(tensor));
    }
    file
}

fn system_facts() -> Vec<u8> {
    let facts = Pickle::new().op(b"}(").text("protocol_version").int(1001).text("little_endian").op(b"\x88");
    let sizes = [("short", 2), ("int", 4), ("long", 4)];
    let facts = facts.text("type_sizes").op(b"}(");
    sizes.iter().fold(facts, |facts, (name, size)| facts.text(name).int(*size)).op(b"uu").stop()
}

fn kind(tensor: &Tensor) -> &'static str {
    if tensor.shape.is_empty() { "LongStorage" } else { "FloatStorage" }
}

fn bytes(tensor: &Tensor) -> Vec<u8> {
    match tensor.shape.as_slice() {
        [] => (tensor.values[0] as i64).to_le_bytes().to_vec(),
        _ => tensor.bytes(),
    }
}

fn strides(shape: &[usize]) -> Vec<usize> {
    (0..shape.len()).map(|at| shape[at + 1..].iter().product()).collect()
}
