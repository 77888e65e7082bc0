//! Runs of ones in a 64-bit word: the search behind every occupancy word of the heap.
//!
//! ```text
//!                  bit  9 8 7 6 5 4 3 2 1 0
//!                 free  0 1 1 1 0 0 1 1 0 1      a one is a free granule
//!  run_starts(free, 2)  0 0 1 1 0 0 0 1 0 0      where two or more free ones begin; the lowest_bit is 2
//! ```
//!
//! All functions are branch-poor, take at most six doubling steps and never panic in release builds.

/// `len` ones from bit `start` up. `len` is 1 ..= 64 and `start + len` at most 64.
#[inline(always)]
#[must_use]
pub const fn mask(start: u32, len: u32) -> u64 {
    debug_assert!(len >= 1 && len <= 64 && start <= 64 - len);
    // The subtraction cannot leave 0..=63 for a legal length; the wrapping forms only avoid a panic path.
    (u64::MAX.wrapping_shr(64u32.wrapping_sub(len))).wrapping_shl(start)
}

/// The bits at which `n` or more ones begin (bit `i` is set ⟺ bits `i .. i + n` are). `n` is at least 1 (0 is
/// answered like 1); a run longer than the word begins nowhere.
#[inline]
#[must_use]
pub const fn run_starts(free: u64, n: u32) -> u64 {
    if n > 64 {
        return 0;
    }
    // Invariant: `starts` marks the runs of `proven` ones. Two runs of lengths p and q, the second p behind
    // the first, are one of length p + q, so each step at most doubles the length: ⌈log2 n⌉ steps.
    let mut starts = free;
    let mut proven = 1;
    while proven < n {
        let missing = n - proven;
        let step = if missing < proven { missing } else { proven };
        starts &= starts >> step;
        proven += step;
    }
    starts
}

/// The multiples of `align_granules` at which `n` or more ones begin. `align_granules` is a power of two ≤ 64. (A larger alignment is
/// a matter of choosing the word; inside the word it means 64.)
#[inline]
#[must_use]
pub const fn run_starts_aligned(free: u64, n: u32, align_granules: u32) -> u64 {
    run_starts(free, n) & multiples(align_granules)
}

/// The length of the longest run of ones, 0 ..= 64.
#[inline]
#[must_use]
pub const fn longest_run(free: u64) -> u32 {
    if free == 0 {
        return 0;
    }
    // Up: `powers[k]` marks runs of 2^k, until none is left. Down: extend the longest such run by the smaller
    // powers, largest first — the binary digits of the answer.
    let mut powers = [0u64; 7];
    powers[0] = free;
    let mut k = 0;
    while k < 6 {
        let next = powers[k] & (powers[k] >> (1u32 << k));
        if next == 0 {
            break;
        }
        k += 1;
        powers[k] = next;
    }
    let mut longest = powers[k];
    let mut len = 1u32 << k;
    while k > 0 {
        k -= 1;
        // `len` is below 64 here unless the word is full, and then no power is left to add.
        let longer = if len < 64 { longest & (powers[k] >> len) } else { 0 };
        if longer != 0 {
            longest = longer;
            len += 1 << k;
        }
    }
    len
}

/// The index of the lowest one.
#[inline(always)]
#[must_use]
pub const fn lowest_bit(word: u64) -> Option<u32> {
    if word == 0 { None } else { Some(word.trailing_zeros()) }
}

/// A one at every multiple of `align` (a power of two ≤ 64).
#[inline(always)]
const fn multiples(align: u32) -> u64 {
    debug_assert!(align.is_power_of_two());
    /// Entry k: a one at every multiple of 2^k.
    const MULTIPLES: [u64; 8] = {
        let mut table = [1; 8];
        let mut k = 0;
        while k < 6 {
            table[k] = u64::MAX / ((1 << (1 << k)) - 1);
            k += 1;
        }
        table
    };
    // 128 and more count as 64. The mask keeps the bounds check out of the code.
    let log2 = align.trailing_zeros();
    let k = if log2 > 6 { 6 } else { log2 };
    MULTIPLES[(k & 7) as usize]
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn is_run(free: u64, start: u32, n: u32) -> bool {
        (free >> start).trailing_ones() >= n
    }

    fn naive_lowest(free: u64, n: u32, align: u32) -> Option<u32> {
        let mut starts = (0..64).step_by(align as usize).take_while(|&start| free >> start != 0);
        starts.find(|&start| is_run(free, start, n))
    }

    fn naive_longest(free: u64) -> u32 {
        (0..64).map(|start| (free >> start).trailing_ones()).max().unwrap_or(0)
    }

    fn lowest_run(free: u64, n: u32) -> Option<u32> {
        lowest_bit(run_starts(free, n))
    }

    fn agrees(free: u64, n: u32) {
        assert_eq!(lowest_run(free, n), naive_lowest(free, n, 1), "{free:#x} {n}");
        for align in [1, 2, 4, 8, 16, 32, 64] {
            let (fast, slow) = (lowest_bit(run_starts_aligned(free, n, align)), naive_lowest(free, n, align));
            assert_eq!(fast, slow, "{free:#x} {n} {align}");
        }
    }

    #[test]
    fn masks_have_their_length_at_their_place() {
        for len in 1..=64 {
            for start in 0..=64 - len {
                let word = mask(start, len);
                assert_eq!((word.count_ones(), word.trailing_zeros()), (len, start));
                assert_eq!(longest_run(word), len);
            }
        }
    }

    #[test]
    fn every_word_of_sixteen_bits_agrees_with_a_search_bit_by_bit() {
        let step = if cfg!(miri) { 1009 } else { 1 };
        for word in (0..=0xffff_u64).step_by(step) {
            assert_eq!(longest_run(word), naive_longest(word), "{word:#x}");
            for n in [1, 2, 3, 4, 5, 7, 8, 11, 15, 16, 17] {
                agrees(word, n);
                assert_eq!(lowest_run(word << 48, n), naive_lowest(word << 48, n, 1));
            }
        }
    }

    #[test]
    fn full_and_empty_words() {
        assert_eq!((longest_run(u64::MAX), longest_run(0)), (64, 0));
        assert_eq!(lowest_run(u64::MAX, 64), Some(0));
        assert_eq!(lowest_run(u64::MAX, 65), None);
        assert_eq!(lowest_run(u64::MAX, u32::MAX), None);
        assert_eq!(lowest_run(0, 1), None);
        assert_eq!(lowest_run(1 << 63, 1), Some(63));
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: if cfg!(miri) { 4 } else { 4096 },
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        /// Words made of few long runs: random bits would hold no long one.
        #[test]
        fn words_of_long_runs_agree(edges in prop::collection::vec(0..64u32, 0..6), flip: bool, n in 1..=64u32) {
            let mut word = if flip { u64::MAX } else { 0 };
            for edge in edges {
                word ^= u64::MAX << edge;
            }
            agrees(word, n);
            prop_assert_eq!(longest_run(word), naive_longest(word));
        }

        #[test]
        fn random_words_agree(word: u64, n in 1..=8u32) {
            agrees(word, n);
            prop_assert_eq!(longest_run(word), naive_longest(word));
        }
    }
}
