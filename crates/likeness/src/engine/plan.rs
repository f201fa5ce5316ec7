//! Decides the steps of a network, their order, and the places of values: a pure function of the graph.
//!
//! Operations are fused: a sum into the convolution before it; a depthwise convolution with the
//! convolution that feeds it and the 1x1 that follows (a *ring*, whose wide tensor never exists).
//! Parts of a concatenation are written in place. Values that are never needed at the same time
//! share a buffer.

use super::graph::{Padding, Simple, Value};
use super::op::{Node, Op};

/// A sum fused into a convolution: `then(with + scale * result)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct FusedAdd {
    pub(crate) with: Value,
    pub(crate) scale: f32,
    pub(crate) then: Simple,
}

/// One thing to run. Numbers are nodes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum StepKind {
    Conv { node: usize, join: Option<FusedAdd> },
    Ring { producer: Option<usize>, depthwise: usize, project: Option<usize>, join: Option<FusedAdd> },
    Other { node: usize },
}

/// A step and the value that it makes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Step {
    pub(crate) kind: StepKind,
    pub(crate) out: Value,
}

/// The place of a value: a buffer, the offset of its first channel, the distance between pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) buffer: usize,
    pub(crate) offset: usize,
    pub(crate) pixel: usize,
}

/// The steps of a network, and where its values lie.
pub(crate) struct Plan {
    pub(crate) steps: Vec<Step>,
    /// The place of each value; none for the input and for values that are fused away.
    pub(crate) places: Vec<Option<Place>>,
    pub(crate) buffers: usize,
}

impl Plan {
    pub(crate) fn new(nodes: &[Node], outputs: &[Value]) -> Self {
        let steps = Fusion::new(nodes, outputs).steps();
        let homes = homes(nodes, outputs, &steps);
        let (places, buffers) = places(nodes, outputs, &steps, &homes);
        Self { steps, places, buffers }
    }
}

impl Step {
    /// The values that it reads.
    pub(crate) fn reads(&self, nodes: &[Node]) -> Vec<Value> {
        let (first, join) = match &self.kind {
            StepKind::Conv { node, join } => (*node, *join),
            StepKind::Ring { producer, depthwise, join, .. } => (producer.unwrap_or(*depthwise), *join),
            StepKind::Other { node } => (*node, None),
        };
        let mut reads = nodes[first].op.inputs();
        reads.extend(join.map(|join| join.with));
        reads
    }
}

struct Fusion<'a> {
    nodes: &'a [Node],
    /// The one reader of a value, if there is exactly one and it is no output.
    reader: Vec<Option<usize>>,
    fused: Vec<bool>,
}

impl<'a> Fusion<'a> {
    fn new(nodes: &'a [Node], outputs: &[Value]) -> Self {
        let mut readers = vec![Vec::new(); nodes.len()];
        for (node, reads) in nodes.iter().map(|node| node.op.inputs()).enumerate() {
            reads.iter().for_each(|value| readers[value.0].push(node));
        }
        outputs.iter().for_each(|output| readers[output.0].extend([usize::MAX, usize::MAX]));
        let only = |readers: &Vec<usize>| if readers.len() == 1 { Some(readers[0]) } else { None };
        Self { nodes, reader: readers.iter().map(only).collect(), fused: vec![false; nodes.len()] }
    }

    /// Steps in the order of the values that they make, so each comes after what it reads.
    fn steps(mut self) -> Vec<Step> {
        let mut steps: Vec<Step> = Vec::new();
        for node in 1..self.nodes.len() {
            if matches!(self.nodes[node].op, Op::Depthwise { .. }) {
                steps.push(self.ring(node));
            }
        }
        for node in 1..self.nodes.len() {
            if !self.fused[node] && matches!(self.nodes[node].op, Op::Conv { .. }) {
                let (join, out) = self.join(node);
                steps.push(Step { kind: StepKind::Conv { node, join }, out });
            }
        }
        let made: Vec<Value> = steps.iter().map(|step| step.out).collect();
        for node in 1..self.nodes.len() {
            if !self.fused[node] && !made.contains(&Value(node)) {
                steps.push(Step { kind: StepKind::Other { node }, out: Value(node) });
            }
        }
        steps.sort_by_key(|step| step.out.0);
        steps
    }

