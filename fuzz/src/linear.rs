//! `Frame` and `Stack`: markers and rewinds are their own operations.

use std::alloc::System;

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use stratalloc_resource::{Collect, FromGlobal, MemoryResource};
use stratalloc_strategies::frame::{CacheLined, Chunks, Counted, Frame, MinAlign, Policy, Safety, Speed};
use stratalloc_strategies::stack::{AnyOrder, Stack};
use stratalloc_strategies::tlsf::Tlsf;

use crate::input::Input;
use crate::support::{Op, Shadow, memory};
use crate::{plain, run, settle};

/// Any policy, over any buffer or growing, with markers, rewinds and collections between the operations.
pub fn frame(data: &[u8]) {
    let mut input = Input::new(data);
    let (policy, growing) = (input.number(0..5), input.flag());
    let (offset, len) = (input.number(0..70), input.number(0..30_000));
    let ops = input.ops(10_000);
    settle(match policy {
        0 => frame_of::<Speed>(offset, len, growing, &ops),
        1 => frame_of::<Counted<MinAlign<8>>>(offset, len, growing, &ops),
        2 => frame_of::<Chunks<128, 2048, CacheLined>>(offset, len, growing, &ops),
        3 => frame_of::<Chunks<512, 4096, Safety>>(offset, len, growing, &ops),
        _ => frame_of::<MinAlign<256, Chunks<512, 8192>>>(offset, len, growing, &ops),
    });
}

fn frame_of<P: Policy>(offset: usize, len: usize, growing: bool, ops: &[Op]) -> Result<(), TestCaseError> {
    let mut bytes = memory(offset + len);
    if growing {
        let upstream: Tlsf<'_> = Tlsf::new();
        let _ = upstream.add_pool(&mut bytes);
        in_frame(&mut Frame::<P, _>::growing(&upstream), ops)?;
        prop_assert_eq!(upstream.usage().live_blocks, 0, "chunks are left");
        Ok(())
    } else {
        in_frame(&mut Frame::<P>::over(&mut bytes[offset..]), ops)
    }
}

fn in_frame<P: Policy, U: MemoryResource>(
    frame: &mut Frame<'_, P, U>,
    ops: &[Op],
) -> Result<(), TestCaseError> {
    let mut marker = None;
    run(frame, ops, |shadow: &mut Shadow, choice| {
        match (choice % 3, marker.take()) {
            (0, None) => marker = Some((frame.marker(), shadow.numbers())),
            (1, Some((position, number))) => {
                shadow.all_intact()?;
                // SAFETY: this frame's, and no older one was rewound to since; the shadow forgets what is younger.
                unsafe { frame.rewind(position) };
                shadow.forget_from(number);
            }
            (_, kept) => {
                frame.collect();
                marker = kept;
            }
        }
        Ok(())
    })?;
    frame.reset();
    frame.reset();
    // After a reset everything is there again, in whatever chunk that is.
    run(frame, ops, plain)
}

/// Releases in any order, over given memory or an upstream's.
pub fn stack(data: &[u8]) {
    let mut input = Input::new(data);
    let (upstream, offset, len) = (input.flag(), input.number(0..70), input.number(0..30_000));
    let ops = input.ops(8_000);
    settle(if upstream {
        match Stack::<AnyOrder, _>::within(FromGlobal::new(&System), len) {
            Ok(stack) => run(&stack, &ops, plain),
            Err(_) => Ok(()),
        }
    } else {
        let mut bytes = memory(offset + len);
        run(&Stack::<AnyOrder>::over(&mut bytes[offset..]), &ops, plain)
    });
}
