//! Tests hostile and broken PyTorch files: each is refused by name, and none executes code, recurses or takes
//! much memory.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

use std::collections::HashSet;

use likeness::weights::WeightError;
use likeness::weights::torch::StateDict;
use testkit::data::{SPOOF_NEAR, own_data};

/// Returns the three pickles before the state dict.
fn head() -> Vec<u8> {
    let mut file = vec![0x80, 2, 0x8a, 10];
    file.extend(0x1950_a86a_20f9_469c_fc6c_u128.to_le_bytes()[..10].iter());
    file.extend(b".\x80\x02M\xe9\x03.");
    file.extend(b"\x80\x02}");
    file.extend(text("little_endian"));
    file.extend(b"\x88s.");
    file
}

fn text(text: &str) -> Vec<u8> {
    let mut code = vec![b'X'];
    code.extend(u32::try_from(text.len()).unwrap().to_le_bytes());
    code.extend(text.as_bytes());
    code
}

fn int(number: i32) -> Vec<u8> {
    [&b"J"[..], &number.to_le_bytes()].concat()
}

/// A tensor with its own storage, as PyTorch writes it.
struct Entry {
    key: &'static str,
    storage: &'static str,
    kind: &'static str,
    length: i32,
    offset: i32,
    shape: [i32; 2],
    stride: [i32; 2],
}

const GOOD: Entry =
    Entry { key: "w", storage: "s1", kind: "FloatStorage", length: 6, offset: 0, shape: [2, 3], stride: [3, 1] };

impl Entry {
    fn code(&self) -> Vec<u8> {
        let mut code = text(self.key);
        code.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
        code.extend(text("storage"));
        code.extend(format!("ctorch\n{}\n", self.kind).bytes());
        code.extend([text(self.storage), text("cpu"), int(self.length), b"Nt".to_vec()].concat());
        code.extend([b"Q".to_vec(), int(self.offset)].concat());
        for pair in [self.shape, self.stride] {
            code.extend([int(pair[0]), int(pair[1]), vec![0x86]].concat());
        }
        code.extend(b"\x89ccollections\nOrderedDict\n)RtR");
        code
    }
}

/// Returns a file with these tensors, and these storages with their counts.
fn file(entries: &[Entry], storages: &[(&str, i64, usize)]) -> Vec<u8> {
    let mut file = head();
    file.extend(b"\x80\x02ccollections\nOrderedDict\n)R(");
    file.extend(entries.iter().flat_map(Entry::code));
    file.extend(b"u.\x80\x02](");
    file.extend(storages.iter().flat_map(|(key, ..)| text(key)));
    file.extend(b"e.");
    for (_, count, bytes) in storages {
        file.extend(count.to_le_bytes());
        file.extend((0..*bytes).map(|byte| byte as u8 & 0x3f));
    }
    file
}

fn good() -> Vec<u8> {
    file(&[GOOD], &[("s1", 6, 24)])
}

/// Returns a file with this code in place of its state dict.
fn with_state(code: &[u8]) -> Vec<u8> {
    [head(), b"\x80\x02".to_vec(), code.to_vec(), b".".to_vec()].concat()
}

#[test]
fn a_plain_state_dict_is_read_in_place() {
    let file = good();
    let state = StateDict::read(&file).unwrap();
    let tensor = state.tensor("w").unwrap();
    assert_eq!((tensor.shape(), tensor.bytes()), (&[2, 3][..], &file[file.len() - 24..]));
    assert!(file.as_ptr_range().contains(&tensor.bytes().as_ptr()), "a copy");
    state.only(&HashSet::from(["w".to_owned()])).unwrap();
    assert_eq!(state.only(&HashSet::new()).unwrap_err().to_string().split(':').next(), Some("w"));
}

#[test]
fn a_pickle_that_would_run_code_is_named() {
    let calls: [(&str, &[u8]); 6] = [
        ("os.system", b"cos\nsystem\n\x8c\x02id\x85R"),
        ("builtins.eval", b"cbuiltins\neval\n"),
        ("posix.system", b"cposix\nsystem\n"),
        ("torch.load", b"ctorch\nload\n"),
        ("collections.Counter", b"ccollections\nCounter\n"),
        ("torch.serialization._get_layout", b"ctorch.serialization\n_get_layout\n"),
    ];
    for (expected, code) in calls {
        match StateDict::read(&with_state(code)) {
            Err(WeightError::Global { name, at }) => assert_eq!((name.as_str(), at), (expected, head().len() + 2)),
            other => panic!("{expected}: {other:?}"),
        }
    }
}

#[test]
fn every_opcode_outside_the_list_is_named_with_its_offset() {
    let allowed = b".\x80(N\x88\x89KMJ\x8aX)\x85\x86\x87t}]suehqrjcRbQ";
    let mut refused = 0;
    for code in 0..=u8::MAX {
        let file = with_state(&[code]);
        let result = StateDict::read(&file);
        let opcode =
            matches!(&result, Err(WeightError::Opcode { code: c, at }) if *c == code && *at == head().len() + 2);
        assert_eq!(opcode, !allowed.contains(&code), "0x{code:02x}: {result:?}");
        refused += usize::from(opcode);
    }
    println!("{refused} of 256 opcodes refused by number, {} known", 256 - refused);
}

