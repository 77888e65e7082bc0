//! Stacks of fibers: `FiberStacks` beside what a context-switch library does by itself.

use core::ptr;
use std::io;

use corosensei::stack::{DefaultStack, Stack as _};
use stratalloc_strategies::fiber_stacks::{FiberStacks, FiberStacksConfig, GiveBack, StackCache};

use super::{Case, Counting};
use crate::sample::{Sample, timed, timed_threads};
use crate::shapes::together;

const SIZE: usize = 64 << 10;
const PAGE: usize = 4096;

/// A way to get a stack: `use_top` gets the address where it ends; then it is given back.
trait Way {
    fn once(&mut self, use_top: impl FnOnce(*mut u8) -> u64) -> u64;
}

/// Through a thread's cache.
struct Cached(StackCache<'static>);

impl Way for Cached {
    #[inline(always)]
    fn once(&mut self, use_top: impl FnOnce(*mut u8) -> u64) -> u64 {
        let stack = self.0.get(SIZE).expect("a stack");
        let word = use_top(stack.top().as_ptr());
        self.0.put(stack).expect("it is theirs");
        word
    }
}

/// Through the list that all threads share.
struct Shared(&'static FiberStacks);

impl Way for Shared {
    #[inline(always)]
    fn once(&mut self, use_top: impl FnOnce(*mut u8) -> u64) -> u64 {
        let stack = self.0.get(SIZE).expect("a stack");
        use_top(stack.top().as_ptr())
    }
}

/// `mmap`, `mprotect`, `munmap`: a guard at both ends, as ours have.
struct Mapped;

impl Way for Mapped {
    fn once(&mut self, use_top: impl FnOnce(*mut u8) -> u64) -> u64 {
        const WHOLE: usize = SIZE + 2 * PAGE;
        let (private, nowhere) =
            (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE, ptr::null_mut());
        // SAFETY: fresh addresses, wherever the kernel likes.
        let range = unsafe { libc::mmap(nowhere, WHOLE, libc::PROT_NONE, private, -1, 0) };
        assert_ne!(range, libc::MAP_FAILED, "{}", io::Error::last_os_error());
        let start = range.wrapping_byte_add(PAGE);
        // SAFETY: inside the range.
        let status = unsafe { libc::mprotect(start, SIZE, libc::PROT_READ | libc::PROT_WRITE) };
        assert_eq!(status, 0, "{}", io::Error::last_os_error());
        let word = use_top(start.wrapping_byte_add(SIZE).cast());
        // SAFETY: mapped above, not used any more.
        let status = unsafe { libc::munmap(range, WHOLE) };
        assert_eq!(status, 0, "{}", io::Error::last_os_error());
        word
    }
}

/// What `corosensei` does by default: a guard below only.
struct Corosensei;

impl Way for Corosensei {
    fn once(&mut self, use_top: impl FnOnce(*mut u8) -> u64) -> u64 {
        let stack = DefaultStack::new(SIZE).expect("a stack");
        use_top(ptr::with_exposed_provenance_mut(stack.base().get()))
    }
}

/// Stacks for as long as the process lives.
fn stacks(give_back: GiveBack) -> &'static FiberStacks {
    let config = FiberStacksConfig::new().with_class(SIZE, 256).with_give_back(give_back, PAGE);
    Box::leak(Box::new(FiberStacks::new(config).expect("addresses")))
}

fn cached(give_back: GiveBack) -> impl Fn() -> Cached + Sync {
    let stacks = stacks(give_back);
    move || Cached(stacks.cache())
}

fn shared() -> impl Fn() -> Shared + Sync {
    let stacks = stacks(GiveBack::Never);
    move || Shared(stacks)
}

/// What is done with a stack, on how many threads.
#[derive(Clone, Copy)]
struct Shape {
    touched: bool,
    threads: usize,
}

impl Shape {
    /// A fiber writes at its top at once; untouched, only the address is looked at.
    #[inline(always)]
    fn once<W: Way>(self, way: &mut W, index: u64) -> u64 {
        way.once(|top| {
            if !self.touched {
                return (top.addr() % PAGE) as u64;
            }
            let word: *mut u64 = top.wrapping_sub(size_of::<u64>()).cast();
            // SAFETY: the highest word of a live stack that nobody else knows; stacks end at a page.
            unsafe { word.write_volatile(index) };
            // SAFETY: as above, written just now.
            unsafe { word.read_volatile() }
        })
    }

    fn all<W: Way>(self, make: &(impl Fn() -> W + Sync), operations: u64) -> u64 {
        let each = operations / self.threads as u64;
        let one = |way: &mut W| (0..each).fold(0, |sum: u64, index| sum.wrapping_add(self.once(way, index)));
        if self.threads == 1 { one(&mut make()) } else { together(self.threads, |_| one(&mut make())) }
    }

    fn run<W: Way>(self, make: impl Fn() -> W + Sync, operations: u64) -> Sample {
        self.all(&make, operations / 10);
        let work = || self.all(&make, operations);
        if self.threads == 1 { timed(operations, work) } else { timed_threads(operations, work) }
    }
}

fn case(name: &'static str, models: &'static str, shape: Shape) -> Case {
    // Valgrind takes long over each mapping.
    let counting = if shape.threads == 1 { Counting::Operations(2_000) } else { Counting::No };
    Case::new(name, models, 100_000)
        .counting(counting)
        .ours("FiberStacks, cached", move |n| shape.run(cached(GiveBack::Never), n))
        .ours("FiberStacks, shared", move |n| shape.run(shared(), n))
        .ours("FiberStacks, emptied", move |n| shape.run(cached(GiveBack::Always), n))
        .peer("mmap, mprotect, munmap", move |n| shape.run(|| Mapped, n))
        .peer("corosensei's default", move |n| shape.run(|| Corosensei, n))
        .at_most(0.1, "mmap, mprotect, munmap")
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        case(
            "fiber-stack-untouched",
            "a guarded stack of 64 KiB got and given back, not used: the bookkeeping alone",
            Shape { touched: false, threads: 1 },
        ),
        case(
            "fiber-stack-touched",
            "a guarded stack of 64 KiB got, its top written as every fiber does at once, given back",
            Shape { touched: true, threads: 1 },
        ),
        case(
            "fiber-stack-threads-2",
            "the same on two threads, as workers of a scheduler do",
            Shape { touched: true, threads: 2 },
        ),
    ]
}
