//! Facenet512, the face embedder: InceptionResNetV1 with 512 outputs, in a Keras file.
//!
//! Bound by order: 245 layers with weights in the order of Keras, which sorts by depth and not by
//! branch. Each layer is checked by the number and shapes of its tensors; names serve in errors only.

use super::file::WeightFile;
use super::fold::{BatchNorm, ConvSpec, hwio};
use super::refusal::Refusal;
use crate::engine::{
    Activation, Builder, Dims, Filter, Fold, KernelSet, Network, Padding, RunError, Scratch, Shape, Value,
};
use crate::selftest::{self, SelfTest};
use crate::weights::keras::{File, Layer};
use crate::weights::{WeightError, WeightTensor};

/// Rows and columns of the input.
pub const SIDE: usize = 160;
/// Numbers of an embedding.
pub const LENGTH: usize = 512;

const EPSILON: f64 = 1e-3;
/// Layers that have weights.
const LAYERS: usize = 245;

/// Facenet512.
pub struct Embedder {
    network: Network,
    tested: SelfTest,
}

impl Embedder {
    /// Loads `facenet512_weights.h5` and tests it.
    ///
    /// # Errors
    /// [`Refusal`] names the tensor, or the answer that is wrong.
    pub fn load(file: WeightFile, kernels: KernelSet) -> Result<Self, Refusal> {
        let digest = file.digest();
        let network = describe(&File::open(file.into_bytes())?, kernels)?;
        let mut input = selftest::picture(SIDE, SIDE);
        input.iter_mut().for_each(|number| *number /= 255.0);
        let tested = selftest::judge(digest, || Ok(sample(run(&network, &mut Scratch::default(), &input)?)))?;
        Ok(Self { network, tested })
    }

    /// The embeddings of n faces, 512 numbers each, one after the other, not normalised.
    /// `bgr` holds n * 160 * 160 * 3 numbers: rows of BGR pixels, each 0 to 1.
    ///
    /// # Errors
    /// [`RunError`]: another length, or an answer that is not finite.
    pub fn embed<'s>(&self, scratch: &'s mut Scratch, bgr: &[f32]) -> Result<&'s [f32], RunError> {
        run(&self.network, scratch, bgr)
    }

    /// The network itself: its work and its layers.
    #[must_use]
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// What the self-test found when the file was loaded.
    #[must_use]
    pub fn tested(&self) -> &SelfTest {
        &self.tested
    }
}

/// What the self-test looks at: the means of eight numbers each, less noisy than each of them.
fn sample(embedding: &[f32]) -> Vec<f32> {
    embedding.chunks(8).map(|eight| eight.iter().sum::<f32>() / 8.0).collect()
}

fn run<'s>(network: &Network, scratch: &'s mut Scratch, bgr: &[f32]) -> Result<&'s [f32], RunError> {
    let n = bgr.len() / (SIDE * SIDE * 3);
    Ok(&network.forward(scratch, Shape { n, h: SIDE, w: SIDE, c: 3 }, bgr)?[0].data)
}

fn describe(file: &File, kernels: KernelSet) -> Result<Network, Refusal> {
    let layers = file.layers()?;
    if layers.len() != LAYERS {
        let expected = format!("{LAYERS} layers with weights");
        return Err(
            WeightError::Layer { layer: "layer_names".into(), expected, found: layers.len().to_string() }.into()
        );
    }
    let mut maker = FacenetBuilder { layers: layers.into_iter(), builder: Builder::new(kernels, 3) };
    let mut x = maker.stem()?;
    for _ in 0..5 {
        x = maker.block35(x)?;
    }
    x = maker.mixed_6a(x)?;
    for _ in 0..10 {
        x = maker.block17(x)?;
    }
    x = maker.mixed_7a(x)?;
    for _ in 0..5 {
        x = maker.block8(x, 0.2, &Activation::Relu)?;
    }
    x = maker.block8(x, 1.0, &Activation::None)?;
    x = maker.bottleneck(x)?;
    Ok(maker.builder.finish(&[x])?)
}

/// A convolution that keeps the size.
fn same(out: usize, h: usize, w: usize) -> ConvSpec {
    ConvSpec { out, h, w, stride: 1, padding: Padding::same(Dims { out, input: 1, h, w }) }
}

