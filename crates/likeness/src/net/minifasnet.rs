//! MiniFASNet, the spoof networks of Silent-Face: V2 at scale 2.7 and V1SE at scale 4.0.
//!
//! PyTorch state dicts, bound by key; every tensor is taken, or the file is refused. The two are
//! types of their own: their widths and keys differ, so neither loads the other's file.

use super::file::WeightFile;
use super::fold::{BatchNorm, ConvSpec, oihw};
use super::refusal::Refusal;
use crate::engine::{
    Activation, Builder, Dims, Filter, Fold, KernelSet, Network, Padding, RunError, Scratch, Shape, Value,
};
use crate::selftest::{self, SelfTest};
use crate::weights::WeightError;
use crate::weights::torch::StateDict;

/// Rows and columns of the input.
pub const SIDE: usize = 80;

const EPSILON: f64 = 1e-5;

/// What differs between the two: expanded widths of the blocks, and squeeze-and-excite.
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
            /// How many times the face's box the crop is.
            pub const SCALE: f64 = if $plan.squeeze { 4.0 } else { 2.7 };

            #[doc = concat!("Loads `", $file, "` and tests it.")]
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

            /// What the self-test found when the file was loaded.
            pub fn tested(&self) -> &SelfTest {
                &self.0.tested
            }
        }
    };
}

spoof!(SpoofV2, V2, "2.7_80x80_MiniFASNetV2.pth");
spoof!(SpoofV1Se, V1SE, "4_0_0_80x80_MiniFASNetV1SE.pth");

/// Probabilities of the three classes, in f32.
pub fn softmax(logits: Logits) -> [f32; 3] {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers = logits.map(|logit| (logit - most).exp());
    let sum: f32 = powers.iter().sum();
    powers.map(|power| power / sum)
}

fn load(plan: &Architecture, file: WeightFile, kernels: KernelSet) -> Result<Loaded, Refusal> {
    let digest = file.digest();
    let network = describe(plan, &file.into_bytes(), kernels)?;
    let input = selftest::picture(SIDE, SIDE);
    let tested = selftest::judge(digest, || Ok(logits(&network, &mut Scratch::default(), &input)?.to_vec()))?;
    Ok(Loaded { network, tested })
}

fn logits(network: &Network, scratch: &mut Scratch, bgr: &[f32]) -> Result<Logits, RunError> {
    let outputs = network.forward(scratch, Shape { n: 1, h: SIDE, w: SIDE, c: 3 }, bgr)?;
    Ok(std::array::from_fn(|class| outputs[0].data[class]))
}

fn describe(plan: &Architecture, file: &[u8], kernels: KernelSet) -> Result<Network, Refusal> {
    let mut maker = MiniFasNetBuilder { state: StateDict::read(file)?, builder: Builder::new(kernels, 3) };
    let x = maker.builder.input();
    let x = maker.conv_prelu(x, "conv1", ConvSpec::square(32, 3, 2, 1))?;
    let x = maker.depthwise_prelu(x, "conv2_dw", 3, 1)?;
    let x = maker.block(x, "conv_23", 103, 64, 2)?;
    let x = maker.residual(x, "conv_3", &plan.conv_3, plan.squeeze)?;
    let x = maker.block(x, "conv_34", 231, 128, 2)?;
    let x = maker.residual(x, "conv_4", &plan.conv_4, plan.squeeze)?;
    let x = maker.block(x, "conv_45", 308, 128, 2)?;
    let x = maker.residual(x, "conv_5", &plan.conv_5, plan.squeeze)?;
    let x = maker.conv_prelu(x, "conv_6_sep", ConvSpec::square(512, 1, 1, 0))?;
    let x = maker.depthwise(x, "conv_6_dw", 5, 1, 0, &Activation::None)?;
    let norm = maker.norm("bn", 128)?;
    let x = maker.linear(x, "linear.weight", 128, &norm)?;
    let x = maker.linear(x, "prob.weight", 3, &Fold::none(3))?;
    maker.state.finish()?;
    Ok(maker.builder.finish(&[x])?)
}

/// The state dict on its way into the builder.
struct MiniFasNetBuilder<'a> {
    state: StateDict<'a>,
    builder: Builder,
}

