//! The two spoof networks, always together. Touches nothing.

use std::sync::Arc;

use crate::crop::{crop, input};
use crate::detect::Area;
use crate::engine::{RunError, Scratch};
use crate::image::Bgr;
use crate::liveness::SpoofScores;
use crate::net::minifasnet::softmax;
use crate::net::{SpoofV1Se, SpoofV2};

/// Both spoof networks, which give scores only together.
#[derive(Clone)]
pub struct SpoofPair {
    v2: Arc<SpoofV2>,
    v1se: Arc<SpoofV1Se>,
}

impl SpoofPair {
    /// Takes both.
    pub fn new(v2: impl Into<Arc<SpoofV2>>, v1se: impl Into<Arc<SpoofV1Se>>) -> Self {
        Self { v2: v2.into(), v1se: v1se.into() }
    }

    /// The network of scale 2.7.
    #[must_use]
    pub fn v2(&self) -> &SpoofV2 {
        &self.v2
    }

    /// The network of scale 4.0.
    #[must_use]
    pub fn v1se(&self) -> &SpoofV1Se {
        &self.v1se
    }

    /// Runs both networks on a face: each at its own crop of the photograph, from the reported area.
    ///
    /// # Errors
    /// [`RunError`]: a network gave no answer.
    pub fn scores(&self, scratch: &mut Scratch, image: &Bgr, area: &Area) -> Result<SpoofScores, RunError> {
        let crops = [SpoofV2::SCALE, SpoofV1Se::SCALE].map(|scale| crop(image.width(), image.height(), area, scale));
        let [near, far] = crops.map(|crop| input(&crop.pixels(image)));
        let v2 = softmax(self.v2.logits(scratch, &near)?);
        let v1se = softmax(self.v1se.logits(scratch, &far)?);
        Ok(SpoofScores::new(crops, [v2, v1se]))
    }
}
