//! Frames: the kit, generated policies and operations against a shadow map, scopes, growth, values that drop.
//!
//! Not covered here: misuse (`misuse.rs`), timing (`bench/`), what does not compile (the documentation of `Policy` and `Scope`).

extern crate alloc;

#[allow(dead_code, reason = "each test crate uses a part of it")]
mod support;

use alloc::rc::Rc;
use core::cell::Cell;
use core::panic::AssertUnwindSafe;
use std::alloc::System;
use std::panic::catch_unwind;

use proptest::prelude::*;
use stratalloc_resource::conformance;
use stratalloc_resource::{
    Alignment, AllocError, Collect, FromGlobal, MemoryResource, Owns, ThreadSafety, Validate,
};
use stratalloc_strategies::frame::{
    Arena, CacheLined, Chunks, Counted, Frame, Marker, MinAlign, Policy, Safety, Speed,
};
use stratalloc_strategies::tlsf::Tlsf;
use support::{Op, Shadow, config, layout, memory, ops, passed, range_of};

fn conforms<P: Policy>(validated: &conformance::Config) {
    let mut bytes = memory(2 << 20);
    let frame: Frame<'_, P> = Frame::over(&mut bytes);
    passed(conformance::local_resource(&frame, &config()));
    drop(frame);
    let frame: Frame<'_, P> = Frame::over(&mut bytes[..1 << 18]);
    passed(conformance::validated(&frame, validated));
    drop(frame);
    passed(conformance::ownership(&Frame::<P>::over(&mut bytes), &config()));

    // Not over the system: with 32 bits it serves half an address space once, and the frame would keep it.
    let mut bytes = memory(64 << 20);
    let upstream: Tlsf<'_> = Tlsf::over(&mut bytes).unwrap();
    let frame = Frame::<P, _>::growing(&upstream);
    passed(conformance::local_resource(&frame, &conformance::Config { max_size: 8192, ..config() }));
    passed(conformance::ownership(&frame, &config()));
}

#[test]
fn conforms_with_every_policy() {
    let validated = conformance::Config { operations: 100, live: 8, ..config() };
    conforms::<Speed>(&validated);
    conforms::<Counted<MinAlign<16>>>(&validated);
    conforms::<CacheLined>(&validated);
    conforms::<Chunks<256, 16384>>(&validated);
    conforms::<MinAlign<4096>>(&validated);
}

#[test]
fn conforms_with_every_check_there_is() {
    // Each validation looks at every byte that was ever released.
    let few = conformance::Config {
        operations: 20,
        live: 4,
        max_size: 64,
        max_align: Alignment::constant::<64>(),
        ..config()
    };
    conforms::<Safety>(&few);
    conforms::<MinAlign<32, Safety>>(&few);
}

#[test]
fn two_are_not_equal_and_one_stays_itself_when_it_moves() {
    let (mut first, mut second) = (memory(1 << 16), memory(1 << 16));
    let first: Frame = Frame::over(&mut first);
    let second: Frame = Frame::over(&mut second);
    assert!(!conformance::pair(&first, &second, &config()).unwrap());
    let before = first.identity();
    let moved = Box::new(first);
    assert_eq!(moved.identity(), before);
    assert_eq!(moved.info().threads, ThreadSafety::Confined);
}

#[test]
fn every_buffer_serves_to_its_last_byte() {
    let mut bytes = memory(400);
    for start in 0..20 {
        for len in 0..200 {
            let inside = range_of(&bytes[start..start + len]);
            let frame: Frame = Frame::over(&mut bytes[start..start + len]);
            for index in 0..len {
                assert_eq!(frame.allocate(layout(1, 1)).unwrap().address(), inside.start + index);
            }
            assert_eq!(frame.allocate(layout(0, 1)), Err(AllocError::CapacityExhausted));
            assert_eq!((frame.used(), frame.remaining()), (len, 0));
            drop(frame);
            let whole: Frame<MinAlign<16>> = Frame::over(&mut bytes[start..start + len]);
            while whole.try_alloc([0_u8; 16]).is_ok() {}
            whole.validate().unwrap();
            assert!(whole.remaining() < 16);
        }
    }
}

