//! Freeing a block of another heap's slab.

use super::home::{self, Records, event, miss};
use super::remote::{self, Chain};
use super::ring::Batch;
use super::slab::{Block, Slab};
use super::thread_heap::{ThreadHeap, current};
use super::{class, mixed};
use crate::{region, small};

/// The countdown of a slab of the current thread's heap ended.
#[cold]
#[inline(never)]
pub(crate) fn local_event(slab: &'static Slab) {
    // Not an argument: the fast half would have to keep it in a register of its own.
    let heap = current();
    if heap.busy.get() {
        miss(heap, slab);
        return;
    }
    heap.busy.set(true);
    event(heap, slab);
    heap.busy.set(false);
}

/// Frees `block` of `slab`, which the current thread's heap does not own.
pub(crate) fn remote_free(slab: &'static Slab, block: *mut Block) {
    let done = small::with_own_heap(|heap| {
        if slab.is_orphan() && slab.filled_by(heap) && home::take_over(heap, slab) {
            if slab.push_local(block) {
                event(heap, slab);
            }
            return;
        }
        let index = region::slab_index(slab);
        if let Some(batch) = heap.rings.add(index, counts(slab, block), slab.facts().size, block) {
            publish(heap, &batch);
            // A thread that only frees has no other occasion to look, and slabs that it took over need every block home to be free.
            if !heap.mailbox.0.is_empty() {
                home::drain(heap);
            }
        }
    });
    if done.is_none() {
        // No heap to collect in.
        free_alone(slab, block);
    }
}

/// Publishes one block at once.
pub(crate) fn free_alone(slab: &'static Slab, block: *mut Block) {
    publish_chain(&Batch { slab, head: block, tail: block, count: counts(slab, block) });
}

/// How much a block counts in a chain: units in a mixed slab (M4).
fn counts(slab: &Slab, block: *mut Block) -> u32 {
    if slab.class() == class::MIXED { mixed::units_of(slab, block) } else { 1 }
}

/// Publishes every open ring of `heap`.
pub(crate) fn publish_rings(heap: &'static ThreadHeap) {
    for batch in heap.rings.drain() {
        publish(heap, &batch);
    }
}

fn publish(heap: &'static ThreadHeap, batch: &Batch) {
    heap.remote_batches.set(heap.remote_batches.get() + 1);
    let slab = batch.slab;
    let blocks = match slab.class() {
        class::MIXED => mixed::chain(slab, batch.head, batch.count).count() as u64,
        _ => u64::from(batch.count),
    };
    heap.remote_blocks.set(heap.remote_blocks.get() + blocks);
    if slab.is_orphan()
        && batch.count + slab.remote.waiting() >= u32::from(slab.facts().wake)
        && home::take_over(heap, slab)
    {
        home::splice(heap, slab, chain_of(batch));
        return;
    }
    publish_chain(batch);
}

fn publish_chain(batch: &Batch) {
    remote::send(&Records, batch.slab, chain_of(batch));
}

fn chain_of(batch: &Batch) -> Chain {
    let start = region::slice_start(region::slab_index(batch.slab)).addr();
    #[allow(
        clippy::cast_possible_truncation,
        reason = "an offset in a slab, in units of 16 bytes, has 12 bits"
    )]
    let offset = |block: *mut Block| ((block.addr() - start) >> 4) as u16;
    #[allow(clippy::cast_possible_truncation, reason = "a slab holds at most 1024 blocks")]
    Chain { head: offset(batch.head), tail: offset(batch.tail), count: batch.count as u16 }
}
