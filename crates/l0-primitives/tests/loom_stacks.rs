//! All interleavings of small cases of [`IndexStack`] and of [`TaggedStack`] over its fallback double word.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p stratalloc-primitives --release loom`
//!
//! The code under test is the shipped one; only its atomics are loom's. The owner of a record writes its payload cell
//! before a push and after a pop, so a missing happens-before is a reported data race.
#![cfg(loom)]

use core::ptr::NonNull;
use loom::sync::Arc;
use loom::thread;
use stratalloc_primitives::lockfree::double_word::Locked;
use stratalloc_primitives::lockfree::{IndexStack, TaggedStack, link};
use stratalloc_primitives::primitive::atomic::{AtomicPtr, AtomicU32, Ordering};
use stratalloc_primitives::primitive::cell::UnsafeCell;

struct Record {
    index: u32,
    link: AtomicU32,
    pointer: AtomicPtr<Record>,
    payload: UnsafeCell<u32>,
}

/// A stack with the records that its elements are.
struct World<S> {
    stack: S,
    records: Vec<Record>,
}

// SAFETY: payloads are touched by the record's owner only, which is what the models check.
unsafe impl<S: Sync> Sync for World<S> {}
// SAFETY: as above.
unsafe impl<S: Send> Send for World<S> {}

trait Stack: Sized + Send + Sync + 'static {
    fn new() -> Self;
    fn push(world: &World<Self>, index: u32);
    fn pop(world: &World<Self>) -> Option<u32>;
    fn take_all(world: &World<Self>) -> Vec<u32>;
}

impl<S: Stack> World<S> {
    /// Records 0 .. `count`, all pushed in order: `count - 1` is on top.
    fn new(count: u32) -> Arc<Self> {
        let records = (0..count).map(|index| Record {
            index,
            link: AtomicU32::new(link::END),
            pointer: AtomicPtr::new(core::ptr::null_mut()),
            payload: UnsafeCell::new(0),
        });
        Arc::new(Self { stack: S::new(), records: records.collect() })
    }

    fn filled(count: u32) -> Arc<Self> {
        let world = Self::new(count);
        (0..count).for_each(|index| world.push(index));
        world
    }

    fn touch(&self, index: u32) {
        // SAFETY: the calling thread owns the record; loom reports it if that is wrong.
        self.records[index as usize].payload.with_mut(|payload| unsafe { *payload += 1 });
    }

    fn push(&self, index: u32) {
        self.touch(index);
        S::push(self, index);
    }

    fn pop(&self) -> Option<u32> {
        let index = S::pop(self)?;
        self.touch(index);
        Some(index)
    }

    fn take_all(&self) -> Vec<u32> {
        let taken = S::take_all(self);
        taken.iter().for_each(|&index| self.touch(index));
        taken
    }

    /// What the threads hold and what the stack holds are all records, each once.
    fn assert_conserved(&self, mut held: Vec<u32>) {
        while let Some(index) = self.pop() {
            held.push(index);
        }
        held.sort_unstable();
        assert!(held.iter().copied().eq(0..held.len() as u32), "lost or doubled: {held:?}");
        assert_eq!(held.len(), self.records.len(), "lost: {held:?}");
    }
}

impl Stack for IndexStack {
    fn new() -> Self {
        Self::new()
    }

    fn push(world: &World<Self>, index: u32) {
        let link = &world.records[index as usize].link;
        world.stack.push(index, |next| link.store(next, Ordering::Relaxed));
    }

    fn pop(world: &World<Self>) -> Option<u32> {
        world.stack.pop(|index| world.records[index as usize].link.load(Ordering::Relaxed))
    }

    fn take_all(world: &World<Self>) -> Vec<u32> {
        let next_of = |index: u32| world.records[index as usize].link.load(Ordering::Relaxed);
        world.stack.take_all().map_or(vec![], |first| link::walk(link::to(first), next_of).collect())
    }
}

impl Stack for TaggedStack<Record, Locked> {
    fn new() -> Self {
        Self::over(Locked::null())
    }

    fn push(world: &World<Self>, index: u32) {
        let record = &world.records[index as usize];
        world.stack.push(NonNull::from(record), |next| record.pointer.store(next, Ordering::Relaxed));
    }

    fn pop(world: &World<Self>) -> Option<u32> {
        // SAFETY: all nodes are records of the world, which is borrowed.
        let node = world.stack.pop(|node| unsafe { node.as_ref() }.pointer.load(Ordering::Relaxed))?;
        // SAFETY: as above.
        Some(unsafe { node.as_ref() }.index)
    }

    fn take_all(world: &World<Self>) -> Vec<u32> {
        let mut taken = vec![];
        let mut node = world.stack.take_all();
        while let Some(current) = node {
            // SAFETY: as above.
            let record = unsafe { current.as_ref() };
            taken.push(record.index);
            node = NonNull::new(record.pointer.load(Ordering::Relaxed));
        }
        taken
    }
}

/// One thread pops while another takes both and puts the first back: the ABA case.
fn aba<S: Stack>() {
    let world = World::<S>::filled(2);
    let other = {
        let world = world.clone();
        thread::spawn(move || {
            let (first, second) = (world.pop(), world.pop());
            if let Some(first) = first {
                world.push(first);
            }
            second
        })
    };
    let mine = world.pop();
    let others = other.join().unwrap();
    world.assert_conserved(mine.into_iter().chain(others).collect());
}

/// Two threads push; a third pops meanwhile.
fn push_push_pop<S: Stack>() {
    let world = World::<S>::new(2);
    let pushers = [0, 1].map(|index| {
        let world = world.clone();
        thread::spawn(move || world.push(index))
    });
    let mine = world.pop();
    pushers.into_iter().for_each(|pusher| pusher.join().unwrap());
    world.assert_conserved(mine.into_iter().collect());
}

/// A thread pushes on a stack that holds another element; the other thread takes all.
fn push_take_all<S: Stack>() {
    let world = World::<S>::new(2);
    let pusher = {
        let world = world.clone();
        thread::spawn(move || {
            world.push(0);
            world.push(1);
        })
    };
    let mine = world.take_all();
    pusher.join().unwrap();
    world.assert_conserved(mine);
}

/// The top element is taken by one thread, so that another reaches the element under it, which a third pushed.
fn deeper_element<S: Stack>() {
    let world = World::<S>::new(2);
    let pusher = {
        let world = world.clone();
        thread::spawn(move || {
            world.push(0);
            world.push(1);
        })
    };
    let popper = {
        let world = world.clone();
        thread::spawn(move || world.pop())
    };
    let mine = world.pop();
    pusher.join().unwrap();
    let others = popper.join().unwrap();
    world.assert_conserved(mine.into_iter().chain(others).collect());
}

macro_rules! models {
    ($($name:ident: $model:ident::<$stack:ty>;)*) => {
        $(#[test] fn $name() { loom::model($model::<$stack>); })*
    };
}

models! {
    loom_index_stack_aba: aba::<IndexStack>;
    loom_index_stack_push_push_pop: push_push_pop::<IndexStack>;
    loom_index_stack_push_take_all: push_take_all::<IndexStack>;
    loom_index_stack_deeper_element: deeper_element::<IndexStack>;
    loom_tagged_stack_aba: aba::<TaggedStack<Record, Locked>>;
    loom_tagged_stack_push_push_pop: push_push_pop::<TaggedStack<Record, Locked>>;
    loom_tagged_stack_push_take_all: push_take_all::<TaggedStack<Record, Locked>>;
    loom_tagged_stack_deeper_element: deeper_element::<TaggedStack<Record, Locked>>;
}
