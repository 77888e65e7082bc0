//! The heap's self-check: the equations that its structures promise, tested on a heap at rest.

use stratalloc_primitives::bits;
use stratalloc_primitives::lockfree::link;
use stratalloc_primitives::primitive::atomic::Ordering;
use stratalloc_resource::Violation;

use crate::layout::{CHUNKS_PER_AREA, SLICE, SLICES_PER_CHUNK};
use crate::region::chunk::{Chunk, ChunkKind};
use crate::small::class::{self, BINS, CLASSES, MIN_UNITS, MIXED};
use crate::small::slab::{Block, Slab, State};
use crate::small::thread_heap::ThreadHeap;
use crate::small::{mixed, pool, slice};
use crate::{region, stats};

fn equal(
    invariant: &'static str,
    formula: &'static str,
    object: u32,
    left: u64,
    right: u64,
) -> Result<(), Violation> {
    if left == right {
        return Ok(());
    }
    #[allow(
        clippy::cast_possible_truncation,
        reason = "counts of one heap; a cut value would still be reported"
    )]
    let values = [object as usize, left as usize, right as usize];
    Err(Violation::new(invariant, formula, &["object", "left", "right"], &values))
}

/// Checks every slab, chunk, area and thread heap. O(touched memory / 16 KiB + free blocks). Other threads must not use the heap
/// meanwhile, or the check may report what it caught in the middle of a change.
///
/// ```
/// let block = stratalloc_heap::allocate(100);
/// stratalloc_heap::validate().unwrap();
/// # // SAFETY: live; not used any more.
/// # unsafe { stratalloc_heap::deallocate(block) };
/// ```
pub fn validate() -> Result<(), Violation> {
    for index in 0..region::area_count() {
        if region::touched_limit(index) == 0 {
            break;
        }
        if let Err(rule) = region::area(index).tree.validate() {
            return Err(Violation::new("BT-ONE", rule, &["area"], &[index as usize]));
        }
    }
    for index in stats::touched_chunks() {
        check_chunk(region::chunk(index), index)?;
    }
    for (index, state) in stats::slabs() {
        check_slab(region::slab(index), index, state)?;
    }
    for heap in pool::all() {
        check_heap(heap)?;
    }
    Ok(())
}

fn check_chunk(chunk: &Chunk, index: u32) -> Result<(), Violation> {
    let (area, inside) = region::area_of_chunk(index);
    let in_tree = area.tree.is_free(inside);
    if chunk.kind() != ChunkKind::Split {
        equal("C2", "free = 0 unless the chunk is split", index, chunk.free_mask(false), 0)?;
        if in_tree {
            return equal("C2", "kind = Free for a chunk in the tree", index, chunk.kind() as u64, 0);
        }
        return Ok(());
    }
    equal("C2", "a split chunk is not in the tree", index, u64::from(in_tree), 0)?;
    let private = chunk.family.load(Ordering::Relaxed) != 0;
    let free = chunk.free_mask(private);
    let mut slabs = 0u64;
    for slice in 0..SLICES_PER_CHUNK {
        if region::slab(index * SLICES_PER_CHUNK + slice).is_slab() {
            slabs |= 1 << slice;
        }
    }
    equal("C1", "free & slabs = 0", index, free & slabs, 0)?;
    equal("C1", "ends & (free | slabs) = 0", index, chunk.ends_mask() & (free | slabs), 0)
}

fn check_slab(slab: &Slab, index: u32, state: State) -> Result<(), Violation> {
    if state == State::Spare {
        return Ok(());
    }
    if slab.class() == MIXED {
        return check_mixed(slab, index, state);
    }
    let carved = u64::from(slab.carved.get());
    let in_free = u64::from(slab.in_free());
    let capacity = u64::from(slab.facts().capacity);
    equal("S2", "carved <= capacity", index, carved.min(capacity), carved)?;
    let mut length = 0;
    let mut block = slab.free.get();
    while !block.is_null() && length <= in_free {
        let offset = region::offset_of(block.cast()).unwrap_or(0);
        let inside = offset.wrapping_sub(index as usize * SLICE);
        let bytes = usize::from(slab.facts().slices) * SLICE;
        equal("S2", "a free block lies in its slab", index, (inside / bytes) as u64, 0)?;
        equal(
            "S2",
            "a free block starts at a multiple of the size",
            index,
            inside as u64 % u64::from(slab.facts().size.max(16)),
            0,
        )?;
        length += 1;
        // SAFETY: the block lies in its slab and is free, so its first word is a link.
        block = unsafe { &*block }.next.get();
    }
    equal("S2", "length(free) = start - needed", index, length, in_free)?;
    let waiting = u64::from(slab.remote.waiting());
    equal("S2", "in_free + remote <= carved", index, (in_free + waiting).min(carved), in_free + waiting)?;
    if state == State::Full {
        return equal("S3", "a full slab is carved wholly", index, carved, capacity);
    }
    equal("S3", "start = carved", index, u64::from(slab.start.get()), carved)
}

