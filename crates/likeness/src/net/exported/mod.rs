//! Networks that PyTorch or tf2onnx exported to ONNX, as DeepFace 0.0.103 opens them.
//!
//! An exporter decides names, order, layout, and what it folds, so names bind nothing. The
//! graph is read into steps without a layout ([`steps`]), and the steps are compared with the
//! network's outline from its output on ([`matching`]). Promise: the network that comes out computes
//! what the file's graph computes for one picture, or the file is refused by operator.
//!
//! Touches nothing. See `docs/weights.md`.

mod constant;
mod fault;
mod integers;
mod layout;
mod matching;
mod operators;
mod steps;

use fault::wrong;

use super::outline::{Ending, Outline};
use super::refusal::Refusal;
use crate::engine::{KernelSet, Network};
use crate::weights::onnx::OnnxModel;

/// The operator sets that this reader supports.
const OPSETS: std::ops::RangeInclusive<i64> = 9..=25;

/// The network, from a model whose graph has this outline.
pub(super) fn build<A>(
    outline: &Outline<A>,
    model: &OnnxModel,
    ending: Ending,
    kernels: KernelSet,
) -> Result<Network, Refusal> {
    if !OPSETS.contains(&model.opset) {
        let expected = format!("operator set {} to {}", OPSETS.start(), OPSETS.end());
        return Err(wrong("the model".to_owned(), &expected, &model.opset.to_string()).into());
    }
    let steps = steps::read(model, outline)?;
    let mut numbers = matching::bind(outline, &steps, ending)?;
    steps.all_weights_used(model)?;
    outline.build(kernels, |place, _, _| {
        numbers[place.0].take().ok_or_else(|| wrong("the graph".to_owned(), "numbers for each convolution", "none"))
    })
}
