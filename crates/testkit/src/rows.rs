//! The rows of a table test, tested on all cores.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Tests every row and returns all faults, in the order of the rows.
///
/// # Panics
/// If a row's test panics.
pub fn wrong<Row: Sync>(rows: &[Row], test: impl Fn(&Row) -> Vec<String> + Sync) -> Vec<String> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut found = Vec::new();
        while let Some((at, row)) = rows.iter().enumerate().nth(next.fetch_add(1, Ordering::Relaxed)) {
            found.push((at, test(row)));
        }
        found
    };
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let mut found: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("a row's test ends")).collect()
    });
    found.sort_by_key(|(at, _)| *at);
    found.into_iter().flat_map(|(_, wrong)| wrong).collect()
}

#[cfg(test)]
mod tests {
    use super::wrong;

    #[test]
    fn every_row_is_tested_once_and_reported_in_its_place() {
        let rows: Vec<usize> = (0..1000).collect();
        let odd = wrong(&rows, |row| if row % 2 == 1 { vec![row.to_string()] } else { Vec::new() });
        let expected: Vec<String> = (0..1000).filter(|row| row % 2 == 1).map(|row| row.to_string()).collect();
        assert_eq!(odd, expected);
    }
}
