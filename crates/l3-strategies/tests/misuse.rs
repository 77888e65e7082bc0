//! Broken contracts: each in a child process, which must end with the precise report.
//!
//! | | fast build | checked build or debug assertions |
//! | --- | --- | --- |
//! | frames with `Safety`, fiber stacks | reported | reported |
//! | other frames, stacks, pools, slabs | undefined behaviour | reported |
//! | a block returned twice by a pool's remote | undefined behaviour | reported when the owner takes it back |
//! | large blocks of a `MemPool` | undefined behaviour | not detected |
//! | a frame without canaries: an older block released twice, writes outside blocks | undefined behaviour | not detected |

use core::mem::MaybeUninit;
use core::ptr::NonNull;

#[path = "../../l1-platform/tests/this_program/mod.rs"]
mod this_program;

use stratalloc_resource::{Alignment, MemoryBlock, MemoryResource};
use stratalloc_strategies::frame::{Frame, Safety};
use stratalloc_strategies::mem_pool::MemPool;
use stratalloc_strategies::pool::{Pool, PoolConfig};
use stratalloc_strategies::slab::{Slab, SlabConfig};
use stratalloc_strategies::stack::Stack;
use stratalloc_strategies::{Misuse, set_misuse_hook};
use this_program::this_program;

/// Names the case that a child runs.
const CASE: &str = "STRATALLOC_MISUSE_CASE";

const ONE: Alignment = Alignment::ONE;
const EIGHT: Alignment = Alignment::constant::<8>();

fn memory() -> &'static mut [MaybeUninit<u8>] {
    Box::leak(vec![MaybeUninit::uninit(); 4096].into_boxed_slice())
}

/// `len` bytes at `offset` from the start of a block.
fn part(block: MemoryBlock, offset: isize, len: usize) -> MemoryBlock {
    MemoryBlock::new(NonNull::new(block.as_ptr().wrapping_offset(offset)).unwrap(), len)
}

/// Writes a byte where it does not belong.
fn scribble(block: MemoryBlock, offset: isize) {
    // SAFETY: inside the buffer behind the resource; that it is not the block's is the mistake.
    unsafe { block.as_ptr().wrapping_offset(offset).write(0x5A) };
}

/// Takes a block of 24 bytes, aligned to 8.
fn take(resource: &impl MemoryResource) -> MemoryBlock {
    resource.allocate(core::alloc::Layout::from_size_align(24, EIGHT.bytes()).unwrap()).unwrap()
}

/// Hands a block back.
fn give(resource: &impl MemoryResource, block: MemoryBlock, align: Alignment) {
    // SAFETY: not given; that is what the cases are about.
    unsafe { resource.deallocate(block, align) };
}

struct Case {
    name: &'static str,
    run: fn(),
    report: &'static str,
}

macro_rules! cases {
    ($($name:ident: $report:literal, $run:expr;)*) => {
        &[$(Case { name: stringify!($name), run: $run, report: $report }),*]
    };
}

fn safety() -> Frame<'static, Safety> {
    Frame::over(memory())
}

const ALWAYS: &[Case] = cases! {
    safety_double_release: "frame: the block at 0x… is released, but not live", || {
        let frame = safety();
        let block = take(&frame);
        (0..2).for_each(|_| give(&frame, block, EIGHT));
    };
    safety_overflow_by_one: "frame: the block at 0x… was written to after its last byte", || {
        let frame = safety();
        let block = take(&frame);
        scribble(block, 24);
        give(&frame, block, EIGHT);
        // Not seen by the drop, that is: by the release.
        core::mem::forget(frame);
    };
    safety_underflow_by_one: "frame: the block at 0x… was written to before its first byte", || {
        let frame = safety();
        let block = take(&frame);
        scribble(block, -1);
        give(&frame, block, EIGHT);
        core::mem::forget(frame);
    };
    safety_interior_pointer: "frame: the block at 0x… is released, but no block starts there", || {
        let frame = safety();
        take(&frame);
        let block = take(&frame);
        give(&frame, part(block, 8, 16), EIGHT);
    };
    safety_foreign_block: "frame: the block at 0x… is released here, but came from elsewhere", || {
        give(&safety(), take(&safety()), EIGHT);
    };
    safety_wrong_size: "frame: the block at 0x… is released with a length that it never had", || {
        let frame = safety();
        let block = take(&frame);
        give(&frame, part(block, 0, 20), EIGHT);
    };
    safety_wrong_alignment: "is released with an alignment that it was not requested with", || {
        let frame = safety();
        let block = take(&frame);
        give(&frame, block, ONE);
    };
    safety_write_after_release: "frame: the block at 0x… was written to after its release", || {
        let mut frame = safety();
        let block = take(&frame);
        give(&frame, block, EIGHT);
        scribble(block, 5);
        frame.reset();
    };
    safety_overflow_seen_by_reset: "frame: the block at 0x… was written to after its last byte", || {
        let mut frame = safety();
        scribble(take(&frame), 24);
        take(&frame);
        frame.reset();
    };
    safety_overflow_seen_by_drop: "frame: the block at 0x… was written to after its last byte", || {
        let frame = safety();
        scribble(take(&frame), 27);
    };
};

