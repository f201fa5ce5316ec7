//! Reads each supported operator: checks its attributes, and turns it into a step.

use super::constant::Constant;
use super::fault::refused;
use super::integers::{self, Integers};
use super::layout::Layout;
use super::steps::{Affine, FoundConv, GraphValue, Kind, Reader, ValueSize};
use crate::engine::{Dims, Padding};
use crate::net::outline::ConvKind;
use crate::weights::WeightError;
use crate::weights::onnx::OnnxNode;

type Read<'m> = Result<GraphValue<'m>, WeightError>;

/// The most rows or columns of zeros beside a picture, and the longest stride.
const MOST_AROUND: i64 = 16;

impl<'m> Reader<'m> {
    /// Reads one operator.
    pub(super) fn operator(&mut self, node: &'m OnnxNode) -> Read<'m> {
        let known: &[&str] = match node.operator.as_str() {
            "Conv" => &["auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"],
            "MaxPool" => &["auto_pad", "ceil_mode", "dilations", "kernel_shape", "pads", "storage_order", "strides"],
            "BatchNormalization" => &["epsilon", "momentum", "training_mode", "spatial"],
            "Gemm" => &["alpha", "beta", "transA", "transB"],
            "ReduceMean" => &["axes", "keepdims", "noop_with_empty_axes"],
            "Transpose" => &["perm"],
            "Concat" | "Flatten" | "Gather" | "Softmax" => &["axis"],
            "Squeeze" | "Unsqueeze" => &["axes"],
            "Reshape" => &["allowzero"],
            "Shape" => &["start", "end"],
            "Cast" => &["to", "saturate"],
            "Dropout" => &["ratio", "seed"],
            _ => &[],
        };
        let other = node.attribute_names().find(|name| !known.contains(name));
        let alone = node.outputs.len() == 1 || node.operator == "Dropout";
        if let (Some(other), _) = (other, alone) {
            return Err(refused(node.number, &format!("{} with attributes {known:?}", node.operator), other));
        }
        if !alone || !matches!(node.domain.as_str(), "" | "ai.onnx") {
            let found = format!("{:?} of {:?} with {} outputs", node.operator, node.domain, node.outputs.len());
            return Err(refused(node.number, "an operator of ONNX with one output", &found));
        }
        match node.operator.as_str() {
            "Conv" => self.conv(node),
            "MatMul" | "Gemm" => self.linear(node),
            "BatchNormalization" => self.norm(node),
            "Add" | "Sub" | "Mul" | "Div" => self.arithmetic(node),
            "Relu" => self.simple(node, |x| Kind::Relu { x }),
            "Sigmoid" => self.simple(node, |x| Kind::Sigmoid { x }),
            "PRelu" => self.prelu(node),
            "Softmax" => self.softmax(node),
            "MaxPool" => self.max_pool(node),
            "GlobalAveragePool" => self.average(node, Some(vec![2, 3]), true),
            "ReduceMean" => self.reduce_mean(node),
            "Concat" => self.concat(node),
            "Transpose" => self.transpose(node),
            "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" => self.reshape(node),
            "Identity" | "Dropout" => self.value(node, 0),
            "Shape" | "Range" | "Cast" | "Gather" => self.of_integers(node),
            _ => Err(refused(node.number, "an operator of these networks", &node.operator)),
        }
    }

    fn simple(&mut self, node: &'m OnnxNode, kind: impl FnOnce(usize) -> Kind<'m>) -> Read<'m> {
        let (x, layout) = self.step(node, 0)?;
        self.push(node, kind(x), self.size(x), layout)
    }

    /// The first input as a step in NCHW, as convolutions and pools need it.
    fn picture(&mut self, node: &'m OnnxNode) -> Result<usize, WeightError> {
        match self.step(node, 0)? {
            (x, Layout::Nchw) => Ok(x),
            (_, layout) => Err(refused(node.number, "channels before rows and columns", &format!("{layout:?}"))),
        }
    }

