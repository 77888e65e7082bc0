//! Blocks come home: what the owner does when a slab's countdown ends, and when its mailbox has mail.

use core::cell::Cell;
use core::ptr;

use stratalloc_primitives::lockfree::{Mailbox, link};
use stratalloc_primitives::primitive::atomic::Ordering;

use super::remote::{self, Chain, Directory, Owners, RemoteWord, deliver};
use super::slab::{Block, Slab, State};
use super::thread_heap::ThreadHeap;
use super::{class, depot, free, mixed, pool, slice};
use crate::{region, usage};

/// The heap's own directory for the remote protocol: records and heaps by reference.
pub(crate) struct Records;

impl Directory for Records {
    type Record = &'static Slab;
    type Owner = &'static ThreadHeap;

    fn word(&self, record: &'static Slab) -> &RemoteWord {
        &record.remote
    }

    fn owner(&self, record: &'static Slab) -> Option<&'static ThreadHeap> {
        record.owning_heap()
    }

    fn post(&self, owner: &'static ThreadHeap, record: &'static Slab) {
        let index = region::slab_index(record);
        let first = owner.mailbox.0.push(index, |next| record.mail.store(next, Ordering::Relaxed));
        if first {
            pool::mail_arrived(owner);
        }
    }

    fn found_nobody(&self, record: &'static Slab) {
        if !record.is_orphan() {
            depot::blocks_arrived();
        }
    }
}

impl Owners for Records {
    fn owns(&self, owner: &'static ThreadHeap, record: &'static Slab) -> bool {
        ptr::eq(record.owner(), owner)
    }

    fn claim(&self, owner: &'static ThreadHeap, record: &'static Slab) -> bool {
        record.claim(owner)
    }

    fn set_owner(&self, record: &'static Slab, owner: Option<&'static ThreadHeap>) {
        record.set_owner(owner.map_or(ptr::null(), ptr::from_ref));
    }

    fn capacity(&self, record: &'static Slab) -> u16 {
        record.facts().capacity
    }

    fn is_full(&self, record: &'static Slab) -> bool {
        record.state() == State::Full
    }

    fn link(&self, record: &'static Slab, tail: u16, head: Option<u16>) {
        // SAFETY: the caller has the block in hand: it was freed, and nobody else can reach it.
        let tail = unsafe { &*block_at(record, tail) };
        tail.next.set(head.map_or(ptr::null_mut(), |head| block_at(record, head)));
    }

    fn give(&self, record: &'static Slab, _all: Chain) {
        usage::SLABS.change(-((record.counted.get() as usize * record.facts().size as usize).cast_signed()));
        record.counted.set(0);
        let sleeper = self.owner(record);
        slice::give(record);
        if let Some(sleeper) = sleeper {
            let before = sleeper.reclaimed.fetch_add(1, Ordering::Relaxed);
            if before % FORWARD == FORWARD - 1 {
                forward_mail(sleeper);
            }
        }
    }

    fn mailbox(&self, owner: &'static ThreadHeap) -> &Mailbox {
        &owner.mailbox.0
    }

    fn record(&self, index: u32) -> &'static Slab {
        region::slab(index)
    }

    fn mail_link(&self, record: &'static Slab) -> u32 {
        record.mail.load(Ordering::Relaxed)
    }
}

/// After so many reclaimed slabs of one owner its mail is forwarded.
const FORWARD: u32 = 64;

/// Looks through the mailbox of a heap that others hold: records whose slab has changed hands go to their owners, or lose their token;
/// the rest goes back. Else a sleeping thread would keep the next owners of its former slabs from being told about remote frees.
#[cold]
fn forward_mail(sleeper: &'static ThreadHeap) {
    let mut next = sleeper.mailbox.0.take_all();
    while let Some(index) = link::index(next) {
        let slab = region::slab(index);
        next = slab.mail.load(Ordering::Relaxed);
        deliver(&Records, slab);
    }
}

