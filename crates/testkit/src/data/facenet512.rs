//! Facenet512 with seeded numbers, in a Keras file of upstream's size, names and order of layers.
//!
//! The network is untrained. The common part of its outputs for all drawn faces is subtracted
//! (`spread`), so that embeddings of different persons are far apart, and those of one person near.

use super::hdf5::{self, Attribute, Object};
use super::spread;
use super::tensor::Tensor;
use crate::random::Random;

/// Numbers of an embedding.
const LENGTH: usize = 512;

/// A convolution within a block: its name, rows and columns, inputs and outputs.
type Conv = (String, [usize; 2], [usize; 2]);

struct Maker {
    random: Random,
    layers: Vec<(String, Vec<Tensor>)>,
    lambdas: usize,
}

/// The file.
pub fn file() -> Vec<u8> {
    with(&Spread { mean: &spread::MEAN, common: &spread::COMMON, square: spread::SQUARE })
}

/// The layers, in the file's order: a name, and tensors.
pub fn layers() -> Vec<(String, Vec<Tensor>)> {
    made(&Spread { mean: &spread::MEAN, common: &spread::COMMON, square: spread::SQUARE })
}

/// The file without this correction, with which `spread` is computed.
pub fn plain_file() -> Vec<u8> {
    with(&Spread { mean: &[0.0; LENGTH], common: &[0.0; LENGTH], square: 1.0 })
}

/// The part that is subtracted from the network's outputs, and the mean square of the rest.
struct Spread<'s> {
    mean: &'s [f32; LENGTH],
    common: &'s [f32; LENGTH],
    square: f32,
}

fn with(spread: &Spread) -> Vec<u8> {
    hdf5::file(root(made(spread)))
}

fn made(spread: &Spread) -> Vec<(String, Vec<Tensor>)> {
    let mut maker = Maker { random: Random::new(512), layers: Vec::new(), lambdas: 0 };
    maker.stem();
    (1..=5).for_each(|index| maker.block35(index));
    maker.mixed_6a();
    (1..=10).for_each(|index| maker.block17(index));
    maker.mixed_7a();
    (1..=6).for_each(|index| maker.block8(index));
    maker.bottleneck(spread);
    maker.layers
}

/// Keras puts each layer's tensors below a group of the layer's name in a group of that name.
fn root(layers: Vec<(String, Vec<Tensor>)>) -> Object {
    let names = layers.iter().map(|(name, _)| name.clone()).collect();
    let attributes = vec![
        Attribute::Texts("layer_names", names),
        Attribute::Text("backend", "tensorflow".to_owned()),
        Attribute::Text("keras_version", "2.2.4".to_owned()),
    ];
    let group = |(name, tensors): (String, Vec<Tensor>)| {
        let listed = tensors.iter().map(|tensor| format!("{name}/{}", tensor.name)).collect();
        let inner: Vec<_> = tensors.into_iter().map(|tensor| (tensor.name.clone(), Object::Dataset(tensor))).collect();
        let members =
            if inner.is_empty() { Vec::new() } else { vec![(name.clone(), Object::Group(Vec::new(), inner))] };
        (name, Object::Group(vec![Attribute::Texts("weight_names", listed)], members))
    };
    Object::Group(attributes, layers.into_iter().map(group).collect())
}

impl Maker {
    fn layer(&mut self, name: impl Into<String>, tensors: Vec<Tensor>) {
        self.layers.push((name.into(), tensors));
    }

    fn bare(&mut self, name: impl Into<String>) {
        self.layer(name, Vec::new());
    }

    /// Convolutions of one depth: all of them, then their batch norms, then their activations.
    fn depth(&mut self, convs: Vec<Conv>) {
        for (name, [rows, columns], [input, out]) in &convs {
            let kernel = self.random.filter(rows * columns * input * out, rows * columns * input);
            self.layer(name, vec![Tensor::new("kernel:0", &[*rows, *columns, *input, *out], kernel)]);
        }
        for (name, _, [_, out]) in &convs {
            self.norm(format!("{name}_BatchNorm"), *out);
        }
        convs.into_iter().for_each(|(name, ..)| self.bare(format!("{name}_Activation")));
    }

    fn norm(&mut self, name: String, channels: usize) {
        let parts = [("beta:0", -0.1, 0.2), ("moving_mean:0", 0.0, 0.1), ("moving_variance:0", 1.0, 0.3)];
        let tensors = parts.map(|(part, middle, spread)| {
            Tensor::new(part, &[channels], self.random.numbers(channels, middle, spread))
        });
        self.layer(name, tensors.to_vec());
    }

    fn stem(&mut self) {
        self.bare("input_1");
        let convs = [
            ("1a", 3, 3, 32),
            ("2a", 3, 32, 32),
            ("2b", 3, 32, 64),
            ("3b", 1, 64, 80),
            ("4a", 3, 80, 192),
            ("4b", 3, 192, 256),
        ];
        for (at, side, input, out) in convs {
            if at == "3b" {
                self.bare("MaxPool_3a_3x3");
            }
            self.depth(vec![(format!("Conv2d_{at}_{side}x{side}"), [side; 2], [input, out])]);
        }
    }

