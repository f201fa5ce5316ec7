//! Measures the engine: CPU milliseconds, GFLOP/s, percent of this core's measured peak.
//!
//! `engine_bench WEIGHTS [KERNELS]` prints a table, `engine_bench kernels` names the best set. `engine_bench WEIGHTS KERNELS serve` answers
//! lines `NAME H W N ROUNDS FILE` (input: NHWC, little-endian f32) with the CPU seconds of each
//! round, so that a peer
//! can take turns with it in one run; `engine_bench WEIGHTS KERNELS export FOLDER` writes each
//! network as plain layers (JSON and f32), for that peer to build (both: `tools/bench-likeness`).

use std::error::Error;
use std::io::{BufRead, Write};
use std::path::Path;

use likeness::engine::{Activation, ExportedLayer, KernelSet, Network, Scratch, Shape};
use likeness::net::{Detector, Embedder, SpoofV1Se, SpoofV2, WeightFile};
use rustix::time::{ClockId, clock_gettime};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// The networks, by the names that the bench uses.
struct Networks {
    detector: Detector,
    v2: SpoofV2,
    v1se: SpoofV1Se,
    embedder: Embedder,
}

impl Networks {
    fn load(folder: &Path, set: KernelSet) -> Outcome<Self> {
        let file = |name: &str| -> Outcome<WeightFile> { Ok(WeightFile::new(std::fs::read(folder.join(name))?)) };
        Ok(Self {
            detector: Detector::load(file("centerface.onnx")?, set)?,
            v2: SpoofV2::load(file("2.7_80x80_MiniFASNetV2.pth")?, set)?,
            v1se: SpoofV1Se::load(file("4_0_0_80x80_MiniFASNetV1SE.pth")?, set)?,
            embedder: Embedder::load(file("facenet512_synthetic.h5")?, set)?,
        })
    }

    fn named(&self, name: &str) -> Outcome<&Network> {
        match name {
            "centerface" => Ok(self.detector.network()),
            "v2" => Ok(self.v2.network()),
            "v1se" => Ok(self.v1se.network()),
            "facenet512" => Ok(self.embedder.network()),
            _ => Err(format!("no network {name}").into()),
        }
    }
}

/// CPU seconds of this process.
fn cpu() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// The best of several, in GFLOP/s.
fn peak(set: KernelSet) -> f64 {
    let mut best = 0.0f64;
    for _ in 0..20 {
        let start = cpu();
        let operations = set.saturate(400_000);
        best = best.max(operations as f64 / (cpu() - start) * 1e-9);
    }
    best
}

fn shape(h: usize, w: usize, n: usize) -> Shape {
    Shape { n, h, w, c: 3 }
}

/// CPU seconds of each of `rounds` forward passes.
fn time(network: &Network, scratch: &mut Scratch, shape: Shape, rounds: usize, input: &[f32]) -> Outcome<Vec<f64>> {
    let mut seconds = Vec::new();
    for _ in 0..rounds {
        let start = cpu();
        network.forward(scratch, shape, input)?;
        seconds.push(cpu() - start);
    }
    Ok(seconds)
}

fn table(networks: &Networks, set: KernelSet, out: &mut impl Write) -> Outcome<()> {
    let peak = peak(set);
    writeln!(out, "kernels {set}, measured peak of this core {peak:.0} GFLOP/s")?;
    writeln!(out, "{:<22}{:>9}{:>9}{:>9}{:>8}", "network", "min ms", "median", "GFLOP/s", "% peak")?;
    let rows = [
        ("centerface", shape(640, 640, 1), 20),
        ("centerface", shape(480, 640, 1), 20),
        ("centerface", shape(768, 1024, 1), 12),
        ("v2", shape(80, 80, 1), 200),
        ("v1se", shape(80, 80, 1), 200),
        ("facenet512", shape(160, 160, 1), 40),
        ("facenet512", shape(160, 160, 8), 6),
    ];
    let mut scratch = Scratch::default();
    for (name, shape, rounds) in rows {
        let network = networks.named(name)?;
        let input: Vec<f32> = (0..shape.len()).map(|at| (at * 7919 % 251) as f32 / 251.0).collect();
        let mut seconds = time(network, &mut scratch, shape, rounds, &input)?;
        seconds.sort_by(f64::total_cmp);
        let (least, median) = (seconds[0], seconds[seconds.len() / 2]);
        let rate = 2e-9 * network.multiplications(shape)? as f64 / least;
        let title = format!("{name} {}x{} b{}", shape.h, shape.w, shape.n);
        let share = 100.0 * rate / peak;
        writeln!(out, "{title:<22}{:>9.2}{:>9.2}{rate:>9.0}{share:>8.0}", least * 1e3, median * 1e3)?;
    }
    Ok(())
}

