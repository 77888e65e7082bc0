//! Sizes and orders, drawn once from a seeded generator before anything is timed.

use core::alloc::Layout;

const SEED: u64 = 0x7001_B0C5;

/// Layouts, and an order of their indices.
#[derive(Debug)]
pub(crate) struct Mix {
    layouts: Vec<Layout>,
    order: Vec<u32>,
}

impl Mix {
    /// `len` blocks of one layout; released in the order of their making.
    pub(crate) fn of_one(len: usize, layout: Layout) -> Self {
        Self { layouts: vec![layout; len], order: indices(len) }
    }

    /// `len` blocks of sizes whose logarithms are spread evenly from `least` to `most`, aligned to a word.
    pub(crate) fn of_sizes(len: usize, least: usize, most: usize) -> Self {
        let mut random = fastrand::Rng::with_seed(SEED);
        let (low, high) = ((least as f64).ln(), (most as f64).ln());
        let layouts = (0..len).map(|_| {
            let size = (low + (high - low) * random.f64()).exp().round() as usize;
            layout(size.clamp(least, most))
        });
        Self { layouts: layouts.collect(), order: indices(len) }
    }

    /// Powers of two from `least` to `most`, each as often as the others.
    pub(crate) fn of_powers(len: usize, least: usize, most: usize) -> Self {
        let mut random = fastrand::Rng::with_seed(SEED);
        let layouts = (0..len).map(|_| layout(1 << random.u32(least.ilog2()..=most.ilog2())));
        Self { layouts: layouts.collect(), order: indices(len) }
    }

    /// The mixed objects of a frame: of ten, six small ones (16 to 64 bytes), three of up to 256, one of up to 1024.
    pub(crate) fn of_frame(len: usize) -> Self {
        let mut random = fastrand::Rng::with_seed(SEED);
        let layouts = (0..len).map(|_| {
            let size = match random.u32(0..10) {
                0..6 => random.usize(16..=64),
                6..9 => random.usize(65..=256),
                _ => random.usize(257..=1024),
            };
            layout(size)
        });
        Self { layouts: layouts.collect(), order: indices(len) }
    }

    /// In no order.
    pub(crate) fn shuffled(mut self) -> Self {
        fastrand::Rng::with_seed(!SEED).shuffle(&mut self.order);
        self
    }

    pub(crate) fn len(&self) -> usize {
        self.layouts.len()
    }

    pub(crate) fn layouts(&self) -> &[Layout] {
        &self.layouts
    }

    pub(crate) fn order(&self) -> &[u32] {
        &self.order
    }
}

fn indices(len: usize) -> Vec<u32> {
    (0..len as u32).collect()
}

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, align_of::<usize>()).expect("sizes of the mixes are small")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_within_their_bounds_and_spread() {
        let mix = Mix::of_sizes(4096, 16, 4096);
        let sizes = || mix.layouts().iter().map(Layout::size);
        assert!(sizes().all(|size| (16..=4096).contains(&size)));
        let below = sizes().filter(|&size| size < 256).count();
        // 256 is the middle on the scale of logarithms; four standard deviations are 128.
        assert!(below.abs_diff(2048) < 128, "{below} below the middle");
        assert!(Mix::of_powers(100, 64, 4096).layouts().iter().all(|layout| layout.size().is_power_of_two()));
    }

    #[test]
    fn an_order_names_everything_once() {
        let mut order = Mix::of_frame(1000).shuffled().order().to_vec();
        assert_ne!(order, indices(1000));
        order.sort_unstable();
        assert_eq!(order, indices(1000));
    }
}
