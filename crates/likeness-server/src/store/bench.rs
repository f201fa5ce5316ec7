//! Measures the index (`just bench-index`) and fills stores for a service (`just load`). Prints numbers and
//! judges none.

use std::fs;
use std::io::Write as _;
use std::time::Instant;

use super::suite::{NEW, Place, SPACE, enrollment, fresh, subject, tenant};
use super::*;

fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

/// Returns the CPU time of this process, in seconds.
fn cpu() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

fn fill(store: &Store, persons: u64, space: SpaceBytes) {
    const BATCH: u64 = 5000;
    for start in (0..persons).step_by(5000) {
        store
            .write(|changes| {
                for seed in start..(start + BATCH).min(persons) {
                    let (tenant, subject) = (tenant(), subject(&format!("person-{seed}")));
                    let fresh = TemplateData { space, ..fresh(seed, 80.0) };
                    store.enroll_in(changes, &enrollment(&tenant, &subject, vec![fresh], NEW))?;
                }
                Ok(())
            })
            .unwrap();
    }
}

#[test]
#[ignore = "fills the store that LIKENESS_FILL names, LOCATION KEY-FILE SPACE PERSONS: just load"]
fn filled() {
    let named = std::env::var("LIKENESS_FILL").unwrap();
    let [location, key_file, space, persons] = *named.split(' ').collect::<Vec<_>>() else { panic!("{named}") };
    let store = Store::open(&location.parse().unwrap(), key_file.as_ref(), Purpose::Manage).unwrap();
    let space = *ballast::digest::Digest::parse(space).unwrap().as_bytes();
    fill(&store, persons.parse().unwrap(), space);
}

#[test]
#[ignore = "measures: just bench-index"]
fn figures() {
    let mut out = std::io::stderr();
    let sizes = std::env::var("LIKENESS_INDEX_SIZES").unwrap_or("100000,1000000".into());
    for persons in sizes.split(',').map(|size| size.parse::<u64>().unwrap()) {
        let place = Place::sqlite();
        let store = place.store();
        let begin = Instant::now();
        fill(&store, persons, SPACE);
        writeln!(out, "{persons} persons stored in {:.1} s", begin.elapsed().as_secs_f64()).unwrap();
        let (before, begin, used) = (resident(), Instant::now(), cpu());
        let index = Index::empty(store.clone(), SPACE);
        index.follow().unwrap();
        let (loaded, used, after) = (begin.elapsed().as_secs_f64(), cpu() - used, resident());
        writeln!(out, "  loaded in {loaded:.2} s, {used:.2} s of CPU time, {} MiB more", after - before).unwrap();
        let mut times: Vec<f64> = (0..21)
            .map(|seed| {
                let probe = fresh(seed * 37, 80.0).embedding;
                let probe = likeness::embed::Template::opened(likeness::space::SpaceId::from_bytes(SPACE), probe);
                let begin = Instant::now();
                let found = super::suite_index::search(&index, &tenant(), &probe, 5, 0.4).unwrap();
                assert_eq!(found.searched as u64, persons);
                assert_eq!(found.matches[0].0.subject.as_str(), format!("person-{}", seed * 37));
                begin.elapsed().as_secs_f64() * 1e3
            })
            .collect();
        times.sort_by(f64::total_cmp);
        writeln!(out, "  a search: median {:.1} ms, worst of 21 {:.1} ms", times[10], times[20]).unwrap();
    }
}
