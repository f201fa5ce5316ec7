//! Compares error rates and intervals with those of SciPy and scikit-learn, and with distributions whose rates are
//! known.

use std::collections::BTreeSet;

use serde_json::Value;
use testkit::random::Random as Dice;

use super::interval::{quantile, wilson};
use super::*;

fn recorded() -> (Value, Scores) {
    let answers: Value = serde_json::from_str(include_str!("../../tests/calibration.json")).unwrap();
    let scores = answers["scores"].as_array().unwrap().iter().map(|row| Score {
        persons: [0, 1].map(|at| row[at].as_u64().unwrap() as u32),
        distance: row[2].as_f64().unwrap(),
    });
    let scores = Scores::new(scores.collect());
    (answers, scores)
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

/// Names each number that differs from the recorded one.
fn differing(rows: impl Iterator<Item = (String, f64, f64)>, most: f64) -> Vec<String> {
    let far = rows.filter(|(_, found, recorded)| (found - recorded).abs() > most || found.is_nan());
    far.map(|(what, found, recorded)| format!("{what}: {found}, recorded {recorded}")).collect()
}

#[test]
fn weighted_rates_are_those_of_scikit_learn() {
    let (answers, scores) = recorded();
    let thresholds = numbers(&answers["thresholds"]);
    let mut rows = Vec::new();
    for (number, sample) in list(&answers["samples"]).iter().enumerate() {
        let times: Vec<u16> = numbers(&sample["times"]).into_iter().map(|times| times as u16).collect();
        let totals = scores.totals(&times);
        for (threshold, point) in thresholds.iter().zip(list(&sample["points"])) {
            let (fmr, fnmr) = (scores.fmr(&times, totals[1], *threshold), scores.fnmr(&times, totals[0], *threshold));
            rows.push((format!("{number}: FMR at {threshold}"), fmr, point[0].as_f64().unwrap()));
            rows.push((format!("{number}: FNMR at {threshold}"), fnmr, point[1].as_f64().unwrap()));
        }
        rows.push((format!("{number}: EER"), scores.eer(&times, totals), sample["eer"].as_f64().unwrap()));
    }
    assert_eq!(rows.len(), 8 * 13);
    assert_eq!(differing(rows.into_iter(), 1e-12), Vec::<String>::new());
}

#[test]
fn the_curve_has_the_rates_of_each_distance() {
    let (_, scores) = recorded();
    let (once, curve) = (vec![1; scores.persons()], scores.curve());
    let totals = scores.totals(&once);
    let rows = curve.iter().flat_map(|Point { distance, fmr, fnmr }| {
        [
            (format!("FMR at {distance}"), *fmr, scores.fmr(&once, totals[1], *distance)),
            (format!("FNMR at {distance}"), *fnmr, scores.fnmr(&once, totals[0], *distance)),
        ]
    });
    assert_eq!(differing(rows, 1e-12), Vec::<String>::new());
    let last = curve.last().unwrap();
    assert_eq!((last.fmr, last.fnmr), (1.0, 0.0));
    assert!(curve.windows(2).all(|two| two[0].distance < two[1].distance));
}

#[test]
fn intervals_of_wilson_and_quantiles_are_those_of_scipy_and_numpy() {
    let (answers, _) = recorded();
    let rows = list(&answers["wilson"]).iter().flat_map(|row| {
        let [rate, trials, low, high] = numbers(row)[..] else { panic!("{row}") };
        let found = wilson(rate, trials);
        [(format!("low of {row}"), found[0], low), (format!("high of {row}"), found[1], high)]
    });
    assert_eq!(differing(rows, 1e-12), Vec::<String>::new());
    let sorted = numbers(&answers["numbers"]);
    let rows = list(&answers["quantiles"]).iter().map(|row| {
        let [part, recorded] = numbers(row)[..] else { panic!("{row}") };
        (format!("quantile {part}"), quantile(&sorted, part), recorded)
    });
    assert_eq!(differing(rows, 1e-12), Vec::<String>::new());
}

#[test]
fn the_bootstrap_s_limits_are_those_of_numpy_s_or_wider() {
    let (answers, scores) = recorded();
    let resamples = Resamples::new(12, 4000, 1);
    let bootstrap = Bootstrap::new(&scores, &resamples);
    let mut wrong = Vec::new();
    for (threshold, limits) in numbers(&answers["thresholds"]).iter().zip(list(&answers["bootstrap"])) {
        let found = [bootstrap.fmr(*threshold).unwrap(), bootstrap.fnmr(*threshold).unwrap()];
        let units = scores.units();
        for (at, (found, units)) in found.into_iter().zip([units[1], units[0]]).enumerate() {
            let [low, high] = numbers(&limits[at])[..] else { panic!("{limits}") };
            let [least, most] = wilson(found.value, units as f64);
            let near = |a: f64, b: f64| (a - b).abs() < 0.012;
            if !near(found.low, low.min(least)) || !near(found.high, high.max(most)) {
                wrong.push(format!("{at} at {threshold}: {found:?}, recorded {limits}"));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// Draws a collection in which each person shifts the distances of its comparisons by up to `effect`.
fn planted(dice: &mut Dice, persons: u32, photographs: u32, effect: f64) -> Scores {
    let owners: Vec<u32> = (0..persons * photographs).map(|photograph| photograph / photographs).collect();
    let shift: Vec<f64> = (0..persons).map(|_| effect * dice.part()).collect();
    let [genuine, impostor] = pairs(&owners, u64::MAX, 0);
    let score = |[a, b]: [usize; 2], dice: &mut Dice| {
        let persons = [owners[a], owners[b]];
        let middle = if persons[0] == persons[1] { 0.0 } else { 0.5 };
        let shifts: f64 = persons.iter().map(|person| shift[*person as usize]).sum();
        Score { persons, distance: middle + shifts + dice.part() }
    };
    Scores::new(genuine.chosen.into_iter().chain(impostor.chosen).map(|pair| score(pair, dice)).collect())
}

#[test]
fn independent_comparisons_have_the_planted_rates() {
    // Genuine distances are uniform from 0 to 1, impostor distances from 0.5 to 1.5.
    let scores = planted(&mut Dice::new(5), 200, 3, 0.0);
    let resamples = Resamples::new(200, 200, 2);
    let bootstrap = Bootstrap::new(&scores, &resamples);
    let table = [
        ("FMR at 0.6", bootstrap.fmr(0.6), 0.1),
        ("FMR at 0.4", bootstrap.fmr(0.4), 0.0),
        ("FNMR at 0.6", bootstrap.fnmr(0.6), 0.4),
        ("EER", bootstrap.eer(), 0.25),
    ];
    let outside = |rate: &Option<crate::policy::Rate>, planted: f64| {
        rate.is_none_or(|rate| planted < rate.low || planted > rate.high || (rate.value - planted).abs() > 0.03)
    };
    let wrong: Vec<_> = table.iter().filter(|(_, found, planted)| outside(found, *planted)).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    let threshold = bootstrap.threshold(0.1).unwrap();
    assert!((0.58..0.6).contains(&threshold), "{threshold}");
    assert!(bootstrap.fmr(threshold).unwrap().high <= 0.1);
    let next = scores.impostor.iter().find(|score| score.distance > threshold).unwrap().distance;
    assert!(bootstrap.fmr(next).unwrap().high > 0.1, "a greater distance would do");
}

#[test]
fn intervals_contain_the_planted_rate_also_where_persons_differ() {
    // An impostor distance is 0.5, plus a uniform part, plus two uniform shifts of at most 0.5. The rate at 1 is the
    // volume of a corner of a box: (0.5)^3 / (6 * 0.5 * 0.5).
    let rate = 0.5_f64.powi(3) / 6.0 / 0.25;
    let (mut dice, trials) = (Dice::new(11), 200);
    let mut binomial = 0;
    let inside = (0..trials).filter(|trial| {
        let scores = planted(&mut dice, 40, 2, 0.5);
        let resamples = Resamples::new(40, 200, *trial);
        let found = Bootstrap::new(&scores, &resamples).fmr(1.0).unwrap();
        let naive = wilson(found.value, scores.impostor.len() as f64);
        binomial += usize::from(naive[0] <= rate && rate <= naive[1]);
        found.low <= rate && rate <= found.high
    });
    let inside = inside.count();
    assert!((180..=200).contains(&inside), "{inside} of {trials} intervals contain {rate}");
    assert!(binomial < 140, "comparisons taken as independent: {binomial} of {trials}");
}

#[test]
fn no_error_seen_is_no_error_rate_of_zero() {
    let score = |a, b, distance| Score { persons: [a, b], distance };
    let scores = Scores::new(vec![score(0, 0, 0.1), score(1, 1, 0.2), score(0, 1, 0.9)]);
    let resamples = Resamples::new(2, 100, 3);
    let bootstrap = Bootstrap::new(&scores, &resamples);
    let fmr = bootstrap.fmr(0.5).unwrap();
    assert!(fmr.value == 0.0 && fmr.value.is_sign_positive() && fmr.low == 0.0 && fmr.high > 0.7, "{fmr:?}");
    assert_eq!(bootstrap.threshold(0.1), None);
    let odd = Scores::new(vec![score(0, 0, f64::NAN), score(1, 1, 0.2), score(0, 1, f64::NAN)]);
    let bootstrap = Bootstrap::new(&odd, &resamples);
    assert_eq!((bootstrap.fmr(2.0).unwrap().value, bootstrap.fnmr(2.0).unwrap().value), (0.0, 0.5));
    assert_eq!(odd.curve().len(), 2);
    let alone = scores.among(|person| person == 0);
    let bootstrap = Bootstrap::new(&alone, &resamples);
    assert_eq!((alone.counts(), bootstrap.fmr(0.5), bootstrap.eer()), ([1, 0], None, None));
    assert!(bootstrap.fnmr(0.5).is_some());
}

#[test]
fn each_pair_is_chosen_once_and_a_sample_takes_each_with_the_same_chance() {
    let persons = [0, 0, 0, 1, 2, 2];
    let [genuine, impostor] = pairs(&persons, 100, 7);
    assert_eq!((genuine.of, genuine.chosen), (4, vec![[0, 1], [0, 2], [1, 2], [4, 5]]));
    let distinct: BTreeSet<_> = impostor.chosen.iter().copied().collect();
    assert_eq!((impostor.of, impostor.chosen.len(), distinct.len()), (11, 11, 11));
    assert!(impostor.chosen.iter().all(|[a, b]| a < b && persons[*a] != persons[*b]));
    let mut drawn = std::collections::BTreeMap::<[usize; 2], usize>::new();
    for seed in 0..1100 {
        let [_, sample] = pairs(&persons, 4, seed);
        let distinct: BTreeSet<_> = sample.chosen.iter().copied().collect();
        assert_eq!((sample.of, distinct.len()), (11, 4), "seed {seed}");
        distinct.into_iter().for_each(|pair| *drawn.entry(pair).or_default() += 1);
    }
    // The expected count of each of 11 pairs is 400; 5 standard deviations are 80.
    assert!(drawn.len() == 11 && drawn.values().all(|times| (320..480).contains(times)), "{drawn:?}");
    assert_eq!(pairs(&[], 10, 1).map(|pairs| pairs.of), [0, 0]);
}

#[test]
fn a_claim_needs_thirty_expected_errors() {
    let table = [(0.01, 3000, 78), (0.001, 30_000, 246), (1e-4, 300_000, 776), (1e-6, 30_000_000, 7747)];
    let found = table.map(|(rate, ..)| (rate, person_pairs_needed(rate), persons_needed(rate)));
    assert_eq!(found, table);
    assert_eq!(smallest_claim(3000), 0.01);
    assert!(smallest_claim(0) > 1.0);
}
