//! Archives that say more than they hold.

use std::io::Cursor;

use tar::{Builder, EntryType, Header};

use super::*;

const BOUNDS: ArchiveLimits = ArchiveLimits { entries: 8, headers: 64 << 10 };

fn listed(archive: &[u8]) -> Result<Vec<ArchiveEntry>, String> {
    let mut all = Vec::new();
    each(Cursor::new(archive), BOUNDS, |entry| {
        all.push(entry);
        Ok(true)
    })
    .map_err(|error| error.to_string())?;
    Ok(all)
}

fn header(kind: EntryType, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_size(size);
    header
}

/// An archive of these entries; the size is what the header says.
fn archive(entries: &[(&str, EntryType, u64, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, kind, size, content) in entries {
        let mut header = header(*kind, *size);
        let _ = header.set_path(name);
        header.set_cksum();
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend_from_slice(content);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
    }
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}

/// A GNU sparse header: no bytes of its own, and this length.
pub fn sparse(real: u64) -> Vec<u8> {
    let mut header = header(EntryType::GNUSparse, 0);
    let _ = header.set_path("x");
    if let Some(gnu) = header.as_gnu_mut() {
        gnu.realsize = number(real);
        gnu.sparse[0].offset = number(real);
        gnu.sparse[0].numbytes = number(0);
    }
    header.set_cksum();
    [header.as_bytes().as_slice(), &[0; 1024]].concat()
}

/// A number as GNU's extension writes one that is too long for octal digits.
fn number(value: u64) -> [u8; 12] {
    let mut field = [0; 12];
    field[4..].copy_from_slice(&value.to_be_bytes());
    field[0] = 0x80;
    field
}

#[test]
fn an_archive_that_says_more_than_it_holds_is_refused_and_costs_nothing() {
    let (file, name, pax) = (EntryType::Regular, EntryType::GNULongName, EntryType::XHeader);
    let (link, global) = (EntryType::GNULongLink, EntryType::XGlobalHeader);
    let big = vec![b'n'; 100 << 10];
    let many: Vec<_> = (0..9).map(|_| ("f", file, 0, &b""[..])).collect();
    let rows = [
        ("a sparse file of 3 GB", sparse(3_000_000_000)),
        ("a sparse file of 8 EiB", sparse(u64::MAX >> 1)),
        ("a long name of 3 GB", archive(&[("l", name, 3_000_000_000, b"n"), ("f", file, 0, b"")])),
        ("a long link of 3 GB", archive(&[("l", link, 3_000_000_000, b"n"), ("f", file, 0, b"")])),
        ("a long name above the bound", archive(&[("l", name, big.len() as u64, &big), ("f", file, 0, b"")])),
        ("extended headers above the bound", archive(&[("p", pax, big.len() as u64, &big), ("f", file, 0, b"")])),
        ("a file of 2^63 bytes", archive(&[("f", file, u64::MAX >> 1, b"")])),
        ("more entries than allowed", archive(&many)),
        ("a name without a file", archive(&[("l", name, 1, b"n")])),
        ("no archive", vec![b'x'; 1024]),
    ];
    let taken: Vec<_> = rows.iter().filter(|(_, bytes)| listed(bytes).is_ok()).map(|(row, _)| *row).collect();
    assert!(taken.is_empty(), "{taken:?}");
    let passed =
        listed(&archive(&[("g", global, 0, b""), ("d/", EntryType::Directory, 0, b""), ("f", file, 4, b"1234")]));
    assert_eq!(passed.map(|all| all.len()), Ok(3));
}

#[test]
fn an_entry_tells_where_its_bytes_are() {
    let long = format!("{}/w.bin", "d".repeat(180));
    let mut tar = Builder::new(Vec::new());
    for (path, bytes) in [("a/b.bin", &b"first"[..]), (&long, b"second")] {
        let added = tar.append_data(&mut header(EntryType::Regular, bytes.len() as u64), path, bytes);
        assert!(added.is_ok(), "{path}");
    }
    let bytes = tar.into_inner().unwrap_or_default();
    let all = listed(&bytes).unwrap_or_default();
    let found: Vec<_> = all.iter().map(|entry| (entry.path.as_str(), content(&bytes, entry))).collect();
    assert_eq!(found, [("a/b.bin", Some(&b"first"[..])), (&long, Some(b"second"))]);
}