    /// The end of a residual block: the branches together, widened, scaled, added.
    fn up(&mut self, block: &str, input: usize, out: usize) {
        self.bare(format!("{block}_Concatenate"));
        let kernel = self.random.filter(input * out, input);
        let bias = self.random.numbers(out, 0.0, 0.1);
        let tensors = vec![Tensor::new("kernel:0", &[1, 1, input, out], kernel), Tensor::new("bias:0", &[out], bias)];
        self.layer(format!("{block}_Conv2d_1x1"), tensors);
        let number = if self.lambdas == 0 { String::new() } else { format!("_{}", self.lambdas) };
        self.lambdas += 1;
        self.bare(format!("lambda{number}"));
        self.bare(format!("add{number}"));
        if block != "Block8_6" {
            self.bare(format!("{block}_Activation"));
        }
    }

    fn block35(&mut self, index: usize) {
        let block = format!("Block35_{index}");
        let conv = |at: &str, side: usize, input: usize| {
            (format!("{block}_Branch_{at}_{side}x{side}"), [side; 2], [input, 32])
        };
        self.depth(vec![conv("2_Conv2d_0a", 1, 256)]);
        self.depth(vec![conv("1_Conv2d_0a", 1, 256), conv("2_Conv2d_0b", 3, 32)]);
        self.depth(vec![conv("0_Conv2d", 1, 256), conv("1_Conv2d_0b", 3, 32), conv("2_Conv2d_0c", 3, 32)]);
        self.up(&block, 96, 256);
    }

    fn mixed_6a(&mut self) {
        let conv = |at: &str, side: usize, input: usize, out: usize| {
            (format!("Mixed_6a_Branch_{at}_{side}x{side}"), [side; 2], [input, out])
        };
        self.depth(vec![conv("1_Conv2d_0a", 1, 256, 192)]);
        self.depth(vec![conv("1_Conv2d_0b", 3, 192, 192)]);
        self.depth(vec![conv("0_Conv2d_1a", 3, 256, 384), conv("1_Conv2d_1a", 3, 192, 256)]);
        self.bare("Mixed_6a_Branch_2_MaxPool_1a_3x3");
        self.bare("Mixed_6a");
    }

    fn block17(&mut self, index: usize) {
        self.two(&format!("Block17_{index}"), index, 7, [896, 128]);
    }

    fn mixed_7a(&mut self) {
        let conv = |at: &str, side: usize, input: usize, out: usize| {
            (format!("Mixed_7a_Branch_{at}_{side}x{side}"), [side; 2], [input, out])
        };
        self.depth(vec![conv("2_Conv2d_0a", 1, 896, 256)]);
        self.depth(vec![
            conv("0_Conv2d_0a", 1, 896, 256),
            conv("1_Conv2d_0a", 1, 896, 256),
            conv("2_Conv2d_0b", 3, 256, 256),
        ]);
        self.depth(vec![
            conv("0_Conv2d_1a", 3, 256, 384),
            conv("1_Conv2d_1a", 3, 256, 256),
            conv("2_Conv2d_1a", 3, 256, 256),
        ]);
        self.bare("Mixed_7a_Branch_3_MaxPool_1a_3x3");
        self.bare("Mixed_7a");
    }

    fn block8(&mut self, index: usize) {
        let branch = if index == 6 { 1 } else { index };
        self.two(&format!("Block8_{index}"), branch, 3, [1792, 192]);
    }

    /// Two branches, the second (DeepFace numbers it after the block) of long filters.
    fn two(&mut self, block: &str, branch: usize, long: usize, [input, few]: [usize; 2]) {
        let first = format!("{block}_Branch_{branch}_Conv2d");
        self.depth(vec![(format!("{first}_0a_1x1"), [1, 1], [input, few])]);
        self.depth(vec![(format!("{first}_0b_1x{long}"), [1, long], [few, few])]);
        let one = (format!("{block}_Branch_0_Conv2d_1x1"), [1, 1], [input, few]);
        self.depth(vec![one, (format!("{first}_0c_{long}x1"), [long, 1], [few, few])]);
        self.up(block, 2 * few, input);
    }

    /// The last layer, without the common direction; its batch norm, with the mean that is then left.
    fn bottleneck(&mut self, spread: &Spread) {
        self.bare("AvgPool");
        self.bare("Dropout");
        let mut kernel = self.random.filter(1792 * LENGTH, 1792);
        kernel.chunks_exact_mut(LENGTH).for_each(|row| take_off(row, spread.common));
        let mut mean = spread.mean.to_vec();
        take_off(&mut mean, spread.common);
        self.layer("Bottleneck", vec![Tensor::new("kernel:0", &[1792, LENGTH], kernel)]);
        let beta = Tensor::new("beta:0", &[LENGTH], self.random.numbers(LENGTH, 0.0, 0.01));
        let mean = Tensor::new("moving_mean:0", &[LENGTH], mean);
        let variance = Tensor::new("moving_variance:0", &[LENGTH], vec![spread.square; LENGTH]);
        self.layer("Bottleneck_BatchNorm", vec![beta, mean, variance]);
    }
}

/// Subtracts a vector's projection on a direction of length 1.
fn take_off(vector: &mut [f32], direction: &[f32]) {
    let along: f32 = vector.iter().zip(direction).map(|(v, d)| v * d).sum();
    vector.iter_mut().zip(direction).for_each(|(v, d)| *v -= along * d);
}
