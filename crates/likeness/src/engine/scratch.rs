//! The memory of a forward pass.

use super::aligned::Aligned;
use super::border::{Border, Region};
use super::ring::RingMemory;
use super::shape::Shape;

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
    /// The bytes of its buffers, without the borders, which are small. They grow with the largest picture so far, and
    /// are freed only with the scratch.
    pub fn bytes(&self) -> usize {
        let outputs: usize = self.outputs.iter().map(|output| output.data.capacity() * size_of::<f32>()).sum();
        self.buffers.iter().map(Aligned::bytes).sum::<usize>() + self.ring.bytes() + outputs
    }

    /// Returns whether the border of a region is already computed for this network.
    pub(crate) fn has_border(&self, network: u64, region: Region) -> bool {
        self.borders.first().is_some_and(|(id, border)| (*id, border.region()) == (network, region))
    }

    /// Brings a recorded border to the front, if the scratch has it.
    pub(crate) fn recall_border(&mut self, network: u64, region: Region) {
        let same = |(id, border): &(u64, Border)| (*id, border.region()) == (network, region);
        if let Some(at) = self.borders.iter().position(same) {
            self.borders[..=at].rotate_right(1);
        }
    }

    pub(crate) fn keep_border(&mut self, network: u64, border: Border) {
        self.borders.insert(0, (network, border));
        self.borders.truncate(BORDERS);
    }
}
