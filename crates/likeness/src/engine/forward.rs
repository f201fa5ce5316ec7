//! One forward pass of a network over a whole input, or over a region of a canvas.

use super::border::{Border, Canvas, Recorder, Region};
use super::error::RunError;
use super::network::Network;
use super::run::Run;
use super::scratch::{Scratch, Tensor};
use super::shape::Shape;

impl Network {
    /// Runs the network on `input` (NHWC, of this shape). The outputs stay in `scratch` until its
    /// next use.
    ///
    /// # Errors
    /// [`RunError::Shape`] if the input does not fit; [`RunError::NotFinite`] if an output contains
    /// a NaN or an infinity.
    pub fn forward<'s>(&self, scratch: &'s mut Scratch, shape: Shape, input: &[f32]) -> Result<&'s [Tensor], RunError> {
        self.run(scratch, shape, input, None, None)
    }

    /// Runs the network on a region of a canvas, as if the whole canvas had been run: the outputs
    /// are those of the region. `input` is the region; around it the canvas is `background` (the
    /// numbers of one pixel) up to its edges, which change values at most `reach` pixels away.
    ///
    /// The values around the region come from a forward pass over an empty canvas without its
    /// middle. `scratch` keeps them for the next picture of this geometry. The network must be
    /// fully convolutional.
    ///
    /// # Errors
    /// The errors of [`Network::forward`]; also [`RunError::Shape`] if the bounds of the region are
    /// not multiples of the network's total stride, or not in the canvas.
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

    /// Returns the number of input pixels that one cell of the coarsest value covers.
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
