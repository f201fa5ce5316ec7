//! Follows CenterFace's graph: each operator must be the expected one, on the expected values, with
//! the expected attributes and shapes. After the walk every operator and every weight must have been
//! used.

use std::collections::HashSet;

use crate::engine::{Activation, Builder, Dims, Fold, KernelSet, Network, Padding, Value};
use crate::net::fold::{BatchNorm, ConvSpec, oihw};
use crate::net::refusal::Refusal;
use crate::weights::WeightError;
use crate::weights::onnx::{OnnxModel, OnnxNode};

const BACKBONE_EPSILON: f32 = 1e-5;
const NECK_EPSILON: f32 = 1e-3;
/// Channels of the pyramid.
const PYRAMID: usize = 24;

/// The network that the file's graph describes.
pub(super) fn describe(model: &OnnxModel, kernels: KernelSet) -> Result<Network, Refusal> {
    if model.opset != 9 {
        return Err(operator("the model".to_owned(), "operator set 9", &model.opset.to_string()).into());
    }
    let mut walk = Walk { model, next: 0, used: HashSet::new(), builder: Builder::new(kernels, 3) };
    let steps = walk.backbone()?;
    let x = walk.neck(&steps)?;
    let outputs = walk.head(&x)?;
    walk.finish(&outputs)
}

/// A value: its name in the file's graph, and in ours.
#[derive(Clone)]
struct Edge {
    name: String,
    value: Value,
}

/// A walk along the file's operators, in file order.
struct Walk<'m> {
    model: &'m OnnxModel,
    next: usize,
    used: HashSet<&'m str>,
    builder: Builder,
}

impl<'m> Walk<'m> {
    /// Describes MobileNetV2; returns its results at strides 4, 8, 16 and 32.
    fn backbone(&mut self) -> Result<[Edge; 4], Refusal> {
        let input = Edge { name: "input.1".to_owned(), value: self.builder.input() };
        let x = self.conv(&input, ConvSpec::square(32, 3, 2, 1), BACKBONE_EPSILON, &Activation::Relu)?;
        let x = self.depthwise(&x, 1)?;
        let x = self.project(&x, 16)?;
        let x = self.widen(&x, 24, 2)?;
        let at_4 = self.residual(&x)?;
        let x = self.widen(&at_4, 32, 2)?;
        let x = self.residual(&x)?;
        let at_8 = self.residual(&x)?;
        let mut x = self.widen(&at_8, 64, 2)?;
        for _ in 0..3 {
            x = self.residual(&x)?;
        }
        x = self.widen(&x, 96, 1)?;
        x = self.residual(&x)?;
        let at_16 = self.residual(&x)?;
        let mut x = self.widen(&at_16, 160, 2)?;
        for _ in 0..2 {
            x = self.residual(&x)?;
        }
        let at_32 = self.widen(&x, 320, 1)?;
        Ok([at_4, at_8, at_16, at_32])
    }

    /// Goes from the coarsest step to the finest: reduces channels, doubles the size, adds the next step.
    fn neck(&mut self, [at_4, at_8, at_16, at_32]: &[Edge; 4]) -> Result<Edge, Refusal> {
        let mut x = self.lateral(at_32)?;
        for step in [at_16, at_8, at_4] {
            let up = self.double(&x)?;
            let side = self.lateral(step)?;
            x = self.add(&up, &side)?;
        }
        Ok(x)
    }

    fn head(&mut self, x: &Edge) -> Result<[Edge; 4], Refusal> {
        let x = self.conv(x, ConvSpec::square(PYRAMID, 3, 1, 1), BACKBONE_EPSILON, &Activation::Relu)?;
        let heat = self.biased(&x, 1)?;
        let heat = self.sigmoid(&heat)?;
        Ok([heat, self.biased(&x, 2)?, self.biased(&x, 2)?, self.biased(&x, 10)?])
    }

    fn finish(self, outputs: &[Edge; 4]) -> Result<Network, Refusal> {
        if let Some(node) = self.model.nodes.get(self.next) {
            return Err(operator(self.place(), "the end of the graph", &node.operator).into());
        }
        let names: Vec<&str> = outputs.iter().map(|edge| edge.name.as_str()).collect();
        if self.model.outputs != names {
            return Err(
                operator("outputs".to_owned(), &format!("{names:?}"), &format!("{:?}", self.model.outputs)).into()
            );
        }
        if let Some(left) = self.model.floats().filter(|name| !self.used.contains(name)).min() {
            return Err(WeightError::Unused { tensor: left.to_owned() }.into());
        }
        let values = outputs.each_ref().map(|edge| edge.value);
        Ok(self.builder.finish(&values)?)
    }

