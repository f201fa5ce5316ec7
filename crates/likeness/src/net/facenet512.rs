//! Facenet512, the face embedder: InceptionResNetV1 with 512 outputs, in a Keras file or as ONNX.
//!
//! A Keras file is bound by order: 245 layers with weights in the order of Keras, which sorts by depth and not by
//! branch. Each layer is checked by the number and shapes of its tensors; names occur in errors only. An ONNX model is
//! bound by its graph.

use super::exported;
use super::file::WeightFile;
use super::fold::{BatchNorm, ConvSpec, hwio};
use super::form::Form;
use super::outline::{Conv, ConvKind, Ending, Numbers, Outline, PartId, Then};
use super::refusal::Refusal;
use crate::engine::{Activation, Dims, Filter, Fold, KernelSet, Network, Padding, RunError, Scratch, Shape};
use crate::selftest::{self, SelfTest};
use crate::weights::keras::{File, Layer};
use crate::weights::onnx::OnnxModel;
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
    /// Loads `facenet512_weights.h5` or `facenet512_weights.onnx` and tests it.
    ///
    /// # Errors
    /// [`Refusal`] names the tensor, or the answer that is wrong.
    pub fn load(file: WeightFile, kernels: KernelSet) -> Result<Self, Refusal> {
        let digest = file.digest();
        let network = describe(file.into_bytes(), kernels)?;
        let mut input = selftest::picture(SIDE, SIDE);
        input.iter_mut().for_each(|number| *number /= 255.0);
        let tested = selftest::judge(digest, || Ok(sample(run(&network, &mut Scratch::default(), &input)?)))?;
        Ok(Self { network, tested })
    }

    /// The embeddings of n faces, 512 numbers each, one after the other, not normalised.
    /// `bgr` contains n * 160 * 160 * 3 numbers: rows of BGR pixels, each 0 to 1.
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

    /// Returns the result of the self-test that ran when the file was loaded.
    #[must_use]
    pub fn tested(&self) -> &SelfTest {
        &self.tested
    }
}

/// The self-test compares means of eight numbers each, which vary less than single numbers.
fn sample(embedding: &[f32]) -> Vec<f32> {
    embedding.chunks(8).map(|eight| eight.iter().sum::<f32>() / 8.0).collect()
}

fn run<'s>(network: &Network, scratch: &'s mut Scratch, bgr: &[f32]) -> Result<&'s [f32], RunError> {
    let n = bgr.len() / (SIDE * SIDE * 3);
    Ok(&network.forward(scratch, Shape { n, h: SIDE, w: SIDE, c: 3 }, bgr)?[0].data)
}

fn describe(bytes: Vec<u8>, kernels: KernelSet) -> Result<Network, Refusal> {
    let outline = outline();
    match Form::of(&bytes) {
        Form::Onnx => return exported::build(&outline, &OnnxModel::read(bytes)?, Ending::Plain, kernels),
        other => other.refused(Form::Keras).map_or(Ok(()), Err)?,
    }
    let file = File::open(bytes)?;
    let layers = file.layers()?;
    if layers.len() != LAYERS {
        let expected = format!("{LAYERS} layers with weights");
        return Err(
            WeightError::Layer { layer: "layer_names".into(), expected, found: layers.len().to_string() }.into()
        );
    }
    outline.build(kernels, |_, conv, at| at.numbers(&layers, conv))
}

/// A convolution that keeps the size.
fn same(out: usize, h: usize, w: usize) -> ConvSpec {
    ConvSpec { out, h, w, stride: 1, padding: Padding::same(Dims { out, input: 1, h, w }) }
}

fn valid(out: usize, side: usize, stride: usize) -> ConvSpec {
    ConvSpec::square(out, side, stride, 0)
}

/// The network's outline; each convolution with its places in the order of Keras.
fn outline() -> Outline<KerasPlaces> {
    let (outline, x) = Outline::of_pixels(SIDE);
    let mut maker = FacenetOutline { next: 0, outline };
    let mut x = maker.stem(x);
    for _ in 0..5 {
        x = maker.block35(x);
    }
    x = maker.mixed_6a(x);
    for _ in 0..10 {
        x = maker.block17(x);
    }
    x = maker.mixed_7a(x);
    for _ in 0..5 {
        x = maker.block8(x, 0.2, true);
    }
    x = maker.block8(x, 1.0, false);
    maker.bottleneck(x);
    maker.outline
}

/// The numbers of the file's layers that are a convolution and its batch norm.
struct KerasPlaces {
    kernel: usize,
    /// No batch norm if the convolution has a bias.
    norm: Option<usize>,
}

impl KerasPlaces {
    fn numbers<'l>(&self, layers: &'l [Layer], conv: &Conv) -> Result<Numbers<'l>, WeightError> {
        let (layer, out) = (&layers[self.kernel], conv.spec.out);
        let (kernel, fold) = match self.norm {
            Some(norm) => {
                let [kernel] = tensors(layer, "a kernel")?;
                (kernel, fold(&layers[norm], out)?)
            }
            None => {
                let [kernel, bias] = tensors(layer, "a kernel and a bias")?;
                (kernel, Fold::bias(bias.vector(out)?))
            }
        };
        let activation = if conv.then == Then::Relu { Activation::Relu } else { Activation::None };
        Ok(Numbers { filter: filter(kernel, conv)?, fold, activation })
    }
}

fn filter<'l>(kernel: &'l WeightTensor, conv: &Conv) -> Result<Filter<'l>, WeightError> {
    let dims = conv.spec.dims(conv.input);
    if conv.kind != ConvKind::Linear {
        return hwio(kernel, dims);
    }
    kernel.shaped(&[dims.input, dims.out])?;
    let strides = Dims { out: 1, input: dims.out, h: 1, w: 1 };
    Ok(Filter { name: kernel.name(), bytes: kernel.bytes(), dims, strides })
}

