//! Tests that freed blocks are returned to the system.

#![allow(clippy::unwrap_used, reason = "tests")]

use super::{LARGE, return_large_blocks};

/// Whether a mapping of this process contains the address.
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
