//! Values by handles: `CompactingPool` beside `slotmap`, whose values never go back before the map does.

use std::alloc::System;
use std::hint::black_box;

use slotmap::{DefaultKey, SlotMap};
use stratalloc_resource::FromGlobal;
use stratalloc_strategies::compacting_pool::{CompactingPool, Handle};

use super::{Case, Counting, Unit};
use crate::sample::{Sample, timed};

/// An entity of a game, a session, an entry of a cache.
type Value = [u64; 8];

const LIVE: usize = 10_000;
/// What the peak of [`of_compaction`] had, for each value that survives it.
const PEAK: usize = 10;

/// Values by handles.
trait Handles: Sized {
    type Handle: Copy;

    fn empty() -> Self;
    fn insert(&mut self, value: Value) -> Self::Handle;
    fn get(&self, handle: Self::Handle) -> &Value;
    fn remove(&mut self, handle: Self::Handle) -> Value;
    /// Brings what is live into as little memory as holds it.
    fn compact(&mut self);
}

type Pool = CompactingPool<Value, FromGlobal<'static, System>>;

impl Handles for Pool {
    type Handle = Handle<Value>;

    fn empty() -> Self {
        CompactingPool::new(FromGlobal::new(&System))
    }

    #[inline(always)]
    fn insert(&mut self, value: Value) -> Handle<Value> {
        self.insert(value).expect("there is memory")
    }

    #[inline(always)]
    fn get(&self, handle: Handle<Value>) -> &Value {
        self.get(handle).expect("live")
    }

    #[inline(always)]
    fn remove(&mut self, handle: Handle<Value>) -> Value {
        self.remove(handle).expect("live")
    }

    fn compact(&mut self) {
        while !self.compact(1024).done {}
    }
}

impl Handles for SlotMap<DefaultKey, Value> {
    type Handle = DefaultKey;

    fn empty() -> Self {
        Self::new()
    }

    #[inline(always)]
    fn insert(&mut self, value: Value) -> DefaultKey {
        self.insert(value)
    }

    #[inline(always)]
    fn get(&self, key: DefaultKey) -> &Value {
        &self[key]
    }

    #[inline(always)]
    fn remove(&mut self, key: DefaultKey) -> Value {
        self.remove(key).expect("live")
    }

    /// It cannot, so the program makes a new map; all keys change, and whoever has one must be told (which is not timed).
    fn compact(&mut self) {
        let mut fresh = Self::with_capacity(self.len());
        for (_, &value) in self.iter() {
            fresh.insert(value);
        }
        *self = fresh;
    }
}

fn filled<H: Handles>(len: usize) -> (H, Vec<H::Handle>) {
    let mut values = H::empty();
    let handles = (0..len as u64).map(|number| values.insert([number; 8])).collect();
    (values, handles)
}

fn replaced<H: Handles>(operations: u64) -> Sample {
    let (mut values, mut handles): (H, _) = filled(LIVE);
    let mut random = fastrand::Rng::with_seed(3);
    let mut work = |operations| {
        (0..operations).fold(0, |sum: u64, number| {
            let handle = &mut handles[random.usize(..LIVE)];
            let old = values.remove(*handle);
            *handle = values.insert([number; 8]);
            sum.wrapping_add(old[0])
        })
    };
    work(operations / 10);
    timed(operations, || work(operations))
}

fn looked_up<H: Handles>(operations: u64) -> Sample {
    let (values, handles): (H, _) = filled(LIVE);
    let mut random = fastrand::Rng::with_seed(5);
    let mut work = |operations| {
        (0..operations).fold(0, |sum: u64, _| sum.wrapping_add(values.get(handles[random.usize(..LIVE)])[0]))
    };
    work(operations / 10);
    timed(operations, || work(operations))
}

/// Nine of ten values die, in no order; the figure is per byte of those that survive. Without an operation it does not come to it.
fn compacted<H: Handles>(operations: u64) -> Sample {
    let (mut values, mut handles): (H, _) = filled(LIVE * PEAK);
    fastrand::Rng::with_seed(7).shuffle(&mut handles);
    for handle in handles.drain(LIVE..) {
        black_box(values.remove(handle));
    }
    if operations == 0 {
        return Sample::default();
    }
    timed((LIVE * size_of::<Value>()) as u64, || {
        values.compact();
        black_box(&values);
        0
    })
}

fn of_compaction() -> Case {
    Case::new(
        "compacting-compact",
        "100 000 values of 64 bytes, nine of ten removed in no order, then all sparse memory given back; per byte that survives",
        (LIVE * size_of::<Value>()) as u64,
    )
    .unit(Unit::PerByte)
    .counting(Counting::Moment)
    .ours("CompactingPool", compacted::<Pool>)
    .peer("slotmap, made anew", compacted::<SlotMap<DefaultKey, Value>>)
}

pub(super) fn cases() -> Vec<Case> {
    let both = |name, models, ours: fn(u64) -> Sample, theirs: fn(u64) -> Sample| {
        Case::new(name, models, 2_000_000).ours("CompactingPool", ours).peer("slotmap", theirs)
    };
    vec![
        both(
            "compacting-replace",
            "10 000 live values of 64 bytes behind handles, a random one removed and another inserted",
            replaced::<Pool>,
            replaced::<SlotMap<DefaultKey, Value>>,
        ),
        both(
            "compacting-look-up",
            "a random one of 10 000 values of 64 bytes read by its handle",
            looked_up::<Pool>,
            looked_up::<SlotMap<DefaultKey, Value>>,
        ),
        of_compaction(),
    ]
}
