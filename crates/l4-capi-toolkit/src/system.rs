//! Pages of the operating system: one resource for all, which nobody makes or ends.

use core::ptr::NonNull;

use stratalloc_resource::abi::{ErrorCode, ForeignResource, RawResource, RawUsage, ResourceV1};
use stratalloc_resource::{Alignment, Collect, MemoryBlock};
use stratalloc_strategies::system::System;
use stratalloc_strategies::{Inspect, MisuseKind};

use crate::made::Made;
use crate::strategy::Strategy;
use crate::table::collecting;

/// No system has smaller pages.
const SMALLEST_PAGE: usize = 4096;

impl Strategy for System {
    fn table() -> &'static ResourceV1 {
        &TABLE
    }

    fn owns(&self, _: *const u8) -> bool {
        false
    }

    fn look(&self, block: MemoryBlock, align: Alignment, close: bool) -> Result<(), MisuseKind> {
        if close {
            self.inspect(block, align)
        } else if block.address().is_multiple_of(SMALLEST_PAGE) {
            Ok(())
        } else {
            Err(MisuseKind::InteriorPointer)
        }
    }

    unsafe fn usage(&self) -> RawUsage {
        RawUsage::UNKNOWN
    }

    fn is_valid(&self) -> bool {
        true
    }

    fn collect(&self) -> usize {
        Collect::collect(self)
    }
}

/// The one resource.
struct Shared(Made<System>);

// SAFETY: `System` is for any number of threads, and the rest never changes.
unsafe impl Sync for Shared {}

/// It does not know its blocks, and counts nothing.
static TABLE: ResourceV1 =
    ResourceV1 { owns: None, usage: None, validate: None, destroy: None, ..collecting::<System>() };

static SYSTEM: Shared = Shared(Made::new(RawResource { table: &raw const TABLE }, System));

/// Pages of the operating system, for any number of threads; never null, never ends.
#[unsafe(no_mangle)]
extern "C" fn stratalloc_system() -> *mut RawResource {
    // Of the whole value: the functions come back from it to the rest.
    NonNull::from_ref(&SYSTEM.0).cast().as_ptr()
}

/// The same for the strategies of this library.
pub(crate) fn handle() -> Result<ForeignResource, ErrorCode> {
    let raw = NonNull::new(stratalloc_system()).ok_or(ErrorCode::INVALID_ARGUMENT)?;
    // SAFETY: a static with a table of this library; for any thread.
    unsafe { ForeignResource::new(raw) }
}

/// Whether the blocks of this resource are full of zeros when they are new.
pub(crate) fn is_fresh(raw: NonNull<RawResource>) -> bool {
    core::ptr::eq(raw.as_ptr(), stratalloc_system())
}
