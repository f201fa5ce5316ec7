//! Measures the memory of readers of foreign bytes, with an allocator that counts. Each input is as
//! long as its bound allows, in the shape that needs the most memory.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use ballast::index::Index;
use ballast::lock::Lock;
use ballast::receipt::Receipts;
use minisign_verify::{PublicKey, Signature};

use crate::bounds;
use crate::report::Written;

/// Counts the allocated bytes of the calling thread, and their maximum.
struct Counting;

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static MOST: Cell<isize> = const { Cell::new(0) };
}

fn count(change: isize) {
    // A thread that is ending has no counter any more.
    let _ = LIVE.try_with(|live| {
        live.set(live.get() + change);
        let _ = MOST.try_with(|most| most.set(most.get().max(live.get())));
    });
}

#[expect(unsafe_code, reason = "an allocator that only counts, then does as the system's does")]
// SAFETY: every call is passed on unchanged to the system's allocator, which keeps the contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size().cast_signed());
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-layout.size().cast_signed());
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The peak MiB that this call allocates.
pub fn mib(work: impl FnOnce()) -> isize {
    let before = LIVE.get();
    MOST.set(before);
    work();
    (MOST.get() - before) >> 20
}

/// No reader may use more memory, its input included.
const MEMORY: isize = 200;

/// A text of this length that repeats a part.
fn filled(start: &str, part: &str, end: &str, most: u64) -> String {
    let left = usize::try_from(most).unwrap_or(usize::MAX) - start.len() - end.len();
    format!("{start}{}{end}", part.repeat(left / part.len()))
}

