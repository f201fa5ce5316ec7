//! Random networks for the tests, each from a seed that a failure prints.

use super::{Activation, Builder, Dims, Filter, Fold, KernelSet, Network, Padding, Shape, Tensor, Value};

/// A generator that a printed seed reproduces (SplitMix64).
pub struct Dice(pub u64);

impl Dice {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    /// One of a range.
    pub fn from(&mut self, range: std::ops::RangeInclusive<usize>) -> usize {
        range.start() + self.below(range.end() - range.start() + 1)
    }

    pub fn real(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    pub fn reals(&mut self, n: usize) -> Vec<f32> {
        (0..n).map(|_| self.real()).collect()
    }

    pub fn activation(&mut self, channels: usize) -> Activation {
        match self.below(3) {
            0 => Activation::None,
            1 => Activation::Relu,
            _ => Activation::Prelu(self.reals(channels)),
        }
    }
}

/// A network under construction, with what is known about each value's size.
pub struct RandomNetwork {
    pub dice: Dice,
    pub builder: Builder,
    pub values: Vec<(Value, usize, usize)>,
}

impl RandomNetwork {
    pub fn filter(&mut self, dims: Dims) -> (Vec<u8>, Fold) {
        let spread = (dims.input * dims.h * dims.w) as f32;
        let numbers = self.dice.reals(dims.out * dims.input * dims.h * dims.w);
        let bytes = numbers.iter().flat_map(|number| (number / spread.sqrt()).to_le_bytes()).collect();
        let scale = self.dice.reals(dims.out).iter().map(|number| number + 1.5).collect();
        (bytes, Fold { scale, shift: self.dice.reals(dims.out) })
    }

    pub fn channels(&mut self) -> usize {
        match self.dice.below(4) {
            0 => self.dice.from(1..=7),
            1 => 8 * self.dice.from(1..=9),
            _ => self.dice.from(1..=75),
        }
    }

    /// A random value that was made already, the last more often.
    pub fn any(&mut self) -> (Value, usize, usize) {
        let n = self.values.len();
        let at = if self.dice.below(3) > 0 { n - 1 } else { self.dice.below(n) };
        self.values[at]
    }

    pub fn conv(&mut self, (x, h, w): (Value, usize, usize), out: usize) -> Option<(Value, usize, usize)> {
        let (kh, kw, stride) = [(1, 1, 1), (3, 3, 1), (3, 3, 2), (1, 7, 1), (7, 1, 1), (3, 1, 1), (1, 1, 2), (2, 5, 3)]
            [self.dice.below(8)];
        let dims = Dims { out, input: self.builder.channels(x), h: kh, w: kw };
        let padding = match self.dice.below(3) {
            0 => Padding::default(),
            1 => Padding::same(dims),
            _ => Padding { top: 1, left: 0, bottom: 0, right: self.dice.below(2) },
        };
        let (h, w) = (h + padding.top + padding.bottom, w + padding.left + padding.right);
        let size = (h.checked_sub(kh)? / stride + 1, w.checked_sub(kw)? / stride + 1);
        let (bytes, fold) = self.filter(dims);
        let activation = self.dice.activation(out);
        let filter = Filter::oihw("dense", &bytes, dims);
        Some((self.builder.conv(x, &filter, &fold, stride, padding, &activation).unwrap(), size.0, size.1))
    }

    pub fn depthwise(&mut self, (x, h, w): (Value, usize, usize)) -> Option<(Value, usize, usize)> {
        let (k, stride, pad) = [(3, 1, 1), (3, 2, 1), (5, 1, 0), (3, 1, 0), (2, 3, 1)][self.dice.below(5)];
        let out = self.builder.channels(x);
        let dims = Dims { out, input: 1, h: k, w: k };
        let size = ((h + 2 * pad).checked_sub(k)? / stride + 1, (w + 2 * pad).checked_sub(k)? / stride + 1);
        let (bytes, fold) = self.filter(dims);
        let activation = self.dice.activation(out);
        let filter = Filter::oihw("depthwise", &bytes, dims);
        let padding = Padding::all(pad);
        Some((self.builder.depthwise(x, &filter, &fold, stride, padding, &activation).unwrap(), size.0, size.1))
    }

    pub fn point(&mut self, from: (Value, usize, usize), out: usize) -> (Value, usize, usize) {
        let dims = Dims { out, input: self.builder.channels(from.0), h: 1, w: 1 };
        let (bytes, fold) = self.filter(dims);
        let activation = self.dice.activation(out);
        let filter = Filter::oihw("point", &bytes, dims);
        (self.builder.dense(from.0, &filter, &fold, &activation).unwrap(), from.1, from.2)
    }

