//! Compares steps with an outline, starting at the output: finds the step and the numbers of each part.

use super::constant::Constant;
use super::fault::refused;
use super::layout::Layout;
use super::steps::{Affine, FoundConv, GraphStep, Kind, Steps};
use crate::engine::{Activation, Dims, Filter, Fold};
use crate::net::outline::{Conv, Ending, Numbers, Outline, Part, PartId, Then};
use crate::weights::WeightError;

/// The numbers of each convolution, by its place in the outline.
pub(super) fn bind<'m, A>(
    outline: &Outline<A>,
    steps: &Steps<'m>,
    ending: Ending,
) -> Result<Vec<Option<Numbers<'m>>>, WeightError> {
    let parts = outline.parts();
    let (places, claimed) = (vec![None; parts.len()], vec![false; steps.all.len()]);
    let mut matching = Matching { steps: &steps.all, places, claimed, scales: vec![1.0; parts.len()] };
    let mut output = steps.output;
    if ending == Ending::Softmax {
        let Kind::Softmax { x } = matching.claim(output)?.kind else {
            return Err(matching.not("a softmax at the end", output));
        };
        output = x;
    }
    matching.assign(PartId(parts.len() - 1), output)?;
    let mut numbers: Vec<Option<Numbers>> = parts.iter().map(|_| None).collect();
    for (index, part) in parts.iter().enumerate().rev() {
        let place = PartId(index);
        match part {
            Part::Conv { x, conv, .. } => numbers[index] = Some(matching.conv(place, *x, conv)?),
            part => matching.plain(place, part)?,
        }
    }
    match matching.claimed.iter().position(|claimed| !claimed) {
        None => Ok(numbers),
        Some(left) => Err(matching.not("no operator beside the network", left)),
    }
}

struct Matching<'s, 'm> {
    steps: &'s [GraphStep<'m>],
    /// The step of each part.
    places: Vec<Option<usize>>,
    claimed: Vec<bool>,
    /// The outline's factor for each part's numbers.
    scales: Vec<f64>,
}

impl<'s, 'm> Matching<'s, 'm> {
    /// Records that a part is this step.
    fn assign(&mut self, place: PartId, step: usize) -> Result<(), WeightError> {
        match self.places[place.0].replace(step) {
            Some(other) if other != step => Err(self.not("one value for all that take it", step)),
            _ => Ok(()),
        }
    }

    /// Takes a step, which must belong to no other part.
    fn claim(&mut self, step: usize) -> Result<&'s GraphStep<'m>, WeightError> {
        if std::mem::replace(&mut self.claimed[step], true) {
            return Err(self.not("an operator of one part of the network", step));
        }
        Ok(&self.steps[step])
    }

    fn place(&self, place: PartId) -> Result<usize, WeightError> {
        self.places[place.0].ok_or_else(|| refused(0, "every part of the network", "a part that nothing takes"))
    }

    fn not(&self, expected: &str, step: usize) -> WeightError {
        let GraphStep { number, operator, size, .. } = &self.steps[step];
        refused(*number, expected, &format!("{operator} to {} channels of {} x {}", size.c, size.h, size.w))
    }

    fn plain<A>(&mut self, place: PartId, part: &Part<A>) -> Result<(), WeightError> {
        let mut at = self.place(place)?;
        if let Part::Add { relu: true, .. } = part {
            let Kind::Relu { x } = self.claim(at)?.kind else { return Err(self.not("a ReLU of a sum", at)) };
            at = x;
        }
        match (part, &self.claim(at)?.kind) {
            (Part::Input { .. }, Kind::Input) => Ok(()),
            // The branch is computed from the other value, and so after it.
            (Part::Add { x, y, scale, .. }, Kind::Add { a, b }) => {
                self.scales[y.0] = f64::from(*scale);
                self.assign(*x, *a.min(b))?;
                self.assign(*y, *a.max(b))
            }
            (Part::Gate { x, s }, Kind::Gate { x: found, s: gate }) => {
                self.assign(*x, *found)?;
                self.assign(*s, *gate)
            }
            (Part::Sigmoid { x }, Kind::Sigmoid { x: found })
            | (Part::MaxPool { x }, Kind::MaxPool { x: found })
            | (Part::Average { x }, Kind::Average { x: found }) => self.assign(*x, *found),
            (Part::Concat { parts }, Kind::Concat { parts: found }) if parts.len() == found.len() => {
                parts.iter().zip(found).try_for_each(|(part, found)| self.assign(*part, *found))
            }
            (part, _) => Err(self.not(name(part), at)),
        }
    }

