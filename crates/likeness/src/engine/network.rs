//! A loaded network, and one forward pass of it.

use std::sync::atomic::{AtomicU64, Ordering};

use super::aligned::Aligned;
use super::border::{Border, Canvas, Recorder, Region};
use super::graph::Value;
use super::op::{Node, Op};
use super::packed::Packed;
use super::plan::Plan;
use super::ring::RingMemory;
use super::run::Run;
use super::{KernelSet, RunError, Shape};

/// One output.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tensor {
    /// Its shape.
    pub shape: Shape,
    /// Its numbers, NHWC.
    pub data: Vec<f32>,
}

/// The memory of a forward pass: kept by the caller, one per thread, reused by any network.
#[derive(Default)]
pub struct Scratch {
    pub(crate) buffers: Vec<Aligned>,
    pub(crate) ring: RingMemory,
    pub(crate) outputs: Vec<Tensor>,
    /// The last borders, latest first, with the network that each is for.
    pub(crate) borders: Vec<(u64, Border)>,
}

/// Borders kept in a scratch: for two pictures of two sizes, again and again.
const BORDERS: usize = 2;

impl Scratch {
    /// Gives everything back to the system where more than this is kept: one large picture must not fix the memory of
    /// a process for ever.
    pub fn release_beyond(&mut self, bytes: usize) {
        let outputs: usize = self.outputs.iter().map(|output| output.data.capacity() * size_of::<f32>()).sum();
        let kept = self.buffers.iter().map(Aligned::bytes).sum::<usize>() + self.ring.bytes() + outputs;
        if kept > bytes {
            *self = Self::default();
        }
    }

    /// Whether a region's border is at hand for this network.
    pub(crate) fn has_border(&self, network: u64, region: Region) -> bool {
        self.borders.first().is_some_and(|(id, border)| (*id, border.region()) == (network, region))
    }

    /// Brings a kept border to the front, if it is there.
    fn recall_border(&mut self, network: u64, region: Region) {
        let same = |(id, border): &(u64, Border)| (*id, border.region()) == (network, region);
        if let Some(at) = self.borders.iter().position(same) {
            self.borders[..=at].rotate_right(1);
        }
    }

    fn keep_border(&mut self, network: u64, border: Border) {
        self.borders.insert(0, (network, border));
        self.borders.truncate(BORDERS);
    }
}

/// A network, ready to run; never changes.
pub struct Network {
    pub(crate) set: KernelSet,
    pub(crate) nodes: Vec<Node>,
    pub(crate) outputs: Vec<Value>,
    pub(crate) plan: Plan,
    /// As many as the widest row of a window needs.
    pub(crate) zeros: Vec<f32>,
    /// Unlike any other network's in this process.
    id: u64,
}

static NETWORKS: AtomicU64 = AtomicU64::new(0);

impl Network {
    pub(crate) fn new(set: KernelSet, nodes: Vec<Node>, outputs: Vec<Value>) -> Self {
        let plan = Plan::new(&nodes, &outputs);
        let widest = nodes.iter().map(|node| node.op.window_row()).max().unwrap_or(0);
        Self { set, nodes, outputs, plan, zeros: vec![0.0; widest], id: NETWORKS.fetch_add(1, Ordering::Relaxed) }
    }

    /// The kernels that it was packed for.
    #[must_use]
    pub fn kernels(&self) -> KernelSet {
        self.set
    }

    /// Multiplications of one forward pass on an input of this shape (a sum of products counts one
    /// for each).
    ///
    /// # Errors
    /// [`RunError::Shape`] where the input does not fit.
    pub fn multiplications(&self, shape: Shape) -> Result<u64, RunError> {
        let shapes = self.shapes(shape)?;
        let work = self.nodes.iter().zip(&shapes).map(|(node, shape)| match &node.op {
            Op::Conv { packed, .. } | Op::Depthwise { packed, .. } => shape.len() * packed.taps * packed.input,
            Op::ConvTranspose { quarters, .. } => shape.len() * quarters[0].input,
            _ => 0,
        });
        Ok(work.sum::<usize>() as u64)
    }

