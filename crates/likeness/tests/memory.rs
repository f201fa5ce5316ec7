//! Tests the memory of loading the largest file: at most the file and its packed copy, and one copy
//! afterwards.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]
#![cfg(target_os = "linux")]

use likeness::engine::KernelSet;
use likeness::net::{Embedder, WeightFile};
use testkit::data::{EMBEDDER, own_data};

/// Returns the memory of this process in MiB: `VmHWM`, the peak, or `VmRSS`.
fn memory(what: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(what)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() / 1024
}

#[test]
fn a_file_is_in_memory_twice_while_it_is_loaded_and_once_afterwards() {
    // Generates the file first if it is missing, and resets the peak.
    let _ = own_data();
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = memory("VmRSS");
    let file = WeightFile::new(own_data().weight(EMBEDDER));
    let embedder = Embedder::load(file, KernelSet::best()).unwrap();
    let (peak, after) = (memory("VmHWM") - before, memory("VmRSS") - before);
    println!("90.6 MiB of weights: peak {peak} MiB, afterwards {after} MiB; {}", embedder.tested());
    assert!(peak < 2 * 91 + 24, "peak {peak} MiB");
    assert!(after < 91 + 24, "afterwards {after} MiB");
}
