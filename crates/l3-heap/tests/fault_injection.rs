//! The system refuses the N-th call of each kind, for every N that a scenario reaches, once or from then on.
//!
//! ```text
//!   parent ──► one child per N          cold: the refusal may hit the birth of the region
//!          ──► one child per mode       warm: N counts up in one process until a scenario has no N-th call any more
//! ```
//!
//! The region stands on memory in one of three ways; a child chooses by refusing the first reservations (`commit`) or by an
//! address-space limit (`piecewise`). A refused request must be null and nothing else: no abort, no hang (an alarm ends the child), no
//! block damaged, nothing lost.
//!
//! Not covered: the C library's answer to the same (`tests/preload`); a kernel that kills instead of refusing.
#![allow(missing_docs, clippy::std_instead_of_alloc, reason = "a test, with std")]
#![cfg(not(miri))]

mod support;

use core::ptr::{self, NonNull};
use std::process::Command;

use stratalloc_heap::{
    Statistics, allocate, allocate_aligned, allocate_aligned_zeroed, allocate_zeroed, collect, deallocate,
    reallocate, usable_size, validate,
};
use stratalloc_platform::fault::{self, Call};
use stratalloc_platform::{page, vm};
use support::{Block, MIB, low_byte, scale, statistics_now};

/// Tells a child what to do: `mode order call nth repeat`.
const ORDER: &str = "STRATALLOC_TEST_FAULT";
/// Largest N tried.
const MOST: usize = 2000;

/// What may become of a request while calls are refused.
fn attempt(size: usize, align: usize, zeroed: bool, seed: u8) -> Option<Block> {
    let ptr = match (align, zeroed) {
        (16, false) => allocate(size),
        (16, true) => allocate_zeroed(size),
        (_, false) => allocate_aligned(size, align),
        (_, true) => allocate_aligned_zeroed(size, align),
    };
    if ptr.is_null() {
        return None;
    }
    assert_eq!(ptr.addr() % align, 0, "{size} bytes at {align}");
    let block = Block::new(ptr, size, seed);
    if zeroed {
        block.check_zero();
    }
    block.fill();
    Some(block)
}

/// Requests of every domain: size, alignment.
const REQUESTS: [(usize, usize); 17] = [
    (1, 16),
    (100, 16),
    (1000, 64),
    (5000, 4096),
    (20_000, 16),
    (32 << 10, 16),
    (40_000, 16),
    (300_000, 64 << 10),
    (1 << 20, 16),
    (MIB + 1, 16),
    (3 * MIB + 777, 16),
    (9 * MIB, 64 << 10),
    (100, 128 << 10),
    (5000, 1 << 20),
    (3 * MIB, 2 << 20),
    (600 * MIB, 16),
    (513 * MIB, 128 << 10),
];

/// Sizes that one block takes in turn: up through all domains, and back.
const LADDER: [usize; 14] = [
    24,
    200,
    5_000,
    33_000,
    300_000,
    1_500_000,
    4_000_000,
    6_000_000,
    600 * MIB,
    700 * MIB,
    2 * MIB,
    50_000,
    10,
    4_100_000,
];

#[derive(Default, Debug)]
struct Outcome {
    served: u32,
    refused: u32,
}

impl Outcome {
    fn note(&mut self, block: Option<Block>, live: &mut Vec<Block>) {
        match block {
            Some(block) => {
                self.served += 1;
                live.push(block);
            }
            None => self.refused += 1,
        }
    }
}

/// Allocates in every domain, grows and shrinks through all, lets threads start, allocate and end, and frees in between.
fn scenario() -> Outcome {
    let mut outcome = Outcome::default();
    let mut live = Vec::new();
    for (number, (size, align)) in REQUESTS.into_iter().enumerate() {
        let seed = u8::try_from(number).unwrap_or(0);
        outcome.note(attempt(size, align, number % 2 == 1, seed), &mut live);
        if number % 5 == 4 {
            if let Some(block) = live.pop() {
                block.free();
            }
            collect();
        }
    }
    // Enough slabs that heaps, depot and region all move.
    for number in 0..400_usize {
        let size = [24, 136, 700, 3000, 9000, 60_000][number % 6];
        outcome.note(attempt(size, 16, number % 3 == 0, low_byte(number)), &mut live);
    }
    ladder(&mut outcome, &mut live);
    threads(&mut outcome, &mut live);
    // Holes everywhere, then a second filling.
    let mut index = 0;
    live.retain_mut(|block| {
        index += 1;
        if index % 2 == 0 {
            core::mem::replace(block, Block::none()).free();
        }
        index % 2 != 0
    });
    collect();
    for (number, (size, align)) in REQUESTS.into_iter().take(12).enumerate() {
        outcome.note(attempt(size, align, number % 2 == 0, 99), &mut live);
    }
    // Refused or not: what is live is whole.
    live.iter().for_each(Block::check);
    assert_eq!(validate(), Ok(()), "while calls are refused");
    let _ = statistics_now();
    live.into_iter().for_each(Block::free);
    collect();
    outcome
}