    /// Expand, depthwise, project, and now and then a sum.
    pub fn block(&mut self, from: (Value, usize, usize)) -> Option<(Value, usize, usize)> {
        let wide = self.channels();
        let wide = self.point(from, wide);
        let deep = self.depthwise(wide)?;
        let thin = self.builder.channels(from.0);
        let thin = self.point(deep, thin);
        if (thin.1, thin.2) == (from.1, from.2) && self.dice.below(2) > 0 {
            return Some((self.builder.add(thin.0, from.0, &Activation::Relu), thin.1, thin.2));
        }
        Some(thin)
    }

    pub fn join(&mut self, from: (Value, usize, usize)) -> (Value, usize, usize) {
        let (x, h, w) = from;
        let c = self.builder.channels(x);
        let (other, _, _) = self.point(from, c);
        let activation = if self.dice.below(2) > 0 { Activation::Relu } else { Activation::None };
        (self.builder.add_scaled(x, other, self.dice.0 as u8 as f32 / 64.0, &activation), h, w)
    }

    pub fn concat(&mut self, from: (Value, usize, usize)) -> (Value, usize, usize) {
        let (first, second) = (self.channels(), self.channels());
        let (a, b) = (self.point(from, first).0, self.point(from, second).0);
        let (c, _, _) = self.point((a, from.1, from.2), first);
        let parts = [[a, b, c], [from.0, a, a], [c, a, b]][self.dice.below(3)];
        (self.builder.concat(&parts), from.1, from.2)
    }

    pub fn simple(&mut self, (x, h, w): (Value, usize, usize)) -> Option<(Value, usize, usize)> {
        match self.dice.below(4) {
            0 => Some((self.builder.sigmoid(x), h, w)),
            1 => Some((self.builder.relu(x), h, w)),
            2 => {
                let mean = self.builder.global_average(x);
                Some((self.builder.mul_channels(x, mean), h, w))
            }
            _ if h >= 3 && w >= 3 => Some((self.builder.max_pool_3x3_s2(x), (h - 1) / 2, (w - 1) / 2)),
            _ => None,
        }
    }

    pub fn transpose(&mut self, (x, h, w): (Value, usize, usize)) -> Option<(Value, usize, usize)> {
        let out = self.dice.from(1..=40);
        let dims = Dims { out, input: self.builder.channels(x), h: 2, w: 2 };
        let (bytes, fold) = self.filter(dims);
        let activation = self.dice.activation(out);
        let filter = Filter::oihw("transpose", &bytes, dims);
        let value = self.builder.conv_transpose_2x2(x, &filter, &fold, &activation).unwrap();
        (h * w < 600).then_some((value, 2 * h, 2 * w))
    }

    pub fn grow(&mut self) {
        let from = self.any();
        let out = self.channels();
        let made = match self.dice.below(8) {
            0 | 1 => self.conv(from, out),
            2 => self.depthwise(from),
            3 => self.block(from),
            4 => Some(self.join(from)),
            5 => Some(self.concat(from)),
            6 => self.simple(from),
            _ => self.transpose(from),
        };
        self.values.extend(made);
    }
}

/// A random network and an input for it.
pub fn network(set: KernelSet, seed: u64) -> (Network, Shape, Vec<f32>) {
    let mut dice = Dice(seed);
    let shape = Shape { n: dice.from(1..=3), h: dice.from(1..=19), w: dice.from(1..=23), c: dice.from(1..=40) };
    let input = dice.reals(shape.len());
    let builder = Builder::new(set, shape.c);
    let values = vec![(builder.input(), shape.h, shape.w)];
    let mut maker = RandomNetwork { dice, builder, values };
    for _ in 0..maker.dice.from(1..=9) {
        maker.grow();
    }
    let last = maker.any();
    maker.values.push(last);
    let outputs: Vec<Value> = maker.values.iter().rev().take(2).map(|(value, _, _)| *value).collect();
    (maker.builder.finish(&outputs).unwrap(), shape, input)
}

/// The greatest difference, relative to the greatest number of the tensor (at least 1).
pub fn difference(a: &Tensor, b: &Tensor) -> f32 {
    assert_eq!((a.shape, a.data.len()), (b.shape, b.data.len()));
    let greatest = b.data.iter().fold(1.0f32, |greatest, x| greatest.max(x.abs()));
    a.data.iter().zip(&b.data).fold(0.0f32, |worst, (a, b)| worst.max((a - b).abs())) / greatest
}
