//! Traces: a reader that follows the records knows what is live, and what was dropped is counted exactly.
//!
//! Records as bytes are tested beside `traced/event.rs`; every interleaving of small cases of the ring in `src/models`.
#![cfg(not(loom))]

extern crate alloc;

use core::alloc::Layout;
use core::cell::RefCell;
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::alloc::System as Global;

use belief::Belief;
use proptest::prelude::*;
use stratalloc_modifiers::{Budget, Event, Locked, Record, Ring, Tagged, TraceSink, Traced};
use stratalloc_resource::conformance;
use stratalloc_resource::{
    Alignment, AllocError, FromGlobal, MemoryBlock, MemoryResource, MemoryTag, OwnedBlock, ResourceId,
    ResourceInfo,
};
use stratalloc_strategies::tlsf::Tlsf;

mod belief;
#[path = "../../l3-strategies/tests/model/mod.rs"]
mod model;

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, 8).unwrap()
}

const ALIGN: Alignment = Alignment::constant::<8>();

fn resize<R: MemoryResource>(
    resource: &R,
    block: MemoryBlock,
    size: usize,
) -> Result<MemoryBlock, AllocError> {
    // SAFETY: callers pass live blocks of the resource, requested at this alignment.
    unsafe { resource.reallocate(block, size, ALIGN) }
}

fn release<R: MemoryResource>(resource: &R, block: MemoryBlock) {
    // SAFETY: as for `resize`, and not used any more.
    unsafe { resource.deallocate(block, ALIGN) };
}

#[test]
fn each_operation_leaves_its_records() {
    let mut bytes = vec![MaybeUninit::uninit(); 4096];
    let ring = Ring::<16>::new();
    let traced = Traced::new(Tlsf::<'_, 24, 32>::over(&mut bytes).unwrap(), &ring);
    let a = traced.allocate(layout(10)).unwrap();
    let neighbour = traced.allocate_zeroed(layout(7)).unwrap();
    let moved = resize(&traced, a, 500).unwrap();
    assert!(resize(&traced, moved, 50_000).is_err());
    assert!(traced.allocate(layout(5000)).is_err());
    release(&traced, moved);
    let events: Vec<_> = ring.drain().map(|record| record.event().unwrap()).collect();
    let (old, new, full) = (a.address(), moved.address(), AllocError::CapacityExhausted);
    let refused_resize = match events[6] {
        Event::Refused { error, .. } => error,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        events,
        [
            Event::Allocated { address: old, size: 10, align: ALIGN },
            Event::Allocated { address: neighbour.address(), size: 7, align: ALIGN },
            Event::ResizeBegun { address: old, size: a.len(), align: ALIGN },
            Event::Resized { from: old, address: new, size: 500, align: ALIGN },
            Event::ResizeBegun { address: new, size: moved.len(), align: ALIGN },
            Event::Resized { from: new, address: new, size: moved.len(), align: ALIGN },
            Event::Refused { size: 50_000, align: ALIGN, error: refused_resize },
            Event::Refused { size: 5000, align: ALIGN, error: full },
            Event::Released { address: new, size: moved.len(), align: ALIGN },
        ]
    );
    assert_eq!((traced.dropped(), ring.written(), ring.read()), (0, 9, 9));
}

#[test]
fn a_refusal_names_the_tag_that_is_over_its_budget() {
    let tag = MemoryTag::new(3);
    let tagged: Tagged<_> = Tagged::new(FromGlobal::new(&Global));
    tagged.set_budget(tag, Budget::UNLIMITED.with_hard(10));
    let ring = Ring::<4>::new();
    let traced = Traced::new(tagged.handle(tag), &ring);
    assert!(traced.allocate(layout(11)).is_err());
    let event = ring.pop().and_then(Record::event);
    assert_eq!(event, Some(Event::Refused { size: 11, align: ALIGN, error: AllocError::OverBudget(tag) }));
}

#[test]
fn what_finds_no_room_is_dropped_and_counted_and_nothing_else_suffers() {
    let ring = Ring::<8>::new();
    let traced = Traced::new(FromGlobal::new(&Global), &ring);
    for _ in 0..10 {
        drop(OwnedBlock::new(&traced, layout(16)).unwrap());
    }
    assert_eq!((ring.written(), ring.dropped(), traced.dropped()), (8, 12, 12));
    assert_eq!(ring.drain().count(), 8);
    drop(OwnedBlock::new(&traced, layout(16)).unwrap());
    assert_eq!((ring.drain().count(), ring.written(), traced.dropped()), (2, 10, 12), "there is room again");
}

#[test]
fn writers_and_a_reader_reconcile_exactly() {
    const ROUNDS: usize = if cfg!(miri) { 100 } else { 50_000 };
    const WRITERS: usize = 3;
    let ring = Ring::<64>::new();
    let traced = Traced::new(FromGlobal::new(&Global), &ring);
    let (done, events) = (AtomicBool::new(false), AtomicUsize::new(0));
    let read = std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut read = 0;
            loop {
                // Looked at first: what was written before it is then drained.
                let last = done.load(Ordering::Acquire);
                for record in ring.drain() {
                    assert!(record.event().is_some(), "torn: {record:x?}");
                    read += 1;
                }
                if last {
                    return read;
                }
                std::thread::yield_now();
            }
        });
        let write = |thread: usize| {
            for round in 0..ROUNDS {
                drop(OwnedBlock::new(&traced, layout(1 + (round + thread) % 300)).unwrap());
                events.fetch_add(2, Ordering::Relaxed);
            }
        };
        let writers: Vec<_> = (0..WRITERS).map(|thread| scope.spawn(move || write(thread))).collect();
        for writer in writers {
            writer.join().unwrap();
        }
        done.store(true, Ordering::Release);
        reader.join().unwrap()
    });
    assert_eq!(events.load(Ordering::Relaxed), 2 * WRITERS * ROUNDS);
    assert_eq!(read + traced.dropped(), 2 * WRITERS * ROUNDS, "{ring:?}");
    assert_eq!((ring.written(), ring.dropped()), (ring.read(), traced.dropped()));
}

