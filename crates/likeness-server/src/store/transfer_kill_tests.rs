//! Kills exports and imports of many persons at seeded moments. The next run must go on, and no person may be lost or
//! stored twice.
//!
//! A moment is a share of the archive's bytes or of the stored persons and a short wait, so the kills are
//! spread over the whole run on any machine. `just transfer` sets [`PERSONS`].

use std::io::{Read as _, Write as _};

use super::crash_tests::{Dice, drive};
use super::suite::{NOW, Place};
use super::transfer_tests::{Aside, everybody, filled};
use super::*;

/// The variable with the number of persons.
const PERSONS: &str = "LIKENESS_PERSONS";

/// The number of times that each command is killed.
const KILLS: usize = 6;

#[test]
fn killed_again_and_again_an_export_and_an_import_lose_nobody_and_double_nobody() {
    if testkit::need::time("killed_again_and_again_an_export_and_an_import_lose_nobody_and_double_nobody") {
        killed(&Place::sqlite(), &Place::sqlite());
    }
}

/// Moves persons from one store to another while each command is killed.
pub fn killed(from: &Place, to: &Place) {
    let persons = std::env::var(PERSONS).map_or(400, |number| number.parse().unwrap());
    let (source, target, whole, aside) = (from.store(), to.store(), Aside::new(), Aside::new());
    filled(&source, persons);
    whole.export(&source, NOW);
    let length = |aside: &Aside| std::fs::metadata(aside.archive("a")).map_or(0, |file| file.len());
    let (mut dice, full) = (Dice(0xA9C4), length(&whole));
    let exported = |share: f64| length(&aside) as f64 >= share * full as f64;
    let exports =
        moments(&mut dice).filter(|at| ended(from, &aside, "export", Some(at.wait), || exported(at.share)).is_none());
    let exports = exports.count();
    assert!(ended(from, &aside, "export", None, || false).is_some());
    assert_eq!(aside.export(&source, NOW), Exported { written: 0, ..whole.export(&source, NOW) });

    let count = || target.read(|rows| rows.row("SELECT count(*) FROM person", &[])?.unwrap().int()).unwrap();
    let (mut imports, mut before) = (0, 0);
    for Moment { share, wait } in moments(&mut dice) {
        let there = || count() as f64 >= share * persons as f64;
        imports += usize::from(ended(to, &aside, "import", Some(wait), there).is_none());
        // Waits for the transaction of the killed process, which PostgreSQL may still commit.
        target.write(|_| Ok(())).unwrap();
        let checked = target.check().unwrap();
        assert!(checked.right() && (before..=persons).contains(&checked.persons), "{before}, {checked:?}");
        before = checked.persons;
    }
    // The last run stores exactly those who are missing.
    assert_eq!(ended(to, &aside, "import", None, || false), Some((persons - before, before)));
    let line = format!("{persons} persons: an export was killed {exports} times, an import {imports} times\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
    assert!(target.check().unwrap().right());
    assert!(everybody(&target, NOW) == everybody(&source, NOW), "other persons arrived");
    assert!(exports >= KILLS - 2 && imports >= KILLS - 2, "{line}");
}

/// When a command is killed.
struct Moment {
    /// The share of the work that is done.
    share: f64,
    /// The time that the command continues, so that most kills occur within a transaction.
    wait: Duration,
}

/// Returns moments in rising order.
fn moments(dice: &mut Dice) -> impl Iterator<Item = Moment> + use<> {
    let mut shares = [(); KILLS].map(|()| dice.roll());
    shares.sort_by(f64::total_cmp);
    let waits = [(); KILLS].map(|()| Duration::from_secs_f64(0.2 * dice.roll()));
    shares.into_iter().zip(waits).map(|(share, wait)| Moment { share, wait })
}

/// Runs a command of the driver; kills it this long after `moment` became true. Returns how many persons an ended import
/// stored and how many it found stored, or zeros for an export; `None` if the command was killed.
fn ended(
    place: &Place,
    aside: &Aside,
    order: &str,
    wait: Option<Duration>,
    moment: impl Fn() -> bool,
) -> Option<(u64, u64)> {
    let order = format!("{order} {} {}", aside.archive("a").display(), aside.key_file().display());
    let mut child = drive(place, &order, &[]);
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if moment() {
            std::thread::sleep(wait.unwrap_or_default());
            child.kill().unwrap();
            break child.wait().unwrap();
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    let numbers = text.lines().find_map(|line| {
        let (stored, already) = line.rsplit_once("imported ")?.1.split_once(" and ")?;
        Some((stored.parse().ok()?, already.parse().ok()?))
    });
    assert!(status.success() || status.code().is_none(), "it failed: {text}");
    status.success().then(|| numbers.unwrap_or_default())
}
