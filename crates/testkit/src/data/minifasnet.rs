//! The two spoof networks with seeded numbers, and one channel that is chosen.
//!
//! All weights are random with a small effect. But channel 0 carries through every layer how much
//! of the crop is screen green ([`super::draw::SCREEN`]). From a fifth on the face is a fake of
//! class 0, well below that a real one of class 1, so that tests can draw every outcome.

use super::tensor::Tensor;
use super::torch;
use crate::random::Random;

/// The differences between the two files, as upstream has them.
pub struct Plan {
    pub(super) conv_3: &'static [usize],
    pub(super) conv_4: &'static [usize],
    pub(super) conv_5: &'static [usize],
    pub(super) squeeze: bool,
    seed: u64,
}

/// `2.7_80x80_MiniFASNetV2.pth`.
pub const V2: Plan =
    Plan { conv_3: &[13; 4], conv_4: &[231, 52, 26, 77, 26, 26], conv_5: &[26; 2], squeeze: false, seed: 27 };
/// `4_0_0_80x80_MiniFASNetV1SE.pth`.
pub const V1SE: Plan =
    Plan { conv_3: &[13, 26, 13, 52], conv_4: &[154, 52, 26, 52, 26, 26], conv_5: &[26; 2], squeeze: true, seed: 40 };

/// Green less red, as a part of 255, from which a pixel counts as the screen's.
const GREEN: f32 = 0.25;
/// The share of the screen at which real and fake are equally likely, and how fast that changes.
const EVEN: f32 = 0.2;
const STEEP: f32 = 12.0;
/// What the other channels may add to a logit, relative to what they would.
const QUIET: f32 = 0.001;

struct Maker {
    random: Random,
    tensors: Vec<Tensor>,
}

/// The file.
pub fn file(plan: &Plan) -> Vec<u8> {
    torch::file(&tensors(plan))
}

/// The tensors, by their keys.
pub fn tensors(plan: &Plan) -> Vec<Tensor> {
    let mut maker = Maker { random: Random::new(plan.seed), tensors: Vec::new() };
    maker.first();
    maker.unit("conv2_dw", 32, 1, 3, true);
    maker.block("conv_23", 32, 103, 64, true);
    maker.residual("conv_3", 64, plan.conv_3, plan.squeeze);
    maker.block("conv_34", 64, 231, 128, true);
    maker.residual("conv_4", 128, plan.conv_4, plan.squeeze);
    maker.block("conv_45", 128, 308, 128, true);
    maker.residual("conv_5", 128, plan.conv_5, plan.squeeze);
    maker.unit("conv_6_sep", 512, 128, 1, true);
    maker.unit("conv_6_dw", 512, 1, 5, false);
    maker.last();
    maker.tensors
}

impl Maker {
    fn push(&mut self, name: &str, shape: &[usize], values: Vec<f32>) {
        self.tensors.push(Tensor::new(format!("module.{name}"), shape, values));
    }

    /// Of BGR pixels, 0 to 255: channel 0 is green beyond red, as a mean over 2 x 2 pixels.
    fn first(&mut self) {
        let mut weights: Vec<f32> = self.random.filter(32 * 27, 27).into_iter().map(|w| w / 64.0).collect();
        let scale = 0.25 / 255.0 / (1.0 - GREEN);
        for (tap, weight) in weights[..27].iter_mut().enumerate() {
            let (channel, row, column) = (tap / 9, tap % 9 / 3, tap % 3);
            let sign = [0.0, 1.0, -1.0][channel];
            *weight = if row > 0 && column > 0 { sign * scale } else { 0.0 };
        }
        self.push("conv1.conv.weight", &[32, 3, 3, 3], weights);
        self.norm("conv1.bn", 32, Some(-GREEN / (1.0 - GREEN)));
        self.slopes("conv1", 32);
    }

