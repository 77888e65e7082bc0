//! The strategies for one thread at a time, as C sees them.

use stratalloc_resource::abi::{RawUsage, ResourceV1, UNKNOWN};
use stratalloc_resource::{Alignment, Collect, MemoryBlock, MemoryResource, Owns, Validate};
use stratalloc_strategies::buddy;
use stratalloc_strategies::frame::{self, Counted};
use stratalloc_strategies::pool::{self, PoolUsage};
use stratalloc_strategies::slab;
use stratalloc_strategies::stack::{self, AnyOrder, StackMarker};
use stratalloc_strategies::tlsf::{self, GrowingTlsf, TlsfUsage};
use stratalloc_strategies::{Inspect, MisuseKind};

use crate::config::Looks;
use crate::strategy::{Positions, Strategy, look};
use crate::table::{collecting, plain, with_positions};
use crate::upstream::Upstream;

pub(crate) type Frame = frame::Frame<'static, Counted, Upstream>;
pub(crate) type Stack = stack::Stack<'static, AnyOrder>;
pub(crate) type Pool = pool::Pool<'static>;
pub(crate) type GrowingPool = pool::Pool<'static, Upstream>;
pub(crate) type Slab = slab::Slab<'static>;
pub(crate) type GrowingSlab = slab::Slab<'static, Upstream>;
// 32 bins a row, which fit the bytes that the header promises (STRATALLOC_TLSF_STATE); Rust's default has twice as many.
pub(crate) type Tlsf = tlsf::Tlsf<'static, 24, 32>;
pub(crate) type ChunkTlsf = GrowingTlsf<Upstream, 24, 32>;
pub(crate) type Buddy = buddy::Buddy<'static>;

/// How a quick look finds blocks that are not the resource's.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quick {
    /// By address: there is one range, or few.
    Address,
    /// Not at all: there may be any number of chunks.
    Nothing,
    /// As a close look: that takes no longer.
    Everything,
}

/// The part of [`Strategy`] that is written alike for all.
macro_rules! strategy {
    ($type:ty, $quick:expr, $table:expr, |$this:ident| $usage:expr, |$for_collect:ident| $collect:expr) => {
        impl Strategy for $type {
            fn table() -> &'static ResourceV1 {
                static TABLE: ResourceV1 = $table;
                &TABLE
            }

            fn owns(&self, address: *const u8) -> bool {
                Owns::owns(self, address)
            }

            fn look(&self, block: MemoryBlock, align: Alignment, close: bool) -> Result<(), MisuseKind> {
                match $quick {
                    Quick::Everything => self.inspect(block, align),
                    Quick::Nothing if !close => Ok(()),
                    _ => look(self, block, align, close),
                }
            }

            unsafe fn usage(&self) -> RawUsage {
                let $this = self;
                $usage
            }

            fn is_valid(&self) -> bool {
                self.validate().is_ok()
            }

            fn collect(&self) -> usize {
                let $for_collect = self;
                $collect
            }
        }
    };
}

strategy!(
    Frame,
    Quick::Address,
    with_positions::<Frame>(collecting::<Frame>()),
    |frame| RawUsage {
        used: frame.used(),
        peak: frame.peak(),
        reserved: frame.reserved(),
        live_blocks: frame.count(),
        largest_free: frame.remaining(),
        ..RawUsage::UNKNOWN
    },
    |frame| Collect::collect(frame)
);