    /// One block: expands the channels six times, convolves 3x3 per channel, and projects to fewer channels.
    fn widen(&mut self, x: &Edge, out: usize, stride: usize) -> Result<Edge, Refusal> {
        let wide = 6 * self.builder.channels(x.value);
        let y = self.conv(x, ConvSpec::square(wide, 1, 1, 0), BACKBONE_EPSILON, &Activation::Relu)?;
        let y = self.depthwise(&y, stride)?;
        self.project(&y, out)
    }

    fn residual(&mut self, x: &Edge) -> Result<Edge, Refusal> {
        let y = self.widen(x, self.builder.channels(x.value), 1)?;
        self.add(x, &y)
    }

    fn project(&mut self, x: &Edge, out: usize) -> Result<Edge, Refusal> {
        self.conv(x, ConvSpec::square(out, 1, 1, 0), BACKBONE_EPSILON, &Activation::None)
    }

    fn lateral(&mut self, x: &Edge) -> Result<Edge, Refusal> {
        self.conv(x, ConvSpec::square(PYRAMID, 1, 1, 0), NECK_EPSILON, &Activation::Relu)
    }

    fn conv(&mut self, x: &Edge, conv: ConvSpec, epsilon: f32, activation: &Activation) -> Result<Edge, Refusal> {
        let node = self.convolution("Conv", x, &ConvAttributes { side: conv.h, stride: conv.stride, group: 1 }, 2)?;
        let (name, fold) = self.norm(node, conv.out, epsilon, *activation == Activation::Relu)?;
        let tensor = self.model.tensor(&node.inputs[1])?;
        let dims = conv.dims(self.builder.channels(x.value));
        let value = self.builder.conv(x.value, &oihw(&tensor, dims)?, &fold, conv.stride, conv.padding, activation)?;
        Ok(Edge { name, value })
    }

    fn depthwise(&mut self, x: &Edge, stride: usize) -> Result<Edge, Refusal> {
        let channels = self.builder.channels(x.value);
        let node = self.convolution("Conv", x, &ConvAttributes { side: 3, stride, group: channels }, 2)?;
        let (name, fold) = self.norm(node, channels, BACKBONE_EPSILON, true)?;
        let tensor = self.model.tensor(&node.inputs[1])?;
        let filter = oihw(&tensor, Dims { out: channels, input: 1, h: 3, w: 3 })?;
        let value = self.builder.depthwise(x.value, &filter, &fold, stride, Padding::all(1), &Activation::Relu)?;
        Ok(Edge { name, value })
    }

    /// Transposed 2x2 convolution; ONNX stores its filter input first.
    fn double(&mut self, x: &Edge) -> Result<Edge, Refusal> {
        let node = self.convolution("ConvTranspose", x, &ConvAttributes { side: 2, stride: 2, group: 1 }, 2)?;
        let (name, fold) = self.norm(node, PYRAMID, NECK_EPSILON, true)?;
        let tensor = self.model.tensor(&node.inputs[1])?;
        let dims = Dims { out: PYRAMID, input: PYRAMID, h: 2, w: 2 };
        let mut filter = oihw(&tensor, dims)?;
        std::mem::swap(&mut filter.strides.out, &mut filter.strides.input);
        let value = self.builder.conv_transpose_2x2(x.value, &filter, &fold, &Activation::Relu)?;
        Ok(Edge { name, value })
    }

    /// A 1x1 convolution with a bias and no batch norm.
    fn biased(&mut self, x: &Edge, out: usize) -> Result<Edge, Refusal> {
        let node = self.convolution("Conv", x, &ConvAttributes { side: 1, stride: 1, group: 1 }, 3)?;
        self.used.insert(&node.inputs[2]);
        let fold = Fold::bias(self.model.tensor(&node.inputs[2])?.vector(out)?);
        let tensor = self.model.tensor(&node.inputs[1])?;
        let filter = oihw(&tensor, Dims { out, input: PYRAMID, h: 1, w: 1 })?;
        let value = self.builder.conv(x.value, &filter, &fold, 1, Padding::default(), &Activation::None)?;
        Ok(Edge { name: node.outputs[0].clone(), value })
    }

