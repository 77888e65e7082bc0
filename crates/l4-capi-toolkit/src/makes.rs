//! How each strategy is made by a configuration.

use core::mem::MaybeUninit;

use stratalloc_resource::Alignment;
use stratalloc_resource::abi::ErrorCode;
use stratalloc_strategies::pool::PoolConfig;
use stratalloc_strategies::slab::SlabConfig;

use crate::config::Config;
use crate::strategies::{Buddy, ChunkTlsf, Frame, GrowingPool, GrowingSlab, Pool, Slab, Stack, Tlsf};
use crate::strategy::{Make, Room};
use crate::upstream::Upstream;

/// What a chunk of a growing TLSF has, where the program does not say.
const TLSF_CHUNK: usize = 64 * 1024;

impl Make for Frame {
    const ROOM: Room = Room::Optional;

    fn make(config: &Config, memory: &'static mut [MaybeUninit<u8>]) -> Result<Self, ErrorCode> {
        if !config.names_no_blocks() || config.chunk_size != 0 {
            return Err(ErrorCode::INVALID_ARGUMENT);
        }
        Ok(Self::over_then(memory, Upstream(config.upstream)))
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