fn serve(networks: &Networks, out: &mut impl Write) -> Outcome<()> {
    let mut scratch = Scratch::default();
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split_whitespace().collect();
        let [name, h, w, n, rounds, file] = words[..] else { return Err(format!("not a request: {line}").into()) };
        let shape = shape(h.parse()?, w.parse()?, n.parse()?);
        let bytes = std::fs::read(file)?;
        let input: Vec<f32> =
            bytes.chunks_exact(4).map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])).collect();
        let seconds = time(networks.named(name)?, &mut scratch, shape, rounds.parse()?, &input)?;
        let words: Vec<String> = seconds.iter().map(|seconds| format!("{seconds:.9}")).collect();
        writeln!(out, "{}", words.join(" "))?;
        out.flush()?;
    }
    Ok(())
}

/// NAME.json: the layers; NAME.bin: weights, bias, slopes of each, little-endian f32.
fn export(networks: &Networks, folder: &Path) -> Outcome<()> {
    for name in ["centerface", "v2", "v1se", "facenet512"] {
        let network = networks.named(name)?;
        let (mut layers, mut numbers) = (Vec::new(), Vec::new());
        for layer in network.layers() {
            layers.push(described(&layer));
            let slopes = if let Activation::Prelu(slopes) = &layer.activation { slopes.as_slice() } else { &[] };
            numbers.extend(layer.weights.iter().chain(&layer.bias).chain(slopes).flat_map(|x| x.to_le_bytes()));
        }
        let whole = serde_json::json!({ "layers": layers, "outputs": network.outputs() });
        std::fs::write(folder.join(format!("{name}.json")), whole.to_string())?;
        std::fs::write(folder.join(format!("{name}.bin")), numbers)?;
    }
    Ok(())
}

fn described(layer: &ExportedLayer) -> serde_json::Value {
    let padding = layer.padding;
    let activation = match layer.activation {
        Activation::None => "none",
        Activation::Relu => "relu",
        Activation::Prelu(_) => "prelu",
    };
    serde_json::json!({
        "operator": layer.operator,
        "inputs": layer.inputs,
        "channels": layer.channels,
        "window": [layer.window.0, layer.window.1],
        "stride": layer.stride,
        "pads": [padding.top, padding.left, padding.bottom, padding.right],
        "activation": activation,
        "scale": layer.scale,
        "weights": layer.weights.len(),
        "bias": layer.bias.len(),
    })
}

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments == ["kernels"] {
        writeln!(std::io::stdout(), "{}", KernelSet::best())?;
        return Ok(());
    }
    let folder = arguments.first().ok_or("usage: engine_bench WEIGHTS [KERNELS [serve]]")?;
    let set = match arguments.get(1) {
        Some(name) => KernelSet::named(name).ok_or_else(|| format!("kernel set {name} is not for this machine"))?,
        None => KernelSet::best(),
    };
    let networks = Networks::load(Path::new(folder), set)?;
    let mut out = std::io::stdout().lock();
    match arguments.get(2).map(String::as_str) {
        None => table(&networks, set, &mut out),
        Some("serve") => serve(&networks, &mut out),
        Some("export") => export(&networks, Path::new(arguments.get(3).ok_or("export to which folder?")?)),
        Some(other) => Err(format!("no mode {other}").into()),
    }
}