fn slab() -> Slab<'static> {
    Slab::over(SlabConfig::new(24, EIGHT).with_slab_bytes(512), memory()).unwrap()
}

/// Classes up to 64 in chunks of 1 KiB.
fn mem_pool() -> MemPool<Frame<'static>, 16, 64, 1024, 128> {
    MemPool::new(Frame::over(memory())).unwrap()
}

const CHECKED: &[Case] = cases! {
    frame_foreign_block: "frame: the block at 0x… is released here, but came from elsewhere", || {
        give(&Frame::<'_>::over(memory()) as &Frame<'_>, take(&safety()), EIGHT);
    };
    frame_double_release_of_the_youngest: "frame: the block at 0x… is released, but not live", || {
        let frame: Frame<'_> = Frame::over(memory());
        let block = take(&frame);
        (0..2).for_each(|_| give(&frame, block, EIGHT));
    };
    frame_wrong_alignment: "is released with an alignment that it was not requested with", || {
        let frame: Frame<'_> = Frame::over(&mut memory()[1..]);
        take(&frame);
        give(&frame, take(&frame), Alignment::constant::<{ 1 << 20 }>());
    };
    frame_foreign_marker: "frame: the block at 0x… is rewound to, but not the resource's any more", || {
        let (frame, other): (Frame<'_>, Frame<'_>) = (Frame::over(memory()), Frame::over(memory()));
        // SAFETY: not given: the marker is another frame's.
        unsafe { frame.rewind(other.marker()) };
    };
    stack_out_of_order: "stack: the block at 0x… is released before a younger one", || {
        let stack: Stack<'_> = Stack::over(memory());
        let older = take(&stack);
        take(&stack);
        give(&stack, older, EIGHT);
    };
    stack_double_release: "stack: the block at 0x… is released, but not live", || {
        let stack: Stack<'_> = Stack::over(memory());
        take(&stack);
        let block = take(&stack);
        (0..2).for_each(|_| give(&stack, block, EIGHT));
    };
    stack_interior_pointer: "stack: the block at 0x… is released, but no block starts there", || {
        let stack: Stack<'_> = Stack::over(memory());
        give(&stack, part(take(&stack), 8, 16), EIGHT);
    };
    stack_foreign_block: "stack: the block at 0x… is released here, but came from elsewhere", || {
        give(&Stack::<'_>::over(memory()) as &Stack<'_>, take(&safety()), EIGHT);
    };
    stack_wrong_size: "stack: the block at 0x… is released with a length that it never had", || {
        let stack: Stack<'_> = Stack::over(memory());
        give(&stack, part(take(&stack), 0, 25), EIGHT);
    };
    stack_stale_marker: "stack: the block at 0x… is rewound to, but not the resource's any more", || {
        let stack: Stack<'_> = Stack::over(memory());
        let block = take(&stack);
        let marker = stack.marker();
        give(&stack, block, EIGHT);
        // SAFETY: not given: the block that the marker stands on is gone.
        unsafe { stack.rewind(marker) };
    };
    pool_double_release: "pool: the block at 0x… is released, but not live", || {
        let pool = Pool::over(PoolConfig::new(24, EIGHT), memory()).unwrap();
        let block = take(&pool);
        give(&pool, take(&pool), EIGHT);
        (0..2).for_each(|_| give(&pool, block, EIGHT));
    };
    pool_double_release_by_remotes: "pool: the block at 0x… is released, but not live", || {
        let pool = Pool::over(PoolConfig::new(24, EIGHT), memory()).unwrap();
        let block = take(&pool);
        (0..2).for_each(|_| give(&pool.remote(), block, EIGHT));
        take(&pool);
    };
    pool_never_handed_out: "pool: the block at 0x… is released, but not live", || {
        let pool = Pool::over(PoolConfig::new(24, EIGHT), memory()).unwrap();
        give(&pool, part(take(&pool), 24, 24), EIGHT);
    };
    pool_interior_pointer: "pool: the block at 0x… is released, but no block starts there", || {
        let pool = Pool::over(PoolConfig::new(24, EIGHT), memory()).unwrap();
        give(&pool, part(take(&pool), 8, 8), EIGHT);
    };
    pool_foreign_block: "pool: the block at 0x… is released here, but came from elsewhere", || {
        let pool = Pool::over(PoolConfig::new(24, EIGHT), memory()).unwrap();
        give(&pool, take(&safety()), EIGHT);
    };
    pool_wrong_size: "pool: the block at 0x… is released with a length that it never had", || {
        let pool = Pool::over(PoolConfig::new(24, EIGHT), memory()).unwrap();
        give(&pool, part(take(&pool), 0, 25), EIGHT);
    };
    pool_wrong_alignment: "is released with an alignment that it was not requested with", || {
        let pool = Pool::over(PoolConfig::new(24, EIGHT), memory()).unwrap();
        give(&pool, take(&pool), Alignment::constant::<16>());
    };
    mem_pool_double_release: "mem pool: the block at 0x… is released, but not live", || {
        let pool = mem_pool();
        let block = take(&pool);
        give(&pool, take(&pool), EIGHT);
        (0..2).for_each(|_| give(&pool, block, EIGHT));
    };
    mem_pool_never_handed_out: "mem pool: the block at 0x… is released, but not live", || {
        let pool = mem_pool();
        give(&pool, part(take(&pool), 32, 32), EIGHT);
    };
    mem_pool_interior_pointer: "mem pool: the block at 0x… is released, but no block starts there", || {
        let pool = mem_pool();
        give(&pool, part(take(&pool), 8, 20), EIGHT);
    };
    mem_pool_foreign_block: "mem pool: the block at 0x… is released here, but came from elsewhere", || {
        give(&mem_pool(), take(&safety()), EIGHT);
    };
    mem_pool_wrong_size: "mem pool: the block at 0x… is released with a length that it never had", || {
        let pool = mem_pool();
        give(&pool, part(take(&pool), 0, 16), EIGHT);
    };
    slab_double_release: "slab: the block at 0x… is released, but not live", || {
        let slab = slab();
        let block = take(&slab);
        give(&slab, take(&slab), EIGHT);
        (0..2).for_each(|_| give(&slab, block, EIGHT));
    };
    slab_never_handed_out: "slab: the block at 0x… is released, but not live", || {
        let slab = slab();
        give(&slab, part(take(&slab), 24, 24), EIGHT);
    };
    slab_interior_pointer: "slab: the block at 0x… is released, but no block starts there", || {
        let slab = slab();
        give(&slab, part(take(&slab), 8, 8), EIGHT);
    };
    slab_foreign_block: "slab: the block at 0x… is released here, but came from elsewhere", || {
        give(&slab(), take(&safety()), EIGHT);
    };
    slab_wrong_size: "slab: the block at 0x… is released with a length that it never had", || {
        let slab = slab();
        give(&slab, part(take(&slab), 0, 25), EIGHT);
    };
    slab_wrong_alignment: "is released with an alignment that it was not requested with", || {
        let slab = slab();
        give(&slab, take(&slab), Alignment::constant::<16>());
    };
};

