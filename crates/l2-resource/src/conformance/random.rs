//! Reproducible choices.

/// SplitMix64: one word of state, so a failure is repeated from one printed number.
#[derive(Clone, Debug)]
pub(super) struct Random {
    state: u64,
}

/// The odd constant of SplitMix64 (the golden ratio in 64 bits): steps through all 2^64 states.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

impl Random {
    /// The choices of `stream` under `seed`; streams do not resemble each other.
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        let mut random = Self { state: seed };
        let offset = random.next() ^ stream.wrapping_mul(STEP);
        Self { state: offset }
    }

    pub(super) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(STEP);
        let mut word = self.state;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }

    /// A number below `bound`, 0 if the bound is 0. The bias of the remainder is of no concern here.
    #[expect(clippy::cast_possible_truncation, reason = "the remainder is below a `usize`")]
    pub(super) fn below(&mut self, bound: usize) -> usize {
        let word = self.next();
        if bound == 0 { 0 } else { (word % bound as u64) as usize }
    }

    pub(super) fn coin(&mut self) -> bool {
        self.next() & 1 == 0
    }

    /// A size up to `max`: half of them near a power of two, where classes and pages end, half spread evenly over the
    /// orders of magnitude.
    pub(super) fn size(&mut self, max: usize) -> usize {
        let orders = (usize::BITS - max.leading_zeros()) as usize;
        let order = self.below(orders + 1);
        let power = 1_usize << order.min(usize::BITS as usize - 2);
        let size = if self.coin() { power - 1 + self.below(3) } else { power + self.below(power) };
        size.min(max)
    }
}
