//! `likeness bench` measures the CPU time of each network, and of each stage of a comparison.
//!
//! Runs each network and comparison once before measuring. Measures only this thread, and compares with no
//! limit.

use std::collections::BTreeMap;
use std::path::Path;

use likeness::engine::{KernelSet, Network, RunError, Scratch, Shape};
use likeness::examine::{Options, Stage};
use likeness::find::{FAST_SIDE, Mode};
use likeness::models::Role;
use likeness::policy::Policy;
use likeness::verdict;
use rustix::time::{ClockId, clock_gettime};

use super::photograph::{no_answer, read};
use crate::args::Bench;
use crate::bench_report::{BenchReport, ComparisonReport, NetworkReport, StageReport, Times};
use crate::examiner::FullExaminer;
use crate::exit::{Exit, Failure};
use crate::models::{LoadedModels, Unavailable, kernels, name};
use crate::print;
use crate::report::missing;

/// The inputs of the networks: height, width.
const ROWS: [(Role, [usize; 2]); 6] = [
    (Role::Detector, [640, 640]),
    (Role::Detector, [480, 640]),
    (Role::Detector, [768, 1024]),
    (Role::SpoofNear, [80, 80]),
    (Role::SpoofFar, [80, 80]),
    (Role::Embedder, [160, 160]),
];

/// A small network runs more rounds than requested, until this much CPU time has passed.
const LEAST_MS: f64 = 100.0;

/// Runs the command: measures the loaded networks and reports missing ones, with exit code 14 if any is
/// missing.
///
/// # Errors
/// The lock file or a photograph is not valid, or a network failed.
pub fn run(args: &Bench) -> Result<Exit, Failure> {
    let paths = args.first.as_deref().zip(args.second.as_deref());
    let read = |path| Ok::<_, Failure>((path, read(path)?));
    let photographs = paths.map(|(a, b)| Ok::<_, Failure>([read(a)?, read(b)?])).transpose()?;
    let models = LoadedModels::load(&args.weights, &Role::ALL)?;
    let (rounds, mut scratch, kernels) =
        (usize::from(args.rounds), Scratch::default(), kernels(args.weights.kernel.as_deref())?);
    let peak = peak(kernels);
    let mut report = BenchReport {
        kernels: kernels.name(),
        peak_gflops: peak,
        networks: measure(&models, &mut scratch, rounds, peak)?,
        comparisons: Vec::new(),
        not_compared: None,
        models: models.reports(),
        missing: missing(&models),
    };
    match (photographs, models.require(&Role::ALL)) {
        (None, _) => report.not_compared = Some("they need two photographs, `likeness bench A B`"),
        (Some(_), Err(Unavailable::NotLoaded(_))) => report.not_compared = Some("they need all four networks"),
        (Some(_), Err(Unavailable::UnknownEmbedder(_))) => {
            report.not_compared = Some("the embedder is unknown: --accept-embedder SHA256");
        }
        (Some(_), Err(other @ Unavailable::OtherCalibration(_))) => return Err(other.into()),
        (Some(photographs), Ok(())) => report.comparisons = comparisons(&models, &mut scratch, &photographs, rounds)?,
    }
    let exit = if report.missing.is_empty() { Exit::Success } else { Exit::WeightsMissing };
    print::answer(&report, args.json, BenchReport::lines);
    Ok(exit)
}

/// Measures every loaded network on inputs of each size.
fn measure(
    models: &LoadedModels,
    scratch: &mut Scratch,
    rounds: usize,
    peak: f64,
) -> Result<Vec<NetworkReport>, Failure> {
    let loaded = ROWS.into_iter().filter_map(|(role, input)| Some((role, input, models.model(role)?)));
    let report = loaded.map(|(role, input, model)| {
        let (rounds, times, gflops) = time(model.network(), scratch, input, rounds)
            .map_err(|why| Failure::new(Exit::NetworkFailed, format!("{}: {why}", name(role))))?;
        Ok(NetworkReport { role: name(role), input, rounds, times, gflops, percent_of_peak: 100.0 * gflops / peak })
    });
    report.collect()
}

