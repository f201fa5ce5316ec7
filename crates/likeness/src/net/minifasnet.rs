//! MiniFASNet, the spoof networks of Silent-Face: V2 at scale 2.7 and V1SE at scale 4.0.
//!
//! PyTorch state dicts, bound by key, or ONNX models, bound by their graphs; a file with an unused
//! tensor is refused. The two are types of their own: their widths differ, so neither loads the
//! other's file.

use std::collections::HashSet;

use super::exported;
use super::file::WeightFile;
use super::fold::{BatchNorm, ConvSpec, oihw};
use super::form::Form;
use super::outline::{Conv, ConvKind, Ending, Numbers, Outline, PartId, Then};
use super::refusal::Refusal;
use crate::engine::{Activation, Filter, Fold, KernelSet, Network, RunError, Scratch, Shape};
use crate::selftest::{self, SelfTest};
use crate::weights::onnx::OnnxModel;
use crate::weights::torch::StateDict;
use crate::weights::{WeightError, WeightTensor};

/// Rows and columns of the input.
pub const SIDE: usize = 80;

const EPSILON: f64 = 1e-5;

/// The differences between the two: expanded widths of the blocks, and squeeze-and-excite.
struct Architecture {
    conv_3: [usize; 4],
    conv_4: [usize; 6],
    conv_5: [usize; 2],
    squeeze: bool,
}

const V2: Architecture =
    Architecture { conv_3: [13, 13, 13, 13], conv_4: [231, 52, 26, 77, 26, 26], conv_5: [26, 26], squeeze: false };
const V1SE: Architecture =
    Architecture { conv_3: [13, 26, 13, 52], conv_4: [154, 52, 26, 52, 26, 26], conv_5: [26, 26], squeeze: true };

/// Logits of a spoof network: class 1 is a real face; 0 and 2 are kinds of fakes.
pub type Logits = [f32; 3];

/// MiniFASNetV2, for crops at scale 2.7.
pub struct SpoofV2(Loaded);

/// MiniFASNetV1SE, for crops at scale 4.0.
pub struct SpoofV1Se(Loaded);

struct Loaded {
    network: Network,
    tested: SelfTest,
}

macro_rules! spoof {
    ($name:ident, $plan:ident, $file:literal) => {
        impl $name {
            /// The crop's size in sizes of the face's box.
            pub const SCALE: f64 = if $plan.squeeze { 4.0 } else { 2.7 };

            #[doc = concat!("Loads `", $file, ".pth` or `", $file, ".onnx` and tests it.")]
            ///
            /// # Errors
            /// [`Refusal`] names the tensor, or the answer that is wrong.
            pub fn load(file: WeightFile, kernels: KernelSet) -> Result<Self, Refusal> {
                load(&$plan, file, kernels).map(Self)
            }

            /// The logits of one crop: 80 x 80 x 3 numbers, rows of BGR pixels, each 0 to 255.
            ///
            /// # Errors
            /// [`RunError`]: another length, or an answer that is not finite.
            pub fn logits(&self, scratch: &mut Scratch, bgr: &[f32]) -> Result<Logits, RunError> {
                logits(&self.0.network, scratch, bgr)
            }

            /// The network itself: its work and its layers.
            pub fn network(&self) -> &Network {
                &self.0.network
            }

            /// Returns the result of the self-test that ran when the file was loaded.
            pub fn tested(&self) -> &SelfTest {
                &self.0.tested
            }
        }
    };
}

spoof!(SpoofV2, V2, "2.7_80x80_MiniFASNetV2");
spoof!(SpoofV1Se, V1SE, "4_0_0_80x80_MiniFASNetV1SE");

/// Probabilities of the three classes, in f32.
pub fn softmax(logits: Logits) -> [f32; 3] {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers = logits.map(|logit| (logit - most).exp());
    let sum: f32 = powers.iter().sum();
    powers.map(|power| power / sum)
}

