//! The kit on what keeps the contract: the system allocator, adapters both ways, and resources with each habit.
//!
//! Not covered: the C library, which is in `broken_malloc.rs` beside its broken versions.

extern crate alloc;

mod support;

use alloc::sync::Arc;
use core::alloc::{GlobalAlloc, Layout};
use core::cell::Cell;
use std::alloc::System;
use std::collections::HashMap;
use std::sync::Mutex;

use stratalloc_resource::conformance::{self, Config, Failure, Property, Report};
use stratalloc_resource::{
    Alignment, AllocError, FromGlobal, MemoryBlock, MemoryResource, ResourceAllocator, ResourceId,
    ResourceInfo, Reuse, ThreadSafety,
};
use support::{Bounded, Memory};

fn config() -> Config {
    Config { operations: 1_000, ..Config::default() }
}

fn passed(outcome: Result<Report, Failure>) -> Report {
    outcome.unwrap_or_else(|failure| panic!("{failure}"))
}

fn checks(report: &Report, property: Property) -> bool {
    report.checked().any(|checked| checked == property)
}

/// A bump allocator over one piece of memory: a frame, or with `lifo` a stack.
struct Bump {
    lifo: bool,
    memory: Bounded,
    whole: MemoryBlock,
    // Invariant TOP: bytes below belong to live blocks or to gaps between them.
    top: Cell<usize>,
    live: Cell<usize>,
}

impl Bump {
    fn new(len: usize, lifo: bool) -> Self {
        let memory = Bounded::over(Memory::new(len));
        let whole = memory.allocate(Layout::from_size_align(len, support::BASE_ALIGN).unwrap()).unwrap();
        Self { lifo, memory, whole, top: Cell::new(0), live: Cell::new(0) }
    }
}

// SAFETY: blocks lie above TOP when they are made; a stack lowers it only to the start of its top block, or to 0
// when nothing is live.
unsafe impl MemoryResource for Bump {
    fn allocate(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        let start = self.top.get().next_multiple_of(layout.align());
        let rest = self.whole.split_at(start).ok_or(AllocError::CapacityExhausted)?.1;
        let block = rest.truncated(layout.size()).ok_or(AllocError::CapacityExhausted)?;
        if !block.is_aligned(Alignment::from_layout(layout)) {
            return Err(AllocError::BadAlignment);
        }
        self.top.set(start + layout.size());
        self.live.set(self.live.get() + 1);
        Ok(block)
    }

    unsafe fn deallocate(&self, block: MemoryBlock, _: Alignment) {
        self.live.set(self.live.get() - 1);
        let start = block.address() - self.whole.address();
        if self.lifo && start + block.len() == self.top.get() {
            self.top.set(start);
        }
        if self.lifo && self.live.get() == 0 {
            self.top.set(0);
        }
    }

    fn identity(&self) -> ResourceId {
        ResourceId::new::<Self>(self.whole.address())
    }

    fn info(&self) -> ResourceInfo<'_> {
        ResourceInfo::new("bump", ThreadSafety::Confined)
            .with_reuse(if self.lifo { Reuse::LastFirst } else { Reuse::AllTogether })
            .with_capacity(self.memory.len())
    }
}

#[test]
fn the_system_allocator_passes_every_stage() {
    let report = passed(conformance::global_alloc(&System, &config()));
    assert!(checks(&report, Property::ThreadsParallel) && checks(&report, Property::ThreadsRemote));
    assert_eq!(report.refusals(), refused_on_purpose(&report), "{report}");
    assert!(report.to_string().contains("only the system sets a limit"));
}

/// The refusals that the kit provokes and counts: five resizings to absurd sizes for every alignment.
fn refused_on_purpose(report: &Report) -> u64 {
    5 * (u64::from(report.config().max_align.log2()) + 1)
}

#[test]
fn a_resource_passes_through_references_and_dyn() {
    let bounded = Bounded::new(128 * 1024);
    let dynamic: &(dyn MemoryResource + Sync) = &bounded;
    let report = passed(conformance::resource(dynamic, &config()));
    assert!(checks(&report, Property::Recovery) && checks(&report, Property::FitRelease));
    passed(conformance::resource(&&bounded, &config()));
    assert_eq!(bounded.free_bytes(), bounded.len());
}

