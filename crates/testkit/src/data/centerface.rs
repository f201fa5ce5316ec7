//! CenterFace's graph as upstream exported it, with numbers of our own.
//!
//! The walk here mirrors upstream's model; a `fill` gives the content of each tensor, by name.

use super::onnx::{Attribute, Graph, PYTORCH_1_2};
use super::tensor::Tensor;
use crate::random::Random;

/// Gives the numbers of the tensor of that name and shape.
pub type Fill<'f> = &'f mut dyn FnMut(&str, &[usize]) -> Vec<f32>;

/// Channels of the pyramid.
const PYRAMID: usize = 24;
/// The number that PyTorch gave the first value.
const FIRST_VALUE: usize = 363;

/// The properties in which convolutions differ.
#[derive(Clone, Copy)]
struct Conv {
    out: usize,
    side: usize,
    stride: usize,
    relu: bool,
}

/// A value of the graph and its number of channels.
#[derive(Clone)]
struct Edge(String, usize);

struct Net<'f> {
    graph: Graph,
    fill: Fill<'f>,
}

/// The file `centerface.onnx`, filled so.
pub fn file(fill: Fill) -> Vec<u8> {
    let mut net = Net { graph: Graph::starting_at(FIRST_VALUE), fill };
    let steps = net.backbone();
    let pyramid = net.neck(&steps);
    let head = net.head(&pyramid);
    let outputs: Vec<(&str, &[usize])> = head.iter().map(|(name, shape)| (name.as_str(), shape.as_slice())).collect();
    net.graph.finish(&PYTORCH_1_2, ("input.1", &[10, 3, 32, 32]), &outputs)
}

/// A filling with seeded random numbers: every weight affects the output, and no face is recognised.
pub fn seeded(seed: u64) -> impl FnMut(&str, &[usize]) -> Vec<f32> {
    let mut random = Random::new(seed);
    move |name, shape| {
        let count = shape.iter().product();
        match name.rsplit('.').next() {
            // Residual branches are kept small, so that sums of many do not grow.
            Some("weight") if shape.len() == 1 => random.numbers(count, 0.5, 0.2),
            Some("weight") if name.starts_with("head") && !name.contains("feat") => random.numbers(count, 0.0, 0.05),
            Some("weight") => {
                let scale = if name == "backbone.features.0.0.weight" { 1.0 / 64.0 } else { 1.0 };
                let filter = random.filter(count, shape[1..].iter().product());
                filter.into_iter().map(|number| number * scale).collect()
            }
            Some("running_var") => random.numbers(count, 1.0, 0.5),
            _ => random.numbers(count, 0.0, 0.2),
        }
    }
}

