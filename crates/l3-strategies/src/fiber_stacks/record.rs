//! What is remembered of each stack.

use stratalloc_primitives::primitive::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

/// Who has a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum State {
    /// Nobody ever had.
    Fresh = 0,
    /// A fiber.
    Live = 1,
    /// A thread's cache.
    Cached = 2,
    /// The shared list.
    Shared = 3,
}

/// One per stack, beside the stacks and not in them: a stack that overflows or is written to by a stranger harms no list.
///
/// Valid when all bytes are zero, so a fresh mapping is a table of fresh records. All accesses are relaxed: `state` decides by itself which of
/// two returns is the second; whatever else is handed over goes with the shared list's release and acquire, or stays in a thread.
#[derive(Debug)]
pub(super) struct Record {
    /// The shared list's link.
    pub(super) next: AtomicU32,
    state: AtomicU32,
    /// The number that reports name.
    pub(super) fiber: AtomicU64,
    /// The deepest use that is known, in bytes.
    high_water: AtomicUsize,
}

impl Record {
    pub(super) fn state(&self) -> State {
        match self.state.load(Ordering::Relaxed) {
            0 => State::Fresh,
            1 => State::Live,
            2 => State::Cached,
            _ => State::Shared,
        }
    }

    /// By whoever has the stack.
    pub(super) fn set_state(&self, state: State) {
        self.state.store(state as u32, Ordering::Relaxed);
    }

    /// The end of a life. `false` if it is not live: of two returns, also by two threads at once, one gets `true`.
    pub(super) fn end_life(&self, next: State) -> bool {
        let (live, next) = (State::Live as u32, next as u32);
        self.state.compare_exchange(live, next, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    pub(super) fn high_water(&self) -> usize {
        self.high_water.load(Ordering::Relaxed)
    }

    /// Remembers a use of `bytes`, and returns the deepest so far.
    pub(super) fn note_use(&self, bytes: usize) -> usize {
        self.high_water.fetch_max(bytes, Ordering::Relaxed).max(bytes)
    }
}
