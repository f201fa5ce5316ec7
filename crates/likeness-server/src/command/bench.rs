//! `likeness bench`: CPU time of each network, and of each stage of a comparison.
//!
//! Each is run once before it is measured. Measures this thread alone; judges nothing.

use std::collections::BTreeMap;
use std::path::Path;

use likeness::engine::{KernelSet, Network, RunError, Scratch, Shape};
use likeness::find::{FAST_SIDE, Finder, Mode};
use likeness::judge::{Judge, Stopped};
use likeness::net::{Detector, Embedder, SpoofV1Se, SpoofV2};
use likeness::pipeline::{Identity, NoAnswer, Options, Stage};
use likeness::spoof::SpoofPair;
use rustix::time::{ClockId, clock_gettime};

use super::compare::BUNDLE;
use super::{no_answer, photograph};
use crate::args::Bench;
use crate::bench_report::{BenchTold, ComparisonTold, NetworkTold, StageTold, Times};
use crate::exit::{Exit, Failure};
use crate::models::{Loader, Role};
use crate::print;

/// The inputs of the networks: height, width.
const ROWS: [(Role, [usize; 2]); 6] = [
    (Role::Detector, [640, 640]),
    (Role::Detector, [480, 640]),
    (Role::Detector, [768, 1024]),
    (Role::SpoofNear, [80, 80]),
    (Role::SpoofFar, [80, 80]),
    (Role::Embedder, [160, 160]),
];

/// A small network is measured more often than asked for: until this much time has passed.
const LEAST_MS: f64 = 100.0;

/// Runs it: measures what is held and tells what is missing, and ends with 14 where anything is.
///
/// # Errors
/// The lock file or a photograph is not right, or a network gave no answer.
pub fn run(args: &Bench) -> Result<Exit, Failure> {
    let paths = args.first.as_deref().zip(args.second.as_deref());
    let read = |path| Ok::<_, Failure>((path, photograph(path)?));
    let photographs = paths.map(|(a, b)| Ok::<_, Failure>([read(a)?, read(b)?])).transpose()?;
    let mut loader = Loader::new(&args.weights)?;
    let mut missing = BTreeMap::new();
    let networks = Networks::load(&mut loader, |role, failure| drop(missing.insert(role.name(), failure.what)));
    let (rounds, mut scratch) = (usize::from(args.rounds), Scratch::default());
    let peak = peak(loader.kernels());
    let mut told = BenchTold {
        kernels: loader.kernels().name(),
        peak_gflops: peak,
        networks: networks.measure(&mut scratch, rounds, peak)?,
        comparisons: Vec::new(),
        not_compared: None,
        models: loader.held,
        missing,
    };
    match (photographs, networks.judge()?) {
        (None, _) => told.not_compared = Some("they need two photographs, `likeness bench A B`"),
        (Some(_), None) => told.not_compared = Some("they need all four networks"),
        (Some(photographs), Some(judge)) => {
            told.comparisons = comparisons(&judge, &mut scratch, &photographs, rounds)?;
        }
    }
    let exit = if told.missing.is_empty() { Exit::Success } else { Exit::WeightsMissing };
    print::answer(&told, args.json, BenchTold::lines);
    Ok(exit)
}

/// The networks that are held.
struct Networks {
    detector: Option<Detector>,
    near: Option<SpoofV2>,
    far: Option<SpoofV1Se>,
    embedder: Option<Embedder>,
}

impl Networks {
    fn load(loader: &mut Loader, mut note: impl FnMut(Role, Failure)) -> Self {
        Self {
            detector: loader.detector().map_err(|failure| note(Role::Detector, failure)).ok(),
            near: loader.near().map_err(|failure| note(Role::SpoofNear, failure)).ok(),
            far: loader.far().map_err(|failure| note(Role::SpoofFar, failure)).ok(),
            embedder: loader.embedder().map_err(|failure| note(Role::Embedder, failure)).ok(),
        }
    }

    fn of(&self, role: Role) -> Option<&Network> {
        match role {
            Role::Detector => self.detector.as_ref().map(Detector::network),
            Role::SpoofNear => self.near.as_ref().map(SpoofV2::network),
            Role::SpoofFar => self.far.as_ref().map(SpoofV1Se::network),
            Role::Embedder => self.embedder.as_ref().map(Embedder::network),
        }
    }