    /// Bytes of packed weights.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let packed = self.nodes.iter().map(|node| match &node.op {
            Op::Conv { packed, .. } | Op::Depthwise { packed, .. } => packed.bytes(),
            Op::ConvTranspose { quarters, .. } => quarters.iter().map(Packed::bytes).sum(),
            _ => 0,
        });
        packed.sum()
    }

    /// Runs the network on `input` (NHWC, of this shape). The outputs stay in `scratch` until its
    /// next use.
    ///
    /// # Errors
    /// [`RunError::Shape`] where the input does not fit; [`RunError::NotFinite`] where an output
    /// holds a NaN or an infinity: then there is no answer.
    pub fn forward<'s>(&self, scratch: &'s mut Scratch, shape: Shape, input: &[f32]) -> Result<&'s [Tensor], RunError> {
        self.run(scratch, shape, input, None, None)
    }

    /// Runs the network on a region of a canvas, as if the whole canvas had been run: the outputs
    /// are those of the region. `input` is the region; around it the canvas is `background` (the
    /// numbers of one pixel) up to its edges, which are felt at most `reach` pixels away.
    ///
    /// What lies around the region comes from a forward pass over an empty canvas, whose middle is
    /// left out. It is kept in `scratch` for the next picture of this geometry. For fully
    /// convolutional networks.
    ///
    /// # Errors
    /// As [`Network::forward`]; [`RunError::Shape`] also where the bounds of the region are not
    /// multiples of the network's total stride, or not in the canvas.
    pub fn forward_within<'s>(
        &self,
        scratch: &'s mut Scratch,
        canvas: &Canvas,
        region: Region,
        input: &[f32],
    ) -> Result<&'s [Tensor], RunError> {
        scratch.recall_border(self.id, region);
        if !scratch.has_border(self.id, region) {
            let border = self.border(scratch, canvas, region)?;
            scratch.keep_border(self.id, border);
        }
        let borders = std::mem::take(&mut scratch.borders);
        let shape = Shape { n: 1, h: region.size.0, w: region.size.1, c: self.nodes[0].channels };
        let result = self.run(scratch, shape, input, Some(&borders[0].1), None).map(|_| ());
        scratch.borders = borders;
        result.map(|()| scratch.outputs.as_slice())
    }

    /// What lies around a region.
    fn border(&self, scratch: &mut Scratch, canvas: &Canvas, region: Region) -> Result<Border, RunError> {
        let c = self.nodes[0].channels;
        let whole = Shape { n: 1, h: region.canvas.0, w: region.canvas.1, c };
        let stride = self.total_stride(whole)?;
        let recorder = Recorder::new(region, self.nodes.len(), stride, canvas.reach);
        let Some(mut recorder) = recorder.filter(|_| canvas.background.len() == c) else {
            let expected = format!("{c} numbers of background, a region inside, in multiples of {stride}: {region:?}");
            return Err(RunError::shape("border", expected, whole));
        };
        let (h, w) = recorder.canvas();
        let empty = canvas.background.repeat(h * w);
        self.run(scratch, Shape { h, w, ..whole }, &empty, None, Some(&mut recorder))?;
        Ok(recorder.finish())
    }

    /// How many pixels of the input one cell of the coarsest value covers.
    fn total_stride(&self, shape: Shape) -> Result<usize, RunError> {
        let shapes = self.shapes(shape)?;
        Ok(shapes.iter().map(|cells| shape.h.div_ceil(cells.h).max(shape.w.div_ceil(cells.w))).max().unwrap_or(1))
    }

    fn run<'s>(
        &self,
        scratch: &'s mut Scratch,
        shape: Shape,
        input: &[f32],
        border: Option<&Border>,
        recorder: Option<&mut Recorder>,
    ) -> Result<&'s [Tensor], RunError> {
        let shapes = self.shapes(shape)?;
        if shape.len() != input.len() {
            return Err(RunError::shape("input", format!("a shape of {} numbers", input.len()), shape));
        }
        Run { network: self, shapes: &shapes, input, border }.all(scratch, recorder);
        finite(&scratch.outputs)?;
        Ok(&scratch.outputs)
    }

    /// The shape of each value for an input.
    pub(crate) fn shapes(&self, shape: Shape) -> Result<Vec<Shape>, RunError> {
        let wanted = self.nodes[0].channels;
        if shape.c != wanted || shape.is_empty() {
            return Err(RunError::shape("input", format!("{wanted} channels, and no size of zero"), shape));
        }
        let mut shapes = vec![shape];
        for node in &self.nodes[1..] {
            let next = node.op.shape(node.channels, &|value: Value| shapes[value.0])?;
            shapes.push(next);
        }
        Ok(shapes)
    }
}

fn finite(outputs: &[Tensor]) -> Result<(), RunError> {
    for (output, tensor) in outputs.iter().enumerate() {
        let count = tensor.data.iter().filter(|number| !number.is_finite()).count();
        if count > 0 {
            return Err(RunError::NotFinite { output, count });
        }
    }
    Ok(())
}
