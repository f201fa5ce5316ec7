//! The embedder, exported.

use std::collections::HashMap;

use super::super::onnx::Attribute;
use super::super::tensor::Tensor;
use super::{Exported, Form, Norm, PLAIN, Then, Unit, Window, Writer};

/// Facenet512, of the layers of its Keras file: names and tensors.
pub fn facenet512(layers: Vec<(String, Vec<Tensor>)>, form: Form) -> Exported {
    let (writer, mut x) = Writer::new(form, 160);
    let names = layers.iter().map(|(name, _)| name.clone()).collect();
    let mut maker = Facenet { layers: layers.into_iter().collect(), names, writer };
    x = maker.stem(&x);
    for index in 1..=5 {
        x = maker.block35(&x, index);
    }
    x = maker.mixed_6a(&x);
    for index in 1..=10 {
        x = maker.two(&x, &format!("Block17_{index}_"), 7, 0.1, true);
    }
    x = maker.mixed_7a(&x);
    for index in 1..=6 {
        let (scale, relu) = if index == 6 { (1.0, false) } else { (0.2, true) };
        x = maker.two(&x, &format!("Block8_{index}_"), 3, scale, relu);
    }
    x = maker.writer.average(&x, 1792);
    x = maker.flat(&x);
    let [kernel] = maker.take("Bottleneck");
    let turned = (0..1792 * 512).map(|at| kernel.values[at % 1792 * 512 + at / 1792]).collect();
    let norm = maker.norm("Bottleneck_BatchNorm");
    x = maker.writer.linear(&x, &Tensor::new("Bottleneck", &[512, 1792], turned), Some(&norm));
    maker.writer.finish(&x, 512)
}

struct Facenet {
    layers: HashMap<String, Vec<Tensor>>,
    names: Vec<String>,
    writer: Writer,
}

const HALF: Window = Window { stride: 2, ..PLAIN };

fn same(rows: usize, columns: usize) -> Window {
    Window { around: [rows / 2, columns / 2], ..PLAIN }
}

impl Facenet {
    fn take<const N: usize>(&mut self, name: &str) -> [Tensor; N] {
        let tensors = self.layers.remove(name).unwrap_or_else(|| panic!("{name}"));
        tensors.try_into().unwrap_or_else(|_| panic!("{name}: not {N} tensors"))
    }

    fn norm(&mut self, name: &str) -> Norm {
        let [beta, mean, variance] = self.take(name).map(|tensor| tensor.values);
        Norm { gamma: vec![1.0; beta.len()], beta, mean, variance, epsilon: 1e-3 }
    }

    /// The one layer whose name begins with the first of these parts and has all of them.
    fn found(&self, parts: &[&str]) -> String {
        let right = |name: &&String| {
            name.starts_with(parts[0])
                && parts.iter().all(|part| name.contains(part))
                && !name.ends_with("_BatchNorm")
                && !name.ends_with("_Activation")
        };
        let all: Vec<&String> = self.names.iter().filter(right).collect();
        assert_eq!(all.len(), 1, "{parts:?}: {all:?}");
        all[0].clone()
    }

    /// A convolution with its batch norm and its ReLU.
    fn unit(&mut self, x: &str, parts: &[&str], window: Window) -> String {
        let name = self.found(parts);
        let [kernel] = self.take(&name);
        let norm = Some(self.norm(&format!("{name}_BatchNorm")));
        self.writer.conv(x, &Unit { filter: turned(&name, &kernel), norm, bias: None, then: Then::Relu }, window)
    }

    fn pool(&mut self, x: &str) -> String {
        let window = vec![Attribute::Ints("kernel_shape", vec![3, 3]), Attribute::Ints("strides", vec![2, 2])];
        self.writer.graph.node("MaxPool", &[x], window)
    }

    fn concat(&mut self, parts: &[&str]) -> String {
        self.writer.graph.node("Concat", parts, vec![Attribute::Int("axis", 1)])
    }

    fn stem(&mut self, x: &str) -> String {
        let x = self.unit(x, &["Conv2d_1a_3x3"], HALF);
        let x = self.unit(&x, &["Conv2d_2a_3x3"], PLAIN);
        let x = self.unit(&x, &["Conv2d_2b_3x3"], same(3, 3));
        let x = self.pool(&x);
        let x = self.unit(&x, &["Conv2d_3b_1x1"], PLAIN);
        let x = self.unit(&x, &["Conv2d_4a_3x3"], PLAIN);
        self.unit(&x, &["Conv2d_4b_3x3"], HALF)
    }

