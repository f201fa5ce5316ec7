//! A loaded network: its operations, and the plan that runs them.

use std::sync::atomic::{AtomicU64, Ordering};

use super::error::RunError;
use super::graph::Value;
use super::kernel::KernelSet;
use super::op::{Node, Op};
use super::packed::Packed;
use super::plan::Plan;
use super::shape::Shape;

/// A network, ready to run; never changes.
pub struct Network {
    pub(crate) set: KernelSet,
    pub(crate) nodes: Vec<Node>,
    pub(crate) outputs: Vec<Value>,
    pub(crate) plan: Plan,
    /// As many zeros as the widest row of a window needs.
    pub(crate) zeros: Vec<f32>,
    /// Unlike any other network's in this process.
    pub(crate) id: u64,
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
    /// [`RunError::Shape`] if the input does not fit.
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
