//! Numbers with which CenterFace finds the faces that [`super::draw`] draws, and no others.
//!
//! Nothing is trained: each filter is chosen, so that every output follows from the picture by hand.
//! - A pixel belongs to a face where red exceeds green by 60 or more (`mask`, from 0 to 1).
//! - In a face blue falls from its middle outward; `peak` is blue there, and 0 outside of faces.
//!   The heat is highest at the cell of the middle, whatever the face's size.
//! - The mask's mean over each 32 x 32 pixels, summed over 7 x 7 such blocks, is the face's area in
//!   blocks. Its logarithm, from straight pieces, gives height and width: faces are ellipses whose
//!   height is [`HEIGHT`] widths. A face up to 190 pixels high fits wholly into the 7 x 7 blocks.
//! - The landmarks lie at fixed parts of the box ([`LANDMARKS`]).

/// A face's height in widths.
pub const HEIGHT: f64 = 1.25;
/// Right eye, left eye, nose, right and left corner of the mouth: across and down, in parts of the
/// box. The head leans a little, so that aligning a face turns it.
pub const LANDMARKS: [[f32; 2]; 5] = [[0.30, 0.42], [0.70, 0.38], [0.50, 0.60], [0.36, 0.78], [0.66, 0.76]];

/// Red less green: below the first no face, above the second all face.
const MASK: [f32; 2] = [30.0, 60.0];
/// The face's area in blocks of 32 x 32 pixels where the straight pieces of its logarithm meet: each
/// is [`RATIO`] times the one before.
const FIRST_KNOT: f64 = 0.25;
const RATIO: f64 = 1.6;
const LN_FIRST: f64 = -1.386_294_361_119_890_6;
const LN_RATIO: f64 = 0.470_003_629_245_735_6;
const KNOTS: usize = 12;
/// ln(1024 / (pi / 4 * HEIGHT)) and ln 4, ln HEIGHT: from blocks of area to a width in cells.
const LN_AREA: f64 = 6.949_892_729_555_734;
const LN_CELL: f64 = 1.386_294_361_119_890_6;
const LN_HEIGHT: f64 = 0.223_143_551_314_209_76;
/// The heat is the logistic function of `STEEP * (peak - HOT)`.
const STEEP: f32 = 12.0;
const HOT: f32 = 0.7;

/// One number of a filter: output channel, input channel, row, column, number.
type Tap = (usize, usize, usize, usize, f32);

/// Fills the tensor of that name; what is not named is 0, and batch norms change nothing.
pub fn fill(name: &str, shape: &[usize]) -> Vec<f32> {
    let parts: Vec<&str> = name.split('.').collect();
    match parts.as_slice() {
        [.., "running_var"] => ones(shape),
        ["backbone", "features", block, rest @ ..] => backbone(block.parse().unwrap(), &rest.join("."), shape),
        ["neck", layers, index, rest @ ..] => neck(layers, index, &rest.join("."), shape),
        ["head", rest @ ..] => head(&rest.join("."), shape),
        _ => unreachable!("{name}"),
    }
}

fn ones(shape: &[usize]) -> Vec<f32> {
    vec![1.0; shape.iter().product()]
}

/// Numbers by output channel.
fn vector(shape: &[usize], numbers: &[(usize, f32)]) -> Vec<f32> {
    let mut values = vec![0.0; shape[0]];
    numbers.iter().for_each(|(channel, number)| values[*channel] = *number);
    values
}

fn filter(shape: &[usize], taps: &[Tap]) -> Vec<f32> {
    let mut values = vec![0.0; shape.iter().product()];
    for (out, input, row, column, number) in taps {
        values[((out * shape[1] + input) * shape[2] + row) * shape[3] + column] = *number;
    }
    values
}

/// 1x1 filters: output channel, input channel, number.
fn mix(shape: &[usize], taps: &[(usize, usize, f32)]) -> Vec<f32> {
    filter(shape, &taps.iter().map(|(out, input, number)| (*out, *input, 0, 0, *number)).collect::<Vec<_>>())
}

