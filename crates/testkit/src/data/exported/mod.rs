//! Networks as PyTorch and tf2onnx export them to ONNX, the forms in which DeepFace 0.0.103 opens them.
//!
//! The forms are those that the exporters wrote of the test data's networks (PyTorch 2.15.0, tf2onnx
//! 1.17.0 with TensorFlow 2.21.0): [`EXPORTED`] has what each graph consisted of, and a test holds what
//! is made here against it.

mod embedder;
mod spoof;

pub use embedder::facenet512;
pub use spoof::minifasnet;

use std::collections::{BTreeMap, HashMap, HashSet};

use super::onnx::{Attribute, Exporter, Graph, Stored};
use super::tensor::Tensor;

/// The operators and initializers that exporters wrote, for each network and form.
pub const EXPORTED: &str = include_str!("graphs.txt");

/// How a network is exported.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// PyTorch's older exporter, any number of pictures: batch norms folded where they follow a convolution.
    TorchScript,
    /// The same form without folding, in operator set 11.
    Unfolded,
    /// PyTorch's newer exporter, one picture: batch norms folded everywhere.
    Dynamo,
    /// The same form for any number of pictures.
    DynamoOpen,
    /// tf2onnx.
    Tf2onnx,
}

impl Form {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::TorchScript, Self::Unfolded, Self::Dynamo, Self::DynamoOpen, Self::Tf2onnx];

    fn exporter(self) -> Exporter {
        let (name, format, operators) = match self {
            Self::TorchScript => (["pytorch", "2.15.0"], 8, 17),
            Self::Unfolded => (["pytorch", "2.15.0"], 6, 11),
            Self::Dynamo => (["pytorch", "2.15.0"], 10, 20),
            Self::DynamoOpen => (["pytorch", "2.15.0"], 10, 18),
            Self::Tf2onnx => (["tf2onnx", "1.17.0"], 8, 15),
        };
        Exporter { name, format, operators, lists_weights: false }
    }

    fn is_dynamo(self) -> bool {
        matches!(self, Self::Dynamo | Self::DynamoOpen)
    }
}

/// A file, and what its graph consists of.
pub struct Exported {
    /// The bytes.
    pub file: Vec<u8>,
    /// Operators and initializers, as a line of [`EXPORTED`] has them.
    pub counts: String,
}

/// A batch norm's numbers.
struct Norm {
    gamma: Vec<f32>,
    beta: Vec<f32>,
    mean: Vec<f32>,
    variance: Vec<f32>,
    epsilon: f32,
}

/// A convolution's numbers: filter (out, input, rows, columns) and what follows.
struct Unit {
    filter: Tensor,
    norm: Option<Norm>,
    bias: Option<Vec<f32>>,
    then: Then,
}

enum Then {
    Nothing,
    Relu,
    Prelu(Vec<f32>),
}

/// How a filter is applied.
#[derive(Clone, Copy)]
struct Window {
    stride: usize,
    /// Rows above and below, columns before and after.
    around: [usize; 2],
    group: usize,
}

const PLAIN: Window = Window { stride: 1, around: [0, 0], group: 1 };

struct Writer {
    form: Form,
    graph: Graph,
    side: usize,
    /// Names of initializers that replace others with the same bytes.
    ones: HashMap<usize, String>,
    count: Option<String>,
    shared: BTreeMap<String, String>,
    names: HashSet<String>,
}

impl Writer {
    fn new(form: Form, side: usize) -> (Self, String) {
        let (ones, shared, names) = Default::default();
        let mut writer = Self { form, graph: Graph::starting_at(1), side, ones, count: None, shared, names };
        let x = writer.graph.node("Transpose", &["input"], vec![Attribute::Ints("perm", vec![0, 3, 1, 2])]);
        (writer, x)
    }

    fn store(&mut self, name: &str, shape: &[usize], values: Vec<f32>) -> String {
        assert!(self.names.insert(name.to_owned()), "{name} twice");
        self.graph.store(Stored::floats(&Tensor::new(name, shape, values)))
    }