    fn ring(&mut self, depthwise: usize) -> Step {
        self.fused[depthwise] = true;
        let feeds = self.nodes[depthwise].op.inputs()[0].0;
        let alone = self.reader[feeds] == Some(depthwise) && !self.fused[feeds];
        let producer = (alone && matches!(self.nodes[feeds].op, Op::Conv { .. })).then_some(feeds);
        let project = self.reader[depthwise].filter(|reader| self.is_point(*reader));
        for node in [producer, project].into_iter().flatten() {
            self.fused[node] = true;
        }
        let (join, out) = project.map_or((None, Value(depthwise)), |project| self.join(project));
        Step { kind: StepKind::Ring { producer, depthwise, project, join }, out }
    }

    /// Returns whether the node is a dense 1x1 convolution that reads each pixel once.
    fn is_point(&self, node: usize) -> bool {
        match &self.nodes[node].op {
            Op::Conv { window, .. } => {
                (window.h, window.w, window.stride) == (1, 1, 1) && window.padding == Padding::default()
            }
            _ => false,
        }
    }

    /// The sum that follows a convolution, if it can be fused, and the value made then.
    fn join(&mut self, conv: usize) -> (Option<FusedAdd>, Value) {
        let sum = self.reader[conv].filter(|sum| !self.fused[*sum]);
        let Some((sum, Op::Add { a, b, scale, activation })) = sum.map(|sum| (sum, &self.nodes[sum].op)) else {
            return (None, Value(conv));
        };
        let (with, scale) = if b.0 == conv { (*a, *scale) } else { (*b, 1.0) };
        if b.0 != conv && self.scale_of(sum) != 1.0 {
            return (None, Value(conv));
        }
        self.fused[sum] = true;
        self.fused[conv] = true;
        (Some(FusedAdd { with, scale, then: *activation }), Value(sum))
    }

    fn scale_of(&self, sum: usize) -> f32 {
        match &self.nodes[sum].op {
            Op::Add { scale, .. } => *scale,
            _ => 1.0,
        }
    }
}

/// Returns for each value the concatenation in whose buffer it is written (or the value itself), and the channel.
///
/// A step may not read the buffer that it writes, so a part that is made from another part of the
/// same concatenation is left to be copied.
fn homes(nodes: &[Node], outputs: &[Value], steps: &[Step]) -> Vec<(usize, usize)> {
    let mut homes: Vec<(usize, usize)> = (0..nodes.len()).map(|value| (value, 0)).collect();
    let reads = |value: Value| steps.iter().find(|step| step.out == value).map(|step| step.reads(nodes));
    for (node, op) in nodes.iter().map(|node| &node.op).enumerate() {
        let Op::Concat { parts } = op else { continue };
        let (mut channel, mut placed) = (0, Vec::<Value>::new());
        for part in parts {
            let apart = reads(*part).is_some_and(|from| !placed.iter().any(|other| from.contains(other)))
                && !placed.iter().any(|other| reads(*other).is_some_and(|from| from.contains(part)));
            let once = parts.iter().filter(|other| *other == part).count() == 1;
            let own = !matches!(nodes[part.0].op, Op::Concat { .. }) && !outputs.contains(part);
            if apart && once && own && homes[part.0] == (part.0, 0) {
                homes[part.0] = (node, channel);
                placed.push(*part);
            }
            channel += nodes[part.0].channels;
        }
    }
    homes
}

/// Buffers by liveness: a buffer is free again when no later step reads a value in it.
fn places(nodes: &[Node], outputs: &[Value], steps: &[Step], homes: &[(usize, usize)]) -> (Vec<Option<Place>>, usize) {
    let mut last = vec![0; nodes.len()];
    for (at, step) in steps.iter().enumerate() {
        let touched = step.reads(nodes).into_iter().chain([step.out]);
        touched.for_each(|value| last[homes[value.0].0] = at);
    }
    outputs.iter().for_each(|output| last[homes[output.0].0] = usize::MAX);
    let mut places = vec![None; nodes.len()];
    let (mut occupied, mut free, mut buffers) = (vec![None; nodes.len()], Vec::new(), 0);
    for (at, step) in steps.iter().enumerate() {
        let (home, offset) = homes[step.out.0];
        let buffer = *occupied[home].get_or_insert_with(|| {
            free.pop().unwrap_or_else(|| {
                buffers += 1;
                buffers - 1
            })
        });
        places[step.out.0] = Some(Place { buffer, offset, pixel: nodes[home].channels });
        for value in 0..nodes.len() {
            if last[value] == at
                && let Some(buffer) = occupied[value].take()
            {
                free.push(buffer);
            }
        }
    }
    (places, buffers)
}

