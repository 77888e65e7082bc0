//! Replicated values beside a list of who reads which version where, for the property tests and the fuzz target.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::alloc::Layout;
use core::cell::Cell;
use core::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;
use stratalloc_resource::{
    Alignment, AllocError, FromGlobal, MemoryBlock, MemoryResource, ResourceId, ResourceInfo, ThreadSafety,
};
use stratalloc_strategies::replicated::{Busy, Guard, Places, Replicated};

/// Counts what is live, and refuses after so many.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) live: AtomicUsize,
    left: AtomicUsize,
}

impl Account {
    pub(crate) const fn of(most: usize) -> Self {
        Self { live: AtomicUsize::new(0), left: AtomicUsize::new(most) }
    }
}

// SAFETY: the global allocator's blocks, by way of `FromGlobal`; counting changes nothing about them.
unsafe impl MemoryResource for &'_ Account {
    fn allocate(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        if self.left.fetch_sub(1, Ordering::Relaxed) == 0 {
            return Err(AllocError::CapacityExhausted);
        }
        self.live.fetch_add(1, Ordering::Relaxed);
        FromGlobal::new(&std::alloc::System).allocate(layout)
    }

    unsafe fn deallocate(&self, block: MemoryBlock, align: Alignment) {
        self.live.fetch_sub(1, Ordering::Relaxed);
        // SAFETY: this function's contract.
        unsafe { FromGlobal::new(&std::alloc::System).deallocate(block, align) };
    }

    fn identity(&self) -> ResourceId {
        ResourceId::new::<Account>(core::ptr::from_ref(*self).addr())
    }

    fn info(&self) -> ResourceInfo<'_> {
        ResourceInfo::new("account", ThreadSafety::Shared)
    }
}

thread_local!(pub(crate) static HERE: Cell<usize> = const { Cell::new(0) });

/// As many places as one likes, of which each thread says where it is.
pub(crate) struct Pretended<'a>(pub(crate) usize, pub(crate) &'a Account);

impl<'a> Places for Pretended<'a> {
    type Memory = &'a Account;

    fn count(&self) -> usize {
        self.0
    }

    fn here(&self) -> usize {
        HERE.get()
    }

    fn memory(&self, _: usize) -> &'a Account {
        self.1
    }

    fn wait(&self) {
        std::thread::yield_now();
    }
}

/// A value that is counted while it is there.
#[derive(Debug)]
pub(crate) struct Counted(u64, Arc<AtomicUsize>);

impl Counted {
    pub(crate) fn new(number: u64, count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(number, count.clone())
    }
}

impl Clone for Counted {
    fn clone(&self) -> Self {
        Self::new(self.0, &self.1)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.1.fetch_sub(1, Ordering::Relaxed);
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Op {
    Read { place: usize },
    Release { guard: usize },
    Publish,
    Reclaim,
}

/// Runs a schedule of one thread; the shadow knows which versions are held where, hence who is in the way of whom.
pub(crate) fn run<const NODES: usize>(places: usize, ops: &[Op]) -> Result<(), TestCaseError> {
    let (account, count) = (Account::of(usize::MAX), Arc::new(AtomicUsize::new(0)));
    let table: Replicated<Counted, _, NODES> =
        Replicated::new(Pretended(places, &account), Counted::new(0, &count)).unwrap();
    let copies = places.clamp(1, NODES);
    prop_assert_eq!((table.copies(), account.live.load(Ordering::Relaxed)), (copies, copies));
    let (mut version, mut guards) = (0, VecDeque::<(usize, u64, Guard<'_, Counted>)>::new());
    for op in ops {
        match *op {
            Op::Read { place } => {
                HERE.set(place);
                let guard = if place % 2 == 0 { table.read() } else { table.reader().read() };
                guards.push_back((place % copies, version, guard));
            }
            Op::Release { guard } => {
                if !guards.is_empty() {
                    drop(guards.swap_remove_back(guard % guards.len()));
                }
            }
            Op::Publish => {
                let number = version + 1;
                // In the way is who holds any version but the present.
                let blocked = guards.iter().filter(|held| held.1 != version).map(|held| held.0).min();
                match table.try_publish(Counted::new(number, &count)) {
                    Ok(published) => {
                        prop_assert_eq!((published, blocked), (number, None));
                        version = number;
                    }
                    Err(refused) => {
                        let place = blocked.expect("nobody was in the way");
                        prop_assert_eq!(refused.reason(), Busy::Readers { place });
                        prop_assert_eq!(refused.into_value().0, number);
                    }
                }
            }
            Op::Reclaim => {
                let blocked: alloc::collections::BTreeSet<_> =
                    guards.iter().filter(|held| held.1 != version).map(|held| held.0).collect();
                prop_assert_eq!(table.reclaim(), copies - blocked.len());
                prop_assert_eq!(count.load(Ordering::Relaxed), copies + blocked.len());
            }
        }
        for (_, held, guard) in &guards {
            prop_assert_eq!((guard.0, guard.version()), (*held, *held), "a version changed under its reader");
        }
        prop_assert!((copies..=2 * copies).contains(&count.load(Ordering::Relaxed)));
    }
    drop(guards);
    drop(table);
    prop_assert_eq!((count.load(Ordering::Relaxed), account.live.load(Ordering::Relaxed)), (0, 0));
    Ok(())
}
