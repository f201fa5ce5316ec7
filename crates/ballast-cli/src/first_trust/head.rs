//! Recognises by a file's first bytes what it is. Pure.

use super::findings::Objection;

/// Bytes at the beginning of a file that show its kind.
pub const HEAD: usize = 512;

/// Files that servers and tools write instead of a weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAWeight {
    /// A page: a login, a warning, a 404.
    Html,
    /// The pointer that Git LFS leaves if the file was not downloaded.
    LfsPointer,
    /// The pointer that git-annex leaves.
    AnnexPointer,
    /// The pointer that git-xet leaves.
    XetPointer,
    /// An error of an object store, in XML.
    XmlError,
    /// An error of an API, in JSON.
    JsonError,
    /// A JSON object that begins as answers of an API do, perhaps a file of its own.
    JsonAnswer,
    /// An error of a server, in one line of text.
    TextError,
}

/// How servers begin an error in plain text.
const SENTENCES: [&str; 15] = [
    "404: not found",
    "404 not found",
    "not found",
    "entry not found",
    "repository not found",
    "file not found",
    "invalid username or password",
    "invalid credentials",
    "bad credentials",
    "unauthorized",
    "forbidden",
    "access denied",
    "access to model",
    "access to dataset",
    "too many requests",
];

impl NotAWeight {
    /// Recognises a file that is often saved instead of a weight.
    pub fn of(head: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(head).trim_start_matches('\u{feff}').trim_start().to_ascii_lowercase();
        let begins = |starts: &[&str]| starts.iter().any(|start| text.starts_with(start));
        // A longer file is no message.
        if head.len() < HEAD && begins(&SENTENCES) {
            return Some(Self::TextError);
        }
        if begins(&["# xet version "]) {
            return Some(Self::XetPointer);
        }
        let xml = begins(&["<?xml", "<error"]);
        if begins(&["<!doctype html", "<html", "<head", "<body", "<script", "<title", "<meta", "<!--"])
            || (xml && text.contains("<html"))
        {
            return Some(Self::Html);
        }
        if begins(&["version https://git-lfs.github.com/spec/", "version https://hawser.github.com/spec/"]) {
            return Some(Self::LfsPointer);
        }
        if begins(&["/annex/objects/", "../.git/annex/objects/", ".git/annex/objects/"]) {
            return Some(Self::AnnexPointer);
        }
        if xml && text.contains("<error") && text.contains("<code>") {
            return Some(Self::XmlError);
        }
        let first_key = text.strip_prefix('{').map(str::trim_start)?;
        let key = |keys: &[&str]| keys.iter().any(|key| first_key.starts_with(&format!("\"{key}\"")));
        if key(&["error", "errors", "error_code"]) {
            return Some(Self::JsonError);
        }
        key(&["detail", "message", "msg", "code", "status", "statuscode", "success"]).then_some(Self::JsonAnswer)
    }

    /// Stable.
    pub fn name(self) -> &'static str {
        match self {
            Self::Html => "html",
            Self::LfsPointer => "lfs-pointer",
            Self::AnnexPointer => "annex-pointer",
            Self::XmlError => "xml-error",
            Self::JsonError | Self::JsonAnswer => "json-error",
            Self::TextError => "text-error",
            Self::XetPointer => "xet-pointer",
        }
    }

    /// One line for a person.
    pub fn words(self) -> &'static str {
        match self {
            Self::Html => "this looks like an HTML page, not like a weight",
            Self::LfsPointer => "this is a Git LFS pointer, not the file that it stands for",
            Self::AnnexPointer => "this is a git-annex pointer, not the file that it stands for",
            Self::XmlError => "this is an error message in XML, not a weight",
            Self::JsonError | Self::JsonAnswer => "this is an error message in JSON, not a weight",
            Self::TextError => "this is an error message of a server, not a weight",
            Self::XetPointer => "this is a git-xet pointer, not the file that it stands for",
        }
    }

    /// Returns whether a file of this name may have this content.
    pub fn is_expected(self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        let ends = |extensions: &[&str]| extensions.iter().any(|extension| name.ends_with(extension));
        match self {
            Self::Html => ends(&[".html", ".htm", ".xhtml", ".md"]),
            Self::JsonError => ends(&[".json", ".jsonl"]),
            Self::JsonAnswer => !name.rsplit_once('.').is_some_and(|(_, extension)| is_weight(extension)),
            Self::LfsPointer | Self::AnnexPointer | Self::XetPointer | Self::XmlError | Self::TextError => false,
        }
    }
}

