//! A region shared by processes: here by two mappings in one.

use core::alloc::Layout;

use proptest::prelude::*;
use stratalloc_resource::{Alignment, MemoryResource, Owns, Validate};
use stratalloc_strategies::shared_region::SharedRegion;

use crate::input::Input;
use crate::{run_beside, settle};

/// Any length; operations through one mapping, messages and other blocks through another one.
pub fn shared_region(data: &[u8]) {
    const QUEUES: usize = 32;
    let mut input = Input::new(data);
    let bytes = input.number(5_500..400_000);
    let ops = input.ops(20_000);
    let Ok(region) = SharedRegion::create(c"fuzz", bytes) else { return };
    let other = region.descriptor().and_then(|descriptor| SharedRegion::attach_descriptor(descriptor).ok());
    let other = other.expect("the region that was just made");
    let mut held = Vec::new();
    let mut special = |choice: usize| match choice % 4 {
        0 => {
            if let Ok(message) = other.message(choice) {
                message.send(choice % QUEUES);
            }
        }
        1 => held.extend(other.receive(choice % QUEUES)),
        2 => held.extend(other.message(choice)),
        _ => held.truncate(choice % 3),
    };
    settle(run_beside(
        &region,
        &ops,
        |_, choice| {
            special(choice);
            Ok(())
        },
        |shadow| {
            prop_assert!(region.usage().live_blocks >= shadow.len() as u64);
            prop_assert!(
                shadow.blocks().all(|live| region.owns(live.block.as_ptr())),
                "a live block is denied"
            );
            prop_assert!(shadow.blocks().all(|live| !other.owns(live.block.as_ptr())));
            other.validate().map_err(|violation| TestCaseError::fail(violation.to_string()))
        },
    ));
    drop(held);
    (0..QUEUES).for_each(|queue| while region.receive(queue).is_some() {});
    assert_eq!(region.usage().live_blocks, 0, "blocks are left");
    let whole =
        Layout::from_size_align(region.info().max_size.expect("it has a limit"), 1).expect("a layout");
    let block = region.allocate(whole).expect("everything merged");
    // SAFETY: live.
    unsafe { region.deallocate(block, Alignment::ONE) };
}