    /// An initializer of integers, one for all places that need the same.
    fn integers(&mut self, shape: &[usize], all: &[i64]) -> String {
        let key = format!("integers {shape:?} {} {:?}", all.len(), &all[..all.len().min(4)]);
        if let Some(name) = self.shared.get(&key) {
            return name.clone();
        }
        self.shared.insert(key.clone(), key.clone());
        self.graph.store(Stored::integers(key, shape, all))
    }

    fn conv(&mut self, x: &str, unit: &Unit, window: Window) -> String {
        let Window { stride, around: [rows, columns], group } = window;
        let [out, _, h, w] = unit.filter.shape[..] else { panic!("{:?}", unit.filter.shape) };
        let name = unit.filter.name.as_str();
        let mut attributes = vec![
            Attribute::Ints("dilations", vec![1, 1]),
            Attribute::Int("group", group),
            Attribute::Ints("kernel_shape", vec![h, w]),
            Attribute::Ints("strides", vec![stride, stride]),
        ];
        if self.form != Form::Tf2onnx || (rows, columns) != (0, 0) {
            attributes.push(Attribute::Ints("pads", vec![rows, columns, rows, columns]));
        }
        if self.form.is_dynamo() {
            attributes.push(Attribute::Text("auto_pad", "NOTSET"));
        }
        let (mut values, mut bias) = (unit.filter.values.clone(), unit.bias.clone());
        if let (Some(norm), true) = (&unit.norm, self.form != Form::Unfolded) {
            let (scale, shift) = norm.folded();
            let each = values.len() / out;
            values.iter_mut().enumerate().for_each(|(at, value)| *value *= scale[at / each]);
            bias = Some(shift);
        }
        let filter = self.store(name, &unit.filter.shape, values);
        let bias = bias.map(|bias| self.store(&format!("{name}_bias"), &[out], bias));
        let inputs: Vec<&str> = [x, &filter].into_iter().chain(bias.as_deref()).collect();
        let mut y = self.graph.node("Conv", &inputs, attributes);
        if let (Some(norm), Form::Unfolded) = (&unit.norm, self.form) {
            y = self.norm(&y, name, norm);
        }
        match &unit.then {
            Then::Nothing => y,
            Then::Relu => self.graph.node("Relu", &[&y], Vec::new()),
            Then::Prelu(slopes) => self.prelu(&y, name, slopes),
        }
    }

    fn prelu(&mut self, x: &str, name: &str, slopes: &[f32]) -> String {
        let (name, count) = (format!("{name}_slopes"), slopes.len());
        let shape = match self.form {
            Form::Unfolded => vec![count],
            Form::Dynamo | Form::DynamoOpen => vec![1, count, 1, 1],
            _ => vec![count, 1, 1],
        };
        let mut slopes = self.store(&name, &shape, slopes.to_vec());
        if self.form == Form::Unfolded {
            slopes = self.graph.node("Unsqueeze", &[&slopes], vec![Attribute::Ints("axes", vec![1, 2])]);
        }
        self.graph.node("PRelu", &[x, &slopes], Vec::new())
    }

    /// A batch norm as an operator. PyTorch stores equal weights once, where it folds nothing.
    fn norm(&mut self, x: &str, name: &str, norm: &Norm) -> String {
        let count = norm.beta.len();
        let gamma = match self.ones.get(&count).cloned() {
            Some(gamma) if norm.gamma.iter().all(|n| *n == 1.0) => self.graph.node("Identity", &[&gamma], Vec::new()),
            _ => self.store(&format!("{name}_gamma"), &[count], norm.gamma.clone()),
        };
        if norm.gamma.iter().all(|n| *n == 1.0) {
            self.ones.entry(count).or_insert_with(|| gamma.clone());
        }
        let beta = self.store(&format!("{name}_beta"), &[count], norm.beta.clone());
        let mean = self.store(&format!("{name}_mean"), &[count], norm.mean.clone());
        let variance = self.store(&format!("{name}_variance"), &[count], norm.variance.clone());
        let attributes = vec![Attribute::Float("epsilon", norm.epsilon), Attribute::Float("momentum", 0.9)];
        self.graph.node("BatchNormalization", &[x, &gamma, &beta, &mean, &variance], attributes)
    }