/// The block at `offset` (in units of 16 bytes) of a slab.
fn block_at(slab: &Slab, offset: u16) -> *mut Block {
    region::slice_start(region::slab_index(slab)).wrapping_add(offset as usize * 16).cast()
}

/// The first block that waits in the slab's remote word, or null. For checks and statistics.
pub(crate) fn first_waiting(slab: &Slab) -> *mut Block {
    slab.remote.first().map_or(ptr::null_mut(), |head| block_at(slab, head))
}

/// Puts a chain that the caller took in front of the slab's own list; counting it is the caller's.
fn prepend(slab: &'static Slab, chain: Chain) {
    // SAFETY: threads freed and published these blocks; taking the chain made them ours.
    let tail = unsafe { &*block_at(slab, chain.tail) };
    tail.next.set(slab.free.get());
    slab.free.set(block_at(slab, chain.head));
}

/// Number of blocks that the statistics count as in use becomes `now`.
pub(crate) fn count(heap: &ThreadHeap, slab: &Slab, now: u32) {
    let before = slab.counted.get();
    #[allow(clippy::cast_possible_truncation, reason = "a slab holds at most 1024 blocks")]
    slab.counted.set(now as u16);
    usage::slab_changed(heap, now.cast_signed() - i32::from(before), slab.facts().size);
}

/// The countdown of `slab` ended (S3). Called with the slab's owner heap in hand.
pub(crate) fn event(heap: &ThreadHeap, slab: &'static Slab) {
    match slab.state() {
        State::Current => all_home(heap, slab),
        State::Full | State::Partial if slab.class() == class::MIXED => mixed::freed(heap, slab),
        State::Full => woke(heap, slab),
        State::Partial => {
            unlink(heap, slab);
            retire(heap, slab);
        }
        State::None | State::Spare | State::Body => {}
    }
}

/// Notes the end of a countdown that nobody can act on now: a signal handler frees while its thread is inside a slow path. Of slabs of one class only
/// full ones would be lost without it: others are in a list, where the next refill finds their blocks.
pub(crate) fn miss(heap: &ThreadHeap, slab: &'static Slab) {
    if slab.class() == class::MIXED {
        // The slab's words may be half changed: the block goes the way of blocks that other threads free, and the slab is as it was.
        let block = slab.free.get();
        // SAFETY: the handler's block, just put in front of the list.
        slab.free.set(unsafe { &*block }.next.get());
        slab.needed.set(1);
        free::free_alone(slab, block);
    } else if slab.state() == State::Full {
        // A full slab is in no list: its link is free. Nor can another thread reclaim it, for some of its blocks came home here.
        slab.prev.set(heap.missed.replace(link::to(region::slab_index(slab))));
    }
}

/// Acts on what was missed.
pub(crate) fn missed_events(heap: &ThreadHeap) {
    let mut next = heap.missed.replace(link::END);
    while let Some(index) = link::index(next) {
        let slab = region::slab(index);
        next = slab.prev.get();
        woke(heap, slab);
    }
}

/// Enough blocks of a full slab came home: it joins the partial list, or goes at once if that was all of it.
fn woke(heap: &ThreadHeap, slab: &'static Slab) {
    let carved = slab.carved.get();
    let came = slab.in_free();
    let out = u32::from(carved) - came;
    slab.count_from(carved);
    slab.count_down(came);
    if out == 0 {
        retire(heap, slab);
        return;
    }
    count(heap, slab, out);
    link_partial(heap, slab);
}

/// Every carved block of the current slab is home, so its bin is empty. If the class has another slab with room, that one
/// suffices; else the chain goes straight into the bin.
fn all_home(heap: &ThreadHeap, slab: &'static Slab) {
    let class = slab.class();
    if heap.partial(class).get() != 0 {
        heap.cur(class).set(0);
        retire(heap, slab);
        return;
    }
    let (chain, length) = slab.take_chain();
    heap.handed(class).set(heap.handed(class).get().wrapping_add(u64::from(length)));
    heap.bin(class).set(chain);
}

