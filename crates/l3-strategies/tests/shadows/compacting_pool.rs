//! What a compacting pool should hold: a map beside it, for the property tests and the fuzz target.

use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use core::cell::Cell;
use core::ptr::NonNull;

use proptest::prelude::*;
use stratalloc_resource::{MemoryResource, Validate};
use stratalloc_strategies::compacting_pool::{CompactingPool, Handle, HandleError};

/// A value that is counted, knows its number, and has a size and an alignment of its own.
#[derive(Debug)]
pub(crate) struct Marked<const N: usize> {
    number: u64,
    count: Rc<Cell<usize>>,
    bytes: [u8; N],
}

impl<const N: usize> Marked<N> {
    pub(crate) fn new(number: u64, count: &Rc<Cell<usize>>) -> Self {
        count.set(count.get() + 1);
        Self { number, count: count.clone(), bytes: [number.to_le_bytes()[0]; N] }
    }

    pub(crate) fn is_whole(&self, number: u64) -> bool {
        self.number == number && self.bytes.iter().all(|&byte| byte == number.to_le_bytes()[0])
    }
}

impl<const N: usize> Drop for Marked<N> {
    fn drop(&mut self) {
        self.count.set(self.count.get() - 1);
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Op {
    Insert,
    Remove(usize),
    RemoveMany(usize),
    Get(usize),
    Pin(usize),
    Unpin(usize),
    Compact(usize),
    Stale(usize),
}

/// A live value: its handle, and where it is pinned, how often.
struct Live<T> {
    handle: Handle<T>,
    pins: usize,
    place: Option<NonNull<T>>,
}

pub(crate) struct Shadow<const N: usize> {
    live: BTreeMap<u64, Live<Marked<N>>>,
    stale: Vec<Handle<Marked<N>>>,
    next: u64,
    count: Rc<Cell<usize>>,
}

impl<const N: usize> Shadow<N> {
    fn nth(&mut self, index: usize) -> Option<(u64, &mut Live<Marked<N>>)> {
        let index = index.checked_rem(self.live.len())?;
        self.live.iter_mut().nth(index).map(|(number, live)| (*number, live))
    }

    fn remove<U: MemoryResource>(
        &mut self,
        pool: &mut CompactingPool<Marked<N>, U>,
        number: u64,
    ) -> Result<(), TestCaseError> {
        let Some(live) = self.live.get(&number) else { return Ok(()) };
        let handle = live.handle;
        if live.pins != 0 {
            prop_assert_eq!(pool.remove(handle).map(|value| value.number), Err(HandleError::Pinned));
            return Ok(());
        }
        prop_assert!(pool.remove(handle).unwrap().is_whole(number));
        self.live.remove(&number);
        self.stale.push(handle);
        Ok(())
    }

    fn step<U: MemoryResource>(
        &mut self,
        pool: &mut CompactingPool<Marked<N>, U>,
        op: &Op,
    ) -> Result<(), TestCaseError> {
        match *op {
            Op::Insert => {
                let (number, count) = (self.next, &self.count);
                if let Ok(handle) = pool.insert_with(|| Marked::new(number, count)) {
                    prop_assert!(!self.stale.contains(&handle), "a handle twice");
                    self.live.insert(number, Live { handle, pins: 0, place: None });
                    self.next += 1;
                }
            }
            Op::Remove(index) => {
                if let Some((number, _)) = self.nth(index) {
                    self.remove(pool, number)?;
                }
            }
            Op::RemoveMany(every) => {
                let numbers: Vec<_> = self.live.keys().copied().step_by(every).collect();
                numbers.into_iter().try_for_each(|number| self.remove(pool, number))?;
            }
            Op::Get(index) => {
                if let Some((number, live)) = self.nth(index) {
                    prop_assert!(pool.get_mut(live.handle).unwrap().is_whole(number));
                }
            }
            Op::Pin(index) => {
                if let Some((_, live)) = self.nth(index) {
                    live.place = Some(pool.pin(live.handle).unwrap());
                    live.pins += 1;
                }
            }
            Op::Unpin(index) => {
                if let Some((_, live)) = self.nth(index) {
                    let expected = if live.pins == 0 { Err(HandleError::NotPinned) } else { Ok(()) };
                    prop_assert_eq!(pool.unpin(live.handle), expected);
                    live.pins = live.pins.saturating_sub(1);
                }
            }
            Op::Compact(budget) => {
                let before = pool.usage();
                let report = pool.compact(budget);
                prop_assert!(report.steps <= budget && report.moved + report.released <= report.steps);
                prop_assert_eq!(before.chunks - report.released, pool.usage().chunks);
            }
            Op::Stale(index) => {
                if !self.stale.is_empty() {
                    let handle = self.stale[index % self.stale.len()];
                    prop_assert_eq!(pool.get(handle).err(), Some(HandleError::Stale));
                    prop_assert_eq!(pool.get_mut(handle).err(), Some(HandleError::Stale));
                    prop_assert_eq!(pool.remove(handle).err(), Some(HandleError::Stale));
                    prop_assert_eq!(pool.pin(handle).err(), Some(HandleError::Stale));
                    prop_assert_eq!(pool.unpin(handle).err(), Some(HandleError::Stale));
                }
            }
        }
        self.check(pool)
    }

    fn check<U: MemoryResource>(&self, pool: &CompactingPool<Marked<N>, U>) -> Result<(), TestCaseError> {
        pool.validate().map_err(|violation| TestCaseError::fail(violation.to_string()))?;
        let usage = pool.usage();
        prop_assert_eq!(
            (usage.live, pool.len(), self.count.get()),
            (self.live.len(), usage.live, usage.live)
        );
        prop_assert_eq!(usage.pinned, self.live.values().filter(|live| live.pins != 0).count());
        for (&number, live) in &self.live {
            let value = pool.get(live.handle).unwrap();
            prop_assert!(value.is_whole(number));
            if live.pins != 0 {
                prop_assert_eq!(live.place, Some(NonNull::from(value)), "a pinned value moved");
            }
        }
        Ok(())
    }
}

/// Every operation, then a compaction to the end, then the drop.
pub(crate) fn run<const N: usize, U: MemoryResource>(
    mut pool: CompactingPool<Marked<N>, U>,
    ops: &[Op],
) -> Result<(), TestCaseError> {
    let mut shadow =
        Shadow::<N> { live: BTreeMap::new(), stale: vec![], next: 0, count: Rc::new(Cell::new(0)) };
    for op in ops {
        shadow.step(&mut pool, op)?;
    }
    while !pool.compact(7).done {}
    shadow.check(&pool)?;
    let usage = pool.usage();
    if usage.pinned == 0 && usage.chunks != 0 {
        let cells = usage.cells / usage.chunks;
        prop_assert_eq!(usage.chunks, usage.live.div_ceil(cells), "{:?}", usage);
    }
    prop_assert_eq!(pool.compact(100).steps, 0, "done is done");
    drop(pool);
    prop_assert_eq!(shadow.count.get(), 0);
    Ok(())
}
