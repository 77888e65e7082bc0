//! What guarded and tracked blocks say when their contract was broken, each in a child process that dies of it.
#![cfg(not(any(miri, loom)))]

use core::alloc::Layout;
use core::mem::MaybeUninit;
use std::alloc::System as Global;

use stratalloc_modifiers::{Damage, Guarded, Tagged, ThreadCached, Tracked, set_damage_hook};
use stratalloc_resource::{Alignment, FromGlobal, MemoryBlock, MemoryResource};
use stratalloc_strategies::tlsf::Tlsf;

#[path = "../../l3-strategies/tests/child/mod.rs"]
mod child;

const SIZE: usize = 100;

/// Commits `misuse` with a block of 100 bytes in a child. The report must be that of `who`, say `what`, and name the block.
fn reported<R: MemoryResource>(
    test: &str,
    (who, what): (&str, &str),
    wrap: fn(Tlsf<'static>) -> R,
    misuse: fn(&R, MemoryBlock),
) {
    let said = child::last_words(test, || {
        let memory: &mut [MaybeUninit<u8>] = Box::leak(vec![MaybeUninit::uninit(); 4096].into_boxed_slice());
        let resource = wrap(Tlsf::over(memory).unwrap());
        let block = resource.allocate(Layout::from_size_align(SIZE, 1).unwrap()).unwrap();
        // A neighbour, so that the released block is not merged with the rest of the pool.
        let _neighbour = resource.allocate(Layout::from_size_align(SIZE, 1).unwrap()).unwrap();
        println!("expected: {:#x} ", block.address());
        misuse(&resource, block);
    });
    let address = said.split("expected: ").nth(1).and_then(|rest| rest.split_whitespace().next()).unwrap();
    let start = format!("{who}: the block of ");
    let report = said.lines().find(|line| line.starts_with(&start)).unwrap_or_else(|| panic!("{said}"));
    assert!(report.contains(&format!("at {address} {what}")), "{report}");
}

fn release<R: MemoryResource>(resource: &R, block: MemoryBlock) {
    // SAFETY: not given, which is what these tests are about: what looks at the blocks notices before it does harm.
    unsafe { resource.deallocate(block, Alignment::ONE) };
}

/// Writes one byte, `offset` from the start of the block.
fn poke(block: MemoryBlock, offset: isize) {
    // SAFETY: in the padding of the block, hence in the buffer.
    let place = unsafe { block.as_ptr().offset(offset) };
    // SAFETY: as above; this is the mistake.
    unsafe { place.write(0x77) };
}

#[test]
fn guarded_overflow_by_one() {
    let what = ("guarded", "was written to behind its end, 0 bytes further");
    reported("guarded_overflow_by_one", what, Guarded::new, |guarded, block| {
        poke(block, 100);
        release(guarded, block);
    });
}

#[test]
fn guarded_overflow_of_the_last_canary_byte() {
    const LAST: usize = 2 * size_of::<usize>() - 1;
    let said = format!("was written to behind its end, {LAST} bytes further");
    reported(
        "guarded_overflow_of_the_last_canary_byte",
        ("guarded", &said),
        Guarded::new,
        |guarded, block| {
            poke(block, (SIZE + LAST).cast_signed());
            release(guarded, block);
        },
    );
}

#[test]
fn guarded_underflow_by_one() {
    let what = ("guarded", "was written to before its start, or is not of this resource, 1 bytes before");
    reported("guarded_underflow_by_one", what, Guarded::new, |guarded, block| {
        poke(block, -1);
        release(guarded, block);
    });
}

#[test]
fn guarded_wrong_size() {
    let what = ("guarded", "is handed back, but was requested with another length");
    reported("guarded_wrong_size", what, Guarded::new, |guarded, block| {
        release(guarded, block.truncated(99).unwrap());
    });
}

#[test]
fn guarded_double_release() {
    let what = ("guarded", "is released, but was released before");
    reported("guarded_double_release", what, Guarded::new, |guarded, block| {
        release(guarded, block);
        release(guarded, block);
    });
}

#[test]
fn guarded_growth_of_a_damaged_block() {
    let what = ("guarded", "was written to behind its end, 3 bytes further");
    reported("guarded_growth_of_a_damaged_block", what, Guarded::new, |guarded, block| {
        poke(block, 103);
        // SAFETY: live; the damage is what is looked for.
        let _ = unsafe { guarded.reallocate(block, 200, Alignment::ONE) };
    });
}

#[test]
fn tracked_double_release() {
    let what = ("tracked", "is released, but was released before");
    reported("tracked_double_release", what, Tracked::new, |tracked, block| {
        release(tracked, block);
        release(tracked, block);
    });
}

#[test]
fn tracked_wrong_size() {
    let what = ("tracked", "is handed back, but was requested with another length");
    reported("tracked_wrong_size", what, Tracked::new, |tracked, block| {
        release(tracked, block.truncated(10).unwrap());
    });
}

#[test]
fn tracked_underflow() {
    let what = ("tracked", "was written to before its start, or is not of this resource");
    reported("tracked_underflow", what, Tracked::new, |tracked, block| {
        for offset in -48..0 {
            poke(block, offset);
        }
        release(tracked, block);
    });
}

#[test]
fn tagged_overflow_by_one() {
    let what = ("tagged", "was written to behind its end, has another length, or is not of this resource");
    reported("tagged_overflow_by_one", what, Tagged::<_>::new, |tagged, block| {
        poke(block, 100);
        release(tagged, block);
    });
}

#[test]
fn tagged_wrong_size() {
    let what = ("tagged", "was written to behind its end, has another length, or is not of this resource");
    reported("tagged_wrong_size", what, Tagged::<_>::new, |tagged, block| {
        release(tagged, block.truncated(50).unwrap());
    });
}

#[test]
fn tagged_double_release() {
    let what = ("tagged", "is released, but was released before");
    reported("tagged_double_release", what, Tagged::<_>::new, |tagged, block| {
        release(tagged, block);
        release(tagged, block);
    });
}

#[test]
fn tagged_growth_of_a_released_block() {
    let what = ("tagged", "is released, but was released before");
    reported("tagged_growth_of_a_released_block", what, Tagged::<_>::new, |tagged, block| {
        release(tagged, block);
        // SAFETY: not given: the mistake that is looked for.
        let _ = unsafe { tagged.reallocate(block, 200, Alignment::ONE) };
    });
}

/// As [`reported`], with a handle of thread caches, whose blocks of 100 bytes have 112.
fn reported_by_a_cache(
    test: &str,
    what: &str,
    misuse: fn(&stratalloc_modifiers::CacheHandle<'_, Tlsf<'static>>, MemoryBlock),
) {
    let said = child::last_words(test, || {
        let memory: &mut [MaybeUninit<u8>] = Box::leak(vec![MaybeUninit::uninit(); 4096].into_boxed_slice());
        let cached = ThreadCached::new(Tlsf::over(memory).unwrap());
        let handle = cached.handle();
        let block = handle.allocate(Layout::from_size_align(SIZE, 1).unwrap()).unwrap();
        println!("expected: {:#x} ", block.address());
        misuse(&handle, block);
    });
    let address = said.split("expected: ").nth(1).and_then(|rest| rest.split_whitespace().next()).unwrap();
    assert!(said.contains(&format!("thread cached: the block of 112 bytes at {address} {what}")), "{said}");
}

#[test]
fn thread_cached_write_after_release() {
    let what = "was written to after its release";
    reported_by_a_cache("thread_cached_write_after_release", what, |handle, block| {
        release(handle, block);
        poke(block, 3);
        let _ = handle.allocate(Layout::from_size_align(SIZE, 1).unwrap());
    });
}

#[test]
fn thread_cached_write_after_release_found_by_flush() {
    let what = "was written to after its release";
    reported_by_a_cache("thread_cached_write_after_release_found_by_flush", what, |handle, block| {
        release(handle, block);
        // Behind the link, in what is looked at.
        poke(block, size_of::<usize>().cast_signed() + 1);
        handle.flush();
    });
}

#[test]
#[cfg_attr(not(debug_assertions), ignore = "looked for in debug builds only")]
fn thread_cached_double_release() {
    let what = "is released, but was released before";
    reported_by_a_cache("thread_cached_double_release", what, |handle, block| {
        let other = handle.allocate(Layout::from_size_align(SIZE, 1).unwrap()).unwrap();
        release(handle, block);
        release(handle, other);
        release(handle, block);
    });
}

#[test]
fn with_a_hook_that_returns_the_block_is_left_alone() {
    let said = child::last_words("with_a_hook_that_returns_the_block_is_left_alone", || {
        fn log(damage: &Damage) {
            println!("told: {damage}");
        }
        set_damage_hook(log);
        let guarded = Guarded::new(Tracked::new(FromGlobal::new(&Global)));
        let block = guarded.allocate(Layout::new::<[u8; SIZE]>()).unwrap();
        poke(block, 100);
        release(&guarded, block);
        assert_eq!(guarded.inner().live().0, 1, "not given back");
        println!("still live");
        std::process::exit(7);
    });
    assert!(said.contains("told: guarded: the block of 100 bytes") && said.contains("still live"), "{said}");
}