/// Puts a slab in front of its class's partial list.
pub(crate) fn link_partial(heap: &ThreadHeap, slab: &'static Slab) {
    link_into(heap.partial(slab.class()), slab);
}

/// Puts a slab in front of a list.
pub(super) fn link_into(head: &Cell<u32>, slab: &'static Slab) {
    let index = link::to(region::slab_index(slab));
    let next = head.get();
    slab.set_state(State::Partial);
    slab.prev.set(link::END);
    slab.next.store(next, Ordering::Relaxed);
    if let Some(next) = link::index(next) {
        region::slab(next).prev.set(index);
    }
    head.set(index);
}

/// Takes a slab out of its class's partial list.
pub(crate) fn unlink(heap: &ThreadHeap, slab: &'static Slab) {
    unlink_from(heap.partial(slab.class()), slab);
}

/// Takes a slab out of the list that begins at `head`.
pub(super) fn unlink_from(head: &Cell<u32>, slab: &'static Slab) {
    let (prev, next) = (slab.prev.get(), slab.next.load(Ordering::Relaxed));
    match link::index(prev) {
        Some(prev) => region::slab(prev).next.store(next, Ordering::Relaxed),
        None => head.set(next),
    }
    if let Some(next) = link::index(next) {
        region::slab(next).prev.set(prev);
    }
}

/// An empty slab leaves its class: one narrow slab is kept as a spare, the rest goes back to the region.
pub(crate) fn retire(heap: &ThreadHeap, slab: &'static Slab) {
    count(heap, slab, 0);
    slab.free.set(ptr::null_mut());
    if heap.spare.get() == 0 && slab.facts().slices == 1 {
        slice::mark_touched(slab);
        slab.set_state(State::Spare);
        heap.spare.set(link::to(region::slab_index(slab)));
    } else {
        slice::give(slab);
    }
}

/// Puts a chain that other threads freed in front of the slab's own list. The caller is the owner (S1).
pub(crate) fn splice(heap: &ThreadHeap, slab: &'static Slab, chain: Chain) {
    if slab.class() == class::MIXED {
        prepend(slab, chain);
        mixed::came_home(heap, slab);
        return;
    }
    prepend(slab, chain);
    let needed = slab.needed.get();
    slab.needed.set(needed.wrapping_sub(chain.count));
    if slab.state() == State::Full {
        // If it woke before and that was missed, it is on its way to the partial list.
        if needed.cast_signed() > 0 && chain.count >= needed {
            // More than `wake` may come at once: `in_free` counts them all.
            woke(heap, slab);
        }
    } else if chain.count == needed {
        event(heap, slab);
    }
}

/// Takes over a full slab that nobody owns; the caller has one of its blocks in hand.
pub(crate) fn take_over(heap: &'static ThreadHeap, slab: &'static Slab) -> bool {
    heap.family() == 0 && remote::take_over(&Records, heap, slab, |chain| splice(heap, slab, chain))
}

/// Takes all mail: splices what is ours, forwards what changed hands. True if there was any.
pub(crate) fn drain(heap: &'static ThreadHeap) -> bool {
    remote::drain(&Records, heap, |slab, chain| splice(heap, slab, chain))
}

/// Empties the mailbox of a heap whose slabs vanish: tokens are turned off, chains forgotten.
pub(crate) fn discard_mail(heap: &'static ThreadHeap) {
    let mut next = heap.mailbox.0.take_all();
    while let Some(index) = link::index(next) {
        let slab = region::slab(index);
        next = slab.mail.load(Ordering::Relaxed);
        if ptr::eq(slab.owner(), heap) {
            let _ = slab.remote.take();
        } else {
            deliver(&Records, slab);
        }
    }
}

/// Whether every block of a slab in hand came home.
pub(crate) fn is_whole(slab: &Slab) -> bool {
    if slab.class() == class::MIXED { mixed::is_empty(slab) } else { slab.needed.get() == 0 }
}

