//! Receipts are read from a file: any bytes are an answer, and what is read is written the same.
#![no_main]

use ballast::digest::Digest;
use ballast::disk::{Kind, Stat};
use ballast::receipt::Receipts;
use libfuzzer_sys::fuzz_target;

const PIN: Digest = Digest::from_bytes([7; 32]);

fuzz_target!(|data: &[u8]| {
    let Ok(mut receipts) = serde_json::from_slice::<Receipts>(data) else { return };
    let written = serde_json::to_vec(&receipts).expect("receipts can be written");
    assert_eq!(serde_json::from_slice::<Receipts>(&written).expect("and read"), receipts);
    if !receipts.current() {
        assert!(receipts.of(&PIN).is_none(), "another version vouches for nothing");
        return;
    }
    let stat =
        Stat { kind: Kind::File, size: 1, uid: 0, gid: 0, mode: 0o444, links: 1, id: (1, 2), mtime_ns: 3, ctime_ns: 4 };
    receipts.note(&[(PIN, stat)], i128::MAX);
    assert!(receipts.of(&PIN).is_some_and(|receipt| receipt.vouches(&PIN, &stat)));
    assert!(receipts.of(&PIN).is_some_and(|receipt| !receipt.vouches(&PIN, &Stat { ctime_ns: 5, ..stat })));
});