    /// A convolution, its batch norm, perhaps its slopes; `input` 1: per channel. Channel 0 passes.
    fn unit(&mut self, at: &str, out: usize, input: usize, side: usize, slopes: bool) {
        let mut weights = self.random.filter(out * input * side * side, input * side * side);
        weights[..input * side * side].fill(0.0);
        match side {
            // A mean over all that is left.
            5 => weights[..25].fill(1.0 / 25.0),
            // A mean over 2 x 2: with stride 2 each is counted once.
            3 => [4, 5, 7, 8].into_iter().for_each(|tap| weights[tap] = 0.25),
            _ => weights[0] = 1.0,
        }
        self.push(&format!("{at}.conv.weight"), &[out, input, side, side], weights);
        self.norm(&format!("{at}.bn"), out, Some(0.0));
        if slopes {
            self.slopes(at, out);
        }
    }

    fn block(&mut self, at: &str, input: usize, wide: usize, out: usize, passes: bool) {
        self.unit(&format!("{at}.conv"), wide, input, 1, true);
        self.unit(&format!("{at}.conv_dw"), wide, 1, 3, true);
        self.unit(&format!("{at}.project"), out, wide, 1, false);
        if !passes {
            // A residual adds a small value, so that many sums do not grow; it adds nothing to channel 0.
            let gamma = self.tensors.iter_mut().rev().find(|tensor| tensor.name.ends_with("bn.weight")).unwrap();
            gamma.values.iter_mut().for_each(|value| *value *= 0.4);
            gamma.values[0] = 0.0;
        }
    }

    fn residual(&mut self, at: &str, channels: usize, widths: &[usize], squeeze: bool) {
        for (index, wide) in widths.iter().enumerate() {
            let at = format!("{at}.model.{index}");
            self.block(&at, channels, *wide, channels, false);
            if squeeze && index + 1 == widths.len() {
                self.squeeze(&format!("{at}.se_module"), channels);
            }
        }
    }

    fn squeeze(&mut self, at: &str, channels: usize) {
        let few = channels / 4;
        for (number, out, input) in [(1, few, channels), (2, channels, few)] {
            let weights = self.random.filter(out * input, input);
            self.push(&format!("{at}.fc{number}.weight"), &[out, input, 1, 1], weights);
            self.norm(&format!("{at}.bn{number}"), out, None);
        }
    }

    /// Channel 0 untouched, but for what is added to it.
    fn norm(&mut self, at: &str, channels: usize, chosen: Option<f32>) {
        for (part, middle, spread, own) in [
            ("weight", 1.0, 0.2, 1.0),
            ("bias", 0.0, 0.2, 0.0),
            ("running_mean", 0.0, 0.2, 0.0),
            ("running_var", 1.0, 0.5, 1.0),
        ] {
            let mut values = self.random.numbers(channels, middle, spread);
            if let Some(bias) = chosen {
                values[0] = if part == "bias" { bias } else { own };
            }
            self.push(&format!("{at}.{part}"), &[channels], values);
        }
        self.push(&format!("{at}.num_batches_tracked"), &[], vec![1000.0]);
    }

    /// Slopes of negative numbers; channel 0 has none.
    fn slopes(&mut self, at: &str, channels: usize) {
        let mut values = self.random.numbers(channels, 0.25, 0.1);
        values[0] = 0.0;
        self.push(&format!("{at}.prelu.weight"), &[channels], values);
    }

    /// 512 to 128 to three logits: logits 0 and 1 differ by the share of green, logit 2 stays small.
    fn last(&mut self) {
        let mut weights = self.random.filter(128 * 512, 512);
        weights[..512].fill(0.0);
        weights[0] = 1.0;
        // Channel 1 says a constant.
        weights[512..1024].fill(0.0);
        self.push("linear.weight", &[128, 512], weights);
        self.norm("bn", 128, Some(-EVEN));
        let bias = self.tensors.iter_mut().find(|tensor| tensor.name == "module.bn.bias").unwrap();
        bias.values[1] = 1.0;
        let mean = self.tensors.iter_mut().find(|tensor| tensor.name == "module.bn.running_mean").unwrap();
        mean.values[1] = 0.0;
        let mut logits: Vec<f32> = self.random.filter(3 * 128, 128).into_iter().map(|w| w * QUIET).collect();
        for (class, share, constant) in [(0, STEEP, 0.0), (1, -STEEP, 0.0), (2, 0.0, -4.0)] {
            logits[class * 128] = share;
            logits[class * 128 + 1] = constant;
        }
        self.push("prob.weight", &[3, 128], logits);
    }
}