fn valid(out: usize, side: usize, stride: usize) -> ConvSpec {
    ConvSpec::square(out, side, stride, 0)
}

/// The layers, in the file's order, on their way into the builder.
struct FacenetBuilder<'a> {
    layers: std::vec::IntoIter<Layer<'a>>,
    builder: Builder,
}

impl<'a> FacenetBuilder<'a> {
    fn stem(&mut self) -> Result<Value, Refusal> {
        let x = self.builder.input();
        let x = self.next_conv(x, valid(32, 3, 2))?;
        let x = self.next_conv(x, valid(32, 3, 1))?;
        let x = self.next_conv(x, same(64, 3, 3))?;
        let x = self.builder.max_pool_3x3_s2(x);
        let x = self.next_conv(x, valid(80, 1, 1))?;
        let x = self.next_conv(x, valid(192, 3, 1))?;
        self.next_conv(x, valid(256, 3, 2))
    }

    /// Three branches: 1x1; 1x1 and 3x3; 1x1, 3x3 and 3x3.
    fn block35(&mut self, x: Value) -> Result<Value, Refusal> {
        let [c2a, n2a, c1a, c2b, n1a, n2b, c0, c1b, c2c, n0, n1b, n2c] = self.take()?;
        let a = self.conv(x, &c0, &n0, same(32, 1, 1))?;
        let b = self.conv(x, &c1a, &n1a, same(32, 1, 1))?;
        let b = self.conv(b, &c1b, &n1b, same(32, 3, 3))?;
        let c = self.conv(x, &c2a, &n2a, same(32, 1, 1))?;
        let c = self.conv(c, &c2b, &n2b, same(32, 3, 3))?;
        let c = self.conv(c, &c2c, &n2c, same(32, 3, 3))?;
        self.up(x, &[a, b, c], 0.17, &Activation::Relu)
    }

    fn mixed_6a(&mut self, x: Value) -> Result<Value, Refusal> {
        let [c1a, n1a, c1b, n1b, c0, c1c, n0, n1c] = self.take()?;
        let a = self.conv(x, &c0, &n0, valid(384, 3, 2))?;
        let b = self.conv(x, &c1a, &n1a, same(192, 1, 1))?;
        let b = self.conv(b, &c1b, &n1b, same(192, 3, 3))?;
        let b = self.conv(b, &c1c, &n1c, valid(256, 3, 2))?;
        let pool = self.builder.max_pool_3x3_s2(x);
        Ok(self.builder.concat(&[a, b, pool]))
    }

    /// Two branches: 1x1; 1x1, 1x7 and 7x1.
    fn block17(&mut self, x: Value) -> Result<Value, Refusal> {
        let [c1a, n1a, c1b, n1b, c0, c1c, n0, n1c] = self.take()?;
        let a = self.conv(x, &c0, &n0, same(128, 1, 1))?;
        let b = self.conv(x, &c1a, &n1a, same(128, 1, 1))?;
        let b = self.conv(b, &c1b, &n1b, same(128, 1, 7))?;
        let b = self.conv(b, &c1c, &n1c, same(128, 7, 1))?;
        self.up(x, &[a, b], 0.1, &Activation::Relu)
    }

    fn mixed_7a(&mut self, x: Value) -> Result<Value, Refusal> {
        let [c2a, n2a, c0a, c1a, c2b, n0a, n1a, n2b, c0b, c1b, c2c, n0b, n1b, n2c] = self.take()?;
        let a = self.conv(x, &c0a, &n0a, same(256, 1, 1))?;
        let a = self.conv(a, &c0b, &n0b, valid(384, 3, 2))?;
        let b = self.conv(x, &c1a, &n1a, same(256, 1, 1))?;
        let b = self.conv(b, &c1b, &n1b, valid(256, 3, 2))?;
        let c = self.conv(x, &c2a, &n2a, same(256, 1, 1))?;
        let c = self.conv(c, &c2b, &n2b, same(256, 3, 3))?;
        let c = self.conv(c, &c2c, &n2c, valid(256, 3, 2))?;
        let pool = self.builder.max_pool_3x3_s2(x);
        Ok(self.builder.concat(&[a, b, c, pool]))
    }

