//! Generated operations on a resource, beside a shadow map of what must be live.

use alloc::collections::BTreeMap;
use core::alloc::Layout;
use core::mem::MaybeUninit;

use proptest::prelude::*;
use stratalloc_resource::conformance::{Config, Failure, Report};
use stratalloc_resource::{Alignment, MemoryBlock, MemoryResource, Owns, Validate};

pub(crate) fn passed(outcome: Result<Report, Failure>) -> Report {
    outcome.unwrap_or_else(|failure| panic!("{failure}"))
}

pub(crate) fn config() -> Config {
    Config { operations: 1_000, ..Config::default() }
}

pub(crate) fn memory(len: usize) -> Vec<MaybeUninit<u8>> {
    // (`vec!` would write each byte, which takes Miri a minute.)
    Box::new_uninit_slice(len).into_vec()
}

/// The addresses of a buffer.
pub(crate) fn range_of(memory: &[MaybeUninit<u8>]) -> core::ops::Range<usize> {
    let range = memory.as_ptr_range();
    range.start.addr()..range.end.addr()
}

pub(crate) fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).unwrap()
}

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
    /// Whatever the resource under test does beside the contract.
    Special {
        choice: usize,
    },
}

pub(crate) fn ops(max_size: usize) -> impl Strategy<Value = Vec<Op>> {
    let sizes = prop_oneof![4 => 0..200.min(max_size), 2 => 0..3000.min(max_size), 1 => 0..max_size];
    let op = prop_oneof![
        6 => (sizes.clone(), 0_u32..8, any::<bool>())
            .prop_map(|(size, align, zeroed)| Op::Allocate { size, align, zeroed }),
        4 => (any::<usize>(), any::<usize>()).prop_map(|(index, slack)| Op::Deallocate { index, slack }),
        2 => (any::<usize>(), sizes).prop_map(|(index, size)| Op::Reallocate { index, size }),
        1 => any::<usize>().prop_map(|choice| Op::Special { choice }),
    ];
    proptest::collection::vec(op, 1..100)
}

pub(crate) struct Live {
    pub(crate) block: MemoryBlock,
    pub(crate) size: usize,
    pub(crate) align: Alignment,
    /// In the order of allocation.
    pub(crate) number: usize,
    mark: u8,
}

impl Live {
    fn intact(&self, len: usize, at: MemoryBlock) -> bool {
        // SAFETY: live, and written by `Shadow::insert` or kept by `reallocate`.
        (0..len).all(|index| unsafe { at.as_ptr().wrapping_add(index).read() } == self.mark)
    }
}

/// What must be live, by address.
#[derive(Default)]
pub(crate) struct Shadow {
    live: BTreeMap<(usize, usize), Live>,
    numbers: usize,
}

impl Shadow {
    pub(crate) fn len(&self) -> usize {
        self.live.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.live.values().map(|live| live.block.len()).sum()
    }

    /// By address.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = &Live> {
        self.live.values()
    }

    pub(crate) fn numbers(&self) -> usize {
        self.numbers
    }

    /// Forgets what was made at or after `number`, without releasing it.
    pub(crate) fn forget_from(&mut self, number: usize) {
        self.live.retain(|_, live| live.number < number);
    }

    fn insert(&mut self, block: MemoryBlock, size: usize, align: Alignment) -> Result<(), TestCaseError> {
        prop_assert!(block.len() >= size && block.is_aligned(align));
        let below = self.live.range(..(block.end_address(), 0)).next_back();
        prop_assert!(
            below.is_none_or(|(_, other)| other.block.end_address() <= block.address()),
            "{block:?} overlaps with {:?}",
            below.map(|(_, other)| other.block)
        );
        let mark = u8::try_from(self.numbers % 250).unwrap() + 1;
        // SAFETY: live and ours.
        unsafe { block.as_ptr().write_bytes(mark, block.len()) };
        let live = Live { block, size, align, mark, number: self.numbers };
        self.live.insert((block.address(), self.numbers), live);
        self.numbers += 1;
        Ok(())
    }

    pub(crate) fn all_intact(&self) -> Result<(), TestCaseError> {
        self.live.values().try_for_each(|live| {
            prop_assert!(live.intact(live.block.len(), live.block), "{:?} was written to", live.block);
            Ok(())
        })
    }

    fn take(&mut self, index: usize) -> Option<Live> {
        let key = *self.live.keys().nth(index.checked_rem(self.live.len())?)?;
        self.live.remove(&key)
    }

    /// Takes a block out of the shadow, for whoever releases it by other means.
    pub(crate) fn remove(&mut self, index: usize) -> Result<Option<MemoryBlock>, TestCaseError> {
        let Some(old) = self.take(index) else { return Ok(None) };
        prop_assert!(old.intact(old.block.len(), old.block));
        Ok(Some(old.block))
    }

    /// One operation of the contract; refusals are left to the kit.
    pub(crate) fn step<R: MemoryResource + Validate + Owns>(
        &mut self,
        resource: &R,
        op: &Op,
    ) -> Result<(), TestCaseError> {
        match *op {
            Op::Allocate { size, align, zeroed } => {
                let layout = layout(size, 1 << align);
                let answer =
                    if zeroed { resource.allocate_zeroed(layout) } else { resource.allocate(layout) };
                if let Ok(block) = answer {
                    prop_assert!(resource.owns(block.as_ptr()));
                    let fresh = Live { block, size, align: Alignment::ONE, mark: 0, number: 0 };
                    prop_assert!(!zeroed || fresh.intact(block.len(), block));
                    self.insert(block, size, Alignment::from_layout(layout))?;
                }
            }
            Op::Deallocate { index, slack } => {
                if let Some(old) = self.take(index) {
                    prop_assert!(old.intact(old.block.len(), old.block));
                    let len = old.size + slack % (old.block.len() - old.size + 1);
                    // SAFETY: live, with a fitting length.
                    unsafe { resource.deallocate(old.block.truncated(len).unwrap(), old.align) };
                }
            }
            Op::Reallocate { index, size } => {
                let Some(old) = self.take(index) else { return Ok(()) };
                // SAFETY: live, with its length.
                if let Ok(block) = unsafe { resource.reallocate(old.block, size, old.align) } {
                    prop_assert!(old.intact(old.block.len().min(size), block));
                    self.insert(block, size, old.align)?;
                } else {
                    prop_assert!(old.intact(old.block.len(), old.block));
                    self.live.insert((old.block.address(), old.number), old);
                }
            }
            Op::Special { .. } => {}
        }
        self.check(resource)
    }

    /// The resource's own equations.
    pub(crate) fn check<R: Validate>(&self, resource: &R) -> Result<(), TestCaseError> {
        resource.validate().map_err(|violation| TestCaseError::fail(violation.to_string()))
    }

    /// Releases everything, the last made first.
    pub(crate) fn release_all<R: MemoryResource + Validate>(
        &mut self,
        resource: &R,
    ) -> Result<(), TestCaseError> {
        let mut all: Vec<Live> = core::mem::take(&mut self.live).into_values().collect();
        all.sort_by_key(|live| core::cmp::Reverse(live.number));
        for old in all {
            prop_assert!(old.intact(old.block.len(), old.block));
            // SAFETY: live.
            unsafe { resource.deallocate(old.block, old.align) };
        }
        self.check(resource)
    }
}
