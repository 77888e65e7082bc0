//! `Vec`, `Box` and hashbrown's maps in a heap of their own, a frame, memory of a fixed size, and a composition: the words of a text are
//! counted in each, and `Counted` tells what that took.
//!
//! `cargo run --release --example collections --features allocator-api2`

use core::mem::MaybeUninit;

use allocator_api2::{boxed::Box as BoxIn, vec::Vec as VecIn};
use hashbrown::{DefaultHashBuilder, HashMap, HashSet};
use stratalloc::modifiers::{Counted, Fallback, Segregate};
use stratalloc::strategies::buddy::Buddy;
use stratalloc::strategies::frame::{Frame, Speed};
use stratalloc::strategies::mem_pool::MemPool;
use stratalloc::strategies::tlsf::Tlsf;
use stratalloc::{Allocator, Heap, MemoryResource, ProcessHeap};

const TEXT: &str = include_str!("collections.rs");

/// Which lines a word stands in, for the five words that stand in the most.
fn longest_lists<R: MemoryResource>(handle: Allocator<&R>) -> String {
    let mut lines_of = HashMap::with_hasher_in(DefaultHashBuilder::default(), handle);
    for (number, line) in (1_u16..).zip(TEXT.lines()) {
        let mut seen = HashSet::with_hasher_in(DefaultHashBuilder::default(), handle);
        for word in line.split(|letter: char| !letter.is_alphanumeric()).filter(|word| word.len() > 3) {
            if seen.insert(word) {
                lines_of.entry(word).or_insert_with(|| VecIn::new_in(handle)).push(number);
            }
        }
    }
    // A slice in a box: its capacity is its length.
    let mut words: VecIn<_, _> = VecIn::new_in(handle);
    words.extend(lines_of.iter().map(|(word, lines)| (lines.len(), *word)));
    let mut words: BoxIn<[_], _> = words.into_boxed_slice();
    words.sort_unstable_by(|a, b| b.cmp(a));
    words.iter().take(5).map(|(count, word)| format!(" {word} {count}")).collect()
}

/// Does it in `resource`, with counters in between, and says what that took. All must have come back at the end.
fn within(name: &str, resource: &impl MemoryResource, words: &mut Vec<String>) {
    let counted = Counted::new(resource);
    words.push(longest_lists(Allocator::new(&counted)));
    let counts = counted.counts();
    println!(
        "{name:32} {:5} blocks, {:4} grew, {:4} KiB at most, {} live at the end",
        counts.allocations,
        counts.resizes,
        counts.peak_bytes >> 10,
        counts.live_blocks()
    );
}

fn memory(len: usize) -> Vec<MaybeUninit<u8>> {
    vec![MaybeUninit::uninit(); len]
}

fn main() -> Result<(), Box<dyn core::error::Error>> {
    let mut words = Vec::new();
    within("the process's heap", &ProcessHeap, &mut words);

    let heap = Heap::new().ok_or("no memory")?;
    within("a heap of its own", &heap, &mut words);
    println!("{:32} {} KiB, gone with the heap", "", heap.footprint() >> 10);

    let mut frame: Frame<'_, Speed, ProcessHeap> = Frame::growing(ProcessHeap);
    within("a frame", &frame, &mut words);
    println!("{:32} {} KiB used, since it reuses nothing before its reset", "", frame.used() >> 10);
    frame.reset();

    let pools: MemPool<_> = MemPool::new(ProcessHeap)?;
    within("pools of powers of two", &pools, &mut words);

    let mut bytes = memory(256 << 10);
    let fixed: Tlsf<'_> = Tlsf::over(&mut bytes)?;
    within("TLSF over 256 KiB", &fixed, &mut words);

    let (mut small, mut large) = (memory(64 << 10), memory(32 << 10));
    let split: Segregate<256, Buddy<'_>, Tlsf<'_>> =
        Segregate::new(Buddy::over(&mut small)?, Tlsf::over(&mut large)?);
    let composed = Fallback::new(split, &heap);
    within("buddy and TLSF, the heap behind", &composed, &mut words);

    println!("the same words everywhere:{}", words[0]);
    if words.iter().any(|found| *found != words[0]) {
        return Err(format!("not the same words: {words:?}").into());
    }

    // Memory of a fixed size runs out; where that may happen, the calls with `try_` say so.
    let mut log = VecIn::<u64, _>::new_in(Allocator::new(&fixed));
    let refused = log.try_reserve_exact(100_000).is_err();
    let served = log.try_reserve_exact(10_000).is_ok();
    println!("room for 100000 numbers in 256 KiB: {}, for 10000: {served}", !refused);
    Ok(())
}
