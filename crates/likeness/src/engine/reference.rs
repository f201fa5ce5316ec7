//! A simple executor: one loop per dimension, without fusion, with every value kept.
//!
//! Tests compare the fast executor with it. Sums are f32, in the order tap, input channel, from
//! zero, the bias added last; a product is rounded before it is added.

use super::graph::{ConvWindow, Simple, Value};
use super::network::Network;
use super::op::Op;
use super::packed::Packed;
use super::scratch::Tensor;
use super::{RunError, Shape};

/// Runs a network; the caller checks whether the outputs are finite.
pub(crate) fn run(network: &Network, shape: Shape, input: &[f32]) -> Result<Vec<Tensor>, RunError> {
    let shapes = network.shapes(shape)?;
    let mut values = vec![Tensor { shape, data: input.to_vec() }];
    for (node, shape) in network.nodes[1..].iter().zip(&shapes[1..]) {
        let value = apply(&node.op, *shape, &values);
        values.push(value);
    }
    Ok(network.outputs.iter().map(|output| values[output.0].clone()).collect())
}

fn apply(op: &Op, shape: Shape, values: &[Tensor]) -> Tensor {
    let of = |value: &Value| &values[value.0];
    let each = |f: &dyn Fn([usize; 4]) -> f32| Tensor::each(shape, f);
    match op {
        Op::Input => unreachable!("the input is the first node, and only that"),
        Op::Conv { x, packed, window, activation } => {
            each(&|[n, y, x_, c]| activate(*activation, packed, c, dense(of(x), packed, window, [n, y, x_, c])))
        }
        Op::Depthwise { x, packed, window, activation } => {
            each(&|[n, y, x_, c]| activate(*activation, packed, c, depthwise(of(x), packed, window, [n, y, x_, c])))
        }
        Op::ConvTranspose { x, quarters, activation } => each(&|[n, y, x_, c]| {
            let packed = &quarters[y % 2 * 2 + x_ % 2];
            let point = ConvWindow { h: 1, w: 1, stride: 1, padding: super::Padding::default() };
            activate(*activation, packed, c, dense(of(x), packed, &point, [n, y / 2, x_ / 2, c]))
        }),
        Op::Add { a, b, scale, activation } => each(&|at| {
            let sum = of(a).at(at) + scale * of(b).at(at);
            if *activation == Simple::Relu { relu(sum) } else { sum }
        }),
        Op::MulChannels { x, s } => each(&|at| of(x).at(at) * of(s).at([at[0], 0, 0, at[3]])),
        Op::Sigmoid { x } => each(&|at| 1.0 / (1.0 + (-of(x).at(at)).exp())),
        Op::Relu { x } => each(&|at| relu(of(x).at(at))),
        Op::Concat { parts } => each(&|[n, y, x, mut c]| {
            let mut parts = parts.iter().map(of);
            let part = parts.find(|part| {
                let here = c < part.shape.c;
                c -= if here { 0 } else { part.shape.c };
                here
            });
            part.map_or(f32::NAN, |part| part.at([n, y, x, c]))
        }),
        Op::MaxPool { x } => each(&|[n, y, x_, c]| {
            let window = (0..9).map(|k| of(x).at([n, 2 * y + k / 3, 2 * x_ + k % 3, c]));
            window.fold(f32::NEG_INFINITY, |a, b| if b > a || b.is_nan() { b } else { a })
        }),
        Op::GlobalAverage { x } => each(&|[n, _, _, c]| {
            let (h, w) = (of(x).shape.h, of(x).shape.w);
            (0..h * w).map(|k| of(x).at([n, k / w, k % w, c])).sum::<f32>() / (h * w) as f32
        }),
    }
}

fn dense(x: &Tensor, packed: &Packed, window: &ConvWindow, [n, y, x_, c]: [usize; 4]) -> f32 {
    let mut sum = 0.0;
    for tap in 0..packed.taps {
        for input in 0..packed.input {
            sum += packed.at(c, tap, input) * under(x, window, [n, y, x_, input], tap);
        }
    }
    sum + packed.bias[c]
}

fn depthwise(x: &Tensor, packed: &Packed, window: &ConvWindow, [n, y, x_, c]: [usize; 4]) -> f32 {
    let taps = 0..packed.taps;
    let sum = taps.fold(0.0, |sum, tap| sum + packed.at(c, tap, 0) * under(x, window, [n, y, x_, c], tap));
    sum + packed.bias[c]
}

