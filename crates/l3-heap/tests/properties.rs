//! Configuration × operations against a map of what is live.
//!
//! Every block that is handed out must lie outside all others, keep its contents, and be as aligned and as zero as it was asked to be,
//! whatever the knobs say; the heap's equations hold whenever it rests.
//!
//! Not covered: races (each operation ends before the next begins; see `threads`), refused memory (`fault_injection`).
#![allow(missing_docs, clippy::std_instead_of_alloc, reason = "a test, with std")]

mod support;

use core::alloc::Layout;
use core::ptr::NonNull;
use std::collections::BTreeMap;
use std::sync::mpsc;

use proptest::collection::vec;
use proptest::prelude::*;
use stratalloc_heap::{
    Heap, KNOBS, allocate, allocate_aligned, allocate_aligned_zeroed, allocate_zeroed, collect, configure,
    reallocate, reallocate_aligned, reallocate_sized, usable_size, validate,
};
use stratalloc_resource::conformance;
use stratalloc_resource::{Alignment, MemoryBlock, MemoryResource};
use support::{Block, MIB, low_byte, statistics_now};

/// One step. Indices are taken modulo what there is.
#[derive(Clone, Debug)]
enum Op {
    Allocate { size: usize, log2: u32, zeroed: bool, heap: Option<usize> },
    Reallocate { block: usize, size: usize },
    Free { block: usize },
    FreeElsewhere { block: usize },
    FreeMany { every: usize, elsewhere: bool },
    Collect,
    MakeHeap,
    DropHeap { heap: usize },
}

fn size() -> impl Strategy<Value = usize> {
    prop_oneof![
        8 => 0..300_usize,
        5 => 0..5_000_usize,
        4 => 5_000..40_000_usize,
        3 => 32_000..MIB + 9,
        1 => MIB..6 * MIB,
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let log2 = prop_oneof![6 => 0..5_u32, 2 => 5..17_u32, 1 => 17..21_u32];
    let heap = prop_oneof![3 => Just(None), 1 => any::<usize>().prop_map(Some)];
    prop_oneof![
        12 => (size(), log2, any::<bool>(), heap)
            .prop_map(|(size, log2, zeroed, heap)| Op::Allocate { size, log2, zeroed, heap }),
        5 => (any::<usize>(), size()).prop_map(|(block, size)| Op::Reallocate { block, size: size.max(1) }),
        5 => any::<usize>().prop_map(|block| Op::Free { block }),
        4 => any::<usize>().prop_map(|block| Op::FreeElsewhere { block }),
        1 => (1..4_usize, any::<bool>()).prop_map(|(every, elsewhere)| Op::FreeMany { every, elsewhere }),
        1 => Just(Op::Collect),
        1 => Just(Op::MakeHeap),
        1 => any::<usize>().prop_map(|heap| Op::DropHeap { heap }),
    ]
}

/// Another thread that frees what it is sent.
struct Elsewhere {
    to: mpsc::Sender<Option<Block>>,
    done: mpsc::Receiver<()>,
    thread: std::thread::JoinHandle<()>,
}

impl Elsewhere {
    fn new() -> Self {
        let (to, from) = mpsc::channel::<Option<Block>>();
        let (tell, done) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            for message in from {
                match message {
                    Some(block) => block.free(),
                    None => tell.send(()).expect("the test waits"),
                }
            }
        });
        Self { to, done, thread }
    }

    fn free(&self, block: Block) {
        self.to.send(Some(block)).expect("the thread lives");
    }

    /// Returns when everything sent so far is freed.
    fn rest(&self) {
        self.to.send(None).expect("the thread lives");
        self.done.recv().expect("the thread lives");
    }

    fn end(self) {
        drop(self.to);
        self.thread.join().expect("the thread ends");
    }
}

/// A live block as the shadow knows it: its end, its alignment, and the heap (by number of making) that it came from.
struct Live {
    block: Block,
    end: usize,
    align: usize,
    heap: Option<usize>,
}

#[derive(Default)]
struct World {
    /// By address.
    live: BTreeMap<usize, Live>,
    heaps: Vec<(usize, Heap)>,
    made: usize,
}

impl World {
    fn insert(&mut self, block: Block, align: usize, heap: Option<usize>) {
        let start = block.ptr().addr();
        assert_eq!(start % align, 0, "{} bytes at {align}", block.size());
        // SAFETY: the block is live.
        let end = start + unsafe { usable_size(block.ptr()) };
        if let Some((at, before)) = self.live.range(..end).next_back() {
            assert!(before.end <= start, "{start:#x}..{end:#x} overlaps {at:#x}..{:#x}", before.end);
        }
        self.live.insert(start, Live { block, end, align, heap });
    }

    fn take(&mut self, index: usize) -> Option<Live> {
        let index = index.checked_rem(self.live.len())?;
        let start = *self.live.keys().nth(index)?;
        self.live.remove(&start)
    }

