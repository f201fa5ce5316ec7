//! Seeded random numbers, the same on every machine: integer arithmetic and IEEE square roots only.

/// A generator (SplitMix64).
pub struct Random(u64);

impl Random {
    /// Starts at a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Starts at the seed in the variable `BALLAST_SEED`, otherwise at the time. The function prints
    /// the seed, with which a failure can be repeated.
    #[expect(clippy::print_stderr, reason = "the seed is for the reader of a failure")]
    pub fn announced(test: &str) -> Self {
        let given = std::env::var("BALLAST_SEED").ok().and_then(|seed| seed.parse().ok());
        let now = || std::time::UNIX_EPOCH.elapsed().map_or(1, |now| now.as_nanos() as u64);
        let seed = given.unwrap_or_else(now);
        eprintln!("{test}: BALLAST_SEED={seed}");
        Self(seed)
    }

    /// A whole number from 0 up to this one, which it does not reach.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.bits() % limit as u64) as usize
    }

    /// One side of a coin.
    pub fn coin(&mut self) -> bool {
        self.below(2) == 0
    }

    /// A byte.
    pub fn byte(&mut self) -> u8 {
        self.bits() as u8
    }

    /// A number from 0 to 1.
    pub fn part(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
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
