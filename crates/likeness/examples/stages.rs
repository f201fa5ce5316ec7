//! CPU time of each stage of comparing two photographs, warm, beside one pass of the detector over
//! 640 x 640 pixels: `stages WEIGHTS_FOLDER EMBEDDER A B`. The photographs are first made 400 x 500.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a tool for a person")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use likeness::engine::{KernelSet, Scratch};
use likeness::examine::{Options, Photograph};
use likeness::find::Mode;
use likeness::image::resize::resize;
use likeness::image::{Limits, decode};
use likeness::models::{Model, Models, Role};
use likeness::net::WeightFile;
use likeness::policy::Policy;
use likeness::verdict;
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
    let names = ["centerface.onnx", "2.7_80x80_MiniFASNetV2.pth", "4_0_0_80x80_MiniFASNetV1SE.pth", embedder.as_str()];
    let (mut models, policy, mut scratch) = (Models::default(), Policy::default(), Scratch::default());
    for (role, name) in Role::ALL.into_iter().zip(names) {
        models.insert(Model::load(role, file(folder, name), KernelSet::best()).unwrap());
    }
    let (finder, spoof) = (models.finder(&policy).unwrap(), models.spoof().unwrap());
    let encoder = models.encoder(models.digest(Role::Embedder)).unwrap();
    let canvas = vec![90.0; 640 * 640 * 3];
    let pass = |scratch: &mut Scratch| {
        let start = cpu_ms();
        finder.detector().maps(scratch, 640, 640, &canvas).unwrap();
        cpu_ms() - start
    };
    let unit = median((0..ROUNDS).map(|_| pass(&mut scratch)).collect());
    println!("detector over 640 x 640: {unit:.1} ms");
    let photographs = [small(first), small(second)];
    for (name, mode) in [("exact", Mode::Exact), ("fast", Mode::Fast { side: 640 })] {
        let options = Options { mode, ..Options::default() };
        let (mut stages, mut jobs) = (BTreeMap::<_, Vec<f64>>::new(), Vec::new());
        for _ in 0..=ROUNDS {
            let (start, mut last) = (cpu_ms(), cpu_ms());
            let mut round = BTreeMap::<_, f64>::new();
            let mut examine = |bytes: &[u8]| {
                let watch = &mut |stage| {
                    let now = cpu_ms();
                    *round.entry(stage).or_default() += now - last;
                    last = now;
                };
                let photograph = Photograph::of(&finder, &mut scratch, bytes, &options, watch).unwrap();
                let examination = photograph.examine(&policy, false, watch).unwrap();
                let judged = examination.with_liveness(&spoof, &policy, &mut scratch, watch).unwrap();
                judged.with_embedding(&encoder, &mut scratch, watch).unwrap()
            };
            let [a, b] = [examine(&photographs[0]), examine(&photographs[1])];
            verdict::compare(&a, &b, policy.threshold).unwrap();
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
