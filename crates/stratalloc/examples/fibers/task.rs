//! What a fiber does: data in a frame of its own, two waits, a message from a pool.

use core::alloc::Layout;
use std::sync::mpsc::Sender;

use corosensei::Yielder;
use stratalloc::strategies::frame::Frame;
use stratalloc::strategies::lock_free_pool::LockFreePool;
use stratalloc::{AllocError, OwnedBlock, ProcessHeap};

/// Blocks of one size over the process's heap, for any thread.
pub(crate) type BlockPool = LockFreePool<'static, ProcessHeap>;

/// A message in a block of a pool: made by a fiber, released by whoever has read it.
pub(crate) struct Message {
    block: OwnedBlock<&'static BlockPool>,
    len: usize,
}

/// What all fibers share.
#[derive(Clone, Copy)]
pub(crate) struct Pools {
    /// Chunks for frames.
    pub(crate) chunks: &'static BlockPool,
    /// Buffers of messages.
    pub(crate) messages: &'static BlockPool,
}

impl Message {
    fn new(pools: Pools, text: &str) -> Result<Self, AllocError> {
        let layout = Layout::array::<u8>(text.len()).map_err(|_| AllocError::SizeOverflow)?;
        let mut block = OwnedBlock::new(pools.messages, layout)?;
        for (place, &byte) in block.as_uninit_mut().iter_mut().zip(text.as_bytes()) {
            place.write(byte);
        }
        Ok(Self { block, len: text.len() })
    }

    /// The number at the end of the text.
    pub(crate) fn number(&self) -> Option<u64> {
        // SAFETY: `new` wrote `len` bytes.
        let bytes = unsafe { core::slice::from_raw_parts(self.block.as_ptr(), self.len) };
        core::str::from_utf8(bytes).ok()?.rsplit(' ').next()?.parse().ok()
    }
}

/// How deep fiber `number` calls: most a little, some very. Scattered, so that no pattern meets that of the scheduler.
const fn depth(number: u64) -> u64 {
    match number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 58 {
        0 => 60,
        1..8 => 20,
        _ => 2,
    }
}

/// The sum of `values`, by a recursion whose frames are 128 bytes and more, without optimisation many times that.
fn sum_deep(values: &[u64], depth: u64) -> u64 {
    let local = core::hint::black_box([depth; 16]);
    match values {
        [] => 0,
        values if depth == 0 => values.iter().sum(),
        [first, rest @ ..] => {
            let rest = sum_deep(rest, depth - 1);
            first + rest + core::hint::black_box(&local)[15] - depth
        }
    }
}

/// The whole life of fiber `number`.
pub(crate) fn run(
    number: u64,
    pools: Pools,
    outbox: &Sender<Message>,
    yielder: &Yielder<(), ()>,
) -> Result<(), AllocError> {
    // All data of the task lies in one block, and goes at once.
    let layout = Layout::array::<u8>(1).map_err(|_| AllocError::SizeOverflow)?;
    let mut chunk = OwnedBlock::new(pools.chunks, layout)?;
    let frame: Frame<'_> = Frame::over(chunk.as_uninit_mut());
    let values = frame.try_alloc_slice_fill_with(128, |index| number % 1000 + index as u64)?;
    yielder.suspend(()); // as if it waited for input

    let sum = sum_deep(values, depth(number));
    let text = frame.try_alloc_fmt(format_args!("fiber {number} has summed {sum}"))?;
    let message = loop {
        match Message::new(pools, text) {
            // The reader has to release some first.
            Err(AllocError::CapacityExhausted) => yielder.suspend(()),
            outcome => break outcome?,
        }
    };
    // Nobody listens only if the program is about to end.
    let _ = outbox.send(message);
    Ok(())
}

/// What fiber `number` must have summed.
pub(crate) fn expected(number: u64) -> u64 {
    (0..128).map(|index| number % 1000 + index).sum()
}
