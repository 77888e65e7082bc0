//! A measuring station on a Cortex-M4 without an operating system: three strategies in one static buffer.
//!
//! ```text
//!   MEMORY, 12 KiB   │ frame 2 KiB      │ pool 2 KiB             │ TLSF 8 KiB             │
//!                      samples and text   packets on their way     records of any length
//!                      of one cycle       to the radio             until they are sent
//! ```
#![no_std]
#![no_main]

use core::alloc::Layout;
use core::mem::MaybeUninit;

use cortex_m_rt::entry;
use cortex_m_semihosting::hprintln;
use stratalloc_embedded::end;
use stratalloc_resource::{AllocError, OwnedBlock, Validate};
use stratalloc_strategies::frame::Frame;
use stratalloc_strategies::pool::{Pool, PoolConfig};
use stratalloc_strategies::tlsf::Tlsf;

const CYCLES: u16 = 200;
const MEMORY: usize = 12 * 1024;

type Memory = &'static mut [MaybeUninit<u8>];

/// What goes over the air: at most eight wait.
type Packet = [u8; 48];
type Radio<'p> = [Option<OwnedBlock<&'p Pool<'static>>>; 8];

/// One cycle's work in the frame: samples, their median, and a line of text.
fn measure<'f>(frame: &'f Frame<'_>, cycle: u16) -> Result<(u16, &'f str), AllocError> {
    let samples = frame.try_alloc_slice_fill_with(128, |index| {
        // A sensor: it drifts, with noise.
        2000 + cycle / 4 + (cycle.wrapping_mul(31) ^ u16::try_from(index).unwrap_or(0).wrapping_mul(7)) % 64
    })?;
    samples.sort_unstable();
    let median = samples[samples.len() / 2];
    let text = frame.try_alloc_fmt(format_args!("cycle {cycle}: median {median} of {}", samples.len()))?;
    Ok((median, text))
}

/// Queues a packet, in place of the one that has been waiting the longest.
fn send<'p>(
    pool: &'p Pool<'static>,
    radio: &mut Radio<'p>,
    cycle: u16,
    text: &str,
) -> Result<(), AllocError> {
    let place = &mut radio[usize::from(cycle) % 8];
    *place = None;
    let mut packet = OwnedBlock::new(pool, Layout::new::<Packet>())?;
    for (place, byte) in packet.as_uninit_mut().iter_mut().zip(text.bytes()) {
        place.write(byte);
    }
    *place = Some(packet);
    Ok(())
}

fn run(memory: Memory) -> Result<bool, AllocError> {
    let (of_frame, rest) = memory.split_at_mut(2048);
    let (of_pool, of_records) = rest.split_at_mut(2048);
    let mut frame: Frame = Frame::over(of_frame);
    let pool = Pool::over(PoolConfig::of::<Packet>(), of_pool)?;
    let records: Tlsf<'static, 8, 16> = Tlsf::over(of_records)?;
    let sizes = [size_of_val(&frame), size_of_val(&pool), size_of_val(&records)];
    hprintln!("state: frame {}, pool {}, TLSF {} bytes, on the stack", sizes[0], sizes[1], sizes[2]);
    let (mut radio, mut kept) = (Radio::default(), [const { None }; 24]);
    let (mut packets, mut bytes, mut refused) = (0, 0, 0);
    for cycle in 0..CYCLES {
        let (median, text) = measure(&frame, cycle)?;
        send(&pool, &mut radio, cycle, text)?;
        packets += 1;
        // A record of any length, kept until its place is needed again.
        let place = &mut kept[usize::from(cycle) % 24];
        *place = None;
        let len = 16 + usize::from(median.wrapping_mul(cycle)) % 400;
        match OwnedBlock::new(&records, Layout::array::<u8>(len).map_err(|_| AllocError::SizeOverflow)?) {
            Ok(record) => (*place, bytes) = (Some(record), bytes + len),
            Err(_) => refused += 1,
        }
        if cycle % 50 == 0 {
            hprintln!("{}", text);
        }
        frame.reset();
    }
    hprintln!("frame: {} cycles, at most {} of {} bytes", CYCLES, frame.peak(), frame.reserved());
    let (usage, scattered) = (pool.usage(), records.usage());
    hprintln!("pool:  {} packets through {} of {} blocks", packets, usage.total - usage.fresh, usage.total);
    let live = kept.iter().flatten().count();
    hprintln!(
        "TLSF:  {} bytes in records, {} refused, {} live, {} gaps",
        bytes,
        refused,
        live,
        scattered.free_blocks
    );
    let sound = frame.validate().is_ok() && pool.validate().is_ok() && records.validate().is_ok();
    kept.fill_with(|| None);
    radio.fill_with(|| None);
    let (left, whole) = (pool.usage().live + records.usage().live_blocks, records.usage().free_blocks == 1);
    hprintln!("end:   {} blocks live, memory in one piece: {}, sound: {}", left, whole, sound);
    Ok(left == 0 && whole && sound)
}

#[entry]
fn main() -> ! {
    // The macro hands this out once, as `&'static mut`.
    static mut BUFFER: [MaybeUninit<u8>; MEMORY] = [MaybeUninit::uninit(); MEMORY];
    match run(BUFFER) {
        Ok(well) => end(well),
        Err(error) => {
            hprintln!("refused: {}", error);
            end(false)
        }
    }
}