#[test]
fn the_youngest_block_grows_and_shrinks_in_place() {
    let mut bytes = memory(1016);
    let aligned = bytes.as_ptr().align_offset(16);
    let frame: Frame = Frame::over(&mut bytes[aligned..aligned + 1000]);
    let older = frame.allocate(layout(10, 1)).unwrap();
    let block = frame.allocate(layout(100, 8)).unwrap();
    let align = Alignment::constant::<8>();
    // SAFETY: live, of this frame; likewise below.
    let grown = unsafe { frame.reallocate(block, 900, align) }.unwrap();
    assert_eq!((grown.address(), grown.len()), (block.address(), 900));
    // SAFETY: as above.
    let refused = unsafe { frame.reallocate(grown, 1000, align) };
    assert_eq!(refused, Err(AllocError::CapacityExhausted));
    // SAFETY: as above.
    let shrunk = unsafe { frame.reallocate(grown, 10, align) }.unwrap();
    assert_eq!((shrunk.address(), frame.used()), (block.address(), 26));
    // SAFETY: as above.
    let moved = unsafe { frame.reallocate(older, 20, Alignment::ONE) }.unwrap();
    assert_ne!(moved.address(), older.address());
    // SAFETY: as above.
    unsafe { frame.deallocate(moved, Alignment::ONE) };
    // SAFETY: as above.
    unsafe { frame.deallocate(shrunk, align) };
    assert_eq!((frame.used(), frame.peak()), (16, 916));
}

#[test]
fn a_reset_keeps_chunks_and_a_cycle_asks_upstream_once() {
    let mut bytes = memory(1 << 20);
    let upstream: Tlsf<'_> = Tlsf::over(&mut bytes).unwrap();
    let mut frame = Frame::<Chunks<128, 4096>, _>::growing(&upstream);
    let cycle = |frame: &mut Frame<'_, Chunks<128, 4096>, &Tlsf<'_>>, large: usize| {
        for size in [10, 3000, 100, 9000, 7, large] {
            frame.alloc_layout(layout(size, 1));
        }
        frame.validate().unwrap();
        frame.reset();
    };
    cycle(&mut frame, 20_000);
    let reserved = frame.reserved();
    for large in (0..20_000).step_by(1000) {
        cycle(&mut frame, large);
    }
    assert_eq!(frame.reserved(), reserved, "chunks that fit are found again");
    assert_eq!(frame.collect(), reserved);
    assert_eq!((frame.reserved(), upstream.usage().live_blocks), (0, 0));
    cycle(&mut frame, 1);
    drop(frame);
    assert_eq!(upstream.usage().live_blocks, 0);
}

/// Chunks of exactly what is needed: alignment and the rounding of the policy must be in it.
#[test]
fn a_growing_frame_serves_every_request() {
    const SIZES: usize = if cfg!(miri) { 5 } else { 200 };
    fn serves<P: Policy>() {
        for (size, align) in (0..SIZES).flat_map(|size| (0..14).map(move |log2| (size, 1 << log2))) {
            let frame = Frame::<P, _>::growing(FromGlobal::new(&System));
            assert!(frame.try_alloc_layout(layout(size, align)).is_ok(), "{size} {align}");
        }
    }
    serves::<Chunks<64, 64>>();
    serves::<MinAlign<256, Chunks<64, 64>>>();
    serves::<Chunks<64, 64, Safety>>();
}

#[test]
fn the_chunk_that_names_a_frame_stays_while_blocks_live() {
    let mut bytes = memory(1 << 20);
    let upstream: Tlsf<'_> = Tlsf::over(&mut bytes).unwrap();
    let mut frame = Frame::<Speed, _>::growing(&upstream);
    let named = frame.identity();
    frame.alloc_layout(layout(100_000, 1));
    assert_eq!(frame.collect(), 0, "the kept chunk is the name");
    assert_eq!((frame.identity(), upstream.usage().live_blocks), (named, 2));
    frame.validate().unwrap();
    frame.reset();
    frame.collect();
    assert_eq!(upstream.usage().live_blocks, 0);
}