/// The number that lies under a tap of the window; zero outside.
fn under(x: &Tensor, window: &ConvWindow, [n, y, x_, c]: [usize; 4], tap: usize) -> f32 {
    let row = (y * window.stride + tap / window.w).checked_sub(window.padding.top);
    let column = (x_ * window.stride + tap % window.w).checked_sub(window.padding.left);
    match (row, column) {
        (Some(row), Some(column)) if row < x.shape.h && column < x.shape.w => x.at([n, row, column, c]),
        _ => 0.0,
    }
}

fn activate(activation: Simple, packed: &Packed, c: usize, number: f32) -> f32 {
    match activation {
        Simple::None => number,
        Simple::Relu => relu(number),
        Simple::Prelu if number < 0.0 => number * packed.slope[c],
        Simple::Prelu => number,
    }
}

fn relu(number: f32) -> f32 {
    if number < 0.0 { 0.0 } else { number }
}

impl Tensor {
    fn each(shape: Shape, f: &dyn Fn([usize; 4]) -> f32) -> Self {
        let mut data = Vec::with_capacity(shape.len());
        for n in 0..shape.n {
            for y in 0..shape.h {
                for x in 0..shape.w {
                    data.extend((0..shape.c).map(|c| f([n, y, x, c])));
                }
            }
        }
        Self { shape, data }
    }

    pub(crate) fn at(&self, [n, y, x, c]: [usize; 4]) -> f32 {
        let Shape { h, w, c: channels, .. } = self.shape;
        self.data[((n * h + y) * w + x) * channels + c]
    }
}

#[cfg(test)]
mod tests {
    use crate::engine::{Activation, Builder, Dims, Filter, Fold, KernelSet, Padding, Scratch, Shape, Value};

    fn bytes(numbers: &[f32]) -> Vec<u8> {
        numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
    }

    /// Runs a network of one operation on the numbers 1 to h*w.
    fn run(h: usize, w: usize, describe: impl Fn(&mut Builder, Value) -> Value) -> Vec<f32> {
        let mut builder = Builder::new(KernelSet::best(), 1);
        let input = builder.input();
        let output = describe(&mut builder, input);
        let network = builder.finish(&[output]).unwrap();
        let numbers: Vec<f32> = (1..=h * w).map(|n| n as f32).collect();
        let mut scratch = Scratch::default();
        network.forward(&mut scratch, Shape { n: 1, h, w, c: 1 }, &numbers).unwrap()[0].data.clone()
    }

    #[test]
    fn agrees_with_sums_done_by_hand() {
        let ones = bytes(&[1.0; 9]);
        let three = Filter::oihw("three", &ones, Dims { out: 1, input: 1, h: 3, w: 3 });
        let corner = bytes(&[1.0, 2.0, 3.0, 4.0]);
        let up = Filter::oihw("up", &corner, Dims { out: 1, input: 1, h: 2, w: 2 });
        let (fold, none) = (Fold { scale: vec![2.0], shift: vec![-100.0] }, Activation::None);
        let conv = run(3, 3, |b, x| b.conv(x, &three, &fold, 2, Padding::all(1), &Activation::Relu).unwrap());
        assert_eq!(conv, [0.0, 0.0, 0.0, 0.0], "12, 16, 24, 28, doubled, less 100, not negative");
        let slope = Activation::Prelu(vec![0.5]);
        let conv = run(3, 3, |b, x| b.depthwise(x, &three, &fold, 2, Padding::all(1), &slope).unwrap());
        assert_eq!(conv, [-38.0, -34.0, -26.0, -22.0]);
        let conv = run(1, 2, |b, x| b.conv_transpose_2x2(x, &up, &Fold::none(1), &none).unwrap());
        assert_eq!(conv, [1.0, 2.0, 2.0, 4.0, 3.0, 4.0, 6.0, 8.0]);
        assert_eq!(run(1, 2, |b, x| b.add_scaled(x, x, 0.5, &none)), [1.5, 3.0]);
        assert_eq!(run(2, 2, |b, x| b.global_average(x)), [2.5]);
        assert_eq!(run(5, 5, |b, x| b.max_pool_3x3_s2(x)), [13.0, 15.0, 23.0, 25.0]);
        assert_eq!(run(1, 2, |b, x| b.concat(&[x, x])), [1.0, 1.0, 2.0, 2.0]);
        assert_eq!(run(1, 1, |b, x| b.sigmoid(x)), [1.0 / (1.0 + (-1.0f32).exp())]);
        let scaled = run(2, 2, |b, x| {
            let mean = b.global_average(x);
            b.mul_channels(x, mean)
        });
        assert_eq!(scaled, [2.5, 5.0, 7.5, 10.0]);
    }
}