#[cfg(test)]
mod tests {
    use super::super::{Activation, Builder, Dims, Filter, Fold, KernelSet, Padding};
    use super::*;

    fn conv(g: &mut Builder, x: Value, out: usize, size: usize, activation: &Activation) -> Value {
        let input = g.channels(x);
        let dims = Dims { out, input, h: size, w: size };
        let bytes = vec![0; 4 * out * input * size * size];
        let filter = Filter::oihw("filter", &bytes, dims);
        g.conv(x, &filter, &Fold::none(out), 1, Padding::same(dims), activation).unwrap()
    }

    fn depthwise(g: &mut Builder, x: Value) -> Value {
        let dims = Dims { out: g.channels(x), input: 1, h: 3, w: 3 };
        let bytes = vec![0; 36 * dims.out];
        let filter = Filter::oihw("filter", &bytes, dims);
        g.depthwise(x, &filter, &Fold::none(dims.out), 1, Padding::all(1), &Activation::None).unwrap()
    }

    fn plan(describe: impl Fn(&mut Builder, Value) -> Vec<Value>) -> Plan {
        let mut builder = Builder::new(KernelSet::named("portable").unwrap(), 4);
        let input = builder.input();
        let outputs = describe(&mut builder, input);
        builder.finish(&outputs).unwrap().plan
    }

    #[test]
    fn an_inverted_residual_is_one_step() {
        let plan = plan(|g, x| {
            let wide = conv(g, x, 24, 1, &Activation::Relu);
            let deep = depthwise(g, wide);
            let thin = conv(g, deep, 4, 1, &Activation::None);
            vec![g.add(x, thin, &Activation::None)]
        });
        let join = Some(FusedAdd { with: Value(0), scale: 1.0, then: Simple::None });
        let kind = StepKind::Ring { producer: Some(1), depthwise: 2, project: Some(3), join };
        assert_eq!(plan.steps, [Step { kind, out: Value(4) }]);
        assert_eq!(plan.buffers, 1);
    }

    #[test]
    fn what_is_read_twice_is_not_fused_away() {
        let plan = plan(|g, x| {
            let wide = conv(g, x, 4, 1, &Activation::None);
            let deep = depthwise(g, wide);
            let sum = g.add(wide, deep, &Activation::None);
            let thin = conv(g, sum, 4, 3, &Activation::None);
            vec![thin, g.add(x, thin, &Activation::None)]
        });
        assert_eq!(plan.steps.len(), 5, "{:?}", plan.steps);
    }

    #[test]
    fn parts_are_written_in_place_and_a_part_of_two_is_copied_once() {
        let plan = plan(|g, x| {
            let (a, b) = (conv(g, x, 3, 1, &Activation::None), conv(g, x, 5, 1, &Activation::None));
            let (first, second) = (g.concat(&[a, b]), g.concat(&[b, x]));
            vec![first, second]
        });
        assert_eq!(plan.places[1], Some(Place { buffer: 0, offset: 0, pixel: 8 }));
        assert_eq!(plan.places[2], Some(Place { buffer: 0, offset: 3, pixel: 8 }));
        assert_eq!(plan.places[3], Some(Place { buffer: 0, offset: 0, pixel: 8 }));
        assert_eq!(plan.places[4], Some(Place { buffer: 1, offset: 0, pixel: 9 }));
    }

    #[test]
    fn a_long_chain_needs_two_buffers_and_no_step_writes_what_it_reads() {
        let plan = plan(|g, x| vec![(0..9).fold(x, |x, _| conv(g, x, 4, 3, &Activation::Relu))]);
        assert_eq!((plan.steps.len(), plan.buffers), (9, 2));
        for pair in plan.places[1..].windows(2) {
            assert_ne!(pair[0].map(|place| place.buffer), pair[1].map(|place| place.buffer));
        }
    }
}