/// Formats whose files begin with fixed bytes, at an offset.
const MAGIC: [(&str, usize, &[&[u8]]); 8] = [
    ("gguf", 0, &[b"GGUF"]),
    ("h5", 0, &[b"\x89HDF\r\n\x1a\n"]),
    ("hdf5", 0, &[b"\x89HDF\r\n\x1a\n"]),
    ("npy", 0, &[b"\x93NUMPY"]),
    ("npz", 0, &[b"PK\x03\x04", b"PK\x05\x06"]),
    ("keras", 0, &[b"PK\x03\x04", b"\x89HDF\r\n\x1a\n"]),
    ("tflite", 4, &[b"TFL3"]),
    ("zip", 0, &[b"PK\x03\x04", b"PK\x05\x06"]),
];
/// Formats of weights without fixed first bytes.
const PLAIN: [&str; 14] = [
    "onnx",
    "safetensors",
    "pth",
    "pt",
    "pt2",
    "pb",
    "bin",
    "ckpt",
    "msgpack",
    "engine",
    "plan",
    "params",
    "pdparams",
    "model",
];
/// Texts that readers open as they are.
const TEXTS: [&str; 5] = ["json", "txt", "yaml", "yml", "jinja"];
/// First bytes of compressed streams, and of an archive.
const PACKED: [(&str, &[u8]); 6] = [
    ("gzip", b"\x1f\x8b"),
    ("zstd", b"\x28\xb5\x2f\xfd"),
    ("xz", b"\xfd7zXZ\0"),
    ("lz4", b"\x04\x22\x4d\x18"),
    ("7z", b"7z\xbc\xaf\x27\x1c"),
    ("bzip2", b"BZh"),
];
/// Formats that are never a zip archive.
const NO_ZIP: [&str; 9] = ["onnx", "safetensors", "gguf", "h5", "hdf5", "npy", "tflite", "pb", "json"];
/// Formats that never begin with zeros.
const NO_ZEROS: [&str; 14] =
    ["onnx", "safetensors", "gguf", "npy", "npz", "keras", "tflite", "zip", "pth", "pt", "pb", "ckpt", "json", "txt"];

/// Whether an extension is that of a format of weights.
fn is_weight(extension: &str) -> bool {
    MAGIC.iter().any(|(known, ..)| *known == extension) || PLAIN.contains(&extension)
}

/// The fault of a file whose first bytes belong to another format than its name.
pub fn other_format(name: &str, head: &[u8]) -> Option<Objection> {
    let (_, extension) = name.rsplit_once('.')?;
    let extension = extension.to_ascii_lowercase();
    let extension = extension.as_str();
    let packed = PACKED.iter().find(|(kind, start)| {
        // The letters alone may begin a text.
        head.starts_with(start) && (*kind != "bzip2" || head.get(4..10) == Some(b"1AY&SY"))
    });
    if let Some((kind, _)) = packed.filter(|_| is_weight(extension) || TEXTS.contains(&extension)) {
        return Some(Objection::Refused(format!("{kind}: its bytes are a stream of {kind}, not a .{extension} file")));
    }
    if head.starts_with(b"PK\x03\x04") && NO_ZIP.contains(&extension) {
        return Some(Objection::Refused(format!("zip: this is a zip archive, not a .{extension} file")));
    }
    if head.len() == HEAD && head.iter().all(|byte| *byte == 0) && NO_ZEROS.contains(&extension) {
        let why = "zeros: it begins with zeros, as a download that was not finished leaves it";
        return Some(Objection::Refused(why.into()));
    }
    let (_, at, starts) = MAGIC.iter().find(|(known, ..)| *known == extension)?;
    let right = head.get(*at..).is_some_and(|head| starts.iter().any(|start| head.starts_with(start)));
    (!right).then(|| Objection::Doubt(format!("it does not begin as a .{extension} file does")))
}
