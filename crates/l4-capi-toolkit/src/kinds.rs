//! `stratalloc_…_create` and `stratalloc_…_destroy`, for each kind. What they do is described in the header.

use core::ptr::{self, NonNull};

use stratalloc_resource::abi::{ErrorCode, RawResource};

use crate::config::RawConfig;
use crate::lock_free::LockFree;
use crate::made::{Made, create, destroy};
use crate::strategies::{Buddy, ChunkTlsf, Frame, GrowingPool, GrowingSlab, Pool, Slab, Stack, Tlsf};
use crate::strategy::Strategy;

/// Whether a resource is one of this type, made by this library.
///
/// # Safety
///
/// `raw` is null or leads to a resource.
unsafe fn is<S: Strategy>(raw: *const RawResource) -> bool {
    // SAFETY: this function's contract.
    !raw.is_null() && ptr::eq(unsafe { (*raw).table }, S::table())
}

/// Ends a resource if it is one of this type.
///
/// # Safety
///
/// `raw` is null or leads to a resource, which is not used any more, nor are its blocks.
unsafe fn end<S: Strategy>(raw: *mut RawResource) -> Option<ErrorCode> {
    // SAFETY: this function's contract.
    if !unsafe { is::<S>(raw) } {
        return None;
    }
    // SAFETY: made by this library, of this type: its table says so.
    Some(unsafe { destroy::<S>(raw) })
}

/// Whether a configuration names memory of the caller's.
///
/// # Safety
///
/// `config` is null or valid for reads of the `size` that it states.
unsafe fn names_memory(config: *const RawConfig) -> bool {
    let Some(config) = NonNull::new(config.cast_mut()) else { return false };
    // SAFETY: the first word is the size.
    let size = unsafe { config.cast::<u32>().read() } as usize;
    // SAFETY: as long as that: this function's contract.
    size >= size_of::<RawConfig>() && !unsafe { config.read() }.memory.is_null()
}

/// The two functions of a kind: over the caller's memory it is the first type, else the second.
macro_rules! kind {
    ($create:ident, $destroy:ident, $over:ty, $growing:ty) => {
        /// Makes a resource of this kind; see the header.
        ///
        /// # Safety
        ///
        /// As the header says of configurations; `out` is null or a place for a pointer.
        #[unsafe(no_mangle)]
        pub(crate) unsafe extern "C" fn $create(
            config: *const RawConfig,
            out: *mut *mut RawResource,
        ) -> ErrorCode {
            // SAFETY: this function's contract.
            if unsafe { names_memory(config) } {
                // SAFETY: as above.
                unsafe { create::<$over>(config, out) }
            } else {
                // SAFETY: as above.
                unsafe { create::<$growing>(config, out) }
            }
        }

        /// Ends a resource of this kind; see the header.
        ///
        /// # Safety
        ///
        /// `raw` is null or leads to a resource, which is not used any more, nor are its blocks.
        #[unsafe(no_mangle)]
        pub(crate) unsafe extern "C" fn $destroy(raw: *mut RawResource) -> ErrorCode {
            if raw.is_null() {
                return ErrorCode::OK;
            }
            // SAFETY: this function's contract.
            let ended = unsafe { end::<$over>(raw) };
            // SAFETY: as above; it was not ended above.
            let ended = ended.or_else(|| unsafe { end::<$growing>(raw) });
            ended.unwrap_or(ErrorCode::WRONG_KIND)
        }
    };
}

kind!(stratalloc_frame_create, stratalloc_frame_destroy, Frame, Frame);
kind!(stratalloc_stack_create, stratalloc_stack_destroy, Stack, Stack);
kind!(stratalloc_pool_create, stratalloc_pool_destroy, Pool, GrowingPool);
kind!(stratalloc_lock_free_pool_create, stratalloc_lock_free_pool_destroy, LockFree, LockFree);
kind!(stratalloc_slab_create, stratalloc_slab_destroy, Slab, GrowingSlab);
kind!(stratalloc_tlsf_create, stratalloc_tlsf_destroy, Tlsf, ChunkTlsf);
kind!(stratalloc_buddy_create, stratalloc_buddy_destroy, Buddy, Buddy);

/// Gives a block of a pool back from any thread; see the header.
///
/// # Safety
///
/// `raw` is null or leads to a resource; `start` is null or a live block of it, which nobody uses any more.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn stratalloc_pool_return(raw: *mut RawResource, start: *mut u8) -> ErrorCode {
    let Some(start) = NonNull::new(start) else { return ErrorCode::OK };
    // SAFETY: this function's contract.
    if unsafe { is::<Pool>(raw) } {
        // SAFETY: of this type, which its table says; the owner's thread has shared references only, but for the end.
        let (pool, _) = unsafe { Made::<Pool>::at(raw) };
        // SAFETY: a live block: this function's contract.
        unsafe { pool.remote().give(start) };
        return ErrorCode::OK;
    }
    // SAFETY: as above.
    if unsafe { is::<GrowingPool>(raw) } {
        // SAFETY: as above.
        let (pool, _) = unsafe { Made::<GrowingPool>::at(raw) };
        // SAFETY: as above.
        unsafe { pool.remote().give(start) };
        return ErrorCode::OK;
    }
    ErrorCode::WRONG_KIND
}
