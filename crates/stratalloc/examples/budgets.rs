//! Budgets: four subsystems of a game share the fast memory of a frame, each with a limit; what exceeds it goes to a heap behind.
//!
//! The type is `Fallback<Tagged<Frame>, Tlsf>`. Watch the scripts: they ask for more and more from frame to frame, and take nothing from the others.
//!
//! `cargo run --release --example budgets`

use core::alloc::Layout;
use core::fmt;
use core::mem::MaybeUninit;

use stratalloc::modifiers::{Budget, Fallback, Tagged};
use stratalloc::resource::MemoryTag;
use stratalloc::strategies::frame::Frame;
use stratalloc::strategies::tlsf::Tlsf;
use stratalloc::{Alignment, MemoryBlock, MemoryResource, Owns};

const FRAME_MEMORY: usize = 256 << 10;
const HEAP_MEMORY: usize = 128 << 10;
const FRAMES: usize = 8;
const WIDTH: usize = 32;

/// A subsystem: its tag's number, name, hard limit, and what it asks for in a frame.
struct Subsystem {
    tag: MemoryTag,
    name: &'static str,
    limit: usize,
    requests: fn(usize) -> (usize, usize),
}

// Number and size of the requests in a frame.
const SUBSYSTEMS: [Subsystem; 4] = [
    Subsystem { tag: MemoryTag::new(1), name: "render", limit: 96 << 10, requests: |_| (60, 1500) },
    Subsystem { tag: MemoryTag::new(2), name: "audio", limit: 32 << 10, requests: |_| (28, 1024) },
    Subsystem {
        tag: MemoryTag::new(3),
        name: "physics",
        limit: 64 << 10,
        requests: |frame| (400, 100 + frame % 2 * 60),
    },
    Subsystem {
        tag: MemoryTag::new(4),
        name: "scripts",
        limit: 48 << 10,
        requests: |frame| (50 * frame, 450),
    },
];

type Memory<'m> = Fallback<Tagged<Frame<'m>>, Tlsf<'m>>;

/// What one frame got from where, and what nobody had.
#[derive(Default)]
struct Spilled {
    blocks: Vec<MemoryBlock>,
    refused: usize,
    why: String,
}

/// Every subsystem asks for its memory, under its tag.
fn play(memory: &Memory<'_>, frame: usize) -> Spilled {
    let mut spilled = Spilled::default();
    for Subsystem { tag, requests, .. } in &SUBSYSTEMS {
        let _scope = memory.first().enter(*tag);
        let (count, size) = requests(frame);
        for _ in 0..count {
            let Ok(layout) = Layout::from_size_align(size, 8) else { continue };
            match memory.try_allocate(layout) {
                Ok(block) if !memory.first().owns(block.as_ptr()) => spilled.blocks.push(block),
                Ok(_) => {}
                Err(dry) => {
                    spilled.refused += 1;
                    spilled.why = dry.to_string();
                }
            }
        }
    }
    spilled
}

/// A bar of the budget: `#` is live, `.` is room.
fn bar(live: usize, limit: usize) -> String {
    let full = (live * WIDTH).div_ceil(limit).min(WIDTH);
    "#".repeat(full) + &".".repeat(WIDTH - full)
}

fn report(out: &mut impl fmt::Write, memory: &Memory<'_>, frame: usize, spilled: &Spilled) -> fmt::Result {
    writeln!(out, "frame {frame}")?;
    for usage in memory.first().usages() {
        let (live, hard) = (usage.live_bytes, usage.budget.hard);
        write!(out, "  {:8} [{}] {:5.1} of {:2} KiB", usage.name, bar(live, hard), kib(live), hard >> 10)?;
        writeln!(out, ", {:3} warnings, {:4} over budget", usage.soft_events, usage.over_budget)?;
    }
    let heap = memory.second().usage();
    writeln!(out, "  heap behind: {} blocks, {:.1} KiB", spilled.blocks.len(), kib(heap.used))?;
    if spilled.refused > 0 {
        writeln!(out, "  {} requests found nothing: {}", spilled.refused, spilled.why)?;
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn kib(bytes: usize) -> f64 {
    bytes as f64 / 1024.0
}

fn run(out: &mut impl fmt::Write) -> Result<(), Box<dyn core::error::Error>> {
    let mut fast = vec![MaybeUninit::uninit(); FRAME_MEMORY];
    let mut behind = vec![MaybeUninit::uninit(); HEAP_MEMORY];
    let mut tagged = Tagged::new(Frame::over(&mut fast));
    for Subsystem { tag, name, limit, .. } in &SUBSYSTEMS {
        // A warning at seven eighths.
        tagged = tagged.with_tag(*tag, name, Budget::UNLIMITED.with_hard(*limit).with_soft(limit / 8 * 7));
    }
    let mut memory: Memory<'_> = Fallback::new(tagged, Tlsf::over(&mut behind)?);

    for frame in 1..=FRAMES {
        let spilled = play(&memory, frame);
        if frame % 3 == 1 || frame == FRAMES {
            report(out, &memory, frame, &spilled)?;
        }
        // The frame ends: what spilled is released block by block, the rest at once.
        for block in spilled.blocks {
            // SAFETY: live, requested with this alignment, and nobody uses it any more.
            unsafe { memory.deallocate(block, Alignment::constant::<8>()) };
        }
        memory.parts_mut().0.reset_by(Frame::reset);
    }

    writeln!(out, "after {FRAMES} frames")?;
    for usage in memory.first().usages() {
        let mean = usage.allocations / FRAMES;
        write!(out, "  {:8} {:5} blocks from the frame, {mean:3} a frame", usage.name, usage.allocations)?;
        writeln!(out, ", at most {:5.1} KiB, {} live", kib(usage.peak_bytes), usage.live_blocks())?;
    }
    writeln!(out, "  heap behind: {} bytes used", memory.second().usage().used)?;
    Ok(())
}

fn main() -> Result<(), Box<dyn core::error::Error>> {
    let mut text = String::new();
    run(&mut text)?;
    print!("{text}");
    Ok(())
}