    fn allocate(&mut self, size: usize, log2: u32, zeroed: bool, heap: Option<usize>) {
        let align = 1usize << log2;
        let heap = heap.and_then(|at| self.heaps.get(at.checked_rem(self.heaps.len())?));
        let ptr = match heap {
            Some((_, heap)) => {
                let layout = Layout::from_size_align(size, align).expect("a layout");
                let block = if zeroed { heap.allocate_zeroed(layout) } else { heap.allocate(layout) };
                block.expect("memory").as_ptr()
            }
            None => match (align <= 16, zeroed) {
                (true, false) => allocate(size),
                (true, true) => allocate_zeroed(size),
                (false, false) => allocate_aligned(size, align),
                (false, true) => allocate_aligned_zeroed(size, align),
            },
        };
        let heap = heap.map(|(number, _)| *number);
        let block = Block::new(ptr, size, low_byte(self.made + size));
        if zeroed {
            block.check_zero();
        }
        block.fill();
        self.insert(block, align, heap);
    }

    fn reallocate(&mut self, index: usize, size: usize) {
        let Some(Live { block, align, heap, .. }) = self.take(index) else { return };
        let ptr = match heap {
            Some(number) => {
                let (_, heap) = self.heaps.iter().find(|(at, _)| *at == number).expect("its heap lives");
                let start = NonNull::new(block.ptr()).expect("a block");
                let old = MemoryBlock::new(start, block.size());
                let align = Alignment::new(align).expect("a power of two");
                // SAFETY: the block is this heap's, live, and replaced by the new one.
                unsafe { heap.reallocate(old, size, align) }.expect("memory").as_ptr()
            }
            // SAFETY: the block is live, of this size and alignment, and replaced by the new one.
            None if block.size() % 2 == 1 => unsafe {
                reallocate_sized(block.ptr(), block.size(), size, align)
            },
            // SAFETY: the block is live, and replaced by the new one.
            None if align <= 16 => unsafe { reallocate(block.ptr(), size) },
            // SAFETY: as above.
            None => unsafe { reallocate_aligned(block.ptr(), size, align) },
        };
        self.insert(block.resized(ptr, size), align, heap);
    }

    fn step(&mut self, op: &Op, elsewhere: &Elsewhere) {
        match *op {
            Op::Allocate { size, log2, zeroed, heap } => self.allocate(size, log2, zeroed, heap),
            Op::Reallocate { block, size } => self.reallocate(block, size),
            Op::Free { block } => self.take(block).into_iter().for_each(|live| live.block.free()),
            Op::FreeElsewhere { block } => {
                self.take(block).into_iter().for_each(|live| elsewhere.free(live.block));
            }
            Op::FreeMany { every, elsewhere: far } => {
                let starts: Vec<usize> = self.live.keys().copied().step_by(every).collect();
                for live in starts.iter().filter_map(|start| self.live.remove(start)) {
                    if far { elsewhere.free(live.block) } else { live.block.free() }
                }
            }
            Op::Collect => {
                collect();
            }
            Op::MakeHeap => {
                self.heaps.push((self.made, Heap::new().expect("a heap")));
                self.made += 1;
            }
            Op::DropHeap { heap } => {
                let Some(at) = heap.checked_rem(self.heaps.len()) else { return };
                elsewhere.rest();
                let (number, heap) = self.heaps.swap_remove(at);
                self.live.retain(|_, live| live.heap != Some(number));
                drop(heap);
            }
        }
    }
}

/// Sets each knob to its smallest, its default, its largest, or a small value.
fn set_knobs(choices: &[u8]) {
    for (knob, choice) in KNOBS.iter().zip(choices) {
        let value = match choice {
            0 => knob.range.0,
            1 => knob.range.1,
            2 => knob.default / 4 + 1,
            _ => knob.default,
        };
        let value = value.clamp(knob.range.0, knob.range.1).to_string();
        assert_eq!(configure(knob.key.as_bytes(), value.as_bytes()), Ok(()), "{}", knob.key);
    }
}

fn at_rest(elsewhere: &Elsewhere) {
    elsewhere.rest();
    assert_eq!(validate(), Ok(()));
}

fn run(knobs: &[u8], ops: &[Op]) {
    set_knobs(knobs);
    let (mut world, elsewhere) = (World::default(), Elsewhere::new());
    for (number, op) in ops.iter().enumerate() {
        world.step(op, &elsewhere);
        if number % 16 == 0 {
            at_rest(&elsewhere);
        }
    }
    at_rest(&elsewhere);
    core::mem::take(&mut world.live).into_values().for_each(|live| live.block.free());
    drop(world);
    elsewhere.end();
    collect();
    assert_eq!(validate(), Ok(()));
    let now = statistics_now();
    let live = [now.small, now.medium, now.large, now.huge].map(|domain| domain.live_bytes);
    assert_eq!(live, [0; 4]);
    assert_eq!(now.dirty_bytes, 0, "nothing is free and dirty after collecting");
    assert_eq!(now.remote_waiting, 0);
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: conformance::cases(60),
        failure_persistence: None,
        max_shrink_iters: 300,
        ..ProptestConfig::default()
    })]

    #[test]
    fn blocks_are_disjoint_and_keep_their_contents(
        knobs in vec(0..4_u8, KNOBS.len()),
        ops in vec(op(), 1..300),
    ) {
        run(&knobs, &ops);
    }
}