#[test]
fn an_upstream_that_refuses_the_wish_is_asked_for_the_need() {
    let mut bytes = memory(3000);
    let upstream: Frame = Frame::over(&mut bytes);
    let frame = Frame::<Chunks<4096, 4096>, _>::growing(&upstream);
    assert_eq!(frame.alloc_slice_fill_copy(2000, 1_u8).len(), 2000);
    assert_eq!(frame.try_alloc([0_u8; 2000]), Err(AllocError::CapacityExhausted));
}

#[test]
fn scopes_end_where_they_say_also_over_chunks_and_unwinding() {
    let mut frame = Frame::<Counted<Chunks<64, 256>>, _>::growing(FromGlobal::new(&System));
    frame.scope(|mut outer| {
        let kept = outer.alloc([1_u8; 100]);
        let (used, count) = (outer.used(), outer.count());
        for _ in 0..3 {
            outer.scope(|mut inner| {
                let more = inner.alloc_slice_fill_copy(500, 2_u8);
                inner.scope(|deepest| deepest.alloc(kept[0]) == &mut more[0]);
                kept[0] = more[499];
            });
            assert_eq!((outer.used(), outer.count()), (used, count));
        }
        let unwound = catch_unwind(AssertUnwindSafe(|| {
            outer.scope(|inner| {
                inner.alloc([3_u8; 1000]);
                panic!("on purpose");
            })
        }));
        assert!(unwound.is_err());
        assert_eq!((outer.used(), kept[0], kept[99]), (used, 2, 1));
    });
    assert_eq!((frame.used(), frame.count()), (0, 0));
    assert!(frame.peak() >= 1100);
    frame.validate().unwrap();
}

#[test]
fn an_iterator_may_allocate_in_the_same_frame() {
    const COUNT: usize = if cfg!(miri) { 30 } else { 1000 };
    let frame = Frame::<Speed, _>::growing(FromGlobal::new(&System));
    let words = frame.alloc_slice_fill_iter((0..COUNT).map(|n| &*frame.alloc_fmt(format_args!("<{n}>"))));
    assert!(words.iter().enumerate().all(|(n, word)| *word == format!("<{n}>")));
    let none = frame.alloc_slice_fill_iter(core::iter::empty::<u64>());
    assert!(none.is_empty() && frame.alloc_str("").is_empty());
    assert_eq!(frame.alloc_slice_fill_iter(core::iter::repeat_n((), 7)).len(), 7);
}

#[test]
fn a_value_that_cannot_be_formatted_ends_the_string() {
    struct Silent;
    impl core::fmt::Display for Silent {
        fn fmt(&self, _: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
            Err(core::fmt::Error)
        }
    }
    let mut bytes = memory(64);
    let frame: Frame = Frame::over(&mut bytes);
    assert_eq!(frame.alloc_fmt(format_args!("a{}b{Silent}c", 1)), "a1b");
    let long = "x".repeat(100);
    assert_eq!(frame.try_alloc_fmt(format_args!("{long}!")), Err(AllocError::CapacityExhausted));
}

#[test]
#[should_panic(expected = "no memory in the frame: the fixed capacity is exhausted")]
fn methods_without_try_panic_when_memory_runs_out() {
    Frame::<Speed>::over(&mut memory(8)).alloc([0_u8; 9]);
}

/// Adds its number to a row when it is dropped.
struct Falls(u32, Rc<Cell<u64>>);

impl Drop for Falls {
    fn drop(&mut self) {
        self.1.set(self.1.get() * 10 + u64::from(self.0));
        assert_ne!(self.0, 9, "on purpose");
    }
}

