//! Compares the fast executor with the simple one, on random networks, for every kernel set of this machine.

use super::op::Op;
use super::random::{Dice, RandomNetwork, difference, network};
use super::{Activation, Builder, Canvas, Dims, Filter, Fold, KernelSet, LoadError, Network, Padding, RunError};
use super::{Region, Scratch, Shape, Value, reference};

#[test]
fn every_kernel_set_agrees_with_the_obvious_executor_on_random_networks() {
    let mut failures = Vec::new();
    for set in KernelSet::available() {
        let mut scratch = Scratch::default();
        for seed in 0..60 {
            let (network, shape, input) = network(set, seed);
            let wanted = reference::run(&network, shape, &input).unwrap();
            let worst = match network.forward(&mut scratch, shape, &input) {
                Ok(found) => found.iter().zip(&wanted).map(|(a, b)| difference(a, b)).fold(0.0, f32::max),
                Err(_) => f32::INFINITY,
            };
            if worst.is_nan() || worst > 1e-5 {
                failures.push(format!("{set}, seed {seed}, {shape}: {worst:e}"));
            }
        }
    }
    assert!(failures.is_empty(), "{} differ:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn every_number_of_channels_and_pixels_that_a_tile_can_have() {
    let mut failures = Vec::new();
    for set in KernelSet::available() {
        let mut scratch = Scratch::default();
        for out in 1..=66 {
            let shape = Shape { n: 1, h: 1, w: 1 + out % 29, c: 5 };
            let builder = Builder::new(set, shape.c);
            let mut maker = RandomNetwork { dice: Dice(out as u64), builder, values: Vec::new() };
            let input = maker.dice.reals(shape.len());
            let dims = Dims { out, input: 5, h: 1, w: 3 };
            let (bytes, fold) = maker.filter(dims);
            let filter = Filter::oihw("dense", &bytes, dims);
            let mut outputs = Vec::new();
            for activation in [Activation::None, Activation::Relu, Activation::Prelu(maker.dice.reals(out))] {
                let x = Value(0);
                let conv = |b: &mut Builder| b.conv(x, &filter, &fold, 1, Padding::same(dims), &activation).unwrap();
                let (first, second) = (conv(&mut maker.builder), conv(&mut maker.builder));
                outputs.extend([first, maker.builder.add_scaled(first, second, 0.5, &Activation::Relu)]);
            }
            let network = maker.builder.finish(&outputs).unwrap();
            let wanted = reference::run(&network, shape, &input).unwrap();
            let found = network.forward(&mut scratch, shape, &input).unwrap();
            let worst = found.iter().zip(&wanted).map(|(a, b)| difference(a, b)).fold(0.0, f32::max);
            if worst > 1e-5 {
                failures.push(format!("{set}: {out} channels of {} pixels: {worst:e}", shape.w));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Makes a network with all ten operators, each on the path to the output.
fn every_operator(set: KernelSet) -> (Network, Shape, Vec<f32>) {
    let shape = Shape { n: 1, h: 13, w: 11, c: 5 };
    let mut dice = Dice(7);
    let input = dice.reals(shape.len());
    let builder = Builder::new(set, shape.c);
    let first = (builder.input(), shape.h, shape.w);
    let mut maker = RandomNetwork { dice, builder, values: vec![first] };
    let wide = maker.point(first, 37);
    let dims = Dims { out: 37, input: 1, h: 3, w: 3 };
    let (bytes, fold) = maker.filter(dims);
    let (filter, slopes) = (Filter::oihw("deep", &bytes, dims), Activation::Prelu(maker.dice.reals(37)));
    let deep = maker.builder.depthwise(wide.0, &filter, &fold, 1, Padding::all(1), &slopes).unwrap();
    let thin = maker.point((deep, 13, 11), 5);
    let sum = maker.builder.add_scaled(first.0, thin.0, 0.5, &Activation::Relu);
    let up = maker.transpose((sum, 13, 11)).unwrap();
    let pooled = maker.builder.max_pool_3x3_s2(up.0);
    let parts = [maker.point((pooled, 12, 10), 20).0, maker.point((pooled, 12, 10), 3).0];
    let joined = maker.builder.concat(&parts);
    let mean = maker.builder.global_average(joined);
    let factor = maker.builder.sigmoid(mean);
    let scaled = maker.builder.mul_channels(joined, factor);
    let clipped = maker.builder.relu(scaled);
    let dims = Dims { out: 9, input: 23, h: 3, w: 3 };
    let (bytes, fold) = maker.filter(dims);
    let filter = Filter::oihw("last", &bytes, dims);
    let last = maker.builder.conv(clipped, &filter, &fold, 2, Padding::all(1), &Activation::Relu).unwrap();
    (maker.builder.finish(&[last]).unwrap(), shape, input)
}

/// The biases of a layer: what is planted there is in every pixel that the layer makes.
fn biases(network: &mut Network, node: usize) -> Vec<&mut f32> {
    match &mut network.nodes[node].op {
        Op::Conv { packed, .. } | Op::Depthwise { packed, .. } => vec![&mut packed.bias[0]],
        Op::ConvTranspose { quarters, .. } => quarters.iter_mut().map(|packed| &mut packed.bias[0]).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn a_nan_after_any_layer_is_an_error_and_never_an_answer() {
    let mut failures = Vec::new();
    for set in KernelSet::available() {
        let (mut network, shape, mut input) = every_operator(set);
        let mut scratch = Scratch::default();
        network.forward(&mut scratch, shape, &input).unwrap();
        let mut planted = 0;
        for node in 0..network.nodes.len() {
            let before: Vec<f32> = biases(&mut network, node).iter().map(|bias| **bias).collect();
            biases(&mut network, node).into_iter().for_each(|bias| *bias = f32::NAN);
            planted += usize::from(!before.is_empty());
            if !before.is_empty() && network.forward(&mut scratch, shape, &input).is_ok() {
                failures.push(format!("{set}: {} (node {node})", network.nodes[node].op.name()));
            }
            biases(&mut network, node).into_iter().zip(before).for_each(|(bias, before)| *bias = before);
        }
        assert_eq!(planted, 7, "layers with weights");
        network.forward(&mut scratch, shape, &input).unwrap();
        input[shape.len() / 2] = f32::NAN;
        if network.forward(&mut scratch, shape, &input).is_ok() {
            failures.push(format!("{set}: the input"));
        }
    }
    assert!(failures.is_empty(), "became answers:\n{}", failures.join("\n"));
}

#[test]
fn a_nan_in_a_random_network_is_an_error_wherever_the_obvious_executor_sees_it() {
    let mut failures = Vec::new();
    for set in KernelSet::available() {
        let mut scratch = Scratch::default();
        for seed in 1000..1010 {
            let (mut network, shape, input) = network(set, seed);
            for node in 0..network.nodes.len() {
                let before: Vec<f32> = biases(&mut network, node).iter().map(|bias| **bias).collect();
                biases(&mut network, node).into_iter().for_each(|bias| *bias = f32::NAN);
                let outputs = reference::run(&network, shape, &input).unwrap();
                let seen = outputs.iter().any(|output| output.data.iter().any(|number| number.is_nan()));
                if network.forward(&mut scratch, shape, &input).is_ok() == seen {
                    failures.push(format!("{set}, seed {seed}, node {node}: seen {seen}"));
                }
                biases(&mut network, node).into_iter().zip(before).for_each(|(bias, before)| *bias = before);
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// A network of one 1x1 convolution with these numbers.
fn single(weight: f32, scale: f32, shift: f32, activation: &Activation) -> Result<Network, LoadError> {
    let bytes = weight.to_le_bytes();
    let filter = Filter::oihw("the filter", &bytes, Dims { out: 1, input: 1, h: 1, w: 1 });
    let fold = Fold { scale: vec![scale], shift: vec![shift] };
    let mut builder = Builder::new(KernelSet::best(), 1);
    let output = builder.dense(builder.input(), &filter, &fold, activation)?;
    builder.finish(&[output])
}

#[test]
fn weights_and_constants_that_are_not_finite_are_refused_by_name() {
    let rows = [
        ("weight NaN", single(f32::NAN, 1.0, 0.0, &Activation::None)),
        ("weight inf", single(f32::INFINITY, 0.0, 0.0, &Activation::None)),
        ("weight 3e38 (times 3e38)", single(3e38, 3e38, 0.0, &Activation::None)),
        ("scale inf at 0", single(1.0, f32::INFINITY, 0.0, &Activation::None)),
        ("shift NaN at 0", single(1.0, 1.0, f32::NAN, &Activation::None)),
        ("slope -inf at 0", single(1.0, 1.0, 0.0, &Activation::Prelu(vec![f32::NEG_INFINITY]))),
    ];
    for (what, result) in rows {
        let error = result.err().map(|error| error.to_string()).unwrap_or_default();
        let named = error.starts_with("the filter: expected finite numbers, found");
        assert!(named && error.contains(what), "{what}: {error}");
    }
    assert!(single(1.0, 1.0, 0.0, &Activation::None).is_ok());
}

#[test]
fn shapes_that_do_not_fit_are_refused() {
    let bytes = [0; 4 * 18];
    let filter = |out, input, len: usize| Filter::oihw("f", &bytes[..len], Dims { out, input, h: 3, w: 3 });
    let mut builder = Builder::new(KernelSet::best(), 2);
    let x = builder.input();
    let (pad, none) = (Padding::all(1), Activation::None);
    for (what, filter, channels) in [
        ("channels", filter(1, 1, 72), 1),
        ("bytes", filter(1, 2, 71), 1),
        ("folds", filter(1, 2, 72), 2),
        ("empty", filter(0, 2, 72), 0),
    ] {
        assert!(builder.conv(x, &filter, &Fold::none(channels), 1, pad, &none).is_err(), "{what}");
    }
    assert!(builder.depthwise(x, &filter(1, 1, 72), &Fold::none(1), 1, pad, &none).is_err());
    assert!(builder.conv_transpose_2x2(x, &filter(1, 2, 72), &Fold::none(1), &none).is_err());
    let three = builder.conv(x, &filter(1, 2, 72), &Fold::none(1), 1, Padding::default(), &none).unwrap();
    let sum = builder.add(x, three, &none);
    assert!(builder.finish(&[sum]).is_err(), "a sum of 2 and 1 channels");

    let mut builder = Builder::new(KernelSet::best(), 2);
    let three = builder.conv(x, &filter(1, 2, 72), &Fold::none(1), 1, Padding::default(), &none).unwrap();
    let network = builder.finish(&[three]).unwrap();
    for (h, w, len) in [(2, 9, 36), (9, 2, 36), (4, 4, 31), (0, 4, 0)] {
        let (mut scratch, shape) = (Scratch::default(), Shape { n: 1, h, w, c: 2 });
        let result = network.forward(&mut scratch, shape, &vec![0.0; len]);
        assert!(matches!(result, Err(RunError::Shape { .. })), "{h}x{w} with {len} numbers");
    }
}

/// A small detector: stride 2, a ring of stride 1, one of stride 2, up again, a padded 3x3.
fn convolutional(set: KernelSet) -> Network {
    let builder = Builder::new(set, 3);
    let mut maker = RandomNetwork { dice: Dice(11), builder, values: Vec::new() };
    let conv = |maker: &mut RandomNetwork, x: Value, out: usize, stride: usize| {
        let dims = Dims { out, input: maker.builder.channels(x), h: 3, w: 3 };
        let (bytes, fold) = maker.filter(dims);
        let filter = Filter::oihw("dense", &bytes, dims);
        maker.builder.conv(x, &filter, &fold, stride, Padding::all(1), &Activation::Relu).unwrap()
    };
    let depthwise = |maker: &mut RandomNetwork, x: Value, stride: usize| {
        let dims = Dims { out: maker.builder.channels(x), input: 1, h: 3, w: 3 };
        let (bytes, fold) = maker.filter(dims);
        let filter = Filter::oihw("depthwise", &bytes, dims);
        maker.builder.depthwise(x, &filter, &fold, stride, Padding::all(1), &Activation::Relu).unwrap()
    };
    let x = conv(&mut maker, Value(0), 9, 2);
    let deep = depthwise(&mut maker, x, 1);
    let half = maker.point((deep, 0, 0), 21).0;
    let wide = maker.point((half, 0, 0), 40).0;
    let deep = depthwise(&mut maker, wide, 2);
    let quarter = maker.point((deep, 0, 0), 10).0;
    let up = maker.transpose((quarter, 0, 0)).unwrap().0;
    let side = maker.builder.channels(up);
    let side = maker.point((half, 0, 0), side).0;
    let sum = maker.builder.add(up, side, &Activation::None);
    let last = conv(&mut maker, sum, 5, 1);
    maker.builder.finish(&[last]).unwrap()
}

#[test]
fn a_region_run_alone_gives_what_the_whole_canvas_gives() {
    let background = [0.3, -0.7, 0.1];
    let mut failures = Vec::new();
    // The canvas, where the region starts and ends, where the picture in it starts and ends.
    let rows = [
        ((96, 128), (36, 40), (60, 76), (52, 56), (44, 60)),
        ((96, 128), (0, 0), (40, 44), (4, 4), (24, 28)),
        ((96, 128), (52, 80), (96, 128), (70, 100), (94, 126)),
        ((64, 96), (0, 12), (64, 60), (0, 28), (64, 44)),
        ((40, 40), (8, 8), (32, 32), (20, 20), (21, 21)),
    ];
    for set in KernelSet::available() {
        let (network, mut scratch) = (convolutional(set), Scratch::default());
        for (canvas, start, end, from, to) in rows {
            let picture = |y: usize, x: usize, c: usize| {
                let inside = y >= from.0 && y < to.0.max(from.0 + 1) && x >= from.1 && x < to.1.max(from.1 + 1);
                if inside { ((y * 31 + x * 17 + c * 7) % 13) as f32 / 6.0 - 1.0 } else { background[c] }
            };
            let part = |start: (usize, usize), end: (usize, usize)| -> Vec<f32> {
                let pixels = (start.0..end.0).flat_map(|y| (start.1..end.1).map(move |x| (y, x)));
                pixels.flat_map(|(y, x)| [0, 1, 2].map(|c| picture(y, x, c))).collect()
            };
            let whole = Shape { n: 1, h: canvas.0, w: canvas.1, c: 3 };
            let wanted = network.forward(&mut scratch, whole, &part((0, 0), canvas)).unwrap()[0].clone();
            let region = Region { canvas, start, size: (end.0 - start.0, end.1 - start.1) };
            let canvas = Canvas { background: &background, reach: 28 };
            let found = &network.forward_within(&mut scratch, &canvas, region, &part(start, end)).unwrap()[0];
            let mut worst = 0.0f32;
            for y in 0..found.shape.h {
                for x in 0..found.shape.w {
                    for c in 0..5 {
                        let there = wanted.at([0, start.0 / 2 + y, start.1 / 2 + x, c]);
                        worst = worst.max((found.at([0, y, x, c]) - there).abs());
                    }
                }
            }
            if worst > 1e-5 {
                failures.push(format!("{set}: {region:?} is off by {worst}"));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn a_region_off_the_grid_or_off_the_canvas_is_refused() {
    let (network, mut scratch) = (convolutional(KernelSet::best()), Scratch::default());
    let black = Canvas { background: &[0.0; 3], reach: 28 };
    let rows = [((64, 64), (2, 0), (32, 32)), ((64, 64), (40, 0), (32, 32)), ((64, 64), (0, 0), (0, 32))];
    for (canvas, start, size) in rows {
        let refused = network.forward_within(&mut scratch, &black, Region { canvas, start, size }, &[0.0; 3 * 1024]);
        assert!(matches!(refused, Err(RunError::Shape { .. })), "{canvas:?} {start:?} {size:?}");
    }
    let region = Region { canvas: (64, 64), start: (0, 0), size: (32, 32) };
    let pale = Canvas { background: &[0.0; 2], ..black };
    assert!(network.forward_within(&mut scratch, &pale, region, &[0.0; 3 * 1024]).is_err(), "two numbers");
    assert!(network.forward_within(&mut scratch, &black, region, &[0.0; 3]).is_err(), "a picture of one pixel");
}

#[test]
fn a_border_that_is_kept_serves_its_own_network_and_region_only() {
    let (first, second) = (convolutional(KernelSet::best()), convolutional(KernelSet::named("portable").unwrap()));
    let black = Canvas { background: &[0.0; 3], reach: 28 };
    let region = |start: usize| Region { canvas: (96, 96), start: (start, 32), size: (32, 32) };
    let picture = Dice(3).reals(3 * 1024);
    let alone = |network: &Network, at: usize| {
        network.forward_within(&mut Scratch::default(), &black, region(at), &picture).unwrap()[0].clone()
    };
    let mut scratch = Scratch::default();
    for (network, at) in [(&first, 0), (&first, 8), (&second, 8), (&first, 0), (&first, 8), (&first, 16), (&second, 0)]
    {
        let found = network.forward_within(&mut scratch, &black, region(at), &picture).unwrap()[0].clone();
        assert_eq!(found, alone(network, at), "region at {at}");
    }
    assert_ne!(alone(&first, 0), alone(&first, 8), "places differ");
}
