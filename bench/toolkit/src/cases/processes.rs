//! Memory that processes share: `SharedRegion` beside a heap behind a robust mutex, and its messages beside what the kernel carries.
//!
//! Two processes are two mappings of one region here, and both ends of a pipe: in one process, so that no scheduler is measured.

use std::io::{Read, Write, pipe};
use std::os::unix::net::UnixDatagram;

use stratalloc_strategies::shared_region::SharedRegion;

use super::heaps::{in_pairs, in_replacements};
use super::{Case, Counting};
use crate::heap::{RobustRlsf, Stratalloc};
use crate::sample::{Sample, timed};
use crate::shapes::Mix;

const BYTES: usize = 64 << 20;

type Message = [u8; 64];

fn region() -> SharedRegion {
    SharedRegion::create(c"bench", BYTES).expect("shared memory")
}

/// A message of which the first word is `index`, there and back, `operations` times; the sum of the words that came back.
fn timed_messages(operations: u64, mut there_and_back: impl FnMut(&Message) -> Message) -> Sample {
    let mut work = |operations| {
        (0..operations).fold(0, |sum: u64, index: u64| {
            let mut message: Message = [0x5A; 64];
            message[..8].copy_from_slice(&index.to_le_bytes());
            let back = there_and_back(&message);
            let word = back.first_chunk().expect("64 bytes are more than a word");
            sum.wrapping_add(u64::from_le_bytes(*word))
        })
    };
    work(operations / 10);
    timed(operations, || work(operations))
}

/// Each side makes a block, fills it and sends it; each side reads what it received and drops it.
fn through_region(operations: u64) -> Sample {
    let here = region();
    let there = SharedRegion::attach_descriptor(here.descriptor().expect("open")).expect("the same region");
    let send = |from: &SharedRegion, queue, content: &[u8]| {
        let mut message = from.message(content.len()).expect("there is room");
        message.copy_from_slice(content);
        message.send(queue);
    };
    timed_messages(operations, |message| {
        send(&here, 0, message);
        send(&there, 1, &there.receive(0).expect("sent"));
        (*here.receive(1).expect("sent")).try_into().expect("of that length")
    })
}

fn through_sockets(operations: u64) -> Sample {
    let (here, there) = UnixDatagram::pair().expect("a pair");
    timed_messages(operations, |message| {
        let mut buffer = [0; 64];
        here.send(message).expect("sent");
        there.recv(&mut buffer).expect("received");
        there.send(&buffer).expect("sent");
        here.recv(&mut buffer).expect("received");
        buffer
    })
}

fn through_pipes(operations: u64) -> Sample {
    let (mut there, mut to_there) = pipe().expect("a pipe");
    let (mut here, mut to_here) = pipe().expect("a pipe");
    timed_messages(operations, |message| {
        let mut buffer = [0; 64];
        to_there.write_all(message).expect("written");
        there.read_exact(&mut buffer).expect("read");
        to_here.write_all(&buffer).expect("written");
        here.read_exact(&mut buffer).expect("read");
        buffer
    })
}

pub(super) fn cases() -> Vec<Case> {
    let mix = || Mix::of_sizes(10_000, 16, 4096).shuffled();
    vec![
        Case::new(
            "shared-region-pairs-64",
            "one block of 64 bytes made and ended in memory that processes share",
            1_000_000,
        )
        .ours("SharedRegion", |n| in_pairs(Stratalloc(region()), 64, n))
        .peer("rlsf, robust mutex", |n| in_pairs(RobustRlsf::new(BYTES), 64, n)),
        Case::new(
            "shared-region-replace",
            "10 000 live blocks of 16 to 4096 bytes in memory that processes share, a random one replaced",
            500_000,
        )
        .ours("SharedRegion", move |n| in_replacements(Stratalloc(region()), mix(), n))
        .peer("rlsf, robust mutex", move |n| in_replacements(RobustRlsf::new(BYTES), mix(), n)),
        Case::new(
            "shared-region-message",
            "a message of 64 bytes to another mapping, and an answer back",
            200_000,
        )
        .counting(Counting::Operations(10_000))
        .ours("SharedRegion", through_region)
        .peer("socket pair", through_sockets)
        .peer("two pipes", through_pipes),
    ]
}
