//! The feature `checked` reaches every crate that knows it: a block that is not to be released ends the process with a report, also
//! without debug assertions. (What is recognised is in the tests of those crates.)
#![allow(missing_docs, clippy::std_instead_of_alloc, reason = "a test, with std")]
// A fast build trusts its callers.
#![cfg(any(debug_assertions, feature = "checked"))]

use core::alloc::Layout;
use core::mem::MaybeUninit;
use std::process::Command;

use stratalloc::modifiers::ThreadCached;
use stratalloc::strategies::pool::{Pool, PoolConfig};
use stratalloc::strategies::system::System;
use stratalloc::{Alignment, MemoryBlock, MemoryResource, SmallObject};

/// Names the case that a child runs.
const CASE: &str = "STRATALLOC_CHECKED_CASE";
const LAYOUT: Layout = Layout::new::<[u64; 4]>();

/// Hands a block back.
fn give(resource: &impl MemoryResource, block: MemoryBlock) {
    // SAFETY: not given; that is what the cases are about.
    unsafe { resource.deallocate(block, Alignment::from_layout(LAYOUT)) };
}

fn strategies() {
    let mut memory = [MaybeUninit::uninit(); 1000];
    let pool = Pool::over(PoolConfig::of::<[u64; 4]>(), &mut memory).unwrap();
    let block = pool.allocate(LAYOUT).unwrap();
    (0..2).for_each(|_| give(&pool, block));
}

fn modifiers() {
    let cached = ThreadCached::new(System);
    let handle = cached.handle();
    let block = handle.allocate(LAYOUT).unwrap();
    (0..2).for_each(|_| give(&handle, block));
}

fn heap() {
    let small = SmallObject::new().unwrap();
    let mut elsewhere = [0_u64; 4];
    let block = MemoryBlock::new(core::ptr::NonNull::from_mut(&mut elsewhere).cast(), LAYOUT.size());
    give(&small, block);
}

const CASES: [(&str, fn(), &str); 3] = [
    ("strategies", strategies, "is released, but not live"),
    ("modifiers", modifiers, "is released, but was released before"),
    ("heap", heap, "is released here, but came from elsewhere"),
];

#[test]
fn child() {
    let Ok(name) = std::env::var(CASE) else { return };
    let (_, run, _) = CASES.into_iter().find(|case| case.0 == name).expect("the parent names a case");
    run();
    println!("nothing was noticed");
}

#[test]
#[cfg_attr(miri, ignore = "starts processes")]
fn every_crate_reports() {
    for (name, _, report) in CASES {
        let arguments = ["--exact", "child", "--nocapture"];
        let mut program = Command::new(std::env::current_exe().unwrap());
        let output = program.args(arguments).env(CASE, name).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(report), "{name}: {}, {said}", output.status);
    }
}