/// Builds the outline, and counts the layers in Keras' order.
struct FacenetOutline {
    next: usize,
    outline: Outline<KerasPlaces>,
}

impl FacenetOutline {
    fn stem(&mut self, x: PartId) -> PartId {
        let x = self.next_conv(x, valid(32, 3, 2));
        let x = self.next_conv(x, valid(32, 3, 1));
        let x = self.next_conv(x, same(64, 3, 3));
        let x = self.outline.max_pool(x);
        let x = self.next_conv(x, valid(80, 1, 1));
        let x = self.next_conv(x, valid(192, 3, 1));
        self.next_conv(x, valid(256, 3, 2))
    }

    /// Three branches: 1x1; 1x1 and 3x3; 1x1, 3x3 and 3x3.
    fn block35(&mut self, x: PartId) -> PartId {
        let [c2a, n2a, c1a, c2b, n1a, n2b, c0, c1b, c2c, n0, n1b, n2c] = self.take();
        let a = self.conv(x, [c0, n0], same(32, 1, 1));
        let b = self.conv(x, [c1a, n1a], same(32, 1, 1));
        let b = self.conv(b, [c1b, n1b], same(32, 3, 3));
        let c = self.conv(x, [c2a, n2a], same(32, 1, 1));
        let c = self.conv(c, [c2b, n2b], same(32, 3, 3));
        let c = self.conv(c, [c2c, n2c], same(32, 3, 3));
        self.up(x, &[a, b, c], 0.17, true)
    }

    fn mixed_6a(&mut self, x: PartId) -> PartId {
        let [c1a, n1a, c1b, n1b, c0, c1c, n0, n1c] = self.take();
        let a = self.conv(x, [c0, n0], valid(384, 3, 2));
        let b = self.conv(x, [c1a, n1a], same(192, 1, 1));
        let b = self.conv(b, [c1b, n1b], same(192, 3, 3));
        let b = self.conv(b, [c1c, n1c], valid(256, 3, 2));
        let pool = self.outline.max_pool(x);
        self.outline.concat(&[a, b, pool])
    }

    /// Two branches: 1x1; 1x1, 1x7 and 7x1.
    fn block17(&mut self, x: PartId) -> PartId {
        let [c1a, n1a, c1b, n1b, c0, c1c, n0, n1c] = self.take();
        let a = self.conv(x, [c0, n0], same(128, 1, 1));
        let b = self.conv(x, [c1a, n1a], same(128, 1, 1));
        let b = self.conv(b, [c1b, n1b], same(128, 1, 7));
        let b = self.conv(b, [c1c, n1c], same(128, 7, 1));
        self.up(x, &[a, b], 0.1, true)
    }

    fn mixed_7a(&mut self, x: PartId) -> PartId {
        let [c2a, n2a, c0a, c1a, c2b, n0a, n1a, n2b, c0b, c1b, c2c, n0b, n1b, n2c] = self.take();
        let a = self.conv(x, [c0a, n0a], same(256, 1, 1));
        let a = self.conv(a, [c0b, n0b], valid(384, 3, 2));
        let b = self.conv(x, [c1a, n1a], same(256, 1, 1));
        let b = self.conv(b, [c1b, n1b], valid(256, 3, 2));
        let c = self.conv(x, [c2a, n2a], same(256, 1, 1));
        let c = self.conv(c, [c2b, n2b], same(256, 3, 3));
        let c = self.conv(c, [c2c, n2c], valid(256, 3, 2));
        let pool = self.outline.max_pool(x);
        self.outline.concat(&[a, b, c, pool])
    }

    /// Two branches: 1x1; 1x1, 1x3 and 3x1.
    fn block8(&mut self, x: PartId, scale: f32, relu: bool) -> PartId {
        let [c1a, n1a, c1b, n1b, c0, c1c, n0, n1c] = self.take();
        let a = self.conv(x, [c0, n0], same(192, 1, 1));
        let b = self.conv(x, [c1a, n1a], same(192, 1, 1));
        let b = self.conv(b, [c1b, n1b], same(192, 1, 3));
        let b = self.conv(b, [c1c, n1c], same(192, 3, 1));
        self.up(x, &[a, b], scale, relu)
    }

    /// x + scale * (a 1x1 convolution, with bias, of the branches).
    fn up(&mut self, x: PartId, branches: &[PartId], scale: f32, relu: bool) -> PartId {
        let [kernel] = self.take();
        let joined = self.outline.concat(branches);
        let spec = ConvSpec::square(self.outline.channels(x), 1, 1, 0);
        let y = self.outline.conv(joined, spec, Then::Nothing, KerasPlaces { kernel, norm: None });
        self.outline.add_scaled(x, y, scale, relu)
    }

    fn bottleneck(&mut self, x: PartId) {
        let [kernel, norm] = self.take();
        let x = self.outline.average(x);
        self.outline.linear(x, LENGTH, KerasPlaces { kernel, norm: Some(norm) });
    }

    /// A convolution whose batch norm is the file's next layer.
    fn next_conv(&mut self, x: PartId, spec: ConvSpec) -> PartId {
        let layers = self.take();
        self.conv(x, layers, spec)
    }

    fn conv(&mut self, x: PartId, [kernel, norm]: [usize; 2], spec: ConvSpec) -> PartId {
        self.outline.conv(x, spec, Then::Relu, KerasPlaces { kernel, norm: Some(norm) })
    }

    /// The next layers of the file.
    fn take<const N: usize>(&mut self) -> [usize; N] {
        let first = self.next;
        self.next += N;
        std::array::from_fn(|index| first + index)
    }
}

/// The tensors of a layer, whose number must be the network's.
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
