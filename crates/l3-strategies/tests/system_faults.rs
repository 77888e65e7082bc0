//! System when the kernel refuses: an error is returned, nothing is lost. One test: the armed calls are the process's.
#![cfg(any(target_os = "linux", windows))]

use core::alloc::Layout;

use stratalloc_platform::fault::{self, Call};
use stratalloc_platform::{page, vm};
use stratalloc_resource::{Alignment, AllocError, Collect, MemoryResource};
use stratalloc_strategies::system::System;

#[test]
fn refusals_of_the_kernel_lose_nothing() {
    let layout = Layout::from_size_align(100_000, 1).unwrap();
    let len = 100_000_usize.next_multiple_of(page::size());

    fault::arm(Call::Map, 1, 1);
    assert_eq!(System.allocate(layout), Err(AllocError::OutOfMemory));
    fault::disarm();

    let block = System.allocate(layout).unwrap();
    // SAFETY: live.
    unsafe { block.as_ptr().write_bytes(9, len) };
    // Neither moving pages nor moving bytes works: the block stays.
    fault::arm(Call::Remap, 1, 1);
    fault::arm(Call::Map, 1, 1);
    // SAFETY: live.
    let refused = unsafe { System.reallocate(block, 1 << 20, Alignment::ONE) };
    assert_eq!(refused, Err(AllocError::OutOfMemory));
    // Only moving pages does not work: bytes move.
    fault::arm(Call::Remap, 1, 1);
    // SAFETY: live.
    let block = unsafe { System.reallocate(block, 1 << 20, Alignment::ONE) }.unwrap();
    // SAFETY: live, and so many bytes were written.
    let bytes = unsafe { core::slice::from_raw_parts(block.as_ptr(), len) };
    assert!(bytes.iter().all(|&byte| byte == 9));
    fault::disarm();

    // Three ranges that the kernel keeps: parked, without their pages but the first.
    let others = [(); 2].map(|()| System.allocate(layout).unwrap());
    fault::arm(Call::Unmap, 1, 3);
    for block in [block, others[0], others[1]] {
        // SAFETY: live.
        unsafe { System.deallocate(block, Alignment::ONE) };
    }
    assert_eq!(System::parked(), (1 << 20) + 2 * len);
    // SAFETY: mapped still; only asked about.
    assert_eq!(unsafe { vm::resident(block.as_non_null(), 1 << 20) }, Ok(page::size()));

    // Refused again once, then gone; and a request that fails tries by itself.
    fault::arm(Call::Unmap, 1, 1);
    assert!(System.collect() > 0);
    assert_ne!(System::parked(), 0);
    fault::arm(Call::Map, 1, 1);
    let block = System.allocate(layout).unwrap();
    assert_eq!((System::parked(), System.collect()), (0, 0));
    fault::disarm();
    let is_mapped = || {
        // SAFETY: only asked about.
        unsafe { vm::resident(block.as_non_null(), len) }.is_ok()
    };
    assert!(is_mapped());
    // SAFETY: live.
    unsafe { System.deallocate(block, Alignment::ONE) };
    assert!(!is_mapped(), "what is released goes back to the kernel");
}