fn check_mixed(slab: &Slab, index: u32, state: State) -> Result<(), Violation> {
    let (vacant, ends) = (slab.vacant.get(), slab.ends.load(Ordering::Relaxed));
    equal("M1", "no vacant unit ends a block", index, vacant & ends, 0)?;
    // A vacant unit after one in use: that one ends a block.
    let edges = !vacant & vacant >> 1 | !vacant & 1 << 63;
    equal("M1", "a run of used units ends with a block", index, edges & !ends, 0)?;
    let units: u32 = mixed::blocks(slab).sum();
    equal("M1", "the blocks are the units in use", index, u64::from(units), u64::from(vacant.count_zeros()))?;
    let waiting = slab.remote.waiting();
    equal("M4", "remote <= units in use", index, u64::from(waiting.min(units)), u64::from(waiting))?;
    equal("M4", "counted = units in use", index, u64::from(slab.counted.get()), u64::from(units))?;
    equal("M3", "needed = 1", index, u64::from(slab.needed.get()), 1)?;
    let longest = bits::longest_run(vacant);
    let listed = if longest < MIN_UNITS { 0 } else { class::of_units(longest) };
    if state == State::Full {
        return equal("M5", "nothing fits into a full slab", index, listed as u64, 0);
    }
    if slab.owning_heap().is_none() {
        return Ok(());
    }
    let list = u64::from(slab.start.get());
    equal("M5", "list >= that of the longest run", index, list.max(listed as u64), list)
}

fn check_heap(heap: &ThreadHeap) -> Result<(), Violation> {
    let number = heap.index.get();
    for class in 1..CLASSES {
        let bin = heap.bin(class).get();
        match link::index(heap.cur(class).get()) {
            None if class == heap.kept.get() => check_kept(heap, bin)?,
            None => equal("T2", "bin = null without a current slab", number, bin.addr() as u64, 0)?,
            Some(index) => {
                let slab = region::slab(index);
                equal("T2", "state(cur) = Current", number, slab.state() as u64, State::Current as u64)?;
                equal("T2", "class(cur) = class", number, slab.class() as u64, class as u64)?;
                equal(
                    "S1",
                    "owner(cur) = heap",
                    number,
                    slab.owner().addr() as u64,
                    core::ptr::from_ref(heap).addr() as u64,
                )?;
            }
        }
        let mut at = heap.partial(class).get();
        let mut before = link::END;
        while let Some(index) = link::index(at) {
            let slab = region::slab(index);
            equal("S4", "state(partial) = Partial", number, slab.state() as u64, State::Partial as u64)?;
            equal("S4", "prev(next(s)) = s", number, u64::from(slab.prev.get()), u64::from(before))?;
            before = at;
            at = slab.next.load(Ordering::Relaxed);
        }
    }
    Ok(())
}

/// The one block of a mixed slab that waits in a bin.
fn check_kept(heap: &ThreadHeap, block: *mut Block) -> Result<(), Violation> {
    let Some(offset) = region::offset_of(block.cast()) else { return Ok(()) };
    let slab = slice::head(region::slab_at(offset));
    let owner = slab.owner().addr() as u64;
    equal("T2", "owner(kept) = heap", heap.index.get(), owner, core::ptr::from_ref(heap).addr() as u64)?;
    let units = class::of_units(mixed::units_of(slab, block));
    equal("T2", "class(kept) = its bin's", heap.index.get(), units as u64, heap.kept.get() as u64)
}

const _: () = assert!(CLASSES < BINS && CHUNKS_PER_AREA == 512);
