//! The functions as a program calls them, from Rust: where the conformance kit and a model are at hand.
//!
//! Not covered here: what C's types, compilers and linkers make of the header, which is in `tests/capi/toolkit.sh`. (These builds have debug
//! assertions, so every resource is a checked one; quick looks are tested there, too.)

mod answers;
mod conformance;
mod header;
mod lock_free;
mod markers;
mod misuse;

use core::mem::MaybeUninit;
use core::ptr::{self, NonNull};

use stratalloc_resource::abi::{ErrorCode, ForeignResource, RawResource};

use crate::config::RawConfig;
use crate::kinds;

type Create = unsafe extern "C" fn(*const RawConfig, *mut *mut RawResource) -> ErrorCode;
type Destroy = unsafe extern "C" fn(*mut RawResource) -> ErrorCode;

/// A kind as the header has it.
#[derive(Clone, Copy)]
struct Kind {
    name: &'static str,
    create: Create,
    destroy: Destroy,
    /// Of blocks of one size, else 0.
    block_size: usize,
    /// What it asks upstream for at once; 0 if it asks for chunks.
    room: usize,
}

const KINDS: [Kind; 7] = {
    const fn kind(name: &'static str, functions: (Create, Destroy), block_size: usize, room: usize) -> Kind {
        Kind { name, create: functions.0, destroy: functions.1, block_size, room }
    }
    use kinds::*;
    const ROOM: usize = 1 << 18;
    [
        kind("frame", (stratalloc_frame_create, stratalloc_frame_destroy), 0, 0),
        kind("stack", (stratalloc_stack_create, stratalloc_stack_destroy), 0, ROOM),
        kind("pool", (stratalloc_pool_create, stratalloc_pool_destroy), 500, 0),
        kind(
            "lock-free pool",
            (stratalloc_lock_free_pool_create, stratalloc_lock_free_pool_destroy),
            500,
            ROOM,
        ),
        kind("slab", (stratalloc_slab_create, stratalloc_slab_destroy), 500, 0),
        kind("tlsf", (stratalloc_tlsf_create, stratalloc_tlsf_destroy), 0, 0),
        kind("buddy", (stratalloc_buddy_create, stratalloc_buddy_destroy), 0, ROOM),
    ]
};

impl Kind {
    /// A configuration for one that takes its memory from the system.
    fn config(&self) -> RawConfig {
        RawConfig { block_size: self.block_size, memory_size: self.room, ..RawConfig::EMPTY }
    }

    /// The same over `memory`.
    fn over(&self, memory: &mut [MaybeUninit<u8>]) -> RawConfig {
        RawConfig { memory: memory.as_mut_ptr(), memory_size: memory.len(), ..self.config() }
    }

    fn make(&self, config: &RawConfig) -> Made {
        let mut raw = ptr::null_mut();
        // SAFETY: the callers' memory outlives what is made, and nobody else uses it.
        let code = unsafe { (self.create)(config, &raw mut raw) };
        assert_eq!(code, ErrorCode::OK, "{}", self.name);
        Made { raw: NonNull::new(raw).unwrap(), destroy: self.destroy }
    }
}

/// A resource that ends itself.
struct Made {
    raw: NonNull<RawResource>,
    destroy: Destroy,
}

impl Made {
    fn foreign(&self) -> ForeignResource {
        // SAFETY: made by this library, and it lives as long as the test uses it.
        unsafe { ForeignResource::new(self.raw) }.unwrap()
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        // SAFETY: the test is done with it.
        assert_eq!(unsafe { (self.destroy)(self.raw.as_ptr()) }, ErrorCode::OK);
    }
}

/// Memory without contents.
fn memory(len: usize) -> Vec<MaybeUninit<u8>> {
    vec![MaybeUninit::uninit(); len]
}