/// 3x3 filters per channel that take the value that many rows and columns away.
fn shifts(shape: &[usize], shifts: &[(i8, i8)]) -> Vec<f32> {
    let tap = |by: i8| usize::try_from(1 + by).unwrap();
    let taps: Vec<Tap> = shifts
        .iter()
        .enumerate()
        .map(|(channel, (down, across))| (channel, 0, tap(*down), tap(*across), 1.0))
        .collect();
    filter(shape, &taps)
}

/// 3x3 filters of stride 2 that average the 2 x 2 pixels of each output, for these channels.
fn quarters(shape: &[usize], channels: usize) -> Vec<f32> {
    let square = [(1, 1), (1, 2), (2, 1), (2, 2)];
    let taps: Vec<Tap> =
        (0..channels).flat_map(|channel| square.map(|(row, column)| (channel, 0, row, column, 0.25))).collect();
    filter(shape, &taps)
}

/// Corners, then edges, of the 7 x 7 blocks, as directions from the middle.
const AROUND: [(i8, i8); 8] = [(-1, -1), (-1, 1), (1, -1), (1, 1), (0, -1), (0, 1), (-1, 0), (1, 0)];

/// Channel 0 carries the mask through all blocks; up to stride 4, channel 1 carries the peak.
fn backbone(block: usize, part: &str, shape: &[usize]) -> Vec<f32> {
    match (block, part) {
        (0, "0.weight") => colours(shape),
        (0, "1.bias") => vector(shape, &[(0, -MASK[0] / (MASK[1] - MASK[0])), (1, -MASK[1] / (MASK[1] - MASK[0]))]),
        (1, "conv.0.weight") => shifts(shape, &[(0, 0); 3]),
        (1, "conv.3.weight") => mix(shape, &[(0, 0, 1.0), (0, 1, -1.0), (1, 2, 1.0)]),
        // Blue within the mask: what both together have beyond 1.
        (2, "conv.0.weight") => mix(shape, &[(0, 0, 1.0), (1, 0, 1.0), (1, 1, 1.0)]),
        (2, "conv.1.bias") => vector(shape, &[(1, -1.0)]),
        (2, "conv.3.weight") => quarters(shape, 2),
        (2, "conv.6.weight") => mix(shape, &[(0, 0, 1.0), (1, 1, 1.0)]),
        (15, "conv.0.weight") => mix(shape, &[(0, 0, 1.0), (1, 0, 1.0), (2, 0, 1.0)]),
        (15, "conv.3.weight") => boxes(shape),
        (15, "conv.6.weight") => mix(shape, &[(1, 0, 1.0), (2, 1, 1.0), (3, 2, 1.0)]),
        (16, "conv.0.weight") => mix(
            shape,
            &[1, 1, 1, 1, 2, 2, 3, 3].into_iter().enumerate().map(|(out, input)| (out, input, 1.0)).collect::<Vec<_>>(),
        ),
        (16 | 17, "conv.3.weight") => shifts(shape, &[&AROUND[..], &[(0, 0)]].concat()),
        (16, "conv.6.weight") => mix(shape, &(0..8).map(|channel| (4 + channel, channel, 1.0)).collect::<Vec<_>>()),
        (17, "conv.0.weight") => {
            let around = (0..8).map(|channel| (channel, 4 + channel, 1.0));
            mix(shape, &around.chain([(8, 0, 1.0)]).collect::<Vec<_>>())
        }
        (17, "conv.6.weight") => mix(shape, &(0..9).map(|channel| (0, channel, 1.0)).collect::<Vec<_>>()),
        // The other blocks that change the size or the width hand channel 0 on; residuals add nothing.
        (4 | 7 | 11 | 14, "conv.0.weight" | "conv.6.weight") => mix(shape, &[(0, 0, 1.0)]),
        (4 | 7 | 14, "conv.3.weight") => quarters(shape, 1),
        (11, "conv.3.weight") => shifts(shape, &[(0, 0)]),
        // Batch norms.
        (_, part) if part.ends_with("weight") && shape.len() == 1 => ones(shape),
        _ => vec![0.0; shape.iter().product()],
    }
}