// Its order is what is asked for, and so looked at here: not of a resize, which may be of any block.
impl Strategy for Stack {
    fn table() -> &'static ResourceV1 {
        static TABLE: ResourceV1 = with_positions::<Stack>(plain::<Stack>());
        &TABLE
    }

    fn owns(&self, address: *const u8) -> bool {
        Owns::owns(self, address)
    }

    fn look(&self, block: MemoryBlock, align: Alignment, close: bool) -> Result<(), MisuseKind> {
        look(self, block, align, close)
    }

    fn admit(&self, block: MemoryBlock, align: Alignment, looks: Looks) -> Result<(), MisuseKind> {
        self.look(block, align, looks.close)?;
        if looks.order && !self.is_top(block.as_non_null()) { Err(MisuseKind::OutOfOrder) } else { Ok(()) }
    }

    unsafe fn usage(&self) -> RawUsage {
        let capacity = self.info().capacity.unwrap_or(UNKNOWN);
        RawUsage {
            used: self.used(),
            peak: self.peak(),
            reserved: capacity,
            live_blocks: self.depth() - self.waiting(),
            largest_free: capacity - self.used(),
            ..RawUsage::UNKNOWN
        }
    }

    fn is_valid(&self) -> bool {
        self.validate().is_ok()
    }
}

strategy!(Pool, Quick::Address, plain::<Pool>(), |pool| blocks(&pool.usage(), pool.block_len()), |_pool| 0);
strategy!(
    GrowingPool,
    Quick::Nothing,
    plain::<GrowingPool>(),
    |pool| blocks(&pool.usage(), pool.block_len()),
    |_pool| 0
);
strategy!(Slab, Quick::Nothing, collecting::<Slab>(), |slab| slab_blocks(slab), |slab| Collect::collect(
    slab
));
strategy!(GrowingSlab, Quick::Nothing, collecting::<GrowingSlab>(), |slab| slab_blocks(slab), |slab| {
    Collect::collect(slab)
});
strategy!(Tlsf, Quick::Address, plain::<Tlsf>(), |heap| bins(&heap.usage()), |_heap| 0);
strategy!(ChunkTlsf, Quick::Nothing, collecting::<ChunkTlsf>(), |heap| bins(&heap.usage()), |heap| {
    Collect::collect(heap)
});
strategy!(
    Buddy,
    Quick::Everything,
    plain::<Buddy>(),
    |buddy| {
        let usage = buddy.usage();
        RawUsage {
            used: usage.used,
            reserved: usage.total,
            live_blocks: usage.live_blocks,
            largest_free: usage.largest_free,
            ..RawUsage::UNKNOWN
        }
    },
    |_buddy| 0
);

/// A pool's figures in bytes.
pub(crate) fn blocks(usage: &PoolUsage, len: usize) -> RawUsage {
    let free = usage.total - usage.live;
    RawUsage {
        used: usage.live * len,
        reserved: usage.total * len,
        live_blocks: usage.live,
        largest_free: if free == 0 { 0 } else { len },
        ..RawUsage::UNKNOWN
    }
}

fn slab_blocks<U: MemoryResource>(slab: &slab::Slab<'static, U>) -> RawUsage {
    let slab::SlabUsage { live, free, fresh, total, .. } = slab.usage();
    blocks(&PoolUsage { live, free, fresh, total }, slab.block_len())
}

fn bins(usage: &TlsfUsage) -> RawUsage {
    RawUsage {
        used: usage.used,
        reserved: usage.total,
        live_blocks: usage.live_blocks,
        largest_free: usage.largest_free,
        ..RawUsage::UNKNOWN
    }
}

impl Positions for Frame {
    type Marker = frame::Marker;

    fn mark(&self) -> frame::Marker {
        self.marker()
    }

    fn vouches_for(&self, marker: &frame::Marker) -> bool {
        Self::vouches_for(self, marker)
    }

    unsafe fn rewind(&self, marker: frame::Marker) {
        // SAFETY: this function's contract.
        unsafe { Self::rewind(self, marker) };
    }

    fn reset(&mut self) {
        Self::reset(self);
    }
}

impl Positions for Stack {
    type Marker = StackMarker;

    fn mark(&self) -> StackMarker {
        self.marker()
    }

    fn vouches_for(&self, marker: &StackMarker) -> bool {
        Self::vouches_for(self, marker)
    }

    unsafe fn rewind(&self, marker: StackMarker) {
        // SAFETY: this function's contract.
        unsafe { Self::rewind(self, marker) };
    }

    fn reset(&mut self) {
        Self::reset(self);
    }
}
