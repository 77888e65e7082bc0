//! Generated operations, and the shadow map that tells whether a resource served them as it should.

extern crate alloc;

use alloc::collections::BTreeMap;
use core::alloc::Layout;

use proptest::prelude::*;
use stratalloc_resource::{Alignment, MemoryBlock, MemoryResource, Owns, Validate};

#[derive(Clone, Debug)]
pub(crate) enum Op {
    Allocate {
        size: usize,
        align: u32,
        zeroed: bool,
    },
    Deallocate {
        index: usize,
        slack: usize,
    },
    Reallocate {
        index: usize,
        size: usize,
    },
    /// Whatever else the resource under test can do, with one number.
    Other(usize),
}

/// The largest request and the longest run; Miri is slow.
const LARGE: usize = if cfg!(miri) { 4000 } else { 100_000 };
const MOST: usize = if cfg!(miri) { 40 } else { 120 };

pub(crate) fn ops() -> impl Strategy<Value = Vec<Op>> {
    let sizes = prop_oneof![4 => 0_usize..200, 2 => 0_usize..3000, 1 => 0_usize..LARGE];
    let op = prop_oneof![
        5 => (sizes.clone(), 0_u32..9, any::<bool>())
            .prop_map(|(size, align, zeroed)| Op::Allocate { size, align, zeroed }),
        4 => (any::<usize>(), any::<usize>()).prop_map(|(index, slack)| Op::Deallocate { index, slack }),
        2 => (any::<usize>(), sizes).prop_map(|(index, size)| Op::Reallocate { index, size }),
        1 => (0_usize..4000).prop_map(Op::Other),
    ];
    proptest::collection::vec(op, 1..MOST)
}

/// A live block: what was asked for, and the byte that it is full of.
#[derive(Clone, Copy)]
pub(crate) struct Live {
    pub(crate) block: MemoryBlock,
    pub(crate) size: usize,
    pub(crate) align: Alignment,
    mark: u8,
}

impl Live {
    fn new(block: MemoryBlock, size: usize, align: Alignment, mark: u8) -> Self {
        // SAFETY: the block is live and ours.
        unsafe { block.as_ptr().write_bytes(mark, block.len()) };
        Self { block, size, align, mark }
    }

    fn is_intact(&self) -> bool {
        is_full_of(self.mark, self.block)
    }
}

/// Whether a live block has no byte but `mark`. All of it was written, by its owner or by `allocate_zeroed`.
fn is_full_of(mark: u8, block: MemoryBlock) -> bool {
    // SAFETY: live, initialised, and nobody else's.
    let bytes = unsafe { core::slice::from_raw_parts(block.as_ptr(), block.len()) };
    bytes.iter().all(|&byte| byte == mark)
}

/// The live blocks by address.
#[derive(Default)]
pub(crate) struct Shadow {
    pub(crate) live: BTreeMap<usize, Live>,
}

impl Shadow {
    fn insert(&mut self, new: Live) -> Result<(), TestCaseError> {
        let below = self.live.range(..new.block.end_address()).next_back();
        let overlap = below.is_some_and(|(_, other)| other.block.end_address() > new.block.address());
        prop_assert!(!overlap, "two live blocks overlap");
        self.live.insert(new.block.address(), new);
        Ok(())
    }

    fn remove(&mut self, index: usize) -> Option<Live> {
        let key = *self.live.keys().nth(index % self.live.len().max(1))?;
        self.live.remove(&key)
    }
}

/// Runs `ops`, checks overlap, fit and contents, and calls `after` after each; then releases what is left.
pub(crate) fn run<R: MemoryResource + ?Sized>(
    resource: &R,
    ops: Vec<Op>,
    mut other: impl FnMut(usize),
    after: impl Fn(&Shadow) -> Result<(), TestCaseError>,
) -> Result<(), TestCaseError> {
    let mut shadow = Shadow::default();
    for (step, op) in ops.into_iter().enumerate() {
        let mark = u8::try_from(step % 250).unwrap() + 1;
        match op {
            Op::Other(number) => other(number),
            Op::Allocate { size, align, zeroed } => {
                allocate(resource, &mut shadow, (size, align, zeroed), mark)?
            }
            Op::Deallocate { index, slack } => deallocate(resource, &mut shadow, index, slack)?,
            Op::Reallocate { index, size } => reallocate(resource, &mut shadow, index, size, mark)?,
        }
        after(&shadow)?;
    }
    while !shadow.live.is_empty() {
        deallocate(resource, &mut shadow, 0, usize::MAX)?;
    }
    after(&shadow)
}

fn allocate<R: MemoryResource + ?Sized>(
    resource: &R,
    shadow: &mut Shadow,
    (size, align, zeroed): (usize, u32, bool),
    mark: u8,
) -> Result<(), TestCaseError> {
    let layout = Layout::from_size_align(size, 1 << align).unwrap();
    let answer = if zeroed { resource.allocate_zeroed(layout) } else { resource.allocate(layout) };
    let Ok(block) = answer else { return Ok(()) };
    let align = Alignment::from_layout(layout);
    prop_assert!(block.len() >= size && block.is_aligned(align));
    prop_assert!(!zeroed || is_full_of(0, block));
    shadow.insert(Live::new(block, size, align, mark))
}

fn deallocate<R: MemoryResource + ?Sized>(
    resource: &R,
    shadow: &mut Shadow,
    index: usize,
    slack: usize,
) -> Result<(), TestCaseError> {
    let Some(old) = shadow.remove(index) else { return Ok(()) };
    prop_assert!(old.is_intact());
    let len = old.size + slack % (old.block.len() - old.size + 1);
    // SAFETY: live, with a fitting length.
    unsafe { resource.deallocate(old.block.truncated(len).unwrap(), old.align) };
    Ok(())
}

fn reallocate<R: MemoryResource + ?Sized>(
    resource: &R,
    shadow: &mut Shadow,
    index: usize,
    size: usize,
    mark: u8,
) -> Result<(), TestCaseError> {
    let Some(old) = shadow.remove(index) else { return Ok(()) };
    // SAFETY: live, with its length.
    let Ok(block) = (unsafe { resource.reallocate(old.block, size, old.align) }) else {
        prop_assert!(old.is_intact());
        return shadow.insert(old);
    };
    prop_assert!(block.len() >= size && block.is_aligned(old.align));
    prop_assert!(is_full_of(old.mark, block.truncated(old.block.len().min(size)).unwrap()));
    shadow.insert(Live::new(block, size, old.align, mark))
}

/// For `after`: the resource's own equations hold, and it knows the live blocks.
#[allow(dead_code, reason = "not every resource owns")]
pub(crate) fn sound<R: Validate + Owns>(resource: &R, shadow: &Shadow) -> Result<(), TestCaseError> {
    let stranger = shadow.live.values().find(|live| !resource.owns(live.block.as_ptr()));
    prop_assert!(stranger.is_none(), "a live block is denied");
    resource.validate().map_err(|violation| TestCaseError::fail(violation.to_string()))
}