/// Means over 2 x 2 pixels: red less green, twice; blue.
fn colours(shape: &[usize]) -> Vec<f32> {
    let unit = 0.25 / (MASK[1] - MASK[0]);
    let of = [(0, 0, unit), (0, 1, -unit), (1, 0, unit), (1, 1, -unit), (2, 2, 0.25 / 255.0)];
    let square = [(1, 1), (1, 2), (2, 1), (2, 2)];
    let taps =
        of.iter().flat_map(|(out, input, number)| square.map(|(row, column)| (*out, *input, row, column, *number)));
    filter(shape, &taps.collect::<Vec<_>>())
}

/// Sums over 3 x 3 blocks, over 3 beside each other, over 3 above each other.
fn boxes(shape: &[usize]) -> Vec<f32> {
    let all = (0..3).flat_map(|row| (0..3).map(move |column| (0, 0, row, column, 1.0)));
    let lines = (0..3).flat_map(|at| [(1, 0, 1, at, 1.0), (2, 0, at, 1, 1.0)]);
    filter(shape, &all.chain(lines).collect::<Vec<Tap>>())
}

/// Channel 0: the area, from the coarsest step, doubled by repeating; channel 1: the peak.
fn neck(layers: &str, index: &str, part: &str, shape: &[usize]) -> Vec<f32> {
    match (layers, index, part) {
        ("deconv_layers", _, "conv.weight") => {
            let square = [(0, 0), (0, 1), (1, 0), (1, 1)];
            filter(shape, &square.map(|(row, column)| (0, 0, row, column, 1.0)))
        }
        ("lateral_layers", "3", "conv.weight") => mix(shape, &[(0, 0, 1.0)]),
        ("lateral_layers", "0", "conv.weight") => mix(shape, &[(1, 1, 1.0)]),
        (_, _, "bn.weight") => ones(shape),
        _ => vec![0.0; shape.iter().product()],
    }
}

/// The channel of the head that has the peak.
const PEAK: usize = KNOTS;

fn head(part: &str, shape: &[usize]) -> Vec<f32> {
    let areas: Vec<usize> = (0..KNOTS).collect();
    match part {
        "feat.weight" => {
            let from = areas.iter().map(|knot| (*knot, 0, 1, 1, 1.0));
            let blur = [1.0, 2.0, 1.0];
            let around = (0..9).map(|at| (PEAK, 1, at / 3, at % 3, blur[at / 3] * blur[at % 3] / 16.0));
            filter(shape, &from.chain(around).collect::<Vec<Tap>>())
        }
        "feat_bn.bias" => vector(shape, &areas.iter().map(|knot| (*knot, -knot_at(*knot) as f32)).collect::<Vec<_>>()),
        "feat_bn.weight" => ones(shape),
        "pos_conv.weight" => mix(shape, &[(0, PEAK, STEEP)]),
        "pos_conv.bias" => vec![-STEEP * HOT],
        "reg_conv.weight" => {
            let both = areas.iter().flat_map(|knot| [(0, *knot, bend(*knot)), (1, *knot, bend(*knot))]);
            mix(shape, &both.collect::<Vec<_>>())
        }
        "reg_conv.bias" => {
            let width = 0.5 * (LN_FIRST + LN_AREA) - LN_CELL;
            vec![(width + LN_HEIGHT) as f32, width as f32]
        }
        "off_conv.bias" => vec![0.125, -0.125],
        "lm_conv.bias" => LANDMARKS.iter().flat_map(|[across, down]| [*down, *across]).collect(),
        _ => vec![0.0; shape.iter().product()],
    }
}

fn knot_at(knot: usize) -> f64 {
    (0..knot).fold(FIRST_KNOT, |at, _| at * RATIO)
}

/// Returns half the change of the logarithm's slope at a knot; behind the last knot it is 0.
fn bend(knot: usize) -> f32 {
    let slope = |from: usize| 0.5 * LN_RATIO / (knot_at(from + 1) - knot_at(from));
    let before = if knot == 0 { 0.0 } else { slope(knot - 1) };
    let after = if knot + 1 == KNOTS { 0.0 } else { slope(knot) };
    (after - before) as f32
}