    fn add(&mut self, a: &Edge, b: &Edge) -> Result<Edge, Refusal> {
        let node = self.node("Add", &[&a.name, &b.name], 2, &[])?;
        let value = self.builder.add(a.value, b.value, &Activation::None);
        Ok(Edge { name: node.outputs[0].clone(), value })
    }

    fn sigmoid(&mut self, x: &Edge) -> Result<Edge, Refusal> {
        let node = self.node("Sigmoid", &[&x.name], 1, &[])?;
        let value = self.builder.sigmoid(x.value);
        Ok(Edge { name: node.outputs[0].clone(), value })
    }

    /// Reads the batch norm that follows, and the ReLU if one is expected; returns the name of the result.
    fn norm(&mut self, conv: &OnnxNode, channels: usize, epsilon: f32, relu: bool) -> Result<(String, Fold), Refusal> {
        let model = self.model;
        let node = self.node("BatchNormalization", &[&conv.outputs[0]], 5, &["epsilon", "momentum"])?;
        if node.float("epsilon") != Some(epsilon) {
            let found = node.float("epsilon").map_or("none".to_owned(), |epsilon| epsilon.to_string());
            return Err(operator(self.last(), &format!("epsilon {epsilon}"), &found).into());
        }
        let part = |index: usize| model.tensor(&node.inputs[index]);
        let (gamma, beta, mean, variance) = (part(1)?, part(2)?, part(3)?, part(4)?);
        self.used.extend(node.inputs[1..].iter().map(String::as_str));
        let norm = BatchNorm {
            gamma: Some(&gamma),
            beta: &beta,
            mean: &mean,
            variance: &variance,
            epsilon: f64::from(epsilon),
        };
        let fold = norm.fold(channels)?;
        let name = &node.outputs[0];
        let last = if relu { &self.node("Relu", &[name], 1, &[])?.outputs[0] } else { name };
        Ok((last.clone(), fold))
    }

    fn convolution(
        &mut self,
        kind: &str,
        x: &Edge,
        attributes: &ConvAttributes,
        inputs: usize,
    ) -> Result<&'m OnnxNode, WeightError> {
        let names = ["dilations", "group", "kernel_shape", "pads", "strides"];
        let node = self.node(kind, &[&x.name], inputs, &names)?;
        let pad = if kind == "Conv" { attributes.side / 2 } else { 0 };
        let expected =
            (vec![1; 2], attributes.group, vec![attributes.side; 2], vec![pad; 4], vec![attributes.stride; 2]);
        let numbers =
            |name: &str| node.integers(name).iter().map(|&n| usize::try_from(n).unwrap_or(usize::MAX)).collect();
        let group = node.integer("group").and_then(|n| usize::try_from(n).ok()).unwrap_or(1);
        let found = (numbers("dilations"), group, numbers("kernel_shape"), numbers("pads"), numbers("strides"));
        if found != expected {
            let names = names.join(", ");
            return Err(operator(self.last(), &format!("{names} {expected:?}"), &format!("{found:?}")));
        }
        self.used.insert(&node.inputs[1]);
        Ok(node)
    }

    /// The next operator, if it is the expected one on the expected values, with one output and no
    /// attributes but these.
    fn node(&mut self, kind: &str, x: &[&str], inputs: usize, allowed: &[&str]) -> Result<&'m OnnxNode, WeightError> {
        let place = self.place();
        let expected = format!("{kind} of {} and {} weights", x.join(" and "), inputs - x.len());
        let Some(node) = self.model.nodes.get(self.next) else {
            return Err(operator(place, &expected, "the end of the graph"));
        };
        self.next += 1;
        let right = node.operator == kind
            && node.inputs.len() == inputs
            && node.inputs.iter().zip(x).all(|(found, expected)| found == expected)
            && node.outputs.len() == 1
            && node.attribute_names().all(|name| allowed.contains(&name));
        if right {
            return Ok(node);
        }
        let attributes: Vec<&str> = node.attribute_names().collect();
        let found = format!("{} of {:?} with attributes {attributes:?}", node.operator, node.inputs);
        Err(operator(place, &expected, &found))
    }

    fn place(&self) -> String {
        format!("operator {} of the graph", self.next)
    }

    fn last(&self) -> String {
        format!("operator {} of the graph", self.next.saturating_sub(1))
    }
}

/// The required attributes of a convolution.
struct ConvAttributes {
    side: usize,
    stride: usize,
    group: usize,
}

fn operator(layer: String, expected: &str, found: &str) -> WeightError {
    WeightError::Layer { layer, expected: expected.to_owned(), found: found.to_owned() }
}