#[test]
fn attacks_on_the_stack_the_memo_and_the_memory_are_refused() {
    let deep = [vec![b')'], vec![0x85; 3_000_000]].concat();
    let attacks: [(&str, Vec<u8>); 17] = [
        ("a tuple of tuples, three million deep", deep),
        ("three million dicts", b"}".repeat(3_000_000)),
        ("three million marks", b"(".repeat(3_000_000)),
        ("text of four gigabytes", b"X\xff\xff\xff\xff".to_vec()),
        ("text that is hashed a million times", text(&"x".repeat(2000))),
        ("text that is no UTF-8", b"X\x01\0\0\0\xff".to_vec()),
        ("an integer of 255 bytes", [&b"\x8a\xff"[..], &[0; 255]].concat()),
        ("a pop from nothing", b"R".to_vec()),
        ("a tuple across a mark", b"N(N\x86".to_vec()),
        ("an item set below a mark", b"}NN(sN".to_vec()),
        ("a value popped below a mark", b"N)(RN".to_vec()),
        ("a tuple after a pop below its mark", b"}NN(s\x85".to_vec()),
        ("a memo slot never filled", b"j\xff\xff\xff\xff".to_vec()),
        ("a memo of nothing", b"q\0".to_vec()),
        ("a dict of odd length", b"}(NNNu".to_vec()),
        ("a line without an end", b"ctorch".to_vec()),
        ("a dict that contains itself", b"}q\0h\0h\0s".to_vec()),
    ];
    for (attack, code) in attacks {
        match StateDict::read(&with_state(&code)) {
            Err(why) => println!("{attack}: {why}"),
            Ok(state) => panic!("{attack}: {state:?}"),
        }
    }
}

#[test]
fn tensors_that_do_not_lie_in_their_storage_are_refused() {
    let one = |entry: Entry| file(&[entry], &[("s1", 6, 24)]);
    let cases: [(&str, Vec<u8>, &str); 16] = [
        ("past the end", one(Entry { offset: 1, ..GOOD }), "outside its storage"),
        ("negative offset", one(Entry { offset: -1, ..GOOD }), "storage, offset, shape"),
        ("negative shape", one(Entry { shape: [-2, 3], ..GOOD }), "storage, offset, shape"),
        (
            "huge shape",
            one(Entry { shape: [i32::MAX, i32::MAX], stride: [i32::MAX, 1], ..GOOD }),
            "outside its storage",
        ),
        ("transposed", one(Entry { stride: [1, 2], ..GOOD }), "strides [1, 2]"),
        ("overlapping", one(Entry { stride: [0, 1], ..GOOD }), "strides [0, 1]"),
        ("negative length", one(Entry { length: -6, ..GOOD }), "a storage's length"),
        ("another length", one(Entry { length: 7, ..GOOD }), "a storage of 7 elements"),
        ("doubles", one(Entry { kind: "DoubleStorage", ..GOOD }), "torch.DoubleStorage"),
        ("no such storage", one(Entry { storage: "s2", ..GOOD }), "storages"),
        ("no bytes", file(&[GOOD], &[]), "s1"),
        ("negative count", file(&[GOOD], &[("s1", -1, 24)]), "a storage of 6 elements"),
        ("too few bytes", file(&[GOOD], &[("s1", 6, 23)]), "24 more bytes"),
        ("too many bytes", file(&[GOOD], &[("s1", 6, 25)]), "the end of the file"),
        ("storage twice", file(&[GOOD], &[("s1", 6, 24), ("s1", 6, 24)]), "twice"),
        ("key twice", file(&[GOOD, GOOD], &[("s1", 6, 24)]), "twice"),
    ];
    let mut failures = Vec::new();
    for (case, file, expected) in cases {
        match StateDict::read(&file) {
            Err(why) if why.to_string().contains(expected) => println!("{case}: {why}"),
            other => failures.push(format!("{case}: {other:?}")),
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn other_formats_are_refused_at_their_first_bytes() {
    let big_endian = {
        let file = good();
        let at = head().len() - 3;
        [&file[..at], &[0x89], &file[at + 1..]].concat()
    };
    let cases: [(&str, Vec<u8>); 6] = [
        ("empty", Vec::new()),
        ("a zip, PyTorch's later format", b"PK\x03\x04".to_vec()),
        ("a page of HTML", b"<!doctype html>".to_vec()),
        ("safetensors", b"\x08\0\0\0\0\0\0\0{}".to_vec()),
        ("another magic", b"\x80\x02K\x01.".to_vec()),
        ("a big-endian machine's", big_endian),
    ];
    for (case, file) in cases {
        let why = StateDict::read(&file).expect_err(case);
        println!("{case}: {why}");
    }
}

#[test]
fn every_truncation_is_refused() {
    let small = good();
    for length in 0..small.len() {
        StateDict::read(&small[..length]).expect_err(&format!("{length} of {} bytes", small.len()));
    }
    let real = own_data().weight(SPOOF_NEAR);
    assert_eq!(StateDict::read(&real).unwrap().len(), 284);
    for length in (0..real.len()).step_by(4999) {
        StateDict::read(&real[..length]).expect_err(&format!("{length} of {} bytes", real.len()));
    }
}