    fn block35(&mut self, x: &str, index: usize) -> String {
        let block = format!("Block35_{index}_");
        let a = self.unit(x, &[&block, "Branch_0_Conv2d_1x1"], PLAIN);
        let b = self.unit(x, &[&block, "Branch_1_", "0a_1x1"], PLAIN);
        let b = self.unit(&b, &[&block, "Branch_1_", "0b_3x3"], same(3, 3));
        let c = self.unit(x, &[&block, "Branch_2_", "0a_1x1"], PLAIN);
        let c = self.unit(&c, &[&block, "Branch_2_", "0b_3x3"], same(3, 3));
        let c = self.unit(&c, &[&block, "Branch_2_", "0c_3x3"], same(3, 3));
        self.up(x, &block, &[&a, &b, &c], 0.17, true)
    }

    fn mixed_6a(&mut self, x: &str) -> String {
        let a = self.unit(x, &["Mixed_6a_Branch_0", "1a_3x3"], HALF);
        let b = self.unit(x, &["Mixed_6a_Branch_1", "0a_1x1"], PLAIN);
        let b = self.unit(&b, &["Mixed_6a_Branch_1", "0b_3x3"], same(3, 3));
        let b = self.unit(&b, &["Mixed_6a_Branch_1", "1a_3x3"], HALF);
        let pool = self.pool(x);
        self.concat(&[&a, &b, &pool])
    }

    fn mixed_7a(&mut self, x: &str) -> String {
        let a = self.unit(x, &["Mixed_7a_Branch_0", "0a_1x1"], PLAIN);
        let a = self.unit(&a, &["Mixed_7a_Branch_0", "1a_3x3"], HALF);
        let b = self.unit(x, &["Mixed_7a_Branch_1", "0a_1x1"], PLAIN);
        let b = self.unit(&b, &["Mixed_7a_Branch_1", "1a_3x3"], HALF);
        let c = self.unit(x, &["Mixed_7a_Branch_2", "0a_1x1"], PLAIN);
        let c = self.unit(&c, &["Mixed_7a_Branch_2", "0b_3x3"], same(3, 3));
        let c = self.unit(&c, &["Mixed_7a_Branch_2", "1a_3x3"], HALF);
        let pool = self.pool(x);
        self.concat(&[&a, &b, &c, &pool])
    }

    /// Two branches, the second of long filters; the names of the second branch have slips.
    fn two(&mut self, x: &str, block: &str, long: usize, scale: f32, relu: bool) -> String {
        let a = self.unit(x, &[block, "Branch_0_Conv2d_1x1"], PLAIN);
        let b = self.unit(x, &[block, "0a_1x1"], PLAIN);
        let b = self.unit(&b, &[block, &format!("0b_1x{long}")], same(1, long));
        let b = self.unit(&b, &[block, &format!("0c_{long}x1")], same(long, 1));
        self.up(x, block, &[&a, &b], scale, relu)
    }

    fn up(&mut self, x: &str, block: &str, branches: &[&str], scale: f32, relu: bool) -> String {
        let joined = self.concat(branches);
        let name = format!("{block}Conv2d_1x1");
        let [kernel, bias] = self.take(&name);
        let unit = Unit { filter: turned(&name, &kernel), norm: None, bias: Some(bias.values), then: Then::Nothing };
        let mut y = self.writer.conv(&joined, &unit, PLAIN);
        // Optimizing exporters leave a product with 1 out.
        let kept = matches!(self.writer.form, Form::TorchScript | Form::Unfolded);
        if kept || scale.to_bits() != 1f32.to_bits() {
            let scale = self.writer.scalar(scale);
            y = self.writer.graph.node("Mul", &[&y, &scale], Vec::new());
        }
        let sum = self.writer.graph.node("Add", &[x, &y], Vec::new());
        if relu { self.writer.graph.node("Relu", &[&sum], Vec::new()) } else { sum }
    }

    /// One pixel's channels in a row, as exporters write `flatten`, and Keras' average.
    fn flat(&mut self, x: &str) -> String {
        match self.writer.form {
            Form::TorchScript | Form::Unfolded => {
                self.writer.graph.node("Flatten", &[x], vec![Attribute::Int("axis", 1)])
            }
            Form::Tf2onnx => {
                let axes = self.writer.integers(&[2], &[2, 3]);
                self.writer.graph.node("Squeeze", &[x, &axes], Vec::new())
            }
            Form::Dynamo | Form::DynamoOpen => self.writer.viewed(x, 1792),
        }
    }
}

/// A kernel of Keras (rows, columns, input, out) as ONNX has it.
fn turned(name: &str, kernel: &Tensor) -> Tensor {
    let [h, w, input, out] = kernel.shape[..] else { panic!("{name}: {:?}", kernel.shape) };
    let mut values = vec![0.0; kernel.values.len()];
    for (at, value) in kernel.values.iter().enumerate() {
        let (tap, from, to) = (at / (input * out), at / out % input, at % out);
        values[(to * input + from) * h * w + tap] = *value;
    }
    Tensor::new(name, &[out, input, h, w], values)
}
