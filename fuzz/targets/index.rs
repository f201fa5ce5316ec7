//! An index that is accepted is exactly what would have been written. The checksum is given to
//! the fuzzer, or it would never pass it.
#![no_main]

use ballast::index::Index;
use libfuzzer_sys::fuzz_target;

fn check(bytes: &[u8]) {
    if let Ok(index) = Index::from_bytes(bytes) {
        assert_eq!(index.to_bytes(), bytes);
    }
}

fuzz_target!(|data: &[u8]| {
    check(data);
    for head in [&b""[..], b"ballast-index-1\n"] {
        let body = [head, data].concat();
        let sum = *blake3::hash(&body).as_bytes();
        check(&[&body[..], &sum].concat());
    }
});