    /// A matrix (out, input), and a batch norm behind it.
    fn linear(&mut self, x: &str, matrix: &Tensor, norm: Option<&Norm>) -> String {
        let [out, input] = matrix.shape[..] else { panic!("{:?}", matrix.shape) };
        let name = matrix.name.as_str();
        let turned = || (0..input * out).map(|at| matrix.values[at % out * input + at / out]).collect::<Vec<_>>();
        let y = match self.form {
            Form::Dynamo | Form::DynamoOpen => return self.gemm(x, matrix, norm),
            Form::Unfolded => {
                let weight = self.store(name, &[out, input], matrix.values.clone());
                let turned = self.graph.node("Transpose", &[&weight], vec![Attribute::Ints("perm", vec![1, 0])]);
                self.graph.node("MatMul", &[x, &turned], Vec::new())
            }
            Form::TorchScript | Form::Tf2onnx => {
                let weight = self.store(name, &[input, out], turned());
                self.graph.node("MatMul", &[x, &weight], Vec::new())
            }
        };
        match (norm, self.form) {
            (None, _) => y,
            (Some(norm), Form::Tf2onnx) => {
                let (scale, shift) = norm.folded();
                let scale = self.store(&format!("{name}_scale"), &[out], scale);
                let shift = self.store(&format!("{name}_shift"), &[out], shift);
                let y = self.graph.node("Mul", &[&y, &scale], Vec::new());
                self.graph.node("Add", &[&y, &shift], Vec::new())
            }
            (Some(norm), _) => self.norm(&y, name, norm),
        }
    }

    fn gemm(&mut self, x: &str, matrix: &Tensor, norm: Option<&Norm>) -> String {
        let [out, input] = matrix.shape[..] else { panic!("{:?}", matrix.shape) };
        let name = matrix.name.as_str();
        let mut values = matrix.values.clone();
        let bias = norm.map(|norm| {
            let (scale, shift) = norm.folded();
            values.iter_mut().enumerate().for_each(|(at, value)| *value *= scale[at / input]);
            self.store(&format!("{name}_bias"), &[out], shift)
        });
        let weight = self.store(name, &[out, input], values);
        let inputs: Vec<&str> = [x, &weight].into_iter().chain(bias.as_deref()).collect();
        let attributes = vec![
            Attribute::Int("transB", 1),
            Attribute::Float("alpha", 1.0),
            Attribute::Float("beta", 1.0),
            Attribute::Int("transA", 0),
        ];
        self.graph.node("Gemm", &inputs, attributes)
    }

    /// How many pictures there are, and their numbers, as the newer exporter computes them.
    fn count(&mut self) -> String {
        if let Some(count) = &self.count {
            return count.clone();
        }
        let shape = self.graph.node("Shape", &["input"], vec![Attribute::Int("end", 1), Attribute::Int("start", 0)]);
        let count = self.graph.node("Squeeze", &[&shape], Vec::new());
        let (from, by) = (self.integers(&[], &[0]), self.integers(&[], &[1]));
        let numbers = self.graph.node("Range", &[&from, &count, &by], Vec::new());
        self.count = Some(numbers.clone());
        numbers
    }

    /// The mean of each channel, as a picture of one pixel.
    fn average(&mut self, x: &str, channels: usize) -> String {
        if !self.form.is_dynamo() {
            return self.graph.node("GlobalAveragePool", &[x], Vec::new());
        }
        let axes = self.integers(&[2], &[-1, -2]);
        let keep = vec![Attribute::Int("noop_with_empty_axes", 0), Attribute::Int("keepdims", 1)];
        let mean = self.graph.node("ReduceMean", &[x, &axes], keep);
        let all = self.integers(&[1], &[-1]);
        let row = self.graph.node("Reshape", &[&mean, &all], vec![Attribute::Int("allowzero", 0)]);
        let counted: Vec<i64> = (0i64..).take(channels).collect();
        let mut places = self.integers(&[1, channels, 1, 1], &counted);
        if self.form == Form::DynamoOpen {
            places = self.open_places(&places, channels);
        }
        self.graph.node("Gather", &[&row, &places], vec![Attribute::Int("axis", 0)])
    }