impl MiniFasNetBuilder<'_> {
    /// 1x1 expansion, 3x3 depthwise, 1x1 projection without activation.
    fn block(&mut self, x: Value, at: &str, wide: usize, out: usize, stride: usize) -> Result<Value, Refusal> {
        let x = self.conv_prelu(x, &format!("{at}.conv"), ConvSpec::square(wide, 1, 1, 0))?;
        let x = self.depthwise_prelu(x, &format!("{at}.conv_dw"), 3, stride)?;
        let project = ConvSpec::square(out, 1, 1, 0);
        self.conv(x, &format!("{at}.project"), &project, &Activation::None)
    }

    /// Blocks each added to its input; in the last one squeeze-and-excite, if there is any.
    fn residual(&mut self, x: Value, at: &str, widths: &[usize], squeeze: bool) -> Result<Value, Refusal> {
        let mut x = x;
        let out = self.builder.channels(x);
        for (index, &wide) in widths.iter().enumerate() {
            let at = format!("{at}.model.{index}");
            let mut y = self.block(x, &at, wide, out, 1)?;
            if squeeze && index + 1 == widths.len() {
                y = self.squeeze_excite(y, &format!("{at}.se_module"))?;
            }
            x = self.builder.add(x, y, &Activation::None);
        }
        Ok(x)
    }

    fn squeeze_excite(&mut self, x: Value, at: &str) -> Result<Value, Refusal> {
        let channels = self.builder.channels(x);
        let mean = self.builder.global_average(x);
        let few = self.pointwise(mean, &format!("{at}.fc1"), &format!("{at}.bn1"), channels / 4, &Activation::Relu)?;
        let all = self.pointwise(few, &format!("{at}.fc2"), &format!("{at}.bn2"), channels, &Activation::None)?;
        let factor = self.builder.sigmoid(all);
        Ok(self.builder.mul_channels(x, factor))
    }

    fn pointwise(
        &mut self,
        x: Value,
        conv: &str,
        norm: &str,
        out: usize,
        activation: &Activation,
    ) -> Result<Value, Refusal> {
        let fold = self.norm(norm, out)?;
        let tensor = self.state.take(&key(&format!("{conv}.weight")))?;
        let filter = oihw(&tensor, ConvSpec::square(out, 1, 1, 0).dims(self.builder.channels(x)))?;
        Ok(self.builder.conv(x, &filter, &fold, 1, Padding::default(), activation)?)
    }

    fn conv_prelu(&mut self, x: Value, at: &str, spec: ConvSpec) -> Result<Value, Refusal> {
        let slopes = self.slopes(at, spec.out)?;
        self.conv(x, at, &spec, &slopes)
    }

    fn conv(&mut self, x: Value, at: &str, spec: &ConvSpec, activation: &Activation) -> Result<Value, Refusal> {
        let fold = self.norm(&format!("{at}.bn"), spec.out)?;
        let tensor = self.state.take(&key(&format!("{at}.conv.weight")))?;
        let filter = oihw(&tensor, spec.dims(self.builder.channels(x)))?;
        Ok(self.builder.conv(x, &filter, &fold, spec.stride, spec.padding, activation)?)
    }

    fn depthwise_prelu(&mut self, x: Value, at: &str, side: usize, stride: usize) -> Result<Value, Refusal> {
        let slopes = self.slopes(at, self.builder.channels(x))?;
        self.depthwise(x, at, side, stride, side / 2, &slopes)
    }

    fn depthwise(
        &mut self,
        x: Value,
        at: &str,
        side: usize,
        stride: usize,
        padding: usize,
        activation: &Activation,
    ) -> Result<Value, Refusal> {
        let channels = self.builder.channels(x);
        let fold = self.norm(&format!("{at}.bn"), channels)?;
        let tensor = self.state.take(&key(&format!("{at}.conv.weight")))?;
        let filter = oihw(&tensor, Dims { out: channels, input: 1, h: side, w: side })?;
        Ok(self.builder.depthwise(x, &filter, &fold, stride, Padding::all(padding), activation)?)
    }

    fn linear(&mut self, x: Value, at: &str, out: usize, fold: &Fold) -> Result<Value, Refusal> {
        let input = self.builder.channels(x);
        let tensor = self.state.take(&key(at))?;
        tensor.shaped(&[out, input])?;
        let filter = Filter::oihw(tensor.name(), tensor.bytes(), Dims { out, input, h: 1, w: 1 });
        Ok(self.builder.dense(x, &filter, fold, &Activation::None)?)
    }

    fn slopes(&mut self, at: &str, channels: usize) -> Result<Activation, WeightError> {
        Ok(Activation::Prelu(self.state.take(&key(&format!("{at}.prelu.weight")))?.vector(channels)?))
    }

    fn norm(&mut self, at: &str, channels: usize) -> Result<Fold, WeightError> {
        let mut take = |part: &str| self.state.take(&key(&format!("{at}.{part}")));
        let (gamma, beta) = (take("weight")?, take("bias")?);
        let (mean, variance) = (take("running_mean")?, take("running_var")?);
        BatchNorm { gamma: Some(&gamma), beta: &beta, mean: &mean, variance: &variance, epsilon: EPSILON }
            .fold(channels)
    }
}

/// The files were saved from a model on several GPUs, which puts this before each key.
fn key(name: &str) -> String {
    format!("module.{name}")
}
