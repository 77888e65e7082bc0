//! How a path is warmed before it is counted: its bin holds blocks, and the slab is neither new nor about to become empty.

/// Blocks made before counting. A prime, so that no refill of a bin ends exactly here.
const BLOCKS: usize = 61;

/// Makes some blocks with `make`, ends half of them with `end`, and keeps the others until the process ends.
pub(crate) fn warm<T>(make: impl Fn() -> T, end: impl Fn(T)) {
    let mut blocks: [Option<T>; BLOCKS] = core::array::from_fn(|_| Some(make()));
    for block in blocks.iter_mut().step_by(2) {
        block.take().into_iter().for_each(&end);
    }
    core::mem::forget(blocks);
}