    /// The places of each picture's channels, once for each number of channels.
    fn open_places(&mut self, places: &str, channels: usize) -> String {
        let key = format!("places of {channels}");
        if let Some(name) = self.shared.get(&key) {
            return name.clone();
        }
        let numbers = self.count();
        let length = self.integers(&[], &[i64::try_from(channels).unwrap()]);
        let first = self.graph.node("Mul", &[&numbers, &length], Vec::new());
        let axes = self.integers(&[3], &[1, 2, 3]);
        let first = self.graph.node("Unsqueeze", &[&first, &axes], Vec::new());
        let mut sum = self.graph.node("Add", &[&first, places], Vec::new());
        let zero = self.integers(&[1, 1, 1, 1], &[0]);
        for _ in 0..2 {
            sum = self.graph.node("Add", &[&sum, &zero], Vec::new());
        }
        self.shared.insert(key, sum.clone());
        sum
    }

    /// A single f32 that is stored once for all places that need it.
    fn scalar(&mut self, value: f32) -> String {
        let name = format!("scalar {value}");
        let tensor = Stored::floats(&Tensor::new(name.clone(), &[], vec![value]));
        if !self.form.is_dynamo() && self.form != Form::Tf2onnx {
            return self.graph.node("Constant", &[], vec![Attribute::Value(tensor)]);
        }
        if self.names.insert(name.clone()) { self.graph.store(tensor) } else { name }
    }

    fn constant(&mut self, shape: &[usize], all: &[i64]) -> String {
        self.graph.node("Constant", &[], vec![Attribute::Value(Stored::integers("", shape, all))])
    }

    /// One pixel's channels in a row, as `view(n, -1)` becomes.
    fn viewed(&mut self, x: &str, channels: usize) -> String {
        let zero = || vec![Attribute::Int("axis", 0)];
        let shape = match self.form {
            Form::Dynamo => self.integers(&[2], &[1, -1]),
            Form::DynamoOpen => self.integers(&[2], &[-1, i64::try_from(channels).unwrap()]),
            Form::Unfolded => {
                let numbers = [1, -1].map(|number| self.constant(&[], &[number]));
                let axes = || vec![Attribute::Ints("axes", vec![0])];
                let lists = numbers.map(|number| self.graph.node("Unsqueeze", &[&number], axes()));
                self.graph.node("Concat", &[&lists[0], &lists[1]], zero())
            }
            _ => {
                let shape = self.graph.node("Shape", &[x], Vec::new());
                let first = self.constant(&[], &[0]);
                let count = self.graph.node("Gather", &[&shape, &first], zero());
                let axes = self.constant(&[1], &[0]);
                let count = self.graph.node("Unsqueeze", &[&count, &axes], Vec::new());
                let rest = self.constant(&[1], &[-1]);
                self.graph.node("Concat", &[&count, &rest], zero())
            }
        };
        self.graph.node("Reshape", &[x, &shape], vec![Attribute::Int("allowzero", usize::from(self.form.is_dynamo()))])
    }

    fn finish(self, output: &str, numbers: usize) -> Exported {
        let open = usize::from(matches!(self.form, Form::Unfolded | Form::Dynamo));
        let counts = self.graph.counts();
        let input = ("input", &[open, self.side, self.side, 3][..]);
        let file = self.graph.finish(&self.form.exporter(), input, &[(output, &[open, numbers])]);
        Exported { file, counts }
    }
}

impl Norm {
    /// Its factor and its summand, in f32 as exporters compute them.
    fn folded(&self) -> (Vec<f32>, Vec<f32>) {
        let scale: Vec<f32> =
            self.gamma.iter().zip(&self.variance).map(|(g, v)| g / (v + self.epsilon).sqrt()).collect();
        let shift = self.beta.iter().zip(&self.mean).zip(&scale).map(|((b, m), s)| b - m * s).collect();
        (scale, shift)
    }
}