#[test]
fn an_arena_drops_the_youngest_first_and_each_once() {
    let row = Rc::new(Cell::new(0));
    let falls = |number| Falls(number, Rc::clone(&row));
    let mut arena = Arena::new(Frame::<Chunks<64, 64>, _>::growing(FromGlobal::new(&System)));
    arena.alloc(falls(1));
    arena.alloc_slice_fill_iter([falls(2), falls(3)]);
    arena.alloc_slice_fill_iter(core::iter::empty::<Falls>());
    arena.alloc(4_u64);
    let last = arena.alloc_with(|| falls(5));
    last.0 = 6;
    assert_eq!((row.get(), arena.len()), (0, 3));
    arena.reset();
    assert_eq!((row.get(), arena.len(), arena.frame().used()), (6231, 0, 0));

    // A destructor that unwinds is not run again; the others still are.
    row.set(0);
    for number in [7, 9, 8] {
        arena.alloc(falls(number));
    }
    assert!(catch_unwind(AssertUnwindSafe(|| arena.reset())).is_err());
    drop(arena);
    assert_eq!(row.get(), 897);
}

#[test]
fn an_empty_frame_may_be_collected_in_a_scope() {
    let mut bytes = memory(20_000);
    let upstream: Tlsf<'_> = Tlsf::over(&mut bytes).unwrap();
    let mut frame: Frame<'_, Speed, _> = Frame::growing(&upstream);
    frame.alloc([1_u8; 300]);
    frame.reset();
    // The scope's marker lies in the chunk that `collect` gives back.
    frame.scope(|scope| {
        assert!(scope.collect() > 0);
        scope.alloc([2_u8; 3000]);
    });
    assert_eq!(frame.used(), 0);
    frame.validate().unwrap();

    // And with a block that was live at the marker.
    let block = frame.allocate(layout(100, 1)).unwrap();
    let marker = frame.marker();
    // SAFETY: live.
    unsafe { frame.deallocate(block, Alignment::ONE) };
    frame.collect();
    assert!(frame.vouches_for(&marker), "collecting ends no marker");
    frame.alloc([3_u8; 5]);
    assert!(frame.vouches_for(&marker));
    // SAFETY: of this frame, neither reset nor rewound since; the array is not used any more.
    unsafe { frame.rewind(marker) };
    assert_eq!(frame.used(), 0);
    frame.validate().unwrap();
    assert_eq!(*frame.alloc([4_u8; 700]), [4; 700]);
}

/// Runs `ops` over a frame; special ones are markers, rewinds, resets and collections.
fn run<P: Policy, U: MemoryResource>(frame: &mut Frame<'_, P, U>, ops: &[Op]) -> Result<(), TestCaseError> {
    let mut shadow = Shadow::default();
    let mut markers: Vec<(Marker, usize, usize)> = Vec::new();
    for op in ops {
        shadow.step(frame, op)?;
        if let Op::Special { choice } = op {
            match choice % 8 {
                0 => {
                    shadow.all_intact()?;
                    shadow.forget_from(0);
                    markers.clear();
                    frame.reset();
                    prop_assert_eq!(frame.used(), 0);
                }
                1 | 2 => {
                    // Marks stay right only if nothing older than them is released in place meanwhile.
                    if let Some((marker, number, used)) = markers.pop() {
                        shadow.all_intact()?;
                        shadow.forget_from(number);
                        // SAFETY: of this frame, younger markers are gone, and so are its blocks from the shadow.
                        unsafe { frame.rewind(marker) };
                        prop_assert_eq!(frame.used(), used);
                    }
                }
                3 => {
                    // An empty frame forgets its marks: from then on they all mean its start.
                    if frame.used() == 0 {
                        markers.iter_mut().for_each(|(_, _, used)| *used = 0);
                    }
                    frame.collect();
                }
                _ => markers.push((frame.marker(), shadow.numbers(), frame.used())),
            }
            shadow.check(frame)?;
        }
        prop_assert!(frame.used() <= frame.peak() && frame.peak() >= shadow.bytes());
    }
    shadow.release_all(frame)?;
    frame.reset();
    prop_assert!(!frame.owns(core::ptr::null()));
    Ok(())
}