#[test]
fn adapters_both_ways_keep_the_contract() {
    // System → resource → global allocator → resource.
    static THERE_AND_BACK: ResourceAllocator<FromGlobal<'static, System>> =
        ResourceAllocator::new(FromGlobal::new(&System));
    passed(conformance::global_alloc(&THERE_AND_BACK, &config()));
    // A resource with larger real sizes, a capacity and a state, as a global allocator.
    let allocator: &'static ResourceAllocator<Bounded> =
        Box::leak(Box::new(ResourceAllocator::new(Bounded::new(4 << 20))));
    let bounded = Config { max_size: 4096, live: 16, ..config() };
    passed(conformance::global_alloc(allocator, &bounded));
    assert_eq!(allocator.resource().free_bytes(), allocator.resource().len());
}

/// A global allocator that insists on its caller's side of the contract: no empty layouts, none too large, and each block
/// back with the layout that it was made with.
#[derive(Default)]
struct Strict {
    layouts: Mutex<HashMap<usize, Layout>>,
}

impl Strict {
    fn note(&self, start: *mut u8, layout: Layout) {
        assert!(layout.size() > 0, "an empty layout");
        assert_eq!(self.layouts.lock().unwrap().insert(start.addr(), layout), None);
    }

    fn strike(&self, start: *mut u8, layout: Layout) {
        assert_eq!(self.layouts.lock().unwrap().remove(&start.addr()), Some(layout), "another layout");
    }
}

// SAFETY: the system's, with notes.
unsafe impl GlobalAlloc for Strict {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the same contract; the size is looked at below.
        let start = unsafe { System.alloc(layout) };
        if !start.is_null() {
            self.note(start, layout);
        }
        start
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        self.strike(start, layout);
        // SAFETY: the same contract.
        unsafe { System.dealloc(start, layout) };
    }
}

#[test]
fn a_global_allocator_gets_the_layouts_that_it_may_expect() {
    let strict: &'static Strict = Box::leak(Box::default());
    passed(conformance::global_alloc(strict, &config()));
    assert!(strict.layouts.lock().unwrap().is_empty());
}

#[test]
fn a_refused_request_is_null_to_a_global_allocator() {
    let allocator = ResourceAllocator::new(Bounded::new(4096));
    let layout = Layout::from_size_align(8192, 16).unwrap();
    // SAFETY: the layout has a size.
    assert!(unsafe { allocator.alloc(layout) }.is_null());
}

#[test]
fn resources_of_one_thread_are_checked_without_threads() {
    let frame = Bump::new(1 << 20, false);
    let report = passed(conformance::local_resource(&frame, &Config { max_size: 512, ..config() }));
    assert!(report.refusals() > 0 && checks(&report, Property::Capacity));
    let skipped: Vec<_> = report.skipped().iter().map(|(property, _)| *property).collect();
    assert_eq!(skipped, [Property::ThreadsParallel, Property::ThreadsRemote, Property::Recovery]);

    let stack = Bump::new(1 << 20, true);
    let report = passed(conformance::local_resource(&stack, &config()));
    assert!(checks(&report, Property::Recovery));
}

#[test]
fn equality_follows_the_state_and_not_the_handle() {
    let (system, again) = (FromGlobal::new(&System), FromGlobal::new(&System));
    assert!(conformance::pair(&system, &again, &config()).unwrap_or_else(|failure| panic!("{failure}")));

    let (first, second) = (Bounded::new(1 << 20), Bounded::new(1 << 20));
    assert!(!conformance::pair(&first, &second, &config()).unwrap());
    assert!(!conformance::pair(&first, &system, &config()).unwrap());
    let boxed = Arc::new(first);
    assert!(conformance::pair(&*boxed, &&*boxed, &config()).unwrap());
    let before = boxed.identity();
    let moved = Arc::into_inner(boxed).unwrap();
    assert_eq!(moved.identity(), before);
}

#[test]
fn global_allocators_with_state_are_told_apart_by_address() {
    let first = ResourceAllocator::new(Bounded::new(4096));
    let second = ResourceAllocator::new(Bounded::new(4096));
    assert!(!FromGlobal::new(&first).is_equal(&FromGlobal::new(&second)));
    assert!(FromGlobal::new(&first).is_equal(&FromGlobal::new(&first)));
}
