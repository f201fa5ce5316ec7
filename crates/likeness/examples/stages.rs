//! CPU time of each stage of comparing two photographs, warm, beside one pass of the detector over
//! 640 x 640 pixels: `stages WEIGHTS_FOLDER EMBEDDER A B`. The photographs are first made 400 x 500.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a tool for a person")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use likeness::engine::{KernelSet, Scratch};
use likeness::find::{Finder, Mode};
use likeness::image::resize::resize;
use likeness::image::{Limits, decode};
use likeness::judge::Judge;
use likeness::net::{Detector, Embedder, SpoofV1Se, SpoofV2, WeightFile};
use likeness::pipeline::{Identity, Options};
use likeness::spoof::SpoofPair;
use rustix::time::{ClockId, clock_gettime};

const ROUNDS: usize = 15;

fn cpu_ms() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn file(folder: &str, name: &str) -> WeightFile {
    WeightFile::new(fs::read(Path::new(folder).join(name)).unwrap())
}

/// A photograph of 400 x 500 pixels, as JPEG.
fn small(path: &str) -> Vec<u8> {
    let image = resize(&decode(&fs::read(path).unwrap(), &Limits::default()).unwrap(), 400, 500);
    let bgr = libjpeg_turbo_rs::PixelFormat::Bgr;
    libjpeg_turbo_rs::Encoder::new(image.data(), 400, 500, bgr).quality(95).encode().unwrap()
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let [_, folder, embedder, first, second] = args.as_slice() else { panic!("stages WEIGHTS EMBEDDER A B") };
    let kernels = KernelSet::best();
    let detector = Detector::load(file(folder, "centerface.onnx"), kernels).unwrap();
    let mut scratch = Scratch::default();
    let canvas = vec![90.0; 640 * 640 * 3];
    let pass = |scratch: &mut Scratch| {
        let start = cpu_ms();
        detector.maps(scratch, 640, 640, &canvas).unwrap();
        cpu_ms() - start
    };
    let unit = median((0..ROUNDS).map(|_| pass(&mut scratch)).collect());
    println!("detector over 640 x 640: {unit:.1} ms");
    let finder = Finder::new(detector);
    let pair = SpoofPair::new(
        SpoofV2::load(file(folder, "2.7_80x80_MiniFASNetV2.pth"), kernels).unwrap(),
        SpoofV1Se::load(file(folder, "4_0_0_80x80_MiniFASNetV1SE.pth"), kernels).unwrap(),
    );
    let identity = Identity::new(Embedder::load(file(folder, embedder), kernels).unwrap(), &finder);
    let judge = Judge::new("stages", finder, pair, identity).unwrap();
    let photographs = [small(first), small(second)];
    for (name, mode) in [("exact", Mode::Exact), ("fast", Mode::Fast { side: 640 })] {
        let options = Options { mode, ..Options::default() };
        let (mut stages, mut jobs) = (BTreeMap::<_, Vec<f64>>::new(), Vec::new());
        for _ in 0..=ROUNDS {
            let (start, mut last) = (cpu_ms(), cpu_ms());
            let mut round = BTreeMap::<_, f64>::new();
            judge
                .compare(&mut scratch, [&photographs[0], &photographs[1]], &options, |_, stage| {
                    let now = cpu_ms();
                    *round.entry(stage).or_default() += now - last;
                    last = now;
                })
                .unwrap();
            jobs.push(cpu_ms() - start);
            round.into_iter().for_each(|(stage, ms)| stages.entry(stage).or_default().push(ms));
        }
        let job = median(jobs);
        println!("{name}: {job:.1} ms, {:.2} passes", job / unit);
        for (stage, values) in stages {
            println!("  {:8} {:6.2} ms", stage.name(), median(values));
        }
    }
}
