//! Which requests are sampled: each byte with the same small probability, without state but a counter.
//!
//! A request of `s` bytes is sampled with p(s) = 1 − e^(−s/N): the probability that a Poisson process of one point in `N` bytes has a
//! point in it. So `s / p(s)` is an unbiased estimate of the bytes, and `1 / p(s)` of the requests, that a sample stands for. Whether a
//! request is sampled does not depend on others, nor on which thread is faster: its number, well mixed, is compared with p(s).
//!
//! p(s) ≤ s/N, so one multiplication refuses nearly all requests; only those near the bound cost an exponential.

use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Draws for one resource.
#[derive(Debug)]
pub(super) struct Draw {
    /// N; 0 for each request.
    interval: usize,
    /// 2⁶⁴ / N, rounded up: a bound has to be one.
    per_byte: u64,
    seed: u64,
    requests: AtomicUsize,
}

impl Draw {
    pub(super) const fn new(interval: usize, seed: u64) -> Self {
        let per_byte = if interval < 2 { u64::MAX } else { u64::MAX / interval as u64 + 1 };
        Self { interval, per_byte, seed, requests: AtomicUsize::new(0) }
    }

    /// Whether this request is sampled; one atomic addition.
    #[inline]
    pub(super) fn next(&self, size: usize) -> bool {
        let number = self.requests.fetch_add(1, Relaxed);
        let random = mixed(self.seed.wrapping_add((number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15)));
        let bound = (size as u64).saturating_mul(self.per_byte);
        (random < bound || self.interval == 0) && self.passes(size, random)
    }

    #[cold]
    #[inline(never)]
    fn passes(&self, size: usize, random: u64) -> bool {
        // The upper 53 bits are as many as a float holds.
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
        let uniform = (random >> 11) as f64 / (1_u64 << 53) as f64;
        uniform < self.probability(size)
    }

    /// p(size).
    pub(super) fn probability(&self, size: usize) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a relative error of 2⁻⁵³")]
        let ratio = if self.interval == 0 { f64::INFINITY } else { size as f64 / self.interval as f64 };
        one_minus_exp(ratio)
    }
}

/// The finalizer of SplitMix64: every bit of the result depends on every bit.
const fn mixed(mut word: u64) -> u64 {
    word = (word ^ word >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    word = (word ^ word >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    word ^ word >> 31
}

/// 1 − e^(−x) for x ≥ 0, to some 15 digits even where x is tiny. (`core` has no exponential.)
///
/// With q(x) = 1 − e^(−x): a series for small x, and q(2x) = q(x) · (2 − q(x)) to get there from any.
fn one_minus_exp(x: f64) -> f64 {
    // Above, e^(−x) is below what a float can tell from 1.
    if x >= 40.0 {
        return 1.0;
    }
    let (mut small, mut doublings) = (x, 0);
    while small > 0.125 {
        small /= 2.0;
        doublings += 1;
    }
    // x − x²/2! + x³/3! − …, as x · (1 − x/2 · (1 − x/3 · (…))); the twelfth term is below 2⁻⁵³ of the first.
    let mut q = 1.0;
    let mut divisor = 12.0;
    while divisor > 1.0 {
        q = 1.0 - small / divisor * q;
        divisor -= 1.0;
    }
    q *= small;
    for _ in 0..doublings {
        q *= 2.0 - q;
    }
    q
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;

    #[test]
    fn the_exponential_is_that_of_the_library() {
        for step in (0..20_000).step_by(if cfg!(miri) { 500 } else { 1 }) {
            let x = 1e-9 * 1.0012_f64.powi(step);
            let (found, expected) = (one_minus_exp(x), -(-x).exp_m1());
            assert!((found - expected).abs() <= 4e-15 * expected, "{x}: {found}, {expected}");
        }
        assert!(one_minus_exp(0.0).abs() < f64::MIN_POSITIVE);
    }

    #[test]
    fn the_bound_is_one() {
        for interval in [1, 2, 3, 7, 100, 4096, 524_287] {
            let draw = Draw::new(interval, 1);
            for size in [0, 1, 2, 50, 4096, 1 << 20] {
                #[expect(clippy::cast_precision_loss, reason = "an estimate")]
                let bound = (size as u64).saturating_mul(draw.per_byte) as f64 / 2_f64.powi(64);
                assert!(bound >= draw.probability(size) || bound >= 1.0 - 1e-15, "{interval} {size}");
            }
        }
    }

    #[test]
    fn samples_come_as_often_as_they_should() {
        const DRAWS: usize = if cfg!(miri) { 400 } else { 200_000 };
        for (interval, size) in [(1000, 10), (1000, 1000), (1000, 2500), (1, 1), (64, 16)] {
            let draw = Draw::new(interval, 7);
            let hits = (0..DRAWS).filter(|_| draw.next(size)).count();
            #[expect(clippy::cast_precision_loss, reason = "an estimate")]
            let (hits, draws, p) = (hits as f64, DRAWS as f64, draw.probability(size));
            // Five standard deviations; the seed is fixed, so this does not flicker.
            let tolerance = 5.0 * (draws * p * (1.0 - p)).sqrt();
            assert!((hits - draws * p).abs() < tolerance, "{interval} {size}: {hits} of {}", draws * p);
        }
    }

    #[test]
    fn an_interval_of_zero_takes_each_and_no_bytes_are_never_taken() {
        let (each, some) = (Draw::new(0, 1), Draw::new(1, 1));
        assert!((0..1000).all(|size| each.next(size)));
        assert!((0..1000).all(|_| !some.next(0)));
    }
}
