//! The strategies for one thread at a time, as C sees them.

use core::mem::MaybeUninit;

use stratalloc_resource::abi::{ErrorCode, RawUsage, ResourceV1, UNKNOWN};
use stratalloc_resource::{Alignment, Collect, MemoryBlock, MemoryResource, Owns, Validate};
use stratalloc_strategies::buddy;
use stratalloc_strategies::frame::{self, Counted};
use stratalloc_strategies::pool::{self, PoolConfig, PoolUsage};
use stratalloc_strategies::slab::{self, SlabConfig};
use stratalloc_strategies::stack::{self, AnyOrder, StackMarker};
use stratalloc_strategies::tlsf::{self, GrowingTlsf, TlsfUsage};
use stratalloc_strategies::{Inspect, MisuseKind};

use crate::config::{Config, Looks};
use crate::strategy::{Make, Positions, Room, Strategy, look};
use crate::table::{collecting, plain, with_positions};
use crate::upstream::Upstream;

pub(crate) type Frame = frame::Frame<'static, Counted, Upstream>;
pub(crate) type Stack = stack::Stack<'static, AnyOrder>;
pub(crate) type Pool = pool::Pool<'static>;
pub(crate) type GrowingPool = pool::Pool<'static, Upstream>;
pub(crate) type Slab = slab::Slab<'static>;
pub(crate) type GrowingSlab = slab::Slab<'static, Upstream>;
pub(crate) type Tlsf = tlsf::Tlsf<'static>;
pub(crate) type ChunkTlsf = GrowingTlsf<Upstream>;
pub(crate) type Buddy = buddy::Buddy<'static>;

/// What a chunk of a growing TLSF has, where the program does not say.
const TLSF_CHUNK: usize = 64 * 1024;

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

impl Make for Frame {
    const ROOM: Room = Room::Optional;

    fn make(config: &Config, memory: &'static mut [MaybeUninit<u8>]) -> Result<Self, ErrorCode> {
        if !config.names_no_blocks() || config.chunk_size != 0 {
            return Err(ErrorCode::INVALID_ARGUMENT);
        }
        Ok(Self::over_then(memory, Upstream(config.upstream)))
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

impl Make for Stack {
    const ROOM: Room = Room::Needed;

    fn make(config: &Config, memory: &'static mut [MaybeUninit<u8>]) -> Result<Self, ErrorCode> {
        if !config.names_no_blocks() || config.chunk_size != 0 {
            return Err(ErrorCode::INVALID_ARGUMENT);
        }
        Ok(Self::over(memory))
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

/// What the configuration says about a pool's blocks.
pub(crate) fn pool_config(config: &Config) -> Result<PoolConfig, ErrorCode> {
    if config.block_size == 0 {
        return Err(ErrorCode::INVALID_ARGUMENT);
    }
    let blocks = PoolConfig::new(config.block_size, config.block_align.unwrap_or(Alignment::MALLOC));
    let len = blocks.block_len().map_err(ErrorCode::from)?;
    let blocks = match config.chunk_size {
        0 => blocks,
        bytes => blocks.with_chunk_blocks(bytes.checked_div(len).unwrap_or(1)),
    };
    Ok(match config.max_blocks {
        0 => blocks,
        most => blocks.with_max_blocks(most),
    })
}

impl Make for Pool {
    const ROOM: Room = Room::Needed;

    fn make(config: &Config, memory: &'static mut [MaybeUninit<u8>]) -> Result<Self, ErrorCode> {
        if config.chunk_size != 0 {
            return Err(ErrorCode::INVALID_ARGUMENT);
        }
        Ok(Self::over(pool_config(config)?, memory)?)
    }
}

impl Make for GrowingPool {
    const ROOM: Room = Room::Unused;

    fn make(config: &Config, _: &'static mut [MaybeUninit<u8>]) -> Result<Self, ErrorCode> {
        Ok(Self::growing(pool_config(config)?, Upstream(config.upstream))?)
    }
}

fn slab_config(config: &Config) -> Result<SlabConfig, ErrorCode> {
    if config.block_size == 0 || config.max_blocks != 0 {
        return Err(ErrorCode::INVALID_ARGUMENT);
    }
    let blocks = SlabConfig::new(config.block_size, config.block_align.unwrap_or(Alignment::MALLOC));
    Ok(if config.chunk_size == 0 { blocks } else { blocks.with_slab_bytes(config.chunk_size) })
}

impl Make for Slab {
    const ROOM: Room = Room::Needed;

    fn make(config: &Config, memory: &'static mut [MaybeUninit<u8>]) -> Result<Self, ErrorCode> {
        Ok(Self::over(slab_config(config)?, memory)?)
    }
}

impl Make for GrowingSlab {
    const ROOM: Room = Room::Unused;

    fn make(config: &Config, _: &'static mut [MaybeUninit<u8>]) -> Result<Self, ErrorCode> {
        Ok(Self::growing(slab_config(config)?, Upstream(config.upstream))?)
    }
}

impl Make for Tlsf {
    const ROOM: Room = Room::Needed;

    fn make(config: &Config, memory: &'static mut [MaybeUninit<u8>]) -> Result<Self, ErrorCode> {
        if !config.names_no_blocks() || config.chunk_size != 0 {
            return Err(ErrorCode::INVALID_ARGUMENT);
        }
        Ok(Self::over(memory)?)
    }
}

impl Make for ChunkTlsf {
    const ROOM: Room = Room::Unused;

    fn make(config: &Config, _: &'static mut [MaybeUninit<u8>]) -> Result<Self, ErrorCode> {
        if !config.names_no_blocks() {
            return Err(ErrorCode::INVALID_ARGUMENT);
        }
        let chunk = if config.chunk_size == 0 { TLSF_CHUNK } else { config.chunk_size };
        Ok(Self::new(Upstream(config.upstream), chunk)?)
    }
}

impl Make for Buddy {
    const ROOM: Room = Room::Needed;

    fn make(config: &Config, memory: &'static mut [MaybeUninit<u8>]) -> Result<Self, ErrorCode> {
        if !config.names_no_blocks() || config.chunk_size != 0 {
            return Err(ErrorCode::INVALID_ARGUMENT);
        }
        Ok(Self::over(memory)?)
    }
}