#[cfg(target_has_atomic = "64")]
mod lock_free {
    use super::*;
    use stratalloc_strategies::lock_free_pool::LockFreePool;

    fn pool() -> LockFreePool<'static> {
        LockFreePool::over(PoolConfig::new(24, EIGHT), memory()).unwrap()
    }

    pub(super) const CASES: &[Case] = cases! {
        lock_free_pool_double_release: "lock-free pool: the block at 0x… is released, but not live", || {
            let pool = pool();
            let block = take(&pool);
            (0..2).for_each(|_| give(&pool, block, EIGHT));
        };
        lock_free_pool_never_handed_out: "lock-free pool: the block at 0x… is released, but not live", || {
            let pool = pool();
            give(&pool, part(take(&pool), 24, 24), EIGHT);
        };
        lock_free_pool_interior_pointer: "is released, but no block starts there", || {
            let pool = pool();
            give(&pool, part(take(&pool), 8, 8), EIGHT);
        };
        lock_free_pool_foreign_block: "lock-free pool: the block at 0x… is released here, but came from elsewhere", || {
            give(&pool(), take(&safety()), EIGHT);
        };
        lock_free_pool_wrong_size: "lock-free pool: the block at 0x… is released with a length that it never had", || {
            let pool = pool();
            give(&pool, part(take(&pool), 0, 25), EIGHT);
        };
    };
}

#[cfg(all(any(target_os = "linux", windows), target_has_atomic = "64"))]
mod fiber_stacks {
    use super::*;
    use stratalloc_strategies::fiber_stacks::{FiberStacks, FiberStacksConfig};

    fn stacks() -> FiberStacks {
        FiberStacks::new(FiberStacksConfig::new().with_class(1 << 14, 4)).unwrap()
    }