/// Measures a network; returns the number of rounds, their times, and the GFLOP/s of the fastest round.
fn time(
    network: &Network,
    scratch: &mut Scratch,
    [h, w]: [usize; 2],
    rounds: usize,
) -> Result<(usize, Times, f64), RunError> {
    let shape = Shape { n: 1, h, w, c: 3 };
    let input: Vec<f32> = (0..shape.len()).map(|at| (at * 7919 % 251) as f32 / 251.0).collect();
    network.forward(scratch, shape, &input)?;
    let (mut samples, begin) = (Vec::new(), cpu_ms());
    while samples.len() < rounds || cpu_ms() - begin < LEAST_MS {
        let start = cpu_ms();
        network.forward(scratch, shape, &input)?;
        samples.push(cpu_ms() - start);
    }
    let (rounds, times) = (samples.len(), Times::of(samples));
    Ok((rounds, times, 2e-6 * network.multiplications(shape)? as f64 / times.min_ms))
}

/// A photograph's path and bytes.
type File<'p> = (&'p Path, Vec<u8>);

/// Measures a comparison in the modes `exact` and `fast`.
fn comparisons(
    models: &LoadedModels,
    scratch: &mut Scratch,
    photographs: &[File; 2],
    rounds: usize,
) -> Result<Vec<ComparisonReport>, Failure> {
    let modes = [("exact", Mode::Exact), ("fast", Mode::Fast { side: FAST_SIDE })];
    let report = modes.map(|(name, mode)| {
        let options = Options { mode, largest: true, ..Options::default() };
        let examiner = FullExaminer::new(models, Policy::default(), options)?;
        let (times, stages) = compare(&examiner, scratch, photographs, rounds)?;
        Ok(ComparisonReport { mode: name, rounds, times, stages })
    });
    report.into_iter().collect()
}

/// Measures a comparison; returns the times of the whole and of each stage.
fn compare(
    examiner: &FullExaminer,
    scratch: &mut Scratch,
    photographs: &[File; 2],
    rounds: usize,
) -> Result<(Times, Vec<StageReport>), Failure> {
    let mut round = |laps: &mut BTreeMap<Stage, f64>| {
        let start = cpu_ms();
        let mut last = start;
        let mut examine = |(path, bytes): &File| {
            let face = examiner.examine(scratch, bytes, &mut |stage| {
                let now = cpu_ms();
                *laps.entry(stage).or_default() += now - last;
                last = now;
            });
            // The hint may name an option that this command does not have.
            face.map_err(|why| Failure { hint: None, ..no_answer(path, &why) })
        };
        let [a, b] = [examine(&photographs[0])?, examine(&photographs[1])?];
        let decided = verdict::compare(&a, &b, examiner.examiner.policy.threshold);
        decided.map_err(|why| no_answer(photographs[1].0, &why.into()))?;
        Ok::<_, Failure>(cpu_ms() - start)
    };
    round(&mut BTreeMap::new())?;
    let (mut jobs, mut stages) = (Vec::new(), BTreeMap::<Stage, Vec<f64>>::new());
    for _ in 0..rounds {
        let mut laps = BTreeMap::new();
        jobs.push(round(&mut laps)?);
        laps.into_iter().for_each(|(stage, ms)| stages.entry(stage).or_default().push(ms));
    }
    let report = stages.into_iter().map(|(stage, laps)| StageReport { stage: stage.name(), times: Times::of(laps) });
    Ok((Times::of(jobs), report.collect()))
}

/// Measures this core's peak GFLOP/s with these kernels: the best of 20 runs.
fn peak(kernels: KernelSet) -> f64 {
    let once = |_| {
        let start = cpu_ms();
        let operations = kernels.saturate(400_000);
        1e-6 * operations as f64 / (cpu_ms() - start)
    };
    (0..20).map(once).fold(0.0, f64::max)
}

/// Returns the CPU time of this thread, in milliseconds.
fn cpu_ms() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 * 1e-6
}
