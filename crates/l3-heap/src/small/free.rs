//! Freeing a block of another heap's slab.

use stratalloc_primitives::lockfree::link;

use super::home::{Records, event};
use super::remote::{Chain, deliver};
use super::ring::Batch;
use super::slab::{Block, Slab, State};
use super::slice;
use super::thread_heap::{ThreadHeap, current};
use crate::layout::SLICE;
use crate::{region, small, usage};

/// The countdown of a slab of the current thread's heap ended.
#[cold]
#[inline(never)]
pub(crate) fn local_event(slab: &'static Slab) {
    // Not an argument: the fast half would have to keep it in a register of its own.
    let heap = current();
    if heap.busy.get() {
        // A signal handler frees while its thread is inside a slow path: the event waits for the next slow path.
        heap.missed.set(link::to(region::slab_index(slab)));
        return;
    }
    heap.busy.set(true);
    event(heap, slab);
    heap.busy.set(false);
}

/// Frees `block` of `slab`, which the current thread's heap does not own.
pub(crate) fn remote_free(slab: &'static Slab, block: *mut Block) {
    let done = small::with_own_heap(|heap| {
        let index = region::slab_index(slab);
        if let Some(batch) = heap.rings.add(index, slab.facts().size, block) {
            publish(heap, &batch);
        }
    });
    if done.is_none() {
        // No heap to collect in.
        free_alone(slab, block);
    }
}

/// Publishes one block at once.
pub(crate) fn free_alone(slab: &'static Slab, block: *mut Block) {
    publish_chain(&Batch { slab, head: block, tail: block, count: 1 });
}

/// Publishes every open ring of `heap`.
pub(crate) fn publish_rings(heap: &'static ThreadHeap) {
    for batch in heap.rings.drain() {
        publish(heap, &batch);
    }
}

fn publish(heap: &ThreadHeap, batch: &Batch) {
    heap.remote_batches.set(heap.remote_batches.get() + 1);
    heap.remote_blocks.set(heap.remote_blocks.get() + u64::from(batch.count));
    publish_chain(batch);
}

fn publish_chain(batch: &Batch) {
    let base = region::slice_start(region::slab_index(batch.slab));
    #[allow(
        clippy::cast_possible_truncation,
        reason = "an offset in a slab, in units of 16 bytes, has 12 bits"
    )]
    let offset = |block: *mut Block| ((block.addr() & (SLICE - 1)) >> 4) as u16;
    #[allow(clippy::cast_possible_truncation, reason = "a slab holds at most 4096 blocks")]
    let chain = Chain { head: offset(batch.head), tail: offset(batch.tail), count: batch.count as u16 };
    let published = batch.slab.remote.publish(chain, |_, head| {
        // SAFETY: the tail is a block that this thread freed and nobody else can reach yet.
        let tail = unsafe { &*batch.tail };
        tail.next.set(
            head.map_or(core::ptr::null_mut(), |head| base.wrapping_add(head as usize * 16).cast::<Block>()),
        );
    });
    if published.waiting == batch.slab.facts().capacity {
        reclaim(batch.slab);
    }
    if published.token {
        deliver(&Records, batch.slab);
    }
}

/// Puts a chain back that turned out to be another owner's.
pub(crate) fn republish(slab: &'static Slab, chain: Chain) {
    let base = region::slice_start(region::slab_index(slab));
    let block = |offset: u16| base.wrapping_add(offset as usize * 16).cast::<Block>();
    let count = u32::from(chain.count);
    publish_chain(&Batch { slab, head: block(chain.head), tail: block(chain.tail), count });
}

/// Every block of `slab` waits in its remote word: if it is full, so that its owner will not look before it needs blocks of this very
/// class, gives it back to the region.
#[cold]
fn reclaim(slab: &'static Slab) {
    if slab.state() != State::Full {
        return;
    }
    let Some(chain) = slab.remote.fold_exact(slab.facts().capacity) else { return };
    // With all blocks in hand the state can only change from Current to Full; what was read above may be an earlier life's.
    if slab.state() == State::Full {
        usage::SLABS.change(-((slab.counted.get() as usize * slab.facts().size as usize).cast_signed()));
        slab.counted.set(0);
        slice::give(slab);
    } else if slab.remote.publish(chain, |_, _| {}).token {
        deliver(&Records, slab);
    }
}
