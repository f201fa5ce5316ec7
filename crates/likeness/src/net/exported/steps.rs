//! Reads an exported graph into steps: what each operator computes, without the layout of its numbers.

use std::collections::{HashMap, HashSet};

use super::constant::Constant;
use super::fault::{refused, wrong};
use super::integers::Integers;
use super::layout::Layout;
use crate::engine::Padding;
use crate::net::outline::{ConvKind, Outline, Part};
use crate::weights::WeightError;
use crate::weights::onnx::{OnnxModel, OnnxNode};

/// Channels that a value may have.
const MOST_CHANNELS: usize = 1 << 14;
/// Integers that all of a graph's tensors of integers may have together.
const MOST_INTEGERS: usize = 1 << 16;

/// The computation of a step from earlier steps, which it names by index.
pub(super) enum Kind<'m> {
    Input,
    Conv(FoundConv<'m>),
    Affine { x: usize, by: Affine<'m>, layout: Layout },
    Relu { x: usize },
    Prelu { x: usize, slopes: Constant<'m>, layout: Layout },
    Sigmoid { x: usize },
    Softmax { x: usize },
    Add { a: usize, b: usize },
    Gate { x: usize, s: usize },
    Concat { parts: Vec<usize> },
    MaxPool { x: usize },
    Average { x: usize },
}

/// A convolution; its filter's dimensions are out, input, rows, columns.
pub(super) struct FoundConv<'m> {
    pub(super) x: usize,
    pub(super) kind: ConvKind,
    pub(super) filter: Constant<'m>,
    pub(super) bias: Option<Constant<'m>>,
    pub(super) stride: usize,
    pub(super) padding: Padding,
}

/// The arithmetic on each number of a channel.
pub(super) enum Affine<'m> {
    /// x + c.
    Plus(Constant<'m>),
    /// x - c.
    Minus(Constant<'m>),
    /// c - x.
    From(Constant<'m>),
    /// x * c.
    Times(Constant<'m>),
    /// x / c.
    Over(Constant<'m>),
    /// (x - mean) * gamma / sqrt(variance + epsilon) + beta.
    Norm { parts: Box<[Constant<'m>; 4]>, epsilon: f64 },
}

/// A step, and the size of its result for one picture.
pub(super) struct GraphStep<'m> {
    pub(super) kind: Kind<'m>,
    /// The operator's number in the file.
    pub(super) number: usize,
    pub(super) operator: &'m str,
    pub(super) size: ValueSize,
}

/// Channels, rows and columns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct ValueSize {
    pub(super) c: usize,
    pub(super) h: usize,
    pub(super) w: usize,
}

impl ValueSize {
    pub(super) fn is_pixel(self) -> bool {
        (self.h, self.w) == (1, 1)
    }
}

/// A value of the graph.
#[derive(Clone)]
pub(super) enum GraphValue<'m> {
    Step(usize, Layout),
    Constant(Constant<'m>),
    Integers(Integers),
}

/// All steps of a graph; each follows its inputs.
pub(super) struct Steps<'m> {
    pub(super) all: Vec<GraphStep<'m>>,
    /// The step that is the graph's first output.
    pub(super) output: usize,
    used: HashSet<&'m str>,
}

impl Steps<'_> {
    /// Checks that every tensor of f32 is an input of some operator.
    pub(super) fn all_weights_used(&self, model: &OnnxModel) -> Result<(), WeightError> {
        match model.floats().filter(|name| !self.used.contains(name)).min() {
            None => Ok(()),
            Some(left) => Err(WeightError::Unused { tensor: left.to_owned() }),
        }
    }
}

/// The steps of a model's graph.
pub(super) fn read<'m, A>(model: &'m OnnxModel, outline: &Outline<A>) -> Result<Steps<'m>, WeightError> {
    let Some(Part::Input { side }) = outline.parts().first() else { unreachable!("an outline begins with its input") };
    let mut reader = Reader::begin(model, *side)?;
    model.nodes.iter().try_for_each(|node| reader.node(node))?;
    let name = model.outputs.first().map_or("", String::as_str);
    match reader.values.get(name) {
        Some(GraphValue::Step(output, Layout::Flat)) => {
            Ok(Steps { output: *output, all: reader.steps, used: reader.used })
        }
        Some(_) => Err(wrong("the first output".to_owned(), "rows of numbers, one for each picture", "another shape")),
        None => Err(wrong("the first output".to_owned(), "the result of an operator", &format!("{name:?}"))),
    }
}

/// Turns the graph into steps.
pub(super) struct Reader<'m> {
    pub(super) model: &'m OnnxModel,
    pub(super) steps: Vec<GraphStep<'m>>,
    values: HashMap<&'m str, GraphValue<'m>>,
    used: HashSet<&'m str>,
    integers: usize,
}