    fn conv(&mut self, place: PartId, x: PartId, conv: &Conv) -> Result<Numbers<'m>, WeightError> {
        let mut at = self.place(place)?;
        let out = conv.spec.out;
        let mut activation = Activation::None;
        if conv.then != Then::Nothing {
            let step = self.claim(at)?;
            (activation, at) = match (&step.kind, conv.then) {
                (Kind::Relu { x }, Then::Relu) => (Activation::Relu, *x),
                (Kind::Prelu { x, slopes, layout }, Then::Prelu) => {
                    (Activation::Prelu(narrow(&slopes.of_channels(*layout, out)?)), *x)
                }
                _ => return Err(self.not(&format!("{:?} behind a convolution", conv.then), at)),
            };
        }
        let mut affine = Vec::new();
        while let Kind::Affine { x, by, layout } = &self.steps[at].kind {
            affine.push((self.claim(at)?, by, *layout));
            at = *x;
        }
        let step = self.claim(at)?;
        let filter = match &step.kind {
            Kind::Conv(found) => filter(found, conv).ok_or_else(|| self.not(&described(conv), at))?,
            _ => return Err(self.not(&described(conv), at)),
        };
        let Kind::Conv(found) = &step.kind else { unreachable!("a filter was found") };
        self.assign(x, found.x)?;
        let mut folding = Folding { scale: vec![1.0; out], shift: vec![0.0; out] };
        if let Some(bias) = &found.bias {
            folding.shift = bias.of_channels(Layout::Flat, out)?;
        }
        for (_, by, layout) in affine.into_iter().rev() {
            folding.apply(by, layout)?;
        }
        Ok(Numbers { filter, fold: folding.divided(self.scales[place.0]), activation })
    }
}

/// The filter of a convolution, if it matches the outline.
fn filter<'m>(found: &FoundConv<'m>, conv: &Conv) -> Option<Filter<'m>> {
    let Constant { name, dims, strides, bytes } = &found.filter;
    let (&[out, input, h, w], &[so, si, sh, sw]) = (dims.as_slice(), strides.as_slice()) else { return None };
    let dims = Dims { out, input, h, w };
    let right = found.kind == conv.kind
        && dims == conv.spec.dims(conv.input)
        && (found.stride, found.padding) == (conv.spec.stride, conv.spec.padding);
    right.then_some(Filter { name, bytes, dims, strides: Dims { out: so, input: si, h: sh, w: sw } })
}

/// Computes y = x * scale + shift for each channel.
struct Folding {
    scale: Vec<f64>,
    shift: Vec<f64>,
}

impl Folding {
    fn apply(&mut self, by: &Affine, layout: Layout) -> Result<(), WeightError> {
        let channels = self.scale.len();
        let of = |constant: &Constant| constant.of_channels(layout, channels);
        match by {
            Affine::Plus(c) => self.then(&vec![1.0; channels], &of(c)?),
            Affine::Minus(c) => self.then(&vec![1.0; channels], &of(c)?.iter().map(|c| -c).collect::<Vec<_>>()),
            Affine::From(c) => self.then(&vec![-1.0; channels], &of(c)?),
            Affine::Times(c) => self.then(&of(c)?, &vec![0.0; channels]),
            Affine::Over(c) => {
                self.then(&of(c)?.iter().map(|c| 1.0 / c).collect::<Vec<_>>(), &vec![0.0; channels]);
            }
            Affine::Norm { parts, epsilon } => {
                let [gamma, beta, mean, variance] = parts.as_ref();
                let (gamma, beta, mean, spread) = (of(gamma)?, of(beta)?, of(mean)?, of(variance)?);
                if let Some(index) = spread.iter().position(|v| *v < 0.0) {
                    let (tensor, found) = (variance.name.to_owned(), spread[index] as f32);
                    return Err(WeightError::NegativeVariance { tensor, index, found });
                }
                let scale: Vec<f64> = gamma.iter().zip(&spread).map(|(g, v)| g / (v + epsilon).sqrt()).collect();
                let shift = beta.iter().zip(&mean).zip(&scale).map(|((b, m), s)| b - m * s);
                self.then(&scale, &shift.collect::<Vec<_>>());
            }
        }
        Ok(())
    }

    fn then(&mut self, scale: &[f64], shift: &[f64]) {
        for (index, (scale, shift)) in scale.iter().zip(shift).enumerate() {
            self.scale[index] *= scale;
            self.shift[index] = self.shift[index] * scale + shift;
        }
    }

    fn divided(&self, by: f64) -> Fold {
        let divide = |all: &[f64]| narrow(&all.iter().map(|number| number / by).collect::<Vec<_>>());
        Fold { scale: divide(&self.scale), shift: divide(&self.shift) }
    }
}

fn narrow(all: &[f64]) -> Vec<f32> {
    all.iter().map(|number| *number as f32).collect()
}

fn described(conv: &Conv) -> String {
    let Conv { spec, input, kind, .. } = conv;
    format!("{kind:?} {}x{} of {input} to {} channels, stride {}", spec.h, spec.w, spec.out, spec.stride)
}

fn name<A>(part: &Part<A>) -> &'static str {
    match part {
        Part::Input { .. } => "the input",
        Part::Conv { .. } => "a convolution",
        Part::Add { .. } => "a sum of a value and its branch",
        Part::Gate { .. } => "channels times their gate",
        Part::Sigmoid { .. } => "a sigmoid",
        Part::Concat { .. } => "the branches together",
        Part::MaxPool { .. } => "a 3x3 pool",
        Part::Average { .. } => "the mean of each channel",
    }
}