/// Makes `heap` the owner of a slab from the depot, with the blocks that came home meanwhile.
pub(crate) fn adopt(heap: &'static ThreadHeap, slab: &'static Slab) {
    if let Some(chain) = remote::adopt(&Records, heap, slab) {
        prepend(slab, chain);
        slab.count_down(u32::from(chain.count));
    }
    if slab.class() == class::MIXED {
        mixed::absorb(heap, slab);
    }
    slab.set_state(State::Current);
}

/// A slab whose blocks are all out becomes Full: nobody looks at it until `wake` of them are home. If no block of it came home yet,
/// its objects may be another thread's to free: it becomes an orphan, which its former owner takes over with the first block that it
/// frees, any other thread when it brings as many as wake the slab. Not so a mixed slab with a rest, whose last block would tell nobody: it is never
/// the one that makes 64 units.
pub(crate) fn fill(heap: &ThreadHeap, slab: &Slab) {
    let leave = !slab.was_reused() && heap.family() == 0 && slab.vacant_units() == 0;
    slab.count_from(u16::from(slab.facts().wake));
    slab.sign(heap);
    // From here on another thread may reclaim the slab.
    slab.set_state(State::Full);
    if leave {
        slab.orphan(heap);
    }
}

// Not covered here: everything that needs two threads (`models/small`, `tests/threads.rs`).
#[cfg(all(test, not(loom)))]
mod tests {
    extern crate alloc;

    use alloc::vec::Vec;

    use super::*;
    use crate::small::thread_heap::current;
    use crate::{allocate, deallocate};

    fn record(block: *mut u8) -> &'static Slab {
        current().record_of(block).expect("a block of the region")
    }

    /// What a signal handler does that interrupts its thread inside a slow path: the countdowns of two slabs end unseen.
    #[test]
    fn full_slabs_that_woke_unseen_join_the_partial_list_later() {
        const SIZE: usize = 4096;
        let mut blocks: Vec<*mut u8> = (0..40).map(|_| allocate(SIZE)).collect();
        // A slab whose blocks went out once only would be an orphan when it is full: all but one of each slab go out again.
        let mut kept: Vec<*mut u8> = Vec::new();
        for block in blocks.drain(..) {
            if kept.iter().all(|other| !ptr::eq(record(*other), record(block))) {
                kept.push(block);
            } else {
                // SAFETY: allocated above, freed once.
                unsafe { deallocate(block) };
            }
        }
        blocks.extend(kept.iter().copied().chain((kept.len()..40).map(|_| allocate(SIZE))));
        let full: Vec<*mut u8> =
            blocks.iter().copied().filter(|block| record(*block).state() == State::Full).collect();
        // As many blocks of the first two full slabs as wake them, and one more of the first.
        let of_slab =
            |slab: &'static Slab| full.iter().copied().filter(move |block| ptr::eq(record(*block), slab));
        let first = record(full[0]);
        let second =
            full.iter().map(|block| record(*block)).find(|slab| !ptr::eq(*slab, first)).expect("two slabs");
        let wake = usize::from(first.facts().wake);
        let freed: Vec<*mut u8> = of_slab(first).take(wake + 1).chain(of_slab(second).take(wake)).collect();
        current().busy.set(true);
        for block in &freed {
            // SAFETY: allocated above, freed once.
            unsafe { deallocate(*block) };
        }
        current().busy.set(false);
        assert_eq!(record(full[0]).state(), State::Full, "nobody has looked yet");
        // Any slow path does.
        let more: Vec<*mut u8> = (0..20).map(|_| allocate(SIZE)).collect();
        assert!(freed.iter().all(|block| more.contains(block)), "the blocks are handed out again");
        for block in blocks.iter().filter(|block| !freed.contains(block)).chain(&more) {
            // SAFETY: live: what was freed above is among `more`.
            unsafe { deallocate(*block) };
        }
    }
}
