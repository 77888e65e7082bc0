//! Partitions when the kernel refuses: an error is returned, nothing is lost. One test: the armed calls are the process's.
#![cfg(any(target_os = "linux", windows))]

use core::alloc::Layout;

use stratalloc_platform::fault::{self, Call};
use stratalloc_resource::{Alignment, AllocError, MemoryResource, Validate};
use stratalloc_strategies::partition::{Partition, PartitionConfig, PartitionRange};

#[test]
fn refusals_of_the_kernel_lose_nothing() {
    let config = PartitionConfig::new(1 << 20);
    // The bitmap's mapping and the range's own.
    for nth in 1..=2 {
        fault::arm(Call::Map, nth, 1);
        assert_eq!(PartitionRange::new(config).err(), Some(AllocError::OutOfMemory));
    }
    fault::disarm();

    let range = PartitionRange::new(config).unwrap();
    let layout = Layout::from_size_align(100_000, 1).unwrap();
    fault::arm(Call::Protect, 1, 1);
    assert_eq!(range.allocate(layout), Err(AllocError::OutOfMemory));
    assert_eq!(range.validate(), Ok(()));
    let block = range.allocate(layout).unwrap();
    // SAFETY: live.
    unsafe { block.as_ptr().write_bytes(5, block.len()) };

    // Neither decommitted nor purged: the pages keep their bytes, and zeroed requests are zeroed by hand from then on.
    fault::arm(Call::Map, 1, 1);
    fault::arm(Call::Advise, 1, 1);
    // SAFETY: live.
    unsafe { range.deallocate(block, Alignment::ONE) };
    fault::disarm();
    assert_eq!(range.validate(), Ok(()));
    let zeroed = range.allocate_zeroed(layout).unwrap();
    assert_eq!(zeroed.address(), block.address());
    // SAFETY: live.
    let bytes = unsafe { core::slice::from_raw_parts(zeroed.as_ptr(), zeroed.len()) };
    assert!(bytes.iter().all(|&byte| byte == 0));

    // A partition that cannot grow says why, and goes on.
    let partition = Partition::general(config).unwrap();
    fault::arm(Call::Protect, 1, usize::MAX);
    assert_eq!(partition.allocate(layout), Err(AllocError::OutOfMemory));
    fault::disarm();
    partition.allocate(layout).unwrap();
    assert_eq!(partition.validate(), Ok(()));

    // Addresses that the kernel does not take back stay reserved, without memory.
    let pages = range.pages();
    // SAFETY: live.
    unsafe { zeroed.as_ptr().write_bytes(5, zeroed.len()) };
    fault::arm(Call::Unmap, 1, usize::MAX);
    drop(range);
    fault::disarm();
    // SAFETY: the range that the kernel kept: only asked about.
    assert_eq!(unsafe { stratalloc_platform::vm::resident(pages.as_non_null(), pages.len()) }, Ok(0));
}
