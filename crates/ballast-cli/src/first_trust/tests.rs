//! The checks over small files of each format: right ones, cut ones, and what is put in a weight's place.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::Write as _;

use super::*;

fn check_bytes(name: &str, bytes: &[u8]) -> Findings {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    check(&RelPath::try_from(name.to_owned()).unwrap(), &mut file).unwrap()
}

fn safetensors(header: &str, data: usize) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &vec![0; data]].concat()
}

fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat()
}

/// One file of a model of `count`, with a text, a list of texts and the number of files.
fn gguf(count: u16) -> Vec<u8> {
    let list =
        [text("tokens"), 9u32.to_le_bytes().into(), 8u32.to_le_bytes().into(), 2u64.to_le_bytes().into()].concat();
    let mut file = [
        b"GGUF\x03\0\0\0".to_vec(),
        1u64.to_le_bytes().into(),
        3u64.to_le_bytes().into(),
        [text("name"), 8u32.to_le_bytes().into(), text("tiny")].concat(),
        [list, text("a"), text("b")].concat(),
        [text("split.count"), 2u32.to_le_bytes().into(), count.to_le_bytes().into()].concat(),
        [text("w"), 1u32.to_le_bytes().into(), 4u64.to_le_bytes().into(), vec![0; 12]].concat(),
    ]
    .concat();
    // The header ends at the alignment; the tensor has four values of four bytes.
    file.resize(file.len().next_multiple_of(32) + 16, 1);
    file
}

/// A zip archive with one file of no bytes.
fn zip() -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    writer.start_file("data.pkl", zip::write::SimpleFileOptions::default()).unwrap();
    writer.finish().unwrap().into_inner()
}

/// The superblock of an HDF5 file that should have `end` bytes, and nothing else.
fn hdf5(version: u8, end: u64) -> Vec<u8> {
    let mut bytes = b"\x89HDF\r\n\x1a\n".to_vec();
    bytes.resize(96, 0);
    let (sizes, at) = [(13, 40), (13, 44), (9, 28), (9, 28)][usize::from(version)];
    bytes[8] = version;
    bytes[sizes] = 8;
    bytes[at..at + 8].copy_from_slice(&end.to_le_bytes());
    bytes
}

/// A field of a protocol buffer with bytes in it.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, u8::try_from(bytes.len()).unwrap()], bytes].concat()
}

/// A model with one tensor outside, in the graph itself or in a node's branch.
fn onnx(location: &str, nested: bool) -> Vec<u8> {
    let entry = [field(1, b"location"), field(2, location.as_bytes())].concat();
    let tensor = [vec![8, 4], field(13, &entry)].concat();
    let graph = field(5, &tensor);
    let graph = if nested { field(1, &field(5, &field(6, &graph))) } else { graph };
    [vec![8, 9], field(7, &graph)].concat()
}

const TWO: &str = r#"{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#;
const INDEX: &str =
    r#"{"metadata":{},"weight_map":{"a":"m-1.safetensors","b":"m-2.safetensors","c":"m-1.safetensors"}}"#;

/// A file's name and bytes, and how its refusal begins.
type Row<'a> = (&'a str, &'a [u8], Option<&'a str>);