impl Net<'_> {
    /// MobileNetV2; its results at strides 4, 8, 16 and 32.
    fn backbone(&mut self) -> [Edge; 4] {
        let at = |index: usize, part: usize| format!("backbone.features.{index}.conv.{part}");
        let first = Conv { out: 32, side: 3, stride: 2, relu: true };
        let x = Edge("input.1".to_owned(), 3);
        let x = self.conv(&x, "backbone.features.0.0", "backbone.features.0.1", first);
        let x = self.depthwise(&x, &at(1, 0), &at(1, 1), 1);
        let mut x = self.conv(&x, &at(1, 3), &at(1, 4), Conv { out: 16, side: 1, stride: 1, relu: false });
        let mut steps = Vec::new();
        // (output channels, stride) of each block that expands six times. A block with stride 1 and
        // unchanged channels adds its input.
        let blocks = [
            (24, 2),
            (24, 1),
            (32, 2),
            (32, 1),
            (32, 1),
            (64, 2),
            (64, 1),
            (64, 1),
            (64, 1),
            (96, 1),
            (96, 1),
            (96, 1),
            (160, 2),
            (160, 1),
            (160, 1),
            (320, 1),
        ];
        for (index, (out, stride)) in blocks.into_iter().enumerate() {
            if stride == 2 && index > 0 {
                steps.push(x.clone());
            }
            x = self.widen(&x, index + 2, out, stride);
        }
        steps.push(x);
        steps.try_into().unwrap_or_else(|_| unreachable!("four steps"))
    }

    fn widen(&mut self, x: &Edge, index: usize, out: usize, stride: usize) -> Edge {
        let at = |part: usize| format!("backbone.features.{index}.conv.{part}");
        let y = self.conv(x, &at(0), &at(1), Conv { out: 6 * x.1, side: 1, stride: 1, relu: true });
        let y = self.depthwise(&y, &at(3), &at(4), stride);
        let y = self.conv(&y, &at(6), &at(7), Conv { out, side: 1, stride: 1, relu: false });
        if stride == 1 && out == x.1 { self.add(x, &y) } else { y }
    }

    /// From the coarsest step to the finest: narrow, double, add the next step.
    fn neck(&mut self, steps: &[Edge; 4]) -> Edge {
        let mut x = self.lateral(&steps[3], 3);
        for index in [2, 1, 0] {
            let up = self.double(&x, index);
            let side = self.lateral(&steps[index], index);
            x = self.add(&up, &side);
        }
        x
    }

    fn lateral(&mut self, x: &Edge, index: usize) -> Edge {
        let at = |part: &str| format!("neck.lateral_layers.{index}.{part}");
        self.conv(x, &at("conv"), &at("bn"), Conv { out: PYRAMID, side: 1, stride: 1, relu: true })
    }

    fn double(&mut self, x: &Edge, index: usize) -> Edge {
        let at = |part: &str| format!("neck.deconv_layers.{index}.{part}");
        let weight = self.tensor(&format!("{}.weight", at("conv")), &[PYRAMID, PYRAMID, 2, 2]);
        let y = self.graph.node("ConvTranspose", &[&x.0, &weight], window(2, 2, 1, 0));
        self.norm(y, &at("bn"), PYRAMID, true)
    }

    /// The four outputs with the shapes that upstream's exporter wrote down.
    fn head(&mut self, x: &Edge) -> [(String, [usize; 4]); 4] {
        let feat = Conv { out: PYRAMID, side: 3, stride: 1, relu: true };
        let x = self.conv(x, "head.feat", "head.feat_bn", feat);
        let heat = self.biased(&x, "head.pos_conv", 1);
        let heat = self.graph.node("Sigmoid", &[&heat], Vec::new());
        let maps = [("head.reg_conv", 2), ("head.off_conv", 2), ("head.lm_conv", 10)];
        let [scale, offset, landmarks] = maps.map(|(name, out)| (self.biased(&x, name, out), [10, out, 8, 8]));
        [(heat, [10, 1, 8, 8]), scale, offset, landmarks]
    }

    fn biased(&mut self, x: &Edge, name: &str, out: usize) -> String {
        let weight = self.tensor(&format!("{name}.weight"), &[out, x.1, 1, 1]);
        let bias = self.tensor(&format!("{name}.bias"), &[out]);
        self.graph.node("Conv", &[&x.0, &weight, &bias], window(1, 1, 1, 0))
    }

    fn conv(&mut self, x: &Edge, name: &str, norm: &str, conv: Conv) -> Edge {
        let Conv { out, side, stride, relu } = conv;
        let weight = self.tensor(&format!("{name}.weight"), &[out, x.1, side, side]);
        let y = self.graph.node("Conv", &[&x.0, &weight], window(side, stride, 1, side / 2));
        self.norm(y, norm, out, relu)
    }

    fn depthwise(&mut self, x: &Edge, name: &str, norm: &str, stride: usize) -> Edge {
        let weight = self.tensor(&format!("{name}.weight"), &[x.1, 1, 3, 3]);
        let y = self.graph.node("Conv", &[&x.0, &weight], window(3, stride, x.1, 1));
        self.norm(y, norm, x.1, true)
    }

    fn norm(&mut self, x: String, name: &str, channels: usize, relu: bool) -> Edge {
        let epsilon = if name.starts_with("neck") { 1e-3 } else { 1e-5 };
        let momentum = if name == "head.feat_bn" { 0.99 } else { 0.9 };
        let parts = ["weight", "bias", "running_mean", "running_var"];
        let [gamma, beta, mean, variance] = parts.map(|part| self.tensor(&format!("{name}.{part}"), &[channels]));
        self.graph.tensor(Tensor::new(format!("{name}.num_batches_tracked"), &[], vec![1000.0]));
        let attributes = vec![Attribute::Float("epsilon", epsilon), Attribute::Float("momentum", momentum)];
        let y = self.graph.node("BatchNormalization", &[&x, &gamma, &beta, &mean, &variance], attributes);
        Edge(if relu { self.graph.node("Relu", &[&y], Vec::new()) } else { y }, channels)
    }

    fn add(&mut self, a: &Edge, b: &Edge) -> Edge {
        Edge(self.graph.node("Add", &[&a.0, &b.0], Vec::new()), a.1)
    }

    fn tensor(&mut self, name: &str, shape: &[usize]) -> String {
        let values = (self.fill)(name, shape);
        self.graph.tensor(Tensor::new(name, shape, values))
    }
}

/// The attributes of a convolution.
fn window(side: usize, stride: usize, group: usize, pad: usize) -> Vec<Attribute> {
    vec![
        Attribute::Ints("dilations", vec![1; 2]),
        Attribute::Int("group", group),
        Attribute::Ints("kernel_shape", vec![side; 2]),
        Attribute::Ints("pads", vec![pad; 4]),
        Attribute::Ints("strides", vec![stride; 2]),
    ]
}
