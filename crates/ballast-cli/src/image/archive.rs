//! An image in one file: an OCI layout in a tar archive, with the lock file and the `manifest.json`
//! of `docker load`.
//!
//! Promise: the same image gives the same bytes. Each blob is checked against its digest before
//! use.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use ballast::digest::Digest;
use oci_spec::image::{ImageIndex, ImageIndexBuilder, MediaType};
use serde_json::json;
use tar::{Builder, EntryType};

use super::blob::{Blob, Measured};
use super::built::{Image, descriptor, json};
use super::entries::{self, ArchiveEntry, ArchiveLimits};
use super::layer::Layer;
use super::layer::{Checked, Meter, ROOT, header, open};
use super::manifest;
use super::remote::Blobs;
use super::remote::Take;
use crate::bounds;
use crate::print::ProgressLine;
use crate::source::fault::Fault;

/// The annotation by which tools find an image in a layout.
const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// containerd's annotation for the whole name.
const FULL_NAME: &str = "io.containerd.image.name";
/// The lock file's copy, for people.
const LOCK: &str = "weights.lock";
/// The layout's own list of images.
const INDEX: &str = "index.json";
/// The files beside the blobs that are read, and their greatest lengths.
const BESIDE: [(&str, u64); 2] = [(INDEX, bounds::MANIFEST), (LOCK, bounds::LOCK)];
const PIECE: usize = 256 << 10;
/// Writes an archive.
///
/// # Errors
/// A file that can't be read or has changed since it was measured, and those of the target.
pub fn write(image: &Image, name: &str, lock: &[u8], out: impl Write) -> io::Result<()> {
    let mut tar = Builder::new(BufWriter::with_capacity(PIECE, out));
    let tag = name.rsplit_once(':').map_or(name, |(_, tag)| tag);
    let found = Measured::of(&image.manifest);
    let index = ImageIndexBuilder::default()
        .schema_version(2u32)
        .media_type(MediaType::ImageIndex)
        .manifests([descriptor(MediaType::ImageManifest, found, &[(REF_NAME, tag), (FULL_NAME, name)])?])
        .build()
        .map_err(io::Error::other)?;
    let config = Measured::of(&image.config);
    let paths: Vec<_> = image.layers.iter().map(|(_, measured)| blob_path(measured.digest)).collect();
    let docker = json!([{ "Config": blob_path(config.digest), "RepoTags": [name], "Layers": paths }]);
    file(&mut tar, "oci-layout", &json(&json!({ "imageLayoutVersion": "1.0.0" }))?)?;
    file(&mut tar, INDEX, &json(&index)?)?;
    file(&mut tar, "manifest.json", &json(&docker)?)?;
    file(&mut tar, LOCK, lock)?;
    file(&mut tar, &blob_path(found.digest), &image.manifest)?;
    file(&mut tar, &blob_path(config.digest), &image.config)?;
    for (layer, measured) in &image.layers {
        append_layer(&mut tar, layer, *measured)?;
    }
    tar.into_inner()?.flush()
}

fn blob_path(digest: Digest) -> String {
    format!("blobs/sha256/{digest}")
}

fn file(tar: &mut Builder<impl Write>, path: &str, bytes: &[u8]) -> io::Result<()> {
    tar.append_data(&mut header(EntryType::Regular, 0o644, ROOT, bytes.len() as u64), path, bytes)
}

/// The layer is written by a thread of its own, and checked against its digest on the way.
fn append_layer(tar: &mut Builder<impl Write>, layer: &Layer, measured: Measured) -> io::Result<()> {
    let mut header = header(EntryType::Regular, 0o644, ROOT, measured.size);
    let (reader, writer) = io::pipe()?;
    std::thread::scope(|scope| {
        let written = scope.spawn(move || layer.write(BufWriter::with_capacity(PIECE, writer))?.flush());
        let appended = tar.append_data(&mut header, blob_path(measured.digest), Checked::new(reader, measured));
        // The layer's fault is the cause of the archive's fault, so it is reported first.
        written.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)).and(appended)
    })
}

/// An archive that was opened, every blob of its image verified.
pub struct Archive {
    path: PathBuf,
    file: File,
    places: BTreeMap<Digest, (u64, u64)>,
    /// The manifest's bytes.
    pub manifest: Vec<u8>,
    /// The lock file that lies beside the layout.
    pub lock: Option<Vec<u8>>,
}

