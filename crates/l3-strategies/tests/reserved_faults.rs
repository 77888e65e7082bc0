//! Reserved ranges when the kernel refuses. One test: the armed calls are the process's.
#![cfg(any(target_os = "linux", windows))]

use core::alloc::Layout;

use stratalloc_platform::fault::{self, Call};
use stratalloc_platform::vm;
use stratalloc_resource::{AllocError, Collect, MemoryResource, Validate};
use stratalloc_strategies::reserved::ReservedRange;

#[test]
fn refusals_of_the_kernel_lose_addresses_at_most() {
    fault::arm(Call::Map, 1, 1);
    assert_eq!(ReservedRange::new(1 << 20).err(), Some(AllocError::OutOfMemory));
    fault::disarm();

    let range = ReservedRange::new(1 << 20).unwrap();
    let layout = Layout::from_size_align(100_000, 1).unwrap();
    fault::arm(Call::Protect, 1, 1);
    assert_eq!(range.allocate(layout), Err(AllocError::OutOfMemory));
    fault::disarm();
    assert_eq!((range.validate(), range.committed()), (Ok(()), 0));

    let block = range.allocate(layout).unwrap();
    // SAFETY: live.
    unsafe { block.as_ptr().write_bytes(5, block.len()) };
    fault::arm(Call::Map, 1, 1);
    assert_eq!(range.collect(), 0, "nothing goes back that the kernel does not take");
    fault::disarm();
    assert_eq!(range.validate(), Ok(()));

    // Addresses that the kernel does not take back stay reserved, without memory; also if it only purges.
    fault::arm(Call::Unmap, 1, 1);
    fault::arm(Call::Map, 1, 1);
    let (start, len) = (block.as_non_null(), range.len());
    drop(range);
    fault::disarm();
    // SAFETY: the range that the kernel kept: only asked about.
    assert_eq!(unsafe { vm::resident(start, len) }, Ok(0));

    let range = ReservedRange::new(1 << 20).unwrap();
    let block = range.allocate(layout).unwrap();
    // SAFETY: live.
    unsafe { block.as_ptr().write_bytes(5, block.len()) };
    let start = block.as_non_null();
    fault::arm(Call::Unmap, 1, 1);
    fault::arm(Call::Advise, 1, 1);
    drop(range);
    fault::disarm();
    // SAFETY: as above.
    assert_eq!(unsafe { vm::resident(start, len) }, Ok(0), "decommitted");
}