fn load(plan: &Architecture, file: WeightFile, kernels: KernelSet) -> Result<Loaded, Refusal> {
    let digest = file.digest();
    let network = describe(plan, file.into_bytes(), kernels)?;
    let input = selftest::picture(SIDE, SIDE);
    let tested = selftest::judge(digest, || Ok(logits(&network, &mut Scratch::default(), &input)?.to_vec()))?;
    Ok(Loaded { network, tested })
}

fn logits(network: &Network, scratch: &mut Scratch, bgr: &[f32]) -> Result<Logits, RunError> {
    let outputs = network.forward(scratch, Shape { n: 1, h: SIDE, w: SIDE, c: 3 }, bgr)?;
    Ok(std::array::from_fn(|class| outputs[0].data[class]))
}

fn describe(plan: &Architecture, file: Vec<u8>, kernels: KernelSet) -> Result<Network, Refusal> {
    let outline = outline(plan);
    match Form::of(&file) {
        Form::Onnx => return exported::build(&outline, &OnnxModel::read(file)?, Ending::Softmax, kernels),
        other => other.refused(Form::Torch).map_or(Ok(()), Err)?,
    }
    let state = StateDict::read(&file)?;
    let mut used = HashSet::new();
    let network = outline.build(kernels, |_, conv, keys| {
        used.extend(keys.all());
        keys.numbers(&state, conv)
    })?;
    state.only(&used)?;
    Ok(network)
}

/// The network's outline; each convolution with its keys in the state dict.
fn outline(plan: &Architecture) -> Outline<Keys> {
    let (outline, x) = Outline::of_pixels(SIDE);
    let mut maker = MiniFasNetOutline(outline);
    let x = maker.conv(x, "conv1", ConvSpec::square(32, 3, 2, 1), Then::Prelu);
    let x = maker.depthwise(x, "conv2_dw", 1);
    let x = maker.block(x, "conv_23", 103, 64, 2);
    let x = maker.residual(x, "conv_3", &plan.conv_3, plan.squeeze);
    let x = maker.block(x, "conv_34", 231, 128, 2);
    let x = maker.residual(x, "conv_4", &plan.conv_4, plan.squeeze);
    let x = maker.block(x, "conv_45", 308, 128, 2);
    let x = maker.residual(x, "conv_5", &plan.conv_5, plan.squeeze);
    let x = maker.conv(x, "conv_6_sep", ConvSpec::square(512, 1, 1, 0), Then::Prelu);
    let keys = Keys::unit("conv_6_dw", Then::Nothing);
    let x = maker.0.depthwise(x, ConvSpec::square(512, 5, 1, 0), Then::Nothing, keys);
    let x = maker.0.linear(x, 128, Keys { filter: key("linear.weight"), norm: Some(key("bn")), slopes: None });
    maker.0.linear(x, 3, Keys { filter: key("prob.weight"), norm: None, slopes: None });
    maker.0
}

/// The keys of a convolution: its filter, the prefix of its batch norm's keys, its slopes.
struct Keys {
    filter: String,
    norm: Option<String>,
    slopes: Option<String>,
}

/// The parts of a batch norm.
const NORM: [&str; 4] = ["weight", "bias", "running_mean", "running_var"];

impl Keys {
    /// The keys of upstream's unit: a convolution, a batch norm and perhaps slopes.
    fn unit(at: &str, then: Then) -> Self {
        let slopes = (then == Then::Prelu).then(|| key(&format!("{at}.prelu.weight")));
        Self { filter: key(&format!("{at}.conv.weight")), norm: Some(key(&format!("{at}.bn"))), slopes }
    }

    fn all(&self) -> impl Iterator<Item = String> {
        let norm = self.norm.iter().flat_map(|norm| NORM.map(|part| format!("{norm}.{part}")));
        norm.chain([self.filter.clone()]).chain(self.slopes.clone())
    }

