//! Measures the cost of hashing without reading: BLAKE3's leaves over 106 MB in memory, on each core and on one.
//!
//! Prints two medians in milliseconds: all cores, one core. `tools/bench` puts them beside a boot, which
//! can't be faster. Touches nothing.
#![expect(clippy::print_stdout, reason = "an example's answer")]

use std::time::Instant;

use ballast::index::{CHUNK, Leaf};

const BYTES: usize = 106_209_304;
const RUNS: usize = 15;

fn main() {
    let data: Vec<u8> = (0..BYTES).map(|at| (at * 31 % 251) as u8).collect();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    println!("{:.1} {:.1}", median(&data, cores), median(&data, 1));
}

fn median(data: &[u8], threads: usize) -> f64 {
    let mut took: Vec<f64> = (0..RUNS).map(|_| once(data, threads)).collect();
    took.sort_by(f64::total_cmp);
    took[RUNS / 2]
}

fn once(data: &[u8], threads: usize) -> f64 {
    let chunk = CHUNK as usize;
    let share = data.len().div_ceil(threads).next_multiple_of(chunk);
    let start = Instant::now();
    std::thread::scope(|scope| {
        for part in data.chunks(share) {
            scope.spawn(move || part.chunks(chunk).for_each(leaf));
        }
    });
    start.elapsed().as_secs_f64() * 1e3
}

fn leaf(bytes: &[u8]) {
    let mut leaf = Leaf::start(0);
    leaf.update(bytes);
    std::hint::black_box(leaf.finish());
}
