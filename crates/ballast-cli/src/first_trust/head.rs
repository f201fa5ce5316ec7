//! Recognises by a file's first bytes what it is. Pure.

use super::findings::Objection;

/// Files that servers and tools write instead of a weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAWeight {
    /// A page: a login, a warning, a 404.
    Html,
    /// The pointer that Git LFS leaves if the file was not downloaded.
    LfsPointer,
    /// The pointer that git-annex leaves.
    AnnexPointer,
    /// An error of an object store, in XML.
    XmlError,
    /// An error of an API, in JSON.
    JsonError,
}

impl NotAWeight {
    /// Recognises a file that is often saved instead of a weight.
    pub fn of(head: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(head).trim_start_matches('\u{feff}').trim_start().to_ascii_lowercase();
        let begins = |starts: &[&str]| starts.iter().any(|start| text.starts_with(start));
        let xml = begins(&["<?xml", "<error"]);
        if begins(&["<!doctype html", "<html", "<head", "<body", "<!--"]) || (xml && text.contains("<html")) {
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
        let first_key = text.strip_prefix('{').map(str::trim_start);
        let error = |key: &str| ["\"error\"", "\"errors\"", "\"error_code\""].iter().any(|word| key.starts_with(word));
        first_key.is_some_and(error).then_some(Self::JsonError)
    }

    /// Stable.
    pub fn name(self) -> &'static str {
        match self {
            Self::Html => "html",
            Self::LfsPointer => "lfs-pointer",
            Self::AnnexPointer => "annex-pointer",
            Self::XmlError => "xml-error",
            Self::JsonError => "json-error",
        }
    }

    /// One line for a person.
    pub fn words(self) -> &'static str {
        match self {
            Self::Html => "this looks like an HTML page, not like a weight",
            Self::LfsPointer => "this is a Git LFS pointer, not the file that it stands for",
            Self::AnnexPointer => "this is a git-annex pointer, not the file that it stands for",
            Self::XmlError => "this is an error message in XML, not a weight",
            Self::JsonError => "this is an error message in JSON, not a weight",
        }
    }

    /// Whether a file of this name may have this content.
    pub fn is_expected(self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        let ends = |extensions: &[&str]| extensions.iter().any(|extension| name.ends_with(extension));
        match self {
            Self::Html => ends(&[".html", ".htm", ".xhtml", ".md"]),
            Self::JsonError => ends(&[".json", ".jsonl"]),
            Self::LfsPointer | Self::AnnexPointer | Self::XmlError => false,
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
/// Formats of weights without fixed first bytes, which are never a gzip stream.
const PLAIN: [&str; 8] = ["onnx", "safetensors", "pth", "pt", "pb", "bin", "ckpt", "json"];

/// The fault of a file that begins like another format than its name says.
pub fn other_format(name: &str, head: &[u8]) -> Option<Objection> {
    let (_, extension) = name.rsplit_once('.')?;
    let extension = extension.to_ascii_lowercase();
    let magic = MAGIC.iter().find(|(known, ..)| *known == extension);
    if head.starts_with(b"\x1f\x8b") && (magic.is_some() || PLAIN.contains(&extension.as_str())) {
        return Some(Objection::Refused(format!("gzip: this is a gzip stream, not a .{extension} file")));
    }
    let (_, at, starts) = magic?;
    let right = head.get(*at..).is_some_and(|head| starts.iter().any(|start| head.starts_with(start)));
    (!right).then(|| Objection::Doubt(format!("it does not begin as a .{extension} file does")))
}