fn ladder(outcome: &mut Outcome, live: &mut Vec<Block>) {
    let Some(mut block) = attempt(16, 16, false, 0x5a) else {
        outcome.refused += 1;
        return;
    };
    for size in LADDER {
        // SAFETY: the block is ours, and the returned pointer replaces it.
        let ptr = unsafe { reallocate(block.ptr(), size) };
        if ptr.is_null() {
            outcome.refused += 1;
            block.check();
        } else {
            outcome.served += 1;
            block = block.resized(ptr, size);
        }
    }
    live.push(block);
}

fn threads(outcome: &mut Outcome, live: &mut Vec<Block>) {
    for round in 0..2u8 {
        let handed: Vec<Block> = core::mem::take(live);
        let workers = handed.into_iter().fold([Vec::new(), Vec::new(), Vec::new()], |mut parts, block| {
            let at = block.ptr().addr() / 64 % 3;
            parts[at].push(block);
            parts
        });
        let workers = workers.map(|part| {
            std::thread::spawn(move || {
                let (mut outcome, mut own) = (Outcome::default(), Vec::new());
                for number in 0..60_usize {
                    let size = [16, 500, 2_000, 40_000][number % 4];
                    outcome.note(attempt(size, 16, false, round), &mut own);
                }
                // Every second block of the others is freed here, far from its owner.
                for (number, block) in part.into_iter().enumerate() {
                    if number % 2 == 0 { block.free() } else { own.push(block) }
                }
                (outcome, own)
            })
        });
        for worker in workers {
            let (part, own) = worker.join().expect("the worker ends");
            outcome.served += part.served;
            outcome.refused += part.refused;
            live.extend(own);
        }
    }
}

/// Nothing is live, and every block that was handed out came back.
fn assert_empty(when: &str) -> Statistics {
    let now = statistics_now();
    assert_eq!(validate(), Ok(()), "{when}");
    for (name, domain) in
        [("small", now.small), ("medium", now.medium), ("large", now.large), ("huge", now.huge)]
    {
        assert_eq!(domain.live_bytes, 0, "{name} {when}");
        assert_eq!(domain.allocations, domain.releases, "{name} {when}");
    }
    now
}

/// After memory is back: everything is served, and the heap holds no more than it did before.
fn assert_recovered(when: &str, before: Option<&Statistics>) -> Statistics {
    fault::disarm();
    // Mappings that could not be given back are tried again, one each time.
    for _ in 0..8 {
        collect();
    }
    assert_empty(when);
    let outcome = scenario();
    assert_eq!(outcome.refused, 0, "{when}: {outcome:?} although memory is back");
    let now = assert_empty(when);
    if let Some(before) = before {
        assert_eq!(now.in_use_bytes, before.in_use_bytes, "{when}: lost memory of the region");
        assert_eq!(now.committed_bytes, before.committed_bytes, "{when}: lost memory");
    }
    now
}

fn call_named(name: &str) -> Call {
    Call::ALL.into_iter().find(|call| format!("{call:?}") == name).expect("a kind of call")
}

/// The child's half. Without an order it is a test that does nothing.
#[test]
fn child() {
    let Ok(order) = std::env::var(ORDER) else { return };
    let words: Vec<&str> = order.split(' ').collect();
    let [mode, task, call, nth, repeat] = words[..] else { panic!("order {order}") };
    let (call, nth, repeat) = (call_named(call), nth.parse().unwrap(), repeat.parse().unwrap());
    support::end_after(240);
    if mode == "commit" {
        // All three reservations with access fail; those without come next.
        fault::arm(Call::Map, 1, 3);
    }
    match task {
        "cold" => cold(mode, call, nth, repeat),
        "warm" => warm(call, repeat),
        _ => foreign(),
    }
}

/// Somebody else's pages lie where the region, which reserves nothing, would grow next.
fn foreign() {
    let block = attempt(8 * MIB, 16, false, 1).expect("memory");
    // The region grows upwards from its first block; every 16 MiB behind it a page is taken.
    let pages: Vec<NonNull<u8>> = (1..=4)
        .map(|step| {
            // SAFETY: an occupied range would be refused, and the heap expects no mapping of its own there.
            let page =
                unsafe { vm::map_at(block.ptr().addr() + step * 16 * MIB, page::size()) }.expect("a page");
            // SAFETY: mapped just now.
            unsafe { page.write(77) };
            page
        })
        .collect();
    let blocks: Vec<Block> = (0..12).map(|seed| attempt(8 * MIB, 16, false, seed).expect("memory")).collect();
    let highest = blocks.iter().map(|block| block.ptr().addr()).max().expect("twelve");
    // Without the pages twelve blocks end at 104 MiB; each page costs the place of less than one block.
    assert!(highest - block.ptr().addr() < 144 * MIB, "{} MiB", (highest - block.ptr().addr()) / MIB);
    assert!(highest > pages[3].addr().get(), "the pages are in the way");
    // What lay around a page in a refused range serves smaller requests.
    let small: Vec<Block> = (0..16).map(|seed| attempt(MIB + 1, 16, false, seed).expect("memory")).collect();
    assert!(small.iter().any(|block| block.ptr().addr() < highest), "the chunks around a page are used");
    blocks.into_iter().chain(small).chain([block]).for_each(Block::free);
    collect();
    // SAFETY: ours, and never the heap's.
    assert!(pages.iter().all(|page| unsafe { page.read() } == 77));
    assert_recovered("with pages in the way", None);
}

