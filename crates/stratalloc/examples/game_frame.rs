//! The memory of a game: what lives for one frame comes from a `Frame` over the heap, a level's assets from another one, over a TLSF heap
//! of a fixed size and, for what does not fit there, the operating system.
//!
//! `cargo run --release --example game_frame`

use core::fmt;
use core::mem::MaybeUninit;
use std::time::Instant;

use stratalloc::modifiers::{Counted, Fallback};
use stratalloc::strategies::frame::{Frame, Speed};
use stratalloc::strategies::system::System;
use stratalloc::strategies::tlsf::Tlsf;
use stratalloc::{AllocError, ProcessHeap};

const FRAMES: u16 = 2000;
const ENTITIES: usize = 500;
const ASSET_MEMORY: usize = 4 << 20;

/// What an entity wants drawn.
#[derive(Clone, Copy)]
struct DrawCall {
    mesh: usize,
    depth: f32,
}

/// One frame: its draw calls, sorted, and a line of text; all of it dies at the reset.
fn render<'a>(
    frame: &'a Frame<'_, Speed, ProcessHeap>,
    number: u16,
) -> Result<(&'a [DrawCall], &'a str), AllocError> {
    let calls = frame.try_alloc_slice_fill_with(ENTITIES, |entity| {
        let mesh = ((usize::from(number) * 31) ^ entity) % ENTITIES;
        DrawCall { mesh, depth: f32::from(u16::try_from(mesh).unwrap_or(u16::MAX)) }
    })?;
    calls.sort_by(|a, b| a.depth.total_cmp(&b.depth));
    let title = frame.try_alloc_fmt(format_args!("frame {number}: {} calls", calls.len()))?;
    Ok((calls, title))
}

fn run(out: &mut impl fmt::Write) -> Result<(), Box<dyn core::error::Error>> {
    // Assets: a heap over memory of a fixed size, and the operating system behind it.
    let mut memory = vec![MaybeUninit::uninit(); ASSET_MEMORY];
    let own: Tlsf<'_> = Tlsf::over(&mut memory)?;
    let assets = Counted::new(Fallback::new(own, System));
    let level: Frame<'_, Speed, &_> = Frame::growing(&assets);
    let mut meshes = Vec::new();
    for asset in 0_u8..96 {
        meshes.push(&*level.try_alloc_slice_fill_with(16 << 10 << (asset % 4), |_| asset)?);
    }
    let (inside, counts) = (assets.inner().first().usage(), assets.counts());
    writeln!(
        out,
        "{} assets in {} blocks, {} KiB:",
        meshes.len(),
        counts.live_blocks(),
        counts.live_bytes >> 10
    )?;
    writeln!(
        out,
        "  {} KiB of them in the game's own {} KiB, the rest from the system",
        inside.used >> 10,
        ASSET_MEMORY >> 10
    )?;

    // Frames: the first one grows the arena, the others find it.
    let mut frame: Frame<'_, Speed, ProcessHeap> = Frame::growing(ProcessHeap);
    let (start, mut drawn) = (Instant::now(), 0_u64);
    for number in 0..FRAMES {
        let (calls, title) = render(&frame, number)?;
        drawn += calls.iter().map(|call| u64::from(meshes[call.mesh % meshes.len()][0])).sum::<u64>();
        drawn += title.len() as u64;
        frame.reset();
    }
    writeln!(out, "{FRAMES} frames in {:.1?} each, sum {drawn}:", start.elapsed() / u32::from(FRAMES))?;
    writeln!(
        out,
        "  at most {} KiB in a frame, {} KiB reserved once",
        frame.peak() >> 10,
        frame.reserved() >> 10
    )?;
    Ok(())
}

fn main() -> Result<(), Box<dyn core::error::Error>> {
    let mut text = String::new();
    run(&mut text)?;
    print!("{text}");
    Ok(())
}