/// Lets other threads run as soon as a block has gone back, so that they get its address. A resize always moves.
struct Yielding<R>(R);

// SAFETY: every operation is the inner resource's.
unsafe impl<R: MemoryResource> MemoryResource for Yielding<R> {
    fn allocate(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        self.0.allocate(layout)
    }

    unsafe fn deallocate(&self, block: MemoryBlock, align: Alignment) {
        // SAFETY: this function's contract.
        unsafe { self.0.deallocate(block, align) };
        std::thread::yield_now();
    }

    fn identity(&self) -> ResourceId {
        self.0.identity()
    }

    fn info(&self) -> ResourceInfo<'_> {
        self.0.info()
    }
}

#[test]
fn the_order_of_records_is_one_in_which_no_address_is_live_twice() {
    const ROUNDS: usize = if cfg!(miri) { 50 } else { 10_000 };
    // Room for all: four records a round and thread at most.
    static RING: Ring<{ 1 << 18 }> = Ring::new();
    let mut bytes = vec![MaybeUninit::uninit(); 4096];
    let tlsf = Locked::new(Tlsf::<'_, 24, 32>::over(&mut bytes).unwrap());
    let traced = Traced::new(Yielding(tlsf), &RING);
    std::thread::scope(|scope| {
        for thread in 0..3 {
            let traced = &traced;
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let block = traced.allocate(layout(16 + (round % 3) * 16)).unwrap();
                    let block = if round % 8 == thread { resize(traced, block, 64).unwrap() } else { block };
                    release(traced, block);
                }
            });
        }
    });
    let mut belief = Belief::default();
    RING.drain().for_each(|record| belief.follow(record.event().unwrap()));
    assert_eq!((traced.dropped(), belief.0.len()), (0, 0));
    assert!(RING.read() >= 6 * ROUNDS);
}

/// Records as many as it was told to, drops the others.
struct Bounded(RefCell<Vec<Record>>, usize);

impl TraceSink for Bounded {
    fn record(&self, record: Record) -> bool {
        let mut records = self.0.borrow_mut();
        let room = records.len() < self.1;
        if room {
            records.push(Record::from_bytes(record.to_bytes()));
        }
        room
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: conformance::cases(60),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_reader_knows_exactly_what_is_live(len in 200_usize..60_000, ops in model::ops()) {
        let mut bytes = Box::new_uninit_slice(len).into_vec();
        // Room for all that is released at the end without a look.
        let ring = Ring::<256>::new();
        let traced = Traced::new(Tlsf::<'_, 24, 32>::over(&mut bytes).unwrap(), &ring);
        let belief = RefCell::new(Belief::default());
        model::run(&traced, ops, |_| {}, |shadow| {
            let mut belief = belief.borrow_mut();
            ring.drain().for_each(|record| belief.follow(record.event().unwrap()));
            let truth: Vec<_> = shadow.live.iter().map(|(&address, live)| (address, live.size)).collect();
            // A refused resize leaves the length that was handed in, which may be the real one.
            let believed: Vec<_> = belief.0.iter().map(|(&address, &size)| (address, size)).collect();
            prop_assert_eq!(believed.len(), truth.len());
            for (known, live) in believed.iter().zip(shadow.live.values()) {
                prop_assert!(known.0 == live.block.address());
                prop_assert!((live.size..=live.block.len()).contains(&known.1));
            }
            model::sound(&traced, shadow)
        })?;
        prop_assert_eq!(traced.dropped(), 0);
    }

    #[test]
    fn every_event_is_recorded_or_counted(room in 0_usize..100, ops in model::ops()) {
        let mut bytes = vec![MaybeUninit::uninit(); 20_000];
        let all = Traced::new(Tlsf::<'_, 24, 32>::over(&mut bytes).unwrap(), Bounded(RefCell::default(), usize::MAX));
        let some = Traced::new(&all, Bounded(RefCell::default(), room));
        model::run(&some, ops, |_| {}, |_| Ok(()))?;
        let (all_records, some_records) = (all.sink().0.borrow(), some.sink().0.borrow());
        prop_assert_eq!(some_records.len() + some.dropped(), all_records.len());
        prop_assert_eq!(&some_records[..], &all_records[..room.min(all_records.len())]);
    }
}