impl<'m> Reader<'m> {
    fn begin(model: &'m OnnxModel, side: usize) -> Result<Self, WeightError> {
        let Some(input) = model.inputs.first() else {
            return Err(wrong("the graph".to_owned(), "an input", "none"));
        };
        let wanted = [side, side, 3].map(|n| i64::try_from(n).ok());
        if input.shape.len() != 4 || input.shape[1..] != wanted {
            let found = format!("{:?}", input.shape.iter().map(|n| n.unwrap_or(-1)).collect::<Vec<_>>());
            let place = format!("the input {:?}", input.name);
            return Err(wrong(place, &format!("shape [n, {side}, {side}, 3]"), &found));
        }
        let size = ValueSize { c: 3, h: side, w: side };
        let step = GraphStep { kind: Kind::Input, number: 0, operator: "input", size };
        let values = HashMap::from([(input.name.as_str(), GraphValue::Step(0, Layout::Nhwc))]);
        Ok(Self { model, steps: vec![step], values, used: HashSet::new(), integers: 0 })
    }

    fn node(&mut self, node: &'m OnnxNode) -> Result<(), WeightError> {
        let value = self.operator(node)?;
        if let GraphValue::Integers(integers) = &value {
            self.integers += integers.all.len() + integers.dims.len();
        }
        if self.integers > MOST_INTEGERS {
            return Err(refused(node.number, &format!("at most {MOST_INTEGERS} integers"), "more"));
        }
        let Some(name) = node.outputs.first() else { return Err(refused(node.number, "an output", "none")) };
        match self.values.insert(name, value) {
            None if !self.model.has(name) => Ok(()),
            _ => Err(refused(node.number, "a name of its own for its output", &format!("{name:?} twice"))),
        }
    }

    /// An input of an operator.
    pub(super) fn value(&mut self, node: &'m OnnxNode, index: usize) -> Result<GraphValue<'m>, WeightError> {
        let name = node.inputs.get(index).map_or("", String::as_str);
        if let Some(value) = self.values.get(name) {
            return Ok(value.clone());
        }
        self.used.insert(name);
        if !self.model.has(name) {
            let expected = format!("{} of earlier values", node.operator);
            return Err(refused(node.number, &expected, &format!("input {index} is {name:?}")));
        }
        match self.model.integers(name)? {
            None => Constant::of(self.model, name).map(GraphValue::Constant),
            Some((dims, all)) => Integers::with(dims, all)
                .map(GraphValue::Integers)
                .ok_or_else(|| refused(node.number, "few integers", &format!("{name:?}, of many"))),
        }
    }

    /// An input that may be left out.
    pub(super) fn optional(&mut self, node: &'m OnnxNode, index: usize) -> Result<Option<GraphValue<'m>>, WeightError> {
        let there = node.inputs.get(index).is_some_and(|name| !name.is_empty());
        there.then(|| self.value(node, index)).transpose()
    }

    /// An input that an earlier step computes.
    pub(super) fn step(&mut self, node: &'m OnnxNode, index: usize) -> Result<(usize, Layout), WeightError> {
        match self.value(node, index)? {
            GraphValue::Step(step, layout) => Ok((step, layout)),
            _ => Err(refused(node.number, &format!("{} of a computed value", node.operator), "a constant")),
        }
    }

    /// An input that lies in the file.
    pub(super) fn constant(&mut self, node: &'m OnnxNode, index: usize) -> Result<Constant<'m>, WeightError> {
        match self.value(node, index)? {
            GraphValue::Constant(constant) => Ok(constant),
            _ => Err(refused(node.number, &format!("{} with weights in the file", node.operator), "a computed value")),
        }
    }

    /// Adds a step.
    pub(super) fn push(
        &mut self,
        node: &'m OnnxNode,
        kind: Kind<'m>,
        size: ValueSize,
        layout: Layout,
    ) -> Result<GraphValue<'m>, WeightError> {
        if size.c > MOST_CHANNELS {
            return Err(refused(node.number, &format!("at most {MOST_CHANNELS} channels"), &size.c.to_string()));
        }
        self.steps.push(GraphStep { kind, number: node.number, operator: &node.operator, size });
        Ok(GraphValue::Step(self.steps.len() - 1, layout))
    }

    pub(super) fn size(&self, step: usize) -> ValueSize {
        self.steps[step].size
    }

    /// A value's dimensions, for one picture.
    pub(super) fn dims(&self, value: &GraphValue) -> Vec<usize> {
        match value {
            GraphValue::Constant(constant) => constant.dims.clone(),
            GraphValue::Integers(integers) => integers.dims.clone(),
            GraphValue::Step(step, layout) => {
                let ValueSize { c, h, w } = self.size(*step);
                match layout {
                    Layout::Nhwc => vec![1, h, w, c],
                    Layout::Nchw => vec![1, c, h, w],
                    Layout::Flat => vec![1, c],
                    Layout::Line => vec![c],
                }
            }
        }
    }
}
