//! Archives of others: no panic, no more entries than allowed, and each file's bytes lie where it is said.
#![no_main]

use std::io::Cursor;

use ballast_cli::fuzzing::entries::{self, ArchiveLimits};
use libfuzzer_sys::fuzz_target;

const BOUNDS: ArchiveLimits = ArchiveLimits { entries: 64, headers: 64 << 10 };

fuzz_target!(|data: &[u8]| {
    let mut count = 0;
    let walked = entries::each(Cursor::new(data), BOUNDS, |entry| {
        count += 1;
        assert!(entry.path.len() as u64 <= BOUNDS.headers, "a name longer than what was read");
        if let Some(content) = entries::content(data, &entry) {
            assert_eq!(content.len() as u64, entry.size);
            assert!(entry.at >= 512, "no header before it");
        }
        Ok(true)
    });
    assert!(count <= BOUNDS.entries);
    // What is cut makes no more entries than the whole.
    if walked.is_ok() {
        let mut fewer = 0;
        let _ = entries::each(Cursor::new(&data[..data.len() / 2]), BOUNDS, |_| {
            fewer += 1;
            Ok(true)
        });
        assert!(fewer <= count);
    }
});
