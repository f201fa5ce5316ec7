//! One forward pass: the steps of the plan, in buffers that are kept for the next pass.

use super::border::{Border, Recorder, TensorRow};
use super::conv::{Dense, ResidualView};
use super::graph::Padding;
use super::graph::{ConvWindow, Simple, Value};
use super::kernel::task::Places;
use super::network::Network;
use super::op::Op;
use super::packed::Packed;
use super::plan::{self, Place, Step, StepKind};
use super::ring::{Feed, Project, Ring};
use super::scratch::{Scratch, Tensor};
use super::shape::Shape;
use super::simple;
use super::view::{Outside, Target, TensorView};

/// The inputs of one forward pass.
pub(crate) struct Run<'r> {
    pub(crate) network: &'r Network,
    pub(crate) shapes: &'r [Shape],
    pub(crate) input: &'r [f32],
    /// The surroundings of the input; zeros if none.
    pub(crate) border: Option<&'r Border>,
}

impl Run<'_> {
    /// Runs all steps, reports them to `recorder` if there is one, and copies the outputs out.
    pub(crate) fn all(&self, scratch: &mut Scratch, mut recorder: Option<&mut Recorder>) {
        let plan = &self.network.plan;
        scratch.buffers.resize_with(plan.buffers.max(scratch.buffers.len()), Default::default);
        for step in &plan.steps {
            let Some(place) = plan.places[step.out.0] else { continue };
            let shape = self.shapes[step.out.0];
            let mut buffer = std::mem::take(&mut scratch.buffers[place.buffer]);
            buffer.resize(shape.n * shape.h * shape.w * place.pixel);
            self.step(step, scratch, &mut Target { data: &mut buffer, shape, place }, recorder.as_deref_mut());
            scratch.buffers[place.buffer] = buffer;
        }
        self.outputs(scratch);
    }

    fn outputs(&self, scratch: &mut Scratch) {
        let mut outputs = std::mem::take(&mut scratch.outputs);
        outputs.resize_with(self.network.outputs.len(), Tensor::default);
        for (tensor, value) in outputs.iter_mut().zip(&self.network.outputs) {
            let view = self.view(*value, scratch);
            tensor.shape = view.shape;
            tensor.data.clear();
            if view.pixel == view.shape.c {
                tensor.data.extend_from_slice(&view.data[view.offset..][..view.shape.len()]);
            } else {
                view.pixels().for_each(|pixel| tensor.data.extend_from_slice(pixel));
            }
        }
        scratch.outputs = outputs;
    }

    fn view<'s>(&'s self, value: Value, scratch: &'s Scratch) -> TensorView<'s> {
        let shape = self.shapes[value.0];
        match self.network.plan.places[value.0] {
            Some(Place { buffer, offset, pixel }) => {
                TensorView { data: &scratch.buffers[buffer], shape, offset, pixel }
            }
            None => TensorView { data: self.input, shape, offset: 0, pixel: shape.c },
        }
    }

    fn step(&self, step: &Step, scratch: &mut Scratch, out: &mut Target, recorder: Option<&mut Recorder>) {
        match &step.kind {
            StepKind::Conv { node, join } => {
                self.record(*node, scratch, recorder);
                let join = join.map(|join| self.join(&join, scratch));
                let place = out.place;
                self.dense(*node, scratch).run(
                    0..out.shape.n * out.shape.h * out.shape.w,
                    out.data,
                    join,
                    &|places: &mut Places, range| {
                        places.push_run(place.offset + range.start * place.pixel, place.pixel, range.len());
                    },
                );
            }
            StepKind::Ring { .. } => self.ring(&step.kind, scratch, out, recorder),
            StepKind::Other { node } => self.other(&self.network.nodes[*node].op, scratch, out),
        }
    }

    fn join<'s>(&'s self, join: &plan::FusedAdd, scratch: &'s Scratch) -> ResidualView<'s> {
        ResidualView { with: self.view(join.with, scratch), scale: join.scale, then: join.then }
    }

    fn dense<'s>(&'s self, node: usize, scratch: &'s Scratch) -> Dense<'s> {
        let Op::Conv { x, packed, window, activation } = &self.network.nodes[node].op else {
            unreachable!("the plan names a convolution")
        };
        let Shape { h, w, .. } = self.shapes[node];
        Dense {
            set: self.network.set,
            packed,
            window: *window,
            activation: *activation,
            x: self.view(*x, scratch),
            outside: self.outside(node),
            size: (h, w),
            whole: false,
        }
    }

    fn outside(&self, node: usize) -> Outside<'_> {
        match self.border.and_then(|border| border.frame(node)) {
            Some(frame) => Outside::Frame(frame),
            None => Outside::Zero(&self.network.zeros),
        }
    }

    /// Shows the recorder what a padded dense convolution reads.
    fn record(&self, node: usize, scratch: &Scratch, recorder: Option<&mut Recorder>) {
        let (Some(recorder), Op::Conv { x, window, .. }) = (recorder, &self.network.nodes[node].op) else { return };
        if window.padding == Padding::default() {
            return;
        }
        let view = self.view(*x, scratch);
        let Shape { h, w, c, .. } = view.shape;
        for y in 0..h {
            let row = TensorRow { data: view.data, first: view.at(0, y, 0), step: view.pixel, channels: c };
            recorder.row(node, window.padding, (h, w), y, row);
        }
    }

    fn ring(&self, kind: &StepKind, scratch: &mut Scratch, out: &mut Target, mut recorder: Option<&mut Recorder>) {
        let StepKind::Ring { producer, depthwise, project, join } = kind else { return };
        let Op::Depthwise { x, packed, window, activation } = &self.network.nodes[*depthwise].op else {
            unreachable!("the plan names a depthwise convolution")
        };
        if let Some(node) = producer {
            self.record(*node, scratch, recorder.as_deref_mut());
        }
        let mut memory = std::mem::take(&mut scratch.ring);
        let feed = match producer {
            Some(node) => Feed::Conv(Dense { whole: true, ..self.dense(*node, scratch) }),
            None => Feed::Tensor(self.view(*x, scratch)),
        };
        let project = project.and_then(|node| match &self.network.nodes[node].op {
            Op::Conv { packed, activation, .. } => {
                let join = join.map(|join| self.join(&join, scratch));
                Some(Project { packed, activation: *activation, join })
            }
            _ => None,
        });
        let ring = Ring {
            set: self.network.set,
            feed,
            shape: self.shapes[x.0],
            packed,
            window: *window,
            activation: *activation,
            outside: self.outside(*depthwise),
            project,
        };
        let (Shape { h, w, c, .. }, padding) = (ring.shape, window.padding);
        let mut witness = recorder.map(|recorder| {
            move |y: usize, data: &[f32], pixel: usize| {
                let row = TensorRow { data, first: padding.left * pixel, step: pixel, channels: c };
                recorder.row(*depthwise, padding, (h, w), y, row);
            }
        });
        ring.run(&mut memory, out, witness.as_mut().map(|witness| witness as _));
        scratch.ring = memory;
    }

    fn other(&self, op: &Op, scratch: &Scratch, out: &mut Target) {
        let view = |value: &Value| self.view(*value, scratch);
        match op {
            Op::ConvTranspose { x, quarters, activation } => {
                for (quarter, packed) in quarters.iter().enumerate() {
                    self.quarter(packed, *activation, view(x), quarter, out);
                }
            }
            Op::Add { a, b, scale, activation } => simple::add(view(a), view(b), *scale, *activation, out),
            Op::MulChannels { x, s } => simple::mul_channels(view(x), view(s), out),
            Op::Sigmoid { x } => simple::map(view(x), out, simple::sigmoid),
            Op::Relu { x } => simple::map(view(x), out, simple::positive),
            Op::MaxPool { x } => simple::max_pool(view(x), out),
            Op::GlobalAverage { x } => simple::global_average(view(x), out),
            Op::Concat { parts } => self.concat(parts, scratch, out),
            Op::Input | Op::Conv { .. } | Op::Depthwise { .. } => unreachable!("never planned as such"),
        }
    }

    /// Computes one of the four pixels that each pixel becomes.
    fn quarter(&self, packed: &Packed, activation: Simple, x: TensorView, quarter: usize, out: &mut Target) {
        let (Shape { n, h, w, .. }, place) = (x.shape, out.place);
        let dense = Dense {
            set: self.network.set,
            packed,
            window: ConvWindow { h: 1, w: 1, stride: 1, padding: Padding::default() },
            activation,
            x,
            outside: Outside::Zero(&self.network.zeros),
            size: (h, w),
            whole: false,
        };
        dense.run(0..n * h * w, out.data, None, &|places: &mut Places, range: std::ops::Range<usize>| {
            let mut at = range.start;
            while at < range.end {
                let (row, column) = (at / w, at % w);
                let count = (w - column).min(range.end - at);
                let pixel = (2 * row + quarter / 2) * 2 * w + 2 * column + quarter % 2;
                places.push_run(place.offset + pixel * place.pixel, 2 * place.pixel, count);
                at += count;
            }
        });
    }

    /// Copies the parts that are not written in place.
    fn concat(&self, parts: &[Value], scratch: &Scratch, out: &mut Target) {
        let mut channel = 0;
        for part in parts {
            let c = self.shapes[part.0].c;
            let here = Place { offset: out.place.offset + channel, ..out.place };
            if self.network.plan.places[part.0] != Some(here) {
                let shape = Shape { c, ..out.shape };
                simple::copy(self.view(*part, scratch), &mut Target { data: out.data, shape, place: here });
            }
            channel += c;
        }
    }
}
