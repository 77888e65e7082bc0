//! Random numbers: small, fast, the same on every machine.

/// A xorshift-multiply generator (SplitMix64): one word of state, full period, good enough to pick slots and sizes.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// A generator for one stream of one workload.
    pub fn new(seed: u64, stream: usize) -> Self {
        Self(seed.wrapping_add((stream as u64).wrapping_mul(0xa076_1d64_78bd_642f)))
    }

    /// The next 64 bits.
    #[inline]
    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which is not zero. The bias of the multiplication is below 2^-32 for the bounds used.
    #[inline]
    pub fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.word()) * bound as u128) >> 64) as usize
    }

    /// A size of at least `low` (a power of two) and below `low << doublings`: each doubling is equally likely, sizes
    /// within one too. Real programs' sizes fall off about like this.
    #[inline]
    pub fn size(&mut self, low: usize, doublings: u32) -> usize {
        let bits = self.word();
        let base = low << (((bits & 0xffff_ffff) * u64::from(doublings)) >> 32);
        base + ((bits >> 33) as usize & (base - 1))
    }

    /// Shuffles `items` (Fisher and Yates).
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.below(last + 1);
            items.swap(last, other);
        }
    }
}
