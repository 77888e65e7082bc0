//! A heap that damages one block in many must not get a workload's right checksum.
//!
//! The test starts itself again with a broken allocator switched on; the child may fail, crash or end with another
//! checksum, but not end well with the same one. Not covered: `pairs-*`, whose only block lives for nanoseconds and is
//! never alive while another allocation happens.

use bench_workloads::{Task, WORKLOADS, find};
use std::alloc::{GlobalAlloc, Layout, System};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering::Relaxed};

/// Overwrites the block that it handed out last at every twentieth allocation, if that block still lives.
struct Damaging;

static ARMED: AtomicBool = AtomicBool::new(false);
static TURN: AtomicUsize = AtomicUsize::new(0);
static LAST: AtomicPtr<u8> = AtomicPtr::new(std::ptr::null_mut());
static LAST_SIZE: AtomicUsize = AtomicUsize::new(0);

impl Damaging {
    fn handed_out(block: *mut u8, size: usize) -> *mut u8 {
        if ARMED.load(Relaxed) {
            let last = LAST.swap(block, Relaxed);
            let last_size = LAST_SIZE.swap(size, Relaxed);
            if !last.is_null() && TURN.fetch_add(1, Relaxed) % 20 == 10 {
                // SAFETY: the block lives, or `forget` would have cleared it; losing its contents is what is tested.
                unsafe { last.write_bytes(0x3c, last_size) };
            }
        }
        block
    }

    fn forget(block: *mut u8) {
        let _ = LAST.compare_exchange(block, std::ptr::null_mut(), Relaxed, Relaxed);
    }
}

// SAFETY: not safe at all, on purpose; only the child process of this test arms it.
unsafe impl GlobalAlloc for Damaging {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract is the same.
        Self::handed_out(unsafe { System.alloc(layout) }, layout.size())
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        Self::forget(block);
        // SAFETY: the caller's contract is the same.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        Self::forget(block);
        // SAFETY: the caller's contract is the same.
        Self::handed_out(unsafe { System.realloc(block, layout, size) }, size)
    }
}

#[global_allocator]
static GLOBAL: Damaging = Damaging;

const CHILD: &str = "BENCH_DAMAGE";
const SCALE: u64 = 50;

/// The fewest threads: damage done by another thread would be a data race of the test's own.
fn run(name: &str) -> u64 {
    let workload = find(name).expect("a known workload");
    (workload.run)(Task::new(workload.threads[0], SCALE)).checksum
}

#[test]
fn damage_is_noticed() {
    if let Ok(name) = std::env::var(CHILD) {
        ARMED.store(true, Relaxed);
        let checksum = run(&name);
        ARMED.store(false, Relaxed);
        println!("checksum {checksum:016x}");
        return;
    }
    let this = std::env::current_exe().expect("the test's own path");
    for workload in WORKLOADS.iter().filter(|workload| !workload.name.starts_with("pairs")) {
        let right = format!("checksum {:016x}", run(workload.name));
        // A damaged table may be searched for ever: the kernel ends the child after some seconds of CPU time.
        let child = Command::new("sh")
            .args(["-c", "ulimit -t 10; ulimit -c 0; exec \"$0\" --nocapture damage_is_noticed"])
            .arg(&this)
            .env(CHILD, workload.name)
            .output()
            .expect("the test starts itself");
        let said = String::from_utf8_lossy(&child.stdout);
        assert!(
            !(child.status.success() && said.contains(&right)),
            "{}: a damaged heap got the right checksum",
            workload.name
        );
    }
}
