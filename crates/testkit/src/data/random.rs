//! Seeded random numbers, the same on every machine: integer arithmetic and IEEE square roots only.

/// A generator (SplitMix64).
pub struct Random(u64);

impl Random {
    /// Starts at a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from -1 to 1, of 24 bits.
    pub fn number(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    /// Numbers around `middle`, at most `spread` away.
    pub fn numbers(&mut self, count: usize, middle: f32, spread: f32) -> Vec<f32> {
        (0..count).map(|_| middle + spread * self.number()).collect()
    }

    /// A filter whose outputs vary about as much as its inputs (He's initialisation, uniform):
    /// `inputs` numbers go into each output.
    pub fn filter(&mut self, count: usize, inputs: usize) -> Vec<f32> {
        self.numbers(count, 0.0, (6.0 / inputs as f32).sqrt())
    }
}
