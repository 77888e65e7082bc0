//! Pages: `System` and `NodePages` beside `mmap` and `munmap`, and `HugePageArena` beside memory in small pages.

use core::alloc::Layout;
use std::hint::black_box;

use stratalloc_strategies::huge_page::{HugePageArena, HugePageConfig};
use stratalloc_strategies::node_pages::NodePages;
use stratalloc_strategies::system::System;

use super::{Case, Counting};
use crate::heap::{C, Heap, Mapped, Stratalloc};
use crate::sample::{Sample, timed};
use crate::shapes;

const PAGE: usize = 4096;
/// Far more than the processor's address cache reaches with small pages.
const TABLE: usize = 128 << 20;
/// What a first touch is measured over.
const FRESH: usize = 16 << 20;
const PAGES: u64 = (FRESH / PAGE) as u64;

fn of_pages() -> Case {
    fn in_pairs(heap: impl Heap, operations: u64) -> Sample {
        let layout = Layout::new::<[u8; 256 << 10]>();
        shapes::pairs(&heap, layout, operations / 10);
        timed(operations, || shapes::pairs(&heap, layout, operations))
    }
    Case::new(
        "pages-256k",
        "256 KiB of pages got, one touched, all given back: the end of a chain of resources",
        20_000,
    )
    .counting(Counting::Operations(2_000))
    .ours("System", |n| in_pairs(Stratalloc(System), n))
    // Where nothing can be bound (some containers) the pages come from anywhere, and the row is the price of the rest.
    .ours("NodePages", |n| in_pairs(Stratalloc(NodePages::on(0).unwrap_or(NodePages::AS_THEY_COME)), n))
    .peer("mmap, munmap", |n| in_pairs(Mapped, n))
    .peer("glibc, keeping it", |n| in_pairs(C, n))
}

/// Words of a table read and written, in no order.
fn random_words(table: &mut [u64], operations: u64) -> Sample {
    let mut random = fastrand::Rng::with_seed(11);
    let mut work = |operations| {
        (0..operations).fold(0, |sum: u64, _| {
            let word = &mut table[random.usize(..TABLE / 8)];
            *word += 1;
            sum.wrapping_add(*word)
        })
    };
    work(operations / 10);
    timed(operations, || work(operations))
}

/// The best pages that there are.
fn huge() -> HugePageConfig {
    HugePageConfig::new(TABLE).populated()
}

fn of_tables() -> Case {
    let in_arena = |config: fn() -> HugePageConfig| {
        move |operations| {
            let arena = HugePageArena::new(config()).expect("there is memory");
            random_words(arena.alloc_slice_fill_copy(TABLE / 8, 1_u64), operations)
        }
    };
    Case::new("huge-page-table", "random words of a table of 128 MiB counted up", 3_000_000)
        .ours("HugePageArena", in_arena(huge))
        .ours("the same, small pages", in_arena(|| huge().without_explicit().without_transparent()))
        .peer("glibc", |n| random_words(&mut vec![1_u64; TABLE / 8], n))
}

/// Makes memory, writes a word to each small page of it, and gives it up, again and again; the figure is per small page. Without an operation
/// it only warms up.
fn first_touches<M>(operations: u64, make: impl Fn() -> M, start: impl Fn(&M) -> *mut u8) -> Sample {
    let work = |operations: u64| {
        for _ in 0..(operations / PAGES).max(1) {
            let memory = make();
            let start = start(&memory);
            for page in (0..FRESH).step_by(PAGE) {
                // SAFETY: inside the memory, which is nobody else's.
                unsafe { start.wrapping_add(page).write_volatile(1) };
            }
            black_box(&memory);
        }
        0
    };
    work(PAGES);
    timed((operations / PAGES).max(1) * PAGES, || work(operations))
}

fn of_first_touches() -> Case {
    let in_arena = |config: fn() -> HugePageConfig| {
        move |operations| {
            let make = || HugePageArena::new(config()).expect("there is memory");
            first_touches(operations, make, |arena| {
                let memory = arena.alloc_layout(Layout::new::<[u8; FRESH]>());
                memory.as_mut_ptr().cast()
            })
        }
    };
    let mapped = |operations| {
        let layout = Layout::new::<[u8; FRESH]>();
        let make = || Block(Mapped.take(layout).expect("there is memory"), layout);
        first_touches(operations, make, |block| block.0.as_ptr())
    };
    Case::new(
        "huge-page-first-touch",
        "16 MiB got, each 4 KiB of it touched for the first time, all given up; per 4 KiB",
        8 * PAGES,
    )
    .counting(Counting::Moment)
    .ours("HugePageArena", in_arena(|| HugePageConfig::new(FRESH)))
    .ours(
        "the same, small pages",
        in_arena(|| HugePageConfig::new(FRESH).without_explicit().without_transparent()),
    )
    .peer("mmap, munmap", mapped)
}

/// Memory that goes with the value.
struct Block(core::ptr::NonNull<u8>, Layout);

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: from `Mapped` with this layout, and nobody uses it any more.
        unsafe { Mapped.give(self.0, self.1) };
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![of_pages(), of_tables(), of_first_touches()]
}