/// A reader, and what it does with a text.
type Reader = (&'static str, u64, fn(&str));

fn judge(readers: &[Reader], shapes: &[(&str, &str, &str)]) {
    let mut wrong = Vec::new();
    for (name, most, read) in readers {
        for (start, part, end) in shapes {
            let peak = mib(|| read(&filled(start, part, end, *most)));
            if peak > MEMORY {
                wrong.push(format!("{name}: {start:?} {part:?} {end:?} holds {peak} MiB"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_lock_file_of_any_shape_is_read_in_bounded_memory() {
    let readers: &[Reader] = &[("lock file", bounds::LOCK, |text| drop(Lock::parse(text)))];
    let weight = "[[weight]]\npath='a'\nsha256='0000000000000000000000000000000000000000000000000000000000000000'\n";
    let shapes = [
        ("version=1\n", "\n", ""),
        ("version=1\n", "# comment\n", ""),
        ("version=1\nx='", "x", "'"),
        ("version=1\nx=", "[", ""),
        ("version=1\nx=[", "[],", "]"),
        ("version=1\nx=[", "1,", "]"),
        ("version=1\nx=[", "{},", "]"),
        ("version=1\nx=", "{x=", ""),
        ("version=1\n", "[[x]]\n", ""),
        ("version=1\n", "[[weight]]\n", ""),
        ("version=1\n", weight, ""),
        ("version=1\n", "[weight.a.b]\n", ""),
        ("version=1\n", "a.", "=1"),
        ("version=1\n", "=\n", ""),
        ("version=1\n", "\"", ""),
        ("version=1\nx=\"", "\\u0041", "\""),
    ];
    judge(readers, &shapes);
}

#[test]
fn a_lock_file_of_ten_thousand_weights_is_read_in_bounded_memory() {
    let weight = |at: usize| {
        let path =
            format!("hub/models--organisation--model-{at:05}/snapshots/0123456789abcdef0123456789abcdef01234567/w.bin");
        let digest = format!("{at:064x}");
        format!(
            "\n[[weight]]\npath = \"{path}\"\nsha256 = \"{digest}\"\nsize = 123456789\nlicense = \"MIT\"\nsources = [\"https://huggingface.co/organisation/model-{at:05}/resolve/main/w.bin\"]\n"
        )
    };
    let weights: String = (0..ballast::bounds::LOCK_ENTRIES).map(weight).collect();
    let text = format!("version = 1\n[store]\npath = \"/srv/models\"\n{weights}");
    let peak = mib(|| assert_eq!(Lock::parse(&text).map(|lock| lock.weights.len()), Ok(10_000)));
    assert!(peak <= MEMORY, "read: {peak} MiB");
    #[cfg(feature = "full")]
    {
        let peak = mib(|| assert!(text.parse::<toml_edit::DocumentMut>().is_ok()));
        assert!(peak <= MEMORY, "edited: {peak} MiB");
    }
}

#[test]
fn json_of_any_shape_is_read_in_bounded_memory() {
    let readers: &[Reader] = &[
        ("report", bounds::REPORT, |text| drop(serde_json::from_str::<Written>(text))),
        ("receipts", bounds::RECEIPTS, |text| drop(serde_json::from_str::<Receipts>(text))),
    ];
    let shapes = [
        ("{\"x\":", "[", ""),
        ("{\"x\":[", "[],", "1]}"),
        ("{\"x\":\"", "x", "\"}"),
        ("{\"boot\":\"", "\\u0041", "\"}"),
        ("{", "\"x\":1,", "\"y\":1}"),
        ("{\"version\":\"", "v", "\"}"),
        (
            "{\"version\":1,\"boot\":\"b\",\"ready\":true,\"served\":null,\"weights\":[",
            "{\"path\":\"\",\"sha256\":\"\",\"need\":\"required\",\"stamp\":null},",
            "{}]}",
        ),
        (
            "{\"version\":\"v\",\"entries\":[",
            "{\"pin\":\"\",\"device\":1,\"inode\":1,\"size\":1,\"mtime_ns\":1,\"ctime_ns\":1},",
            "]}",
        ),
    ];
    judge(readers, &shapes);
}

#[test]
fn a_signature_and_a_key_of_any_shape_are_read_in_bounded_memory() {
    let readers: &[Reader] = &[
        ("signature", bounds::SIGNATURE, |text| drop(Signature::decode(text))),
        ("key", bounds::SIGNATURE, |text| drop(PublicKey::decode(text))),
        ("key as text", bounds::SIGNATURE, |text| drop(PublicKey::from_base64(text))),
    ];
    judge(readers, &[("", "\n", ""), ("untrusted comment: \n", "RW", ""), ("", "A", ""), ("\n\n\n", "é", "")]);
}

#[test]
fn an_index_is_read_in_bounded_memory() {
    let size = usize::try_from(bounds::INDEX).unwrap_or(usize::MAX);
    // An index with one tree that fills it, and an index with as many empty trees as fit.
    let leaves = (size - 16 - 8 - 40 - 32) / 32;
    let one = [&[7; 32][..], &(leaves as u64 * ballast::index::CHUNK).to_le_bytes(), &vec![1; leaves * 32]].concat();
    let empty = (0..(size - 56) / 40).flat_map(|at| {
        let mut pin = [0; 32];
        pin[..8].copy_from_slice(&(at as u64).to_be_bytes());
        pin.into_iter().chain([0; 8])
    });
    let empty: Vec<u8> = empty.collect();
    let mut wrong = Vec::new();
    for (name, count, body) in [("one", 1, one), ("empty", empty.len() / 40, empty)] {
        let mut bytes = [&b"ballast-index-1\n"[..], &(count as u64).to_le_bytes(), &body].concat();
        drop(body);
        bytes.extend(blake3::hash(&bytes).as_bytes());
        assert!(bytes.len() as u64 <= bounds::INDEX);
        let mut right = false;
        let peak = mib(|| right = Index::from_bytes(&bytes).is_ok());
        if peak + 32 > MEMORY || !right {
            wrong.push(format!("{name}: {peak} MiB, read: {right}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[cfg(feature = "full")]
mod full {
    use std::io::Cursor;

    use oci_spec::image::ImageIndex;

    use super::*;
    use crate::doctor::deployment;
    use crate::image::entries::{self, ArchiveLimits};
    use crate::image::manifest;
    use crate::image::service::ServiceImage;
    use crate::oms::SignedManifest;
    use crate::oms::bundle::Bundle;

    fn examined(text: &str) {
        let lock = "version=1\n[store]\npath='/srv/m'\n[[weight]]\npath='a'\nsha256='";
        let lock = Lock::parse(&format!("{lock}{}'\n", "0".repeat(64))).unwrap();
        drop(deployment::examine("f", text, &lock));
    }

    #[test]
    fn manifests_and_lists_of_images_of_any_shape_are_read_in_bounded_memory() {
        let readers: &[Reader] = &[
            ("manifest", bounds::MANIFEST, |text| drop(manifest::read(text.as_bytes()))),
            ("index.json", bounds::MANIFEST, |text| drop(serde_json::from_str::<ImageIndex>(text))),
        ];
        let digest = "sha256:0000000000000000000000000000000000000000000000000000000000000000";
        let part = format!("{{\"mediaType\":\"\",\"digest\":\"{digest}\",\"size\":1,\"annotations\":{{\"a\":\"\"}}}}");
        let start = format!("{{\"schemaVersion\":2,\"config\":{part},\"layers\":[");
        let list = "{\"schemaVersion\":2,\"manifests\":[";
        let notes = format!("{{\"schemaVersion\":2,\"config\":{part},\"layers\":[],\"annotations\":{{");
        let named: String = (0..400_000).map(|at| format!("\"{at}\":\"\",")).collect();
        let named = named.get(..4 << 20).unwrap_or(&named).to_owned();
        let shapes = [
            (start.as_str(), format!("{part},"), format!("{part}]}}")),
            (list, format!("{part},"), format!("{part}]}}")),
            (start.as_str(), "[".into(), String::new()),
            (start.as_str(), "{\"x\":[".into(), String::new()),
            (notes.as_str(), "\"a\":\"\",".into(), "\"b\":\"\"}}".into()),
            ("{\"x\":\"", "x".into(), "\"}".into()),
        ];
        let shapes: Vec<_> = shapes.iter().map(|(start, part, end)| (*start, part.as_str(), end.as_str())).collect();
        judge(readers, &shapes);
        let peak = mib(|| drop(manifest::read(format!("{notes}{named}").as_bytes())));
        assert!(peak <= MEMORY, "many annotations hold {peak} MiB");
    }

    #[test]
    fn bundles_of_signed_models_of_any_shape_are_read_in_bounded_memory() {
        if !testkit::need::time("bundles_of_signed_models_of_any_shape_are_read_in_bounded_memory") {
            return;
        }
        let readers: &[Reader] = &[
            ("bundle", bounds::BUNDLE, |text| drop(Bundle::parse(text.as_bytes()))),
            ("statement", bounds::BUNDLE / 4 * 3, |text| drop(SignedManifest::parse(text.as_bytes()))),
        ];
        let envelope = "{\"mediaType\":\"\",\"verificationMaterial\":{},\"dsseEnvelope\":{\"payload\":\"\",\"payloadType\":\"\",\"signatures\":[";
        let chain = "{\"mediaType\":\"\",\"verificationMaterial\":{\"x509CertificateChain\":{\"certificates\":[";
        let statement = "{\"_type\":\"https://in-toto.io/Statement/v1\",\"subject\":[{\"name\":\"m\",\"digest\":{\"sha256\":\"0000000000000000000000000000000000000000000000000000000000000000\"}}],\"predicateType\":\"https://model_signing/signature/v1.0\",\"predicate\":{\"serialization\":{\"method\":\"files\",\"hash_type\":\"sha256\",\"allow_symlinks\":false},\"resources\":[";
        let resource = "{\"name\":\"\",\"digest\":\"\",\"algorithm\":\"\"},";
        let numbers: String = (0..3_000_000).map(|at| format!("\"{at}\":0,")).collect();
        let shapes = [
            ("", "[", ""),
            ("[", "[],", "1]"),
            ("{", numbers.as_str(), "\"x\":0}"),
            ("{\"mediaType\":\"", "\\u0041", "\"}"),
            (envelope, "{\"sig\":\"\"},", "{\"sig\":\"\"}]}}"),
            (chain, "{\"rawBytes\":\"\"},", "{\"rawBytes\":\"\"}]}}}"),
            (statement, resource, "{\"name\":\"\",\"digest\":\"\",\"algorithm\":\"\"}]}}"),
        ];
        judge(readers, &shapes);
    }

    #[test]
    fn deployment_files_of_any_shape_are_read_in_bounded_memory() {
        let readers: &[Reader] = &[("deployment", bounds::DEPLOYMENT, examined)];
        let shapes = [
            ("", "\n", ""),
            ("", "- ", "x"),
            ("", "[", ""),
            ("services: [", "[],", "]"),
            ("services: {", "a: {", ""),
            ("x: &a [1,1,1,1,1,1,1,1]\nservices: [", "*a,", "]"),
            ("services:\n", " a: 1\n", ""),
            ("x: \"", "x", "\""),
            ("", "---\n", ""),
            ("", "? ", "x"),
            ("", "# c\n", ""),
            ("", "&a ", "x"),
            ("x: |\n", " \n", ""),
        ];
        judge(readers, &shapes);
    }

    #[test]
    fn a_description_of_a_service_is_read_in_bounded_memory() {
        fn read(text: &str) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("image.toml");
            std::fs::write(&path, text).unwrap();
            drop(ServiceImage::read(&path));
        }
        let readers: &[Reader] = &[("image.toml", bounds::DESCRIPTION, read)];
        judge(readers, &[("name='x'\nuser='1'\n", "[[file]]\npath=''\n", ""), ("x=[", "[],", "]"), ("x=", "[", "")]);
    }

    #[test]
    fn an_archive_of_names_alone_is_read_in_bounded_memory() {
        let walk = ArchiveLimits { entries: bounds::ARCHIVE_ENTRIES, headers: bounds::ARCHIVE_HEADERS };
        let header = |kind: tar::EntryType, size: u64| {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(kind);
            header.set_size(size);
            header.set_cksum();
            header.as_bytes().to_vec()
        };
        let long = vec![b'n'; 12 << 20];
        let mut wrong = Vec::new();
        for kind in [tar::EntryType::GNULongName, tar::EntryType::GNULongLink, tar::EntryType::XHeader] {
            // One header of 12 MiB, and thousands of headers of some KiB.
            let one = [header(kind, long.len() as u64), long.clone(), header(tar::EntryType::Regular, 0)].concat();
            let pair = [header(kind, 3584), vec![b'n'; 3584], header(tar::EntryType::Regular, 0)].concat();
            for (name, archive) in [("one", one), ("many", pair.repeat(8192))] {
                let peak = mib(|| {
                    let mut all = Vec::new();
                    let _ = entries::each(Cursor::new(&archive), walk, |entry| {
                        all.push(entry);
                        Ok(true)
                    });
                });
                if peak > 64 {
                    wrong.push(format!("{kind:?}, {name}: {peak} MiB"));
                }
            }
        }
        assert!(wrong.is_empty(), "{wrong:?}");
    }
}
