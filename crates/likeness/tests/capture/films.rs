//! Counts over 200 seeds of each kind how often films of heads are refused, and films of pictures accepted.

use likeness::capture::outcome::Outcome;
use testkit::random::Random;

use crate::actor::{Actor, Kind};
use crate::film::play;

/// Films of each kind.
const FILMS: u32 = 200;

/// The interval of a rate that Wilson's score gives at 95 %.
fn wilson(hits: u32, of: u32) -> (f64, f64) {
    let (n, z) = (f64::from(of), 1.96_f64);
    let rate = f64::from(hits) / n;
    let middle = (rate + z * z / (2.0 * n)) / (1.0 + z * z / n);
    let half = z / (1.0 + z * z / n) * (rate * (1.0 - rate) / n + z * z / (4.0 * n * n)).sqrt();
    ((middle - half).max(0.0), (middle + half).min(1.0))
}

/// Plays every film of a kind; returns how many ended as `counted` says, and the rules that were failed.
fn count(kind: Kind, counted: impl Fn(&Outcome) -> bool) -> (u32, Vec<&'static str>) {
    let (mut hits, mut rules) = (0, Vec::new());
    for seed in 0..FILMS {
        let mut random = Random::new(u64::from(seed) * 7919 + kind as u64);
        let mut actor = Actor::new(kind, &mut random);
        let outcome = play(&mut actor, &mut random);
        hits += u32::from(counted(&outcome));
        rules.extend(outcome.failed().map(likeness::capture::outcome::Rule::code));
    }
    rules.sort_unstable();
    (hits, rules)
}

fn passed(outcome: &Outcome) -> bool {
    outcome.failed().is_none()
}

#[expect(clippy::print_stdout, reason = "the rates are the output")]
fn report(what: &str, hits: u32, rules: &[&str]) {
    let (least, most) = wilson(hits, FILMS);
    let share = f64::from(hits) / f64::from(FILMS);
    let mut named: Vec<(&str, usize)> = Vec::new();
    for rule in rules {
        match named.last_mut().filter(|(last, _)| last == rule) {
            Some((_, count)) => *count += 1,
            None => named.push((rule, 1)),
        }
    }
    println!(
        "{what}: {hits} of {FILMS}, {:.1} % ({:.1} to {:.1} %), rules {named:?}",
        100.0 * share,
        100.0 * least,
        100.0 * most
    );
}

#[test]
fn no_head_that_turns_by_at_least_25_degrees_is_refused() {
    let (refused, rules) = count(Kind::Head, |outcome| !passed(outcome));
    report("heads refused", refused, &rules);
    assert_eq!(refused, 0, "docs/captures.md has this count");
}

#[test]
fn no_picture_that_is_moved_scaled_or_tilted_is_accepted() {
    let mut wrong = Vec::new();
    for kind in [Kind::Still, Kind::Moved, Kind::Scaled, Kind::Tilted] {
        let (accepted, rules) = count(kind, passed);
        report(&format!("{kind:?} pictures accepted"), accepted, &rules);
        if accepted > 0 {
            wrong.push((kind, accepted));
        }
    }
    assert!(wrong.is_empty(), "docs/captures.md says that none is: {wrong:?} of {FILMS}");
}

#[test]
fn the_interval_is_wilson_s() {
    let near = |(least, most): (f64, f64), expected: (f64, f64)| {
        (least - expected.0).abs() < 5e-4 && (most - expected.1).abs() < 5e-4
    };
    assert!(near(wilson(0, 200), (0.0, 0.0188)) && near(wilson(4, 200), (0.0078, 0.0503)), "{:?}", wilson(4, 200));
}