    // Looked at in every build.
    pub(super) const CASES: &[Case] = cases! {
        fiber_stacks_double_release: "fiber stacks: the block at 0x… is released, but not live", || {
            let stacks = stacks();
            let block = take(&stacks);
            (0..2).for_each(|_| give(&stacks, block, EIGHT));
        };
        fiber_stacks_returned_by_address_and_dropped: "fiber stacks: the block at 0x… is released, but not live", || {
            let stacks = stacks();
            let stack = stacks.get(0).unwrap();
            // SAFETY: not given: the stack was not given up.
            unsafe { stacks.put_at(stack.top()) }.unwrap();
            drop(stack);
        };
        fiber_stacks_never_handed_out: "fiber stacks: the block at 0x… is released, but not live", || {
            let stacks = stacks();
            let stack = stacks.get(0).unwrap();
            let stride = isize::try_from(stack.top().addr().get() - stack.lower_guard().addr().get()).unwrap();
            give(&stacks, part(MemoryBlock::new(stack.limit(), 1), stride, 24), EIGHT);
        };
        fiber_stacks_interior_pointer: "fiber stacks: the block at 0x… is released, but no block starts there", || {
            let stacks = stacks();
            give(&stacks, part(take(&stacks), 8, 16), EIGHT);
        };
        fiber_stacks_foreign_block: "fiber stacks: the block at 0x… is released here, but came from elsewhere", || {
            give(&stacks(), take(&stacks()), EIGHT);
        };
        fiber_stacks_wrong_size: "fiber stacks: the block at 0x… is released with a length that it never had", || {
            let stacks = stacks();
            give(&stacks, part(take(&stacks), 0, (1 << 14) + 1), EIGHT);
        };
    };
}

#[cfg(not(all(any(target_os = "linux", windows), target_has_atomic = "64")))]
mod fiber_stacks {
    pub(super) const CASES: &[super::Case] = &[];
}

#[cfg(not(target_has_atomic = "64"))]
mod lock_free {
    pub(super) const CASES: &[super::Case] = &[];
}

/// All cases that this build detects.
fn cases() -> Vec<&'static Case> {
    let mut cases: Vec<_> = ALWAYS.iter().chain(fiber_stacks::CASES).collect();
    if cfg!(any(debug_assertions, feature = "checked")) {
        cases.extend(CHECKED.iter().chain(lock_free::CASES));
    }
    cases
}

/// The child's part; does nothing in an ordinary run.
#[test]
fn child() {
    let Ok(name) = std::env::var(CASE) else { return };
    let case = cases().into_iter().find(|case| case.name == name).expect("the parent names a case");
    (case.run)();
    println!("nothing was noticed");
}

/// What a child said, with each address as `0x…`.
fn report_of(case: &Case) -> (bool, String) {
    let arguments = ["--exact", "child", "--nocapture", "--test-threads=1"];
    let output = this_program().args(arguments).env(CASE, case.name).env("RUST_BACKTRACE", "0").output();
    let output = output.unwrap();
    let said = String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
    let mut parts = said.split("0x");
    let mut text = parts.next().unwrap_or_default().to_string();
    for part in parts {
        text += "0x…";
        text += part.trim_start_matches(|c: char| c.is_ascii_hexdigit());
    }
    // 101: a test that panicked. A second panic inside a drop would be a signal.
    (output.status.code() == Some(101), text)
}

#[test]
#[cfg_attr(miri, ignore = "starts processes")]
fn each_broken_contract_ends_with_its_report() {
    let mut wrong = String::new();
    for case in cases() {
        let (panicked, text) = report_of(case);
        if !panicked || !text.contains(case.report) {
            wrong += &format!("\n--- {}: expected “{}”, got:\n{text}", case.name, case.report);
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// With a hook that returns, the wrong call is ignored and the resource stays whole.
#[test]
#[cfg_attr(miri, ignore = "starts processes")]
fn a_hook_that_returns_makes_wrong_calls_harmless() {
    if std::env::var(CASE).is_err() {
        let arguments = ["--exact", "a_hook_that_returns_makes_wrong_calls_harmless"];
        assert!(this_program().args(arguments).env(CASE, "hook").status().unwrap().success());
        return;
    }
    // In a process of its own: the hook is everybody's.
    use core::sync::atomic::{AtomicUsize, Ordering};
    static REPORTS: AtomicUsize = AtomicUsize::new(0);
    fn count(_: &Misuse) {
        REPORTS.fetch_add(1, Ordering::Relaxed);
    }
    set_misuse_hook(count);
    let frame = safety();
    let block = take(&frame);
    (0..3).for_each(|_| give(&frame, block, EIGHT));
    assert_eq!(REPORTS.load(Ordering::Relaxed), 2);
    assert!(frame.verify().is_ok());
    if cfg!(any(debug_assertions, feature = "checked")) {
        let stack: Stack<'_> = Stack::over(memory());
        let (older, younger) = (take(&stack), take(&stack));
        give(&stack, older, EIGHT);
        give(&stack, younger, EIGHT);
        assert_eq!((REPORTS.load(Ordering::Relaxed), stack.used()), (3, 0), "late, not lost");
    }
}