fn fixed<P: Policy>(offset: usize, len: usize, ops: &[Op]) -> Result<(), TestCaseError> {
    let mut bytes = memory(offset + len);
    run(&mut Frame::<P>::over(&mut bytes[offset..]), ops)
}

fn growing<P: Policy>(len: usize, ops: &[Op]) -> Result<(), TestCaseError> {
    let (mut base, mut bytes) = (memory(len % 700), memory(len));
    let upstream: Tlsf<'_> = Tlsf::new();
    let _ = upstream.add_pool(&mut bytes);
    run(&mut Frame::<P, _>::over_then(&mut base, &upstream), ops)?;
    prop_assert_eq!(upstream.usage().live_blocks, 0);
    run(&mut Frame::<P, _>::growing(&upstream), ops)?;
    prop_assert_eq!(upstream.usage().live_blocks, 0);
    Ok(())
}

/// A place for vectors of `ALIGN` bytes: aligned, filled, and nothing else lies in its last vector.
fn vectors_of<const ALIGN: usize>(frame: &mut Frame<'_>) {
    for len in 0..70_u8 {
        frame.alloc(1_u8);
        let values = frame.alloc_simd::<ALIGN, u8>(usize::from(len), len);
        assert_eq!((values.len(), values.as_ptr().addr() % ALIGN), (usize::from(len), 0));
        assert!(values.iter().all(|value| *value == len));
        let end = values.as_ptr().addr() + usize::from(len);
        let behind: *const u8 = frame.alloc(2_u8);
        assert!(
            behind.addr() >= end.next_multiple_of(ALIGN),
            "a store of the last vector whole would reach {behind:?}"
        );
        frame.reset();
    }
}

#[test]
fn vectors_are_aligned_and_padded_to_whole_ones() {
    let mut bytes = memory(1024);
    let mut frame: Frame = Frame::over(&mut bytes);
    vectors_of::<16>(&mut frame);
    vectors_of::<32>(&mut frame);
    vectors_of::<64>(&mut frame);
    assert!(frame.try_alloc_simd::<64, u8>(isize::MAX.unsigned_abs(), 0).is_err());
}

#[test]
fn cache_lined_blocks_share_no_line_at_either_end() {
    let mut bytes = memory(1 << 16);
    let frame: Frame<'_, CacheLined> = Frame::over(&mut bytes);
    let mut lines_before = 0;
    for len in 0..200 {
        let block = frame.try_alloc_layout(layout(len, 1)).unwrap();
        let address = block.as_ptr().addr();
        let (first, last) = (address / 64, (address + len.max(1) - 1) / 64);
        assert!(address.is_multiple_of(64) && first > lines_before, "{len}");
        lines_before = last;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: conformance::cases(80), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_policy_over_any_buffer_matches_the_shadow(
        offset in 0_usize..70, len in 0_usize..30_000, policy in 0_usize..5, ops in ops(10_000),
    ) {
        match policy {
            0 => fixed::<Speed>(offset, len, &ops)?,
            1 => fixed::<Counted<MinAlign<8>>>(offset, len, &ops)?,
            2 => fixed::<CacheLined>(offset, len, &ops)?,
            3 => fixed::<Safety>(offset, len, &ops)?,
            _ => fixed::<MinAlign<16, Safety>>(offset, len, &ops)?,
        }
    }

    #[test]
    fn any_growth_matches_the_shadow_and_returns_all(
        len in 0_usize..100_000, policy in 0_usize..5, ops in ops(20_000),
    ) {
        match policy {
            0 => growing::<Speed>(len, &ops)?,
            1 => growing::<Chunks<64, 64>>(len, &ops)?,
            2 => growing::<Chunks<128, 2048, CacheLined>>(len, &ops)?,
            3 => growing::<Chunks<512, 4096, Safety>>(len, &ops)?,
            _ => growing::<MinAlign<256, Chunks<512, 8192>>>(len, &ops)?,
        }
    }
}