/// The refusal counts from the very first call of the process.
fn cold(mode: &str, call: Call, nth: usize, repeat: usize) {
    // Refusing the N-th `mmap` as well as the first three cannot be said: such a region is born first.
    let born = (mode == "commit" && call == Call::Map).then(|| attempt(64, 16, false, 1));
    fault::arm(call, nth, repeat);
    born.into_iter().flatten().for_each(Block::free);
    // Looking at a heap that could not be born must work too, as must freeing what it never handed out.
    let first = attempt(64, 16, false, 1);
    assert_eq!(validate(), Ok(()));
    let _ = statistics_now();
    // SAFETY: null is no block.
    unsafe { deallocate(ptr::null_mut()) };
    // SAFETY: as above.
    assert_eq!(unsafe { usable_size(ptr::null()) }, 0);
    first.into_iter().for_each(Block::free);
    scenario();
    let reached = fault::count(call) >= nth;
    assert_recovered("after a cold start", None);
    assert_recovered("twice", None);
    println!("{}", if reached { "reached" } else { "beyond" });
}

/// N counts up in one process.
fn warm(call: Call, repeat: usize) {
    scenario();
    let mut before = assert_recovered("at first", None);
    // The thread heaps of a refused start are made by now.
    before = assert_recovered("at first, again", Some(&before));
    let mut nth = 1;
    while nth <= MOST {
        fault::arm(call, nth, repeat);
        let outcome = scenario();
        if fault::count(call) < nth {
            break;
        }
        assert_recovered(&format!("{call:?} {nth}, {repeat} times: {outcome:?}"), Some(&before));
        nth += 1;
    }
    println!("reached {nth}");
}

/// Runs a child; its standard output.
fn run(mode: &str, task: &str, call: Call, nth: usize, repeat: usize) -> String {
    let order = format!("{mode} {task} {call:?} {nth} {repeat}");
    let test = std::env::current_exe().expect("this test's path");
    // `piecewise` follows from a limit; 4 GiB leave room for the large blocks.
    let limit = if mode == "piecewise" { "ulimit -v 4194304; " } else { "" };
    let output = Command::new("sh")
        .arg("-c")
        .arg(format!("{limit}exec \"$0\" --exact child --nocapture --test-threads=1"))
        .arg(test)
        .env(ORDER, &order)
        .env("RUST_BACKTRACE", "0")
        .output()
        .expect("a child");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{order}: {} (14 is a hang)\n{text}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    text
}

/// Every N at first, then every so many, until a child does not get that far.
fn cold_starts(mode: &str) {
    for call in Call::ALL {
        for repeat in [1, usize::MAX] {
            let mut nth = 1;
            while nth <= MOST && run(mode, "cold", call, nth, repeat).contains("reached") {
                nth += if nth < 12 || scale() > 1 { 1 } else { 23 };
            }
            println!("{mode} cold {call:?} x {repeat}: up to {nth}");
        }
    }
}

fn warm_runs(mode: &str) {
    for call in Call::ALL {
        for repeat in if scale() > 1 { &[1, 3, usize::MAX][..] } else { &[1, usize::MAX] } {
            print!("{mode} warm {call:?} x {repeat}: {}", run(mode, "warm", call, 0, *repeat));
        }
    }
}

#[test]
fn mappings_in_the_way_of_the_region_are_left_alone() {
    run("piecewise", "foreign", Call::Map, 0, 0);
}

#[test]
fn cold_starts_on_a_whole_region() {
    cold_starts("whole");
}

#[test]
fn cold_starts_on_committed_pieces() {
    cold_starts("commit");
}

#[test]
fn cold_starts_on_mapped_pieces() {
    cold_starts("piecewise");
}

#[test]
fn a_running_heap_on_a_whole_region() {
    warm_runs("whole");
}

#[test]
fn a_running_heap_on_committed_pieces() {
    warm_runs("commit");
}

#[test]
fn a_running_heap_on_mapped_pieces() {
    warm_runs("piecewise");
}