    fn numbers<'s>(&self, state: &'s StateDict, conv: &Conv) -> Result<Numbers<'s>, WeightError> {
        let out = conv.spec.out;
        let fold = match &self.norm {
            Some(at) => norm(state, at, out)?,
            None => Fold::none(out),
        };
        let activation = match (&self.slopes, conv.then) {
            (Some(slopes), _) => Activation::Prelu(state.tensor(slopes)?.vector(out)?),
            (None, Then::Relu) => Activation::Relu,
            (None, _) => Activation::None,
        };
        Ok(Numbers { filter: filter(state.tensor(&self.filter)?, conv)?, fold, activation })
    }
}

fn filter<'s>(tensor: &'s WeightTensor, conv: &Conv) -> Result<Filter<'s>, WeightError> {
    let dims = conv.spec.dims(conv.input);
    if conv.kind != ConvKind::Linear {
        return oihw(tensor, dims);
    }
    tensor.shaped(&[dims.out, dims.input])?;
    Ok(Filter::oihw(tensor.name(), tensor.bytes(), dims))
}

fn norm(state: &StateDict, at: &str, channels: usize) -> Result<Fold, WeightError> {
    let part = |index: usize| state.tensor(&format!("{at}.{}", NORM[index]));
    BatchNorm { gamma: Some(part(0)?), beta: part(1)?, mean: part(2)?, variance: part(3)?, epsilon: EPSILON }
        .fold(channels)
}

/// The outline in the making.
struct MiniFasNetOutline(Outline<Keys>);

impl MiniFasNetOutline {
    /// 1x1 expansion, 3x3 depthwise, 1x1 projection without activation.
    fn block(&mut self, x: PartId, at: &str, wide: usize, out: usize, stride: usize) -> PartId {
        let x = self.conv(x, &format!("{at}.conv"), ConvSpec::square(wide, 1, 1, 0), Then::Prelu);
        let x = self.depthwise(x, &format!("{at}.conv_dw"), stride);
        self.conv(x, &format!("{at}.project"), ConvSpec::square(out, 1, 1, 0), Then::Nothing)
    }

    /// Blocks whose results are added to their inputs; the last one has squeeze-and-excite if
    /// `squeeze` is set.
    fn residual(&mut self, x: PartId, at: &str, widths: &[usize], squeeze: bool) -> PartId {
        let mut x = x;
        let out = self.0.channels(x);
        for (index, &wide) in widths.iter().enumerate() {
            let at = format!("{at}.model.{index}");
            let mut y = self.block(x, &at, wide, out, 1);
            if squeeze && index + 1 == widths.len() {
                y = self.squeeze_excite(y, &format!("{at}.se_module"));
            }
            x = self.0.add(x, y);
        }
        x
    }

    fn squeeze_excite(&mut self, x: PartId, at: &str) -> PartId {
        let channels = self.0.channels(x);
        let mean = self.0.average(x);
        let few = self.excite(mean, at, 1, channels / 4, Then::Relu);
        let all = self.excite(few, at, 2, channels, Then::Nothing);
        let factor = self.0.sigmoid(all);
        self.0.gate(x, factor)
    }

    fn excite(&mut self, x: PartId, at: &str, number: usize, out: usize, then: Then) -> PartId {
        let (filter, norm) = (key(&format!("{at}.fc{number}.weight")), key(&format!("{at}.bn{number}")));
        self.0.conv(x, ConvSpec::square(out, 1, 1, 0), then, Keys { filter, norm: Some(norm), slopes: None })
    }

    fn conv(&mut self, x: PartId, at: &str, spec: ConvSpec, then: Then) -> PartId {
        self.0.conv(x, spec, then, Keys::unit(at, then))
    }

    fn depthwise(&mut self, x: PartId, at: &str, stride: usize) -> PartId {
        let spec = ConvSpec::square(self.0.channels(x), 3, stride, 1);
        self.0.depthwise(x, spec, Then::Prelu, Keys::unit(at, Then::Prelu))
    }
}

/// The files were saved from a model on several GPUs, so each key has this prefix.
fn key(name: &str) -> String {
    format!("module.{name}")
}
