//! Tests that freed blocks are returned to the system.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use super::{LARGE, return_free_memory, return_large_blocks};

/// Returns whether a mapping of this process contains the address.
fn mapped(address: usize) -> bool {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let ranges = maps.lines().filter_map(|line| line.split(' ').next()?.split_once('-'));
    let number = |text| usize::from_str_radix(text, 16).unwrap();
    ranges.into_iter().any(|(from, to)| (number(from)..number(to)).contains(&address))
}

#[test]
fn a_large_block_is_returned_although_larger_ones_were_freed_before() {
    return_large_blocks();
    let size = 3 * usize::try_from(LARGE).unwrap();
    drop(vec![1_u8; size]);
    let (large, above) = (vec![1_u8; size], vec![1_u8; 100_000]);
    let inside = large.as_ptr() as usize + size / 2;
    assert!(mapped(inside));
    drop(large);
    assert!(!mapped(inside), "the block is still mapped");
    drop(above);
}

/// Whether the page with the address is in memory (Linux, admin-guide/mm/pagemap: bit 63).
fn is_present(address: usize) -> bool {
    let mut entry = [0; 8];
    let at = (address / rustix::param::page_size() * 8) as u64;
    File::open("/proc/self/pagemap").unwrap().read_exact_at(&mut entry, at).unwrap();
    u64::from_ne_bytes(entry) >> 63 == 1
}

#[test]
fn free_memory_below_a_used_block_is_returned() {
    return_large_blocks();
    let (smaller, above) = (vec![1_u8; 4 << 20], vec![1_u8; 100_000]);
    let inside = smaller.as_ptr() as usize + (2 << 20);
    assert!(is_present(inside));
    drop(smaller);
    return_free_memory();
    assert!(!is_present(inside), "the page is still in memory");
    drop(above);
}