impl Archive {
    /// Opens an archive of one image, and verifies every blob that its manifest names.
    ///
    /// # Errors
    /// The file is not an archive of one image, or a blob does not match its digest.
    pub fn open(path: &Path, line: &ProgressLine) -> Result<Self, Fault> {
        let file = open(path).map_err(unreadable)?;
        let (places, mut small) = places(&file).map_err(|error| bad("the archive", &error))?;
        let mut archive = Self { path: path.to_owned(), file, places, manifest: Vec::new(), lock: small.remove(LOCK) };
        let index = small.remove(INDEX).ok_or_else(|| Fault::BadImage("expected index.json, found none".into()))?;
        let index: ImageIndex = serde_json::from_slice(&index).map_err(|error| bad("index.json", &error))?;
        let [only] = index.manifests().as_slice() else {
            return Err(Fault::BadImage(format!("expected one image, found {}", index.manifests().len())));
        };
        let named = manifest::measured(only).map_err(Fault::BadImage)?;
        if named.size > bounds::MANIFEST {
            return Err(Fault::TooLong { most: bounds::MANIFEST });
        }
        let blob = Blob { title: "the manifest".into(), measured: named, plain: true };
        let mut bytes = Vec::new();
        archive.verify(&blob, line, |piece| bytes.extend_from_slice(piece))?;
        let named = manifest::read(&bytes).map_err(|why| bad("the manifest", &why))?;
        let mut verified = BTreeSet::new();
        for blob in named.layers.iter().chain([&named.config]) {
            if verified.insert(blob.measured) {
                archive.verify(blob, line, |_| {})?;
            }
        }
        archive.manifest = bytes;
        Ok(archive)
    }

    fn verify(&self, blob: &Blob, line: &ProgressLine, mut each: impl FnMut(&[u8])) -> Result<(), Fault> {
        let mut meter = Meter::default();
        self.read(blob, 0, blob.measured.size, line, &mut |piece| {
            each(piece);
            meter.write_all(piece).map_err(unreadable)
        })?;
        match meter.measured().digest {
            found if found == blob.measured.digest => Ok(()),
            found => Err(Fault::WrongBlob { expected: blob.measured.digest, found }),
        }
    }
}

impl Blobs for Archive {
    fn read(&self, blob: &Blob, from: u64, to: u64, _: &ProgressLine, take: Take) -> Result<(), Fault> {
        let digest = blob.measured.digest;
        let place = self.places.get(&digest).filter(|(_, size)| *size == blob.measured.size);
        let (start, _) = place.ok_or_else(|| Fault::NotFound(format!("no blob {digest} of that length")))?;
        let (mut buffer, mut at) = (vec![0; PIECE], from);
        while at < to {
            let want = usize::try_from(to - at).unwrap_or(PIECE).min(PIECE);
            match self.file.read_at(&mut buffer[..want], start + at).map_err(unreadable)? {
                0 => return Err(Fault::Cut { got: at, of: Some(to) }),
                got => {
                    take(&buffer[..got])?;
                    at += got as u64;
                }
            }
        }
        Ok(())
    }

    fn label(&self) -> String {
        self.path.display().to_string()
    }
}

type Places = BTreeMap<Digest, (u64, u64)>;
type Small = BTreeMap<&'static str, Vec<u8>>;

/// The place of each blob, and the two files beside them.
fn places(file: &File) -> io::Result<(Places, Small)> {
    let (mut places, mut small) = (Places::new(), Small::new());
    let bounds = ArchiveLimits { entries: bounds::ARCHIVE_ENTRIES, headers: bounds::ARCHIVE_HEADERS };
    entries::each(file, bounds, |entry| {
        let path = entry.path.trim_start_matches("./");
        let digest = path.strip_prefix("blobs/sha256/").and_then(|hex| Digest::parse(hex).ok());
        if let Some(digest) = digest.filter(|_| entry.is_file) {
            places.insert(digest, (entry.at, entry.size));
        } else if let Some((name, most)) = BESIDE.iter().find(|(name, _)| *name == path && entry.is_file) {
            small.insert(name, short(file, &entry, *most)?);
        }
        Ok(true)
    })?;
    Ok((places, small))
}

fn short(file: &File, entry: &ArchiveEntry, most: u64) -> io::Result<Vec<u8>> {
    if entry.size > most {
        let what = format!("{}: expected at most {most} bytes, found {}", entry.path, entry.size);
        return Err(io::Error::new(io::ErrorKind::InvalidData, what));
    }
    let mut bytes = vec![0; usize::try_from(entry.size).unwrap_or_default()];
    file.read_exact_at(&mut bytes, entry.at)?;
    Ok(bytes)
}

fn bad(what: &str, why: &dyn std::fmt::Display) -> Fault {
    Fault::BadImage(format!("{what}: {why}"))
}

fn unreadable(error: io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::NotFound => Fault::NotFound("no such file".into()),
        _ => Fault::Unreadable(error.to_string()),
    }
}