    /// Two branches: 1x1; 1x1, 1x3 and 3x1.
    fn block8(&mut self, x: Value, scale: f32, activation: &Activation) -> Result<Value, Refusal> {
        let [c1a, n1a, c1b, n1b, c0, c1c, n0, n1c] = self.take()?;
        let a = self.conv(x, &c0, &n0, same(192, 1, 1))?;
        let b = self.conv(x, &c1a, &n1a, same(192, 1, 1))?;
        let b = self.conv(b, &c1b, &n1b, same(192, 1, 3))?;
        let b = self.conv(b, &c1c, &n1c, same(192, 3, 1))?;
        self.up(x, &[a, b], scale, activation)
    }

    /// x + scale * (a 1x1 convolution, with bias, of the branches).
    fn up(&mut self, x: Value, branches: &[Value], scale: f32, activation: &Activation) -> Result<Value, Refusal> {
        let [layer] = self.take()?;
        let [kernel, bias] = tensors(&layer, "a kernel and a bias")?;
        let joined = self.builder.concat(branches);
        let out = self.builder.channels(x);
        let dims = Dims { out, input: self.builder.channels(joined), h: 1, w: 1 };
        let fold = Fold::bias(bias.vector(out)?);
        let y = self.builder.conv(joined, &hwio(kernel, dims)?, &fold, 1, Padding::default(), &Activation::None)?;
        Ok(self.builder.add_scaled(x, y, scale, activation))
    }

    fn bottleneck(&mut self, x: Value) -> Result<Value, Refusal> {
        let [dense, norm] = self.take()?;
        let x = self.builder.global_average(x);
        let [kernel] = tensors(&dense, "a kernel")?;
        let input = self.builder.channels(x);
        kernel.shaped(&[input, LENGTH])?;
        let (dims, strides) = (Dims { out: LENGTH, input, h: 1, w: 1 }, Dims { out: 1, input: LENGTH, h: 1, w: 1 });
        let filter = Filter { name: kernel.name(), bytes: kernel.bytes(), dims, strides };
        Ok(self.builder.dense(x, &filter, &fold(&norm, LENGTH)?, &Activation::None)?)
    }

    /// A convolution whose batch norm is the file's next layer.
    fn next_conv(&mut self, x: Value, conv: ConvSpec) -> Result<Value, Refusal> {
        let [kernel, norm] = self.take()?;
        self.conv(x, &kernel, &norm, conv)
    }

    fn conv(&mut self, x: Value, kernel: &Layer, norm: &Layer, conv: ConvSpec) -> Result<Value, Refusal> {
        let [kernel] = tensors(kernel, "a kernel")?;
        let dims = conv.dims(self.builder.channels(x));
        let fold = fold(norm, conv.out)?;
        Ok(self.builder.conv(x, &hwio(kernel, dims)?, &fold, conv.stride, conv.padding, &Activation::Relu)?)
    }

    /// The next layers of the file.
    fn take<const N: usize>(&mut self) -> Result<[Layer<'a>; N], WeightError> {
        let next: Vec<Layer<'a>> = self.layers.by_ref().take(N).collect();
        next.try_into().map_err(|few: Vec<_>| WeightError::Missing { tensor: format!("{} layers", N - few.len()) })
    }
}

/// The tensors of a layer, if there are as many as the network's layer has.
fn tensors<'l, 'a, const N: usize>(
    layer: &'l Layer<'a>,
    expected: &str,
) -> Result<&'l [WeightTensor<'a>; N], WeightError> {
    layer.weights.as_slice().try_into().map_err(|_| WeightError::Layer {
        layer: layer.name.clone(),
        expected: expected.to_owned(),
        found: format!("{} tensors", layer.weights.len()),
    })
}

fn fold(norm: &Layer, channels: usize) -> Result<Fold, WeightError> {
    let [beta, mean, variance] = tensors(norm, "beta, mean and variance")?;
    BatchNorm { gamma: None, beta, mean, variance, epsilon: EPSILON }.fold(channels)
}
