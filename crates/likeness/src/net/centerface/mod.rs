//! CenterFace, the face detector: MobileNetV2 with a pyramid of three steps, in an ONNX file.
//!
//! The file's graph is followed operator by operator (`walk`). The sizes in the file (batch 10, 32
//! x 32) are not used: any multiples of 32 work.

mod walk;

use super::file::WeightFile;
use super::form::Form;
use super::refusal::Refusal;
use crate::engine::{Canvas, KernelSet, Network, Region, RunError, Scratch, Shape, Tensor};
use crate::selftest::{self, SelfTest};
use crate::weights::onnx::OnnxModel;

/// Pixels of the input per cell of the outputs.
pub const STRIDE: usize = 4;
/// Rows and columns of the input must be multiples of this.
pub const MULTIPLE: usize = 32;
/// Pixels of the input from a canvas's edge beyond which an empty canvas's response no longer
/// changes in any bit.
pub const REACH: usize = 224;
/// Pixels around a picture that must be computed, so that the maps equal those of the whole canvas
/// to the bit.
pub const MARGIN: usize = 128;

/// CenterFace.
pub struct Detector {
    network: Network,
    tested: SelfTest,
}

/// The detector's output: for each cell of `rows` x `columns`, row by row.
#[derive(Debug, Clone, Copy)]
pub struct Maps<'s> {
    /// Rows of cells: a quarter of the input's.
    pub rows: usize,
    /// Columns of cells: a quarter of the input's.
    pub columns: usize,
    /// One number per cell, 0 to 1: the score of a face centred in the cell.
    pub heat: &'s [f32],
    /// Two numbers per cell: logarithms of height and width, in cells.
    pub scale: &'s [f32],
    /// Two numbers per cell: where in the cell the centre is, down and right.
    pub offset: &'s [f32],
    /// Ten numbers per cell: five landmarks, each down and right, as parts of the box.
    pub landmarks: &'s [f32],
}

impl Detector {
    /// Loads `centerface.onnx` and tests it.
    ///
    /// # Errors
    /// [`Refusal`] names the operator or tensor, or the wrong output of the self-test.
    pub fn load(file: WeightFile, kernels: KernelSet) -> Result<Self, Refusal> {
        let digest = file.digest();
        let bytes = file.into_bytes();
        Form::of(&bytes).refused(Form::Onnx).map_or(Ok(()), Err)?;
        let network = walk::describe(&OnnxModel::read(bytes)?, kernels)?;
        let input = selftest::picture(selftest::CANVAS, selftest::CANVAS);
        let tested = selftest::judge(digest, || {
            let mut scratch = Scratch::default();
            Ok(sample(run(&network, &mut scratch, selftest::CANVAS, selftest::CANVAS, &input)?))
        })?;
        Ok(Self { network, tested })
    }

    /// The maps of one image: `height` x `width` (multiples of 32) RGB pixels, row by row, each
    /// number 0 to 255.
    ///
    /// # Errors
    /// [`RunError`]: sizes that do not fit, or an answer that is not finite.
    pub fn maps<'s>(
        &self,
        scratch: &'s mut Scratch,
        height: usize,
        width: usize,
        rgb: &[f32],
    ) -> Result<Maps<'s>, RunError> {
        run(&self.network, scratch, height, width, rgb)
    }

    /// The maps of a region of a black canvas (bounds in multiples of 32), without computing the
    /// rest: `rgb` is the region, as for [`Detector::maps`]; rows and columns are the region's. The
    /// maps equal those of the whole canvas, to the bit, if the region contains [`MARGIN`] pixels
    /// around the picture, or as many as the canvas has.
    ///
    /// The first call for a geometry also costs a pass over at most 2 x [`REACH`] squared;
    /// `scratch` keeps its result.
    ///
    /// # Errors
    /// [`RunError`]: sizes that do not fit, or an answer that is not finite.
    pub fn maps_within<'s>(&self, scratch: &'s mut Scratch, region: Region, rgb: &[f32]) -> Result<Maps<'s>, RunError> {
        let black = Canvas { background: &[0.0; 3], reach: REACH };
        let (height, width) = region.size;
        Ok(maps(self.network.forward_within(scratch, &black, region, rgb)?, height, width))
    }

    /// The network itself: its work and its layers.
    #[must_use]
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Returns the result of the self-test that ran when the file was loaded.
    #[must_use]
    pub fn tested(&self) -> &SelfTest {
        &self.tested
    }
}

fn run<'s>(
    network: &Network,
    scratch: &'s mut Scratch,
    height: usize,
    width: usize,
    rgb: &[f32],
) -> Result<Maps<'s>, RunError> {
    let shape = Shape { n: 1, h: height, w: width, c: 3 };
    if !height.is_multiple_of(MULTIPLE) || !width.is_multiple_of(MULTIPLE) {
        return Err(RunError::shape("input", format!("height and width in multiples of {MULTIPLE}"), shape));
    }
    Ok(maps(network.forward(scratch, shape, rgb)?, height, width))
}

fn maps(outputs: &[Tensor], height: usize, width: usize) -> Maps<'_> {
    let map = |index: usize| outputs[index].data.as_slice();
    let (rows, columns) = (height / STRIDE, width / STRIDE);
    Maps { rows, columns, heat: map(0), scale: map(1), offset: map(2), landmarks: map(3) }
}

/// The self-test compares all 15 numbers of every 198th cell; these cells lie on a diagonal.
fn sample(maps: Maps<'_>) -> Vec<f32> {
    let cells = (0..maps.heat.len()).step_by(198);
    let numbers = |cell: usize| {
        let parts = [(maps.heat, 1), (maps.scale, 2), (maps.offset, 2), (maps.landmarks, 10)];
        parts.map(|(map, n)| &map[n * cell..n * (cell + 1)]).concat()
    };
    cells.flat_map(numbers).collect()
}