    fn conv(&mut self, node: &'m OnnxNode) -> Read<'m> {
        let x = self.picture(node)?;
        let filter = self.constant(node, 1)?;
        let bias = self.optional(node, 2)?.map(|_| self.constant(node, 2)).transpose()?;
        let &[out, input, h, w] = filter.dims.as_slice() else {
            return Err(refused(node.number, "a filter of four dimensions", &format!("{:?}", filter.dims)));
        };
        let size = self.size(x);
        let group = node.integer("group").unwrap_or(1);
        let kind = match usize::try_from(group) {
            Ok(1) if input == size.c => ConvKind::Dense,
            Ok(group) if group == size.c && input == 1 && out == group => ConvKind::Depthwise,
            _ => {
                let found = format!("{group} groups, a filter of {:?} on {} channels", filter.dims, size.c);
                return Err(refused(node.number, "all channels or each channel alone", &found));
            }
        };
        let (stride, padding) = window(node, [h, w])?;
        let size = windowed(node, size, [h, w], stride, padding)?;
        let conv = FoundConv { x, kind, filter, bias, stride, padding };
        self.push(node, Kind::Conv(conv), ValueSize { c: out, ..size }, Layout::Nchw)
    }

    /// A product with a matrix on the right, as a convolution of one pixel.
    fn linear(&mut self, node: &'m OnnxNode) -> Read<'m> {
        let (x, layout) = self.step(node, 0)?;
        let matrix = self.constant(node, 1)?;
        let bias = self.optional(node, 2)?.map(|_| self.constant(node, 2)).transpose()?;
        let one = |name: &str| node.float(name).is_none_or(|factor| factor == 1.0);
        let plain = one("alpha") && one("beta") && node.integer("transA").unwrap_or(0) == 0;
        let order: &[usize] = if node.integer("transB").unwrap_or(0) == 0 { &[1, 0] } else { &[0, 1] };
        let size = self.size(x);
        let matrix =
            matrix.transposed(order).filter(|matrix| plain && layout == Layout::Flat && matrix.dims[1] == size.c);
        let Some(Constant { name, dims, strides, bytes }) = matrix else {
            let expected = format!("rows of {} numbers times a matrix", size.c);
            return Err(refused(node.number, &expected, "another product"));
        };
        let (dims, strides) = ([dims, vec![1, 1]].concat(), [strides, vec![1, 1]].concat());
        let out = dims[0];
        let filter = Constant { name, dims, strides, bytes };
        let (kind, padding) = (ConvKind::Linear, Padding::default());
        let conv = FoundConv { x, kind, filter, bias, stride: 1, padding };
        self.push(node, Kind::Conv(conv), ValueSize { c: out, h: 1, w: 1 }, Layout::Flat)
    }

    fn norm(&mut self, node: &'m OnnxNode) -> Read<'m> {
        let (x, layout) = self.step(node, 0)?;
        let parts =
            [self.constant(node, 1)?, self.constant(node, 2)?, self.constant(node, 3)?, self.constant(node, 4)?];
        let epsilon = node.float("epsilon").unwrap_or(1e-5);
        let plain = node.integer("training_mode").unwrap_or(0) == 0 && node.integer("spatial").unwrap_or(1) == 1;
        if !plain || epsilon <= 0.0 || !matches!(layout, Layout::Nchw | Layout::Flat) {
            let found = format!("{layout:?}, epsilon {epsilon}, inference {plain}");
            return Err(refused(node.number, "a batch norm of channels, for inference", &found));
        }
        // Each part has one number for each channel, whatever dimensions follow the channels.
        let by = Affine::Norm { parts: parts.into(), epsilon: f64::from(epsilon) };
        self.push(node, Kind::Affine { x, by, layout: Layout::Flat }, self.size(x), layout)
    }

    fn arithmetic(&mut self, node: &'m OnnxNode) -> Read<'m> {
        let plus = node.operator == "Add";
        let (left, right) = (self.value(node, 0)?, self.value(node, 1)?);
        let (x, layout, by) = match (node.operator.as_str(), left, right) {
            ("Add", GraphValue::Step(x, layout), GraphValue::Constant(c)) => (x, layout, Affine::Plus(c)),
            ("Add", GraphValue::Constant(c), GraphValue::Step(x, layout)) => (x, layout, Affine::Plus(c)),
            ("Mul", GraphValue::Step(x, layout), GraphValue::Constant(c)) => (x, layout, Affine::Times(c)),
            ("Mul", GraphValue::Constant(c), GraphValue::Step(x, layout)) => (x, layout, Affine::Times(c)),
            ("Sub", GraphValue::Step(x, layout), GraphValue::Constant(c)) => (x, layout, Affine::Minus(c)),
            ("Sub", GraphValue::Constant(c), GraphValue::Step(x, layout)) => (x, layout, Affine::From(c)),
            ("Div", GraphValue::Step(x, layout), GraphValue::Constant(c)) => (x, layout, Affine::Over(c)),
            ("Add" | "Mul", GraphValue::Step(a, one), GraphValue::Step(b, other)) if one == other => {
                return self.two(node, (a, b), one);
            }
            ("Add" | "Mul", GraphValue::Integers(a), GraphValue::Integers(b)) => {
                let each = a.each(&b, |a, b| if plus { a.checked_add(b) } else { a.checked_mul(b) });
                return each
                    .map(GraphValue::Integers)
                    .ok_or_else(|| refused(node.number, "a sum of few integers", "another"));
            }
            _ => return Err(refused(node.number, "a value and a weight, or two values of one layout", "others")),
        };
        self.push(node, Kind::Affine { x, by, layout }, self.size(x), layout)
    }

    /// A sum of two values, or a gate.
    fn two(&mut self, node: &'m OnnxNode, (a, b): (usize, usize), layout: Layout) -> Read<'m> {
        let (left, right) = (self.size(a), self.size(b));
        let (kind, size) = match node.operator.as_str() {
            "Add" if left == right => (Kind::Add { a, b }, left),
            "Mul" if left.c == right.c && right.is_pixel() => (Kind::Gate { x: a, s: b }, left),
            "Mul" if left.c == right.c && left.is_pixel() => (Kind::Gate { x: b, s: a }, right),
            _ => {
                return Err(refused(node.number, "two values of one size, or a gate", &format!("{left:?}, {right:?}")));
            }
        };
        self.push(node, kind, size, layout)
    }

    fn prelu(&mut self, node: &'m OnnxNode) -> Read<'m> {
        let slopes = self.constant(node, 1)?;
        let (x, layout) = self.step(node, 0)?;
        self.push(node, Kind::Prelu { x, slopes, layout }, self.size(x), layout)
    }

    fn softmax(&mut self, node: &'m OnnxNode) -> Read<'m> {
        match (self.step(node, 0)?, node.integer("axis")) {
            ((x, Layout::Flat), None | Some(1 | -1)) => {
                self.push(node, Kind::Softmax { x }, self.size(x), Layout::Flat)
            }
            (_, axis) => Err(refused(node.number, "a softmax of each row", &format!("axis {axis:?}"))),
        }
    }

    fn max_pool(&mut self, node: &'m OnnxNode) -> Read<'m> {
        let x = self.picture(node)?;
        let plain = node.integer("ceil_mode").unwrap_or(0) == 0;
        let (stride, padding) = window(node, [3, 3])?;
        if !plain || node.integers("kernel_shape") != [3, 3] || stride != 2 || padding != Padding::default() {
            return Err(refused(node.number, "the greatest of each 3x3 window, stride 2", "another window"));
        }
        let size = windowed(node, self.size(x), [3, 3], stride, padding)?;
        self.push(node, Kind::MaxPool { x }, size, Layout::Nchw)
    }

    fn reduce_mean(&mut self, node: &'m OnnxNode) -> Read<'m> {
        let axes = match self.optional(node, 1)? {
            Some(GraphValue::Integers(axes)) => axes.all,
            _ => node.integers("axes").to_vec(),
        };
        let keep = node.integer("keepdims").unwrap_or(1) != 0;
        self.average(node, integers::axes(&axes, 4), keep)
    }

    fn average(&mut self, node: &'m OnnxNode, axes: Option<Vec<usize>>, keep: bool) -> Read<'m> {
        let (x, layout) = self.step(node, 0)?;
        if layout.plane().is_none_or(|plane| axes.as_deref() != Some(plane.as_slice())) {
            return Err(refused(node.number, "the mean of each channel", &format!("axes {axes:?} of {layout:?}")));
        }
        let size = ValueSize { h: 1, w: 1, ..self.size(x) };
        self.push(node, Kind::Average { x }, size, if keep { layout } else { Layout::Flat })
    }

    fn concat(&mut self, node: &'m OnnxNode) -> Read<'m> {
        let values = (0..node.inputs.len()).map(|index| self.value(node, index)).collect::<Result<Vec<_>, _>>()?;
        let axis = node.integer("axis").unwrap_or(i64::MAX);
        let other = || refused(node.number, "channels one after the other", "another concatenation");
        let lists: Option<Vec<Integers>> = values
            .iter()
            .map(|value| if let GraphValue::Integers(list) = value { Some(list.clone()) } else { None })
            .collect();
        if let Some(lists) = lists {
            return Integers::concat(&lists).filter(|_| axis == 0).map(GraphValue::Integers).ok_or_else(other);
        }
        let Some(GraphValue::Step(first, layout)) = values.first() else { return Err(other()) };
        let mut size = ValueSize { c: 0, ..self.size(*first) };
        let mut parts = Vec::new();
        for value in &values {
            let GraphValue::Step(part, its) = value else { return Err(other()) };
            let ValueSize { c, h, w } = self.size(*part);
            if (h, w, its) != (size.h, size.w, layout) {
                return Err(other());
            }
            size.c += c;
            parts.push(*part);
        }
        let channels = layout.rank() - 1 - layout.behind_channels();
        if integers::axes(&[axis], layout.rank()) != Some(vec![channels]) {
            return Err(other());
        }
        self.push(node, Kind::Concat { parts }, size, *layout)
    }

    fn transpose(&mut self, node: &'m OnnxNode) -> Read<'m> {
        let order = integers::axes(node.integers("perm"), node.integers("perm").len());
        let order: Vec<usize> = match order {
            Some(_) => node.integers("perm").iter().filter_map(|axis| usize::try_from(*axis).ok()).collect(),
            None => Vec::new(),
        };
        let other = || refused(node.number, "channels moved before or behind rows and columns", &format!("{order:?}"));
        match self.value(node, 0)? {
            GraphValue::Step(x, Layout::Nhwc) if order == [0, 3, 1, 2] => Ok(GraphValue::Step(x, Layout::Nchw)),
            GraphValue::Step(x, Layout::Nchw) if order == [0, 2, 3, 1] => Ok(GraphValue::Step(x, Layout::Nhwc)),
            GraphValue::Constant(constant) => constant.transposed(&order).map(GraphValue::Constant).ok_or_else(other),
            _ => Err(other()),
        }
    }

    fn reshape(&mut self, node: &'m OnnxNode) -> Read<'m> {
        let value = self.value(node, 0)?;
        let (dims, rank) = (self.dims(&value), self.dims(&value).len());
        let named = match self.optional(node, 1)? {
            Some(GraphValue::Integers(named)) => named.all,
            _ => node.integers("axes").to_vec(),
        };
        let ones: Vec<i64> = (0i64..).zip(&dims).filter(|(_, n)| **n == 1).map(|(axis, _)| axis).collect();
        let wanted = match node.operator.as_str() {
            "Flatten" if node.integer("axis").unwrap_or(1) == 1 => integers::reshaped(&dims, &[0, -1], false),
            "Squeeze" if named.is_empty() => integers::squeezed(&dims, &ones),
            "Squeeze" => integers::squeezed(&dims, &named),
            "Unsqueeze" if rank + named.len() <= 8 => integers::unsqueezed(&dims, &named),
            "Reshape" => integers::reshaped(&dims, &named, node.integer("allowzero").unwrap_or(0) != 0),
            _ => None,
        };
        wanted.and_then(|wanted| self.with_dims(value, wanted)).ok_or_else(|| {
            refused(
                node.number,
                "one pixel's channels, or weights, in another shape",
                &format!("{named:?} of {dims:?}"),
            )
        })
    }

    /// A value whose numbers, in their order, have these dimensions.
    fn with_dims(&self, value: GraphValue<'m>, wanted: Vec<usize>) -> Option<GraphValue<'m>> {
        match value {
            GraphValue::Constant(constant) => constant.reshaped(wanted).map(GraphValue::Constant),
            GraphValue::Integers(integers) => Integers::with(wanted, integers.all).map(GraphValue::Integers),
            GraphValue::Step(step, layout) => {
                let layouts = [layout, Layout::Flat, Layout::Line, Layout::Nchw, Layout::Nhwc];
                let pixel = self.size(step).is_pixel();
                let kept = layouts.into_iter().take(if pixel { 5 } else { 1 });
                let mut values = kept.map(|layout| GraphValue::Step(step, layout));
                values.find(|value| self.dims(value) == wanted)
            }
        }
    }

    /// Operators on integers; a computed value's own shape and order among them.
    fn of_integers(&mut self, node: &'m OnnxNode) -> Read<'m> {
        let first = self.value(node, 0)?;
        let more = [self.optional(node, 1)?, self.optional(node, 2)?];
        let axis = node.integer("axis").unwrap_or(0);
        let found = match (node.operator.as_str(), first, more) {
            ("Shape", value, [None, None]) => self.part_of_shape(node, &value),
            ("Cast", GraphValue::Integers(all), [None, None]) if node.integer("to") == Some(7) => Some(all),
            ("Range", GraphValue::Integers(a), [Some(GraphValue::Integers(b)), Some(GraphValue::Integers(c))]) => {
                a.only().zip(b.only()).zip(c.only()).and_then(|((a, b), c)| Integers::range(a, b, c))
            }
            ("Gather", GraphValue::Integers(list), [Some(GraphValue::Integers(at)), None]) if axis == 0 => {
                list.gather(&at)
            }
            // PyTorch writes the view of a row as a picture like this: each number stays in its place.
            ("Gather", row @ GraphValue::Step(_, Layout::Line), [Some(GraphValue::Integers(at)), None])
                if axis == 0 && at.counts_to(self.dims(&row)[0]) =>
            {
                let other = || refused(node.number, "the channels of one pixel", "others");
                return self.with_dims(row, at.dims).ok_or_else(other);
            }
            _ => None,
        };
        let expected = format!("{} of known integers", node.operator);
        found.map(GraphValue::Integers).ok_or_else(|| refused(node.number, &expected, "others"))
    }

    fn part_of_shape(&self, node: &OnnxNode, value: &GraphValue) -> Option<Integers> {
        let dims = self.dims(value);
        let end = node.integer("end").map_or(Some(dims.len()), |end| usize::try_from(end).ok())?;
        let start = usize::try_from(node.integer("start").unwrap_or(0)).ok()?;
        let part = dims.get(start..end.min(dims.len()))?;
        Some(Integers::list(part.iter().map(|n| i64::try_from(*n).ok()).collect::<Option<_>>()?))
    }
}

/// Stride and padding of a window of this many rows and columns.
fn window(node: &OnnxNode, [h, w]: [usize; 2]) -> Result<(usize, Padding), WeightError> {
    let list = |name: &str, absent: &[i64]| match node.integers(name) {
        [] => absent.to_vec(),
        list => list.to_vec(),
    };
    let kernel: Vec<i64> = [h, w].iter().filter_map(|n| i64::try_from(*n).ok()).collect();
    let (strides, pads) = (list("strides", &[1, 1]), list("pads", &[0; 4]));
    let small = |all: &[i64]| all.iter().all(|n| (0..=MOST_AROUND).contains(n));
    let stride = match strides.as_slice() {
        &[y, x] if y == x && y > 0 && small(&strides) => usize::try_from(y).ok(),
        _ => None,
    };
    let same = Padding::same(Dims { out: 1, input: 1, h, w });
    let padding = match (node.text("auto_pad"), pads.as_slice()) {
        (b"" | b"NOTSET", &[top, left, bottom, right]) if small(&pads) => {
            let [top, left, bottom, right] = [top, left, bottom, right].map(|n| usize::try_from(n).unwrap_or(0));
            Some(Padding { top, left, bottom, right })
        }
        (b"VALID", &[0, 0, 0, 0]) => Some(Padding::default()),
        (b"SAME_UPPER" | b"SAME_LOWER", &[0, 0, 0, 0]) if stride == Some(1) && h % 2 == 1 && w % 2 == 1 => Some(same),
        _ => None,
    };
    match (stride, padding) {
        (Some(stride), Some(padding))
            if list("dilations", &[1, 1]) == [1, 1] && list("kernel_shape", &kernel) == kernel =>
        {
            Ok((stride, padding))
        }
        _ => {
            let found =
                format!("strides {strides:?}, pads {pads:?} {:?}", String::from_utf8_lossy(node.text("auto_pad")));
            Err(refused(node.number, &format!("a window of {kernel:?} without dilation"), &found))
        }
    }
}

/// The size of a window operator's result.
fn windowed(
    node: &OnnxNode,
    size: ValueSize,
    [h, w]: [usize; 2],
    stride: usize,
    padding: Padding,
) -> Result<ValueSize, WeightError> {
    let side = |n: usize, around: usize, window: usize| {
        (n + around).checked_sub(window).filter(|_| window > 0).map(|n| n / stride + 1)
    };
    let rows = side(size.h, padding.top + padding.bottom, h);
    match rows.zip(side(size.w, padding.left + padding.right, w)) {
        Some((h, w)) => Ok(ValueSize { h, w, ..size }),
        None => Err(refused(node.number, "a window that fits", &format!("{h}x{w} on {size:?}"))),
    }
}