    fn measure(&self, scratch: &mut Scratch, rounds: usize, peak: f64) -> Result<Vec<NetworkTold>, Failure> {
        let held = ROWS.into_iter().filter_map(|(role, input)| Some((role, input, self.of(role)?)));
        let told = held.map(|(role, input, network)| {
            let (rounds, times, gflops) = time(network, scratch, input, rounds)
                .map_err(|why| Failure::new(Exit::NetworkFailed, format!("{}: {why}", role.name())))?;
            Ok(NetworkTold { role: role.name(), input, rounds, times, gflops, percent_of_peak: 100.0 * gflops / peak })
        });
        told.collect()
    }

    /// The judge, where all four are held.
    fn judge(self) -> Result<Option<Judge>, Failure> {
        let Self { detector: Some(detector), near: Some(near), far: Some(far), embedder: Some(embedder) } = self else {
            return Ok(None);
        };
        let finder = Finder::new(detector);
        let identity = Identity::new(embedder, &finder);
        let judge = Judge::new(BUNDLE, finder, SpoofPair::new(near, far), identity);
        judge.map(Some).map_err(|why| Failure::new(Exit::NetworkFailed, NoAnswer::Contract(why).to_string()))
    }
}

/// How many rounds, their times, and the fastest one's GFLOP/s.
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

/// A photograph: its file, its bytes.
type Photograph<'p> = (&'p Path, Vec<u8>);

/// In `exact` and in `fast`.
fn comparisons(
    judge: &Judge,
    scratch: &mut Scratch,
    photographs: &[Photograph; 2],
    rounds: usize,
) -> Result<Vec<ComparisonTold>, Failure> {
    let modes = [("exact", Mode::Exact), ("fast", Mode::Fast { side: FAST_SIDE })];
    let told = modes.map(|(name, mode)| {
        let (times, stages) = compare(judge, scratch, photographs, mode, rounds)
            // The other commands' hints name options that this one has not.
            .map_err(|Stopped { photograph, why }| Failure {
                hint: None,
                ..no_answer(photographs[photograph].0, &why)
            })?;
        Ok(ComparisonTold { mode: name, rounds, times, stages })
    });
    told.into_iter().collect()
}

/// Of the whole, and of each stage.
fn compare(
    judge: &Judge,
    scratch: &mut Scratch,
    [(_, first), (_, second)]: &[Photograph; 2],
    mode: Mode,
    rounds: usize,
) -> Result<(Times, Vec<StageTold>), Stopped> {
    let options = Options { mode, largest: true, ..Options::default() };
    let mut round = |laps: &mut BTreeMap<Stage, f64>| {
        let start = cpu_ms();
        let mut last = start;
        let compared = judge.compare(scratch, [first, second], &options, |_, stage| {
            let now = cpu_ms();
            *laps.entry(stage).or_default() += now - last;
            last = now;
        });
        compared.map(|_| cpu_ms() - start)
    };
    round(&mut BTreeMap::new())?;
    let (mut jobs, mut stages) = (Vec::new(), BTreeMap::<Stage, Vec<f64>>::new());
    for _ in 0..rounds {
        let mut laps = BTreeMap::new();
        jobs.push(round(&mut laps)?);
        laps.into_iter().for_each(|(stage, ms)| stages.entry(stage).or_default().push(ms));
    }
    let told = stages.into_iter().map(|(stage, laps)| StageTold { stage: stage.name(), times: Times::of(laps) });
    Ok((Times::of(jobs), told.collect()))
}

/// This core's GFLOP/s with these kernels: the best of several.
fn peak(kernels: KernelSet) -> f64 {
    let once = |_| {
        let start = cpu_ms();
        let operations = kernels.saturate(400_000);
        1e-6 * operations as f64 / (cpu_ms() - start)
    };
    (0..20).map(once).fold(0.0, f64::max)
}

/// CPU milliseconds of this thread.
fn cpu_ms() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 * 1e-6
}