fn judge(rows: &[Row]) {
    let mut wrong = Vec::new();
    for (name, bytes, expected) in rows {
        let found = check_bytes(name, bytes);
        let right = match (found.refusal(), expected) {
            (Some(found), Some(expected)) => found.starts_with(expected),
            (found, expected) => found == *expected,
        };
        if !right {
            wrong.push(format!("{name}: expected {expected:?}, found {:?}", found.refusal()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_contradicts_itself_is_refused_and_what_is_right_is_not() {
    let whole = safetensors(TWO, 8);
    let split = gguf(1);
    let rows: [Row; 36] = [
        ("page.bin", b"<!DOCTYPE html><title>404", Some("html")),
        ("page.bin", b"\xef\xbb\xbf\n  <HTML lang=en>", Some("html")),
        ("page.bin", b"<?xml version='1.0'?><!DOCTYPE html><html>", Some("html")),
        ("index.html", b"<!DOCTYPE html><title>a page by right", None),
        ("pointer.h5", b"version https://git-lfs.github.com/spec/v1\noid sha256:00", Some("lfs-pointer")),
        ("pointer.h5", b"/annex/objects/SHA256E-s4--00.h5\n", Some("annex-pointer")),
        ("error.pth", b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", Some("xml-error")),
        ("error.pth", b"{ \"error\": \"Repository not found\"}", Some("json-error")),
        ("config.json", b"{\"error\": 1}", None),
        ("net.xml", b"<?xml version='1.0'?><net/>", None),
        ("packed.onnx", b"\x1f\x8b\x08rest", Some("gzip")),
        ("packed.h5", b"\x1f\x8b\x08rest", Some("gzip")),
        ("packed.tar.gz", b"\x1f\x8b\x08rest", None),
        ("w.safetensors", &whole, None),
        ("w.safetensors", &whole[..whole.len() - 1], Some("wrong length")),
        ("w.safetensors", &[&whole[..], b"x"].concat(), Some("wrong length")),
        ("w.safetensors", &whole[..60], Some("truncated")),
        ("w.safetensors", &safetensors("{\"a\":{}}", 0), Some("its header is damaged")),
        ("w.safetensors", &safetensors("{\"a\":[", 0), Some("its header is damaged")),
        ("w.safetensors", &safetensors("{}", 0), None),
        ("w.safetensors", b"weights", None),
        ("w.safetensors", b"", None),
        ("w.gguf", &split, None),
        ("w.gguf", &split[..split.len() - 20], Some("truncated")),
        ("w.gguf", &gguf(3), Some("it is one of 3 files")),
        ("w-00001-of-00003.gguf", &gguf(3), None),
        ("w-00001-of-00002.gguf", &gguf(3), Some("it is one of 3 files")),
        ("w.gguf", &[&split[..24], &[0xff; 40]].concat(), Some("its header is damaged")),
        ("w.gguf", b"weights", None),
        ("m.onnx", &onnx("m.onnx_data", false), None),
        ("m.onnx", &onnx("../m.onnx_data", false), Some("its tensors lie outside")),
        ("m.onnx", &onnx("/etc/passwd", true), Some("its tensors lie outside")),
        ("m.onnx", b"weights", None),
        ("m.safetensors.index.json", INDEX.as_bytes(), None),
        ("m.safetensors.index.json", &INDEX.as_bytes()[..40], Some("truncated")),
        ("m.safetensors.index.json", br#"{"weight_map":{"a":"../m"}}"#, Some("it names a file with an invalid path")),
    ];
    judge(&rows);
}

#[test]
fn what_was_cut_or_packed_or_is_a_message_is_refused() {
    let (split, archive) = (gguf(1), zip());
    let (packed, zeros) = (b"BZh91AY&SYrest", [0; 600]);
    let rows: [Row; 37] = [
        ("page.bin", b"<script>location = '/login'</script>", Some("html")),
        ("pointer.bin", b"# xet version 0\nfilesize = 4\n", Some("xet-pointer")),
        ("error.pt", b"404: Not Found", Some("text-error")),
        ("config.json", b"Entry not found", Some("text-error")),
        ("w.bin", b"Access to model o/m is restricted. You must be authenticated", Some("text-error")),
        ("w.bin", &[b"not found".as_slice(), &[b'x'; 600]].concat(), None),
        ("w.safetensors", b"{\"detail\":\"Not authenticated\"}", Some("json-error")),
        ("w.onnx", b"{ \"message\" : \"Not Found\"}", Some("json-error")),
        ("message.json", b"{\"message\":\"a text by right\"}", None),
        ("special.tokens", b"{\"code\":1}", None),
        ("packed.txt", b"\x1f\x8b\x08rest", Some("gzip")),
        ("packed.engine", b"\x1f\x8b\x08rest", Some("gzip")),
        ("packed.onnx", b"\x28\xb5\x2f\xfdrest", Some("zstd")),
        ("packed.bin", packed, Some("bzip2")),
        ("text.txt", b"BZhang", None),
        ("packed.safetensors", b"\xfd7zXZ\0rest", Some("xz")),
        ("packed.onnx", &archive, Some("zip")),
        ("w.pth", &archive, None),
        ("w.pth", &archive[..archive.len() - 1], Some("truncated")),
        ("w.npz", &archive[..40], Some("truncated")),
        ("w.bin", &archive[..40], Some("truncated")),
        ("w.pt", &[&archive[..], b"tail"].concat(), None),
        ("w.h5", &hdf5(0, 96), None),
        ("w.h5", &hdf5(0, 97), Some("truncated")),
        ("w.h5", &hdf5(1, 97), Some("truncated")),
        ("w.h5", &hdf5(2, 97), Some("truncated")),
        ("w.h5", &hdf5(3, 96), None),
        ("w.onnx", &zeros, Some("zeros")),
        ("w.safetensors", &zeros, Some("zeros")),
        ("w.bin", &zeros, None),
        ("w.onnx", &zeros[..8], None),
        ("config.json", b"{\"a\": 1", Some("truncated")),
        ("config.json", b"{\"a\": NaN}", None),
        ("vocab.json", b"\n[1, 2]\n", None),
        ("m.safetensors.index.fp16.json", &INDEX.as_bytes()[..40], Some("truncated")),
        ("w.gguf", &split[..split.len() - 1], Some("truncated")),
        ("w.gguf", &[&split[..], b"more"].concat(), None),
    ];
    judge(&rows);
}

#[test]
fn what_is_only_unusual_is_a_doubt() {
    let rows: [(&str, &[u8], usize); 8] = [
        ("vocab.json", b"words", 1),
        ("w.safetensors", b"weights", 1),
        ("w.gguf", b"weights", 1),
        ("w.h5", b"weights", 1),
        ("w.h5", b"\x89HDF\r\n\x1a\n", 0),
        ("w.tflite", b"\x1c\0\0\0TFL3", 0),
        ("w.bin", b"weights", 0),
        ("w", b"", 0),
    ];
    let counted = rows.map(|(name, bytes, count)| (name, check_bytes(name, bytes).doubts().count(), count));
    let wrong: Vec<_> = counted.iter().filter(|(_, found, expected)| found != expected).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn a_file_that_needs_others_names_them() {
    let split = gguf(2);
    let blob = format!("o/blobs/sha256-{}", "ab".repeat(32));
    let manifest = format!(r#"{{"layers":[{{"digest":"sha256:{0}"}},{{"digest":"{0}"}}]}}"#, "ab".repeat(32));
    let rows: [(&str, &[u8], &[&str]); 13] = [
        ("d/m.index.fp16.json", INDEX.as_bytes(), &["d/m-1.safetensors", "d/m-2.safetensors"]),
        ("o/manifests/registry/library/x/latest", manifest.as_bytes(), &[&blob]),
        ("o/manifests/registry/library/x/latest", b"{}", &[]),
        ("o/other/x/latest", manifest.as_bytes(), &[]),
        ("d/m.safetensors.index.json", INDEX.as_bytes(), &["d/m-1.safetensors", "d/m-2.safetensors"]),
        ("m.onnx", &onnx("./m.onnx_data", false), &["m.onnx_data"]),
        ("d/m.onnx", &onnx("data/w", true), &["d/data/w"]),
        ("m-00001-of-00002.gguf", &split, &["m-00001-of-00002.gguf", "m-00002-of-00002.gguf"]),
        ("m-00002-of-00002.bin", b"", &["m-00001-of-00002.bin", "m-00002-of-00002.bin"]),
        ("variables.data-00000-of-00002", b"", &[]),
        ("m-00003-of-00002.bin", b"", &[]),
        ("2024-1-of-2.bin", b"", &[]),
        ("m.bin", b"", &[]),
    ];
    let mut wrong = Vec::new();
    for (name, bytes, expected) in rows {
        let checked = check_bytes(name, bytes);
        let incomplete = checked.parts.as_ref().and_then(|parts| parts.incomplete(|_| false));
        let found: Vec<_> = incomplete.iter().flat_map(|set| &set.missing).map(|path| path.as_str()).collect();
        if found != expected {
            wrong.push(format!("{name}: {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_model_with_a_vocabulary_needs_one_file_of_a_tokenizer() {
    let parts = |name: &str, text: &str| check_bytes(name, text.as_bytes()).parts;
    let text = "{\"vocab_size\": 5}";
    let set = parts("m/config.json", text).unwrap();
    let lacks = |there: &str| set.incomplete(|path| path.as_str() == there).is_some();
    assert!(
        lacks("m/model.safetensors") && lacks("tokenizer.json") && !lacks("m/tokenizer.json") && !lacks("m/vocab.txt")
    );
    assert!(set.incomplete(|_| false).is_some_and(|set| set.all && set.one_is_enough));
    assert_eq!((parts("config.json", "{}"), parts("text_encoder/config.json", text)), (None, None));
}

#[test]
fn a_numbered_set_is_counted_from_one_or_from_zero() {
    let set = check_bytes("m-00001-of-00003.bin", b"").parts.unwrap();
    let missing = |there: [&str; 3]| {
        let incomplete = set.incomplete(|path| there.contains(&path.as_str()));
        incomplete.map(|set| set.missing.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    let name = |at: u8| format!("m-0000{at}-of-00003.bin");
    let of = |there: [u8; 3]| missing(there.map(name).each_ref().map(String::as_str));
    assert_eq!((of([1, 2, 3]), of([0, 1, 2])), (None, None));
    assert_eq!((of([1, 3, 3]), of([0, 1, 1])), (Some(vec![name(2)]), Some(vec![name(2)])));
}

#[test]
fn a_name_that_promises_a_digest_is_compared_with_the_bytes() {
    let hex = "ab".repeat(32);
    let digest = Digest::parse(&hex).unwrap();
    let names = [hex.clone(), format!("sha256-{hex}"), format!("sha256:{hex}"), hex.to_uppercase()];
    assert!(names.iter().all(|name| digest_of_name(name) == Some(digest)), "{names:?}");
    assert!(["model.bin", "abcdef", &format!("x{hex}")].iter().all(|name| digest_of_name(name).is_none()));
    assert_eq!(url_digest(&format!("https://host/whisper/models/{hex}/tiny.pt?x=1")), Some(digest));
    assert_eq!(url_digest(&format!("https://host/tiny.pt?x={hex}")), None);
    assert_eq!(check_digest(Some(digest), digest), None);
    let other = Digest::parse(&"cd".repeat(32)).unwrap();
    assert!(matches!(check_digest(Some(digest), other), Some(Objection::Refused(why)) if why.contains(&hex)));
}
