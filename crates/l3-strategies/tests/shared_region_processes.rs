//! Shared regions between real processes: messages with marked contents, and processes killed at any moment while others go on.
//!
//! A process is this test program again, told by a variable of its environment what to be.
#![cfg(all(target_os = "linux", not(miri)))]

extern crate alloc;

use alloc::ffi::CString;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::process::{Child, Stdio};

#[path = "../../l1-platform/tests/this_program/mod.rs"]
mod this_program;

use stratalloc_resource::Validate;
use stratalloc_strategies::shared_region::{Message, SharedRegion};
use this_program::this_program;

/// The role of a child, and where its region is.
const ROLE: &str = "STRATALLOC_SHARED_ROLE";
const PLACE: &str = "STRATALLOC_SHARED_PLACE";

/// Kills per test; `STRATALLOC_KILLS` makes it more.
fn kills() -> u64 {
    std::env::var("STRATALLOC_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(40)
}

/// A child in a role, that goes with this value.
struct Process(Child);

impl Process {
    fn start(role: &str, region: &SharedRegion) -> Self {
        let place = format!("/proc/{}/fd/{}", std::process::id(), region.descriptor().unwrap());
        let mut command = this_program();
        let command = command.args(["--exact", "child", "--nocapture"]).env(ROLE, role).env(PLACE, place);
        Self(command.stdout(Stdio::null()).spawn().unwrap())
    }

    /// Waits for something that this child does.
    fn until<T>(&mut self, mut found: impl FnMut() -> Option<T>) -> T {
        loop {
            if let Some(found) = found() {
                return found;
            }
            assert_eq!(self.0.try_wait().unwrap(), None, "the child ended early");
            std::thread::yield_now();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Not a test: what children do. In the parent it does nothing.
#[test]
fn child() {
    let (Ok(role), Ok(place)) = (std::env::var(ROLE), std::env::var(PLACE)) else { return };
    let region = SharedRegion::attach(&CString::new(place).unwrap()).unwrap();
    match role.as_str() {
        "echo" => echo(&region),
        "greedy" => greedy(&region),
        "busy" => busy(&region, u64::from(std::process::id())),
        other => panic!("{other}"),
    }
}

/// The lowest byte.
fn low(number: usize) -> u8 {
    number.to_le_bytes()[0]
}

/// The byte at a place of a message of this length and number.
fn mark(len: usize, number: u8, place: usize) -> u8 {
    number.wrapping_mul(31) ^ low(len.wrapping_mul(7).wrapping_add(place.wrapping_mul(13)))
}

fn fill(message: &mut Message<'_>, number: u8) {
    let len = message.len();
    for (place, byte) in message.iter_mut().enumerate() {
        *byte = if place == 0 { number } else { mark(len, number, place) };
    }
}

/// The number of a message whose every byte is as it was filled.
fn checked(message: &Message<'_>) -> Option<u8> {
    let number = *message.first()?;
    let marked = |(place, byte): (usize, &u8)| *byte == mark(message.len(), number, place);
    assert!(message.iter().enumerate().skip(1).all(marked), "{message:?} was damaged");
    Some(number)
}

/// Answers each message on queue 0 with one on queue 1, inverted; an empty one ends it.
fn echo(region: &SharedRegion) {
    loop {
        let Some(message) = region.receive(0) else {
            std::thread::yield_now();
            continue;
        };
        let Some(number) = checked(&message) else { return };
        let mut answer = region.message(message.len()).unwrap();
        fill(&mut answer, !number);
        answer.send(1);
    }
}

#[test]
fn two_processes_exchange_messages() {
    let region = SharedRegion::create(c"exchange", 1 << 18).unwrap();
    let mut child = Process::start("echo", &region);
    for number in 0..20_000_usize {
        let len = 1 + number * 37 % 900;
        let name = low(number);
        let mut message = region.message(len).unwrap();
        fill(&mut message, name);
        message.send(0);
        // At most a hundred are under way.
        if number >= 100 {
            let answer = child.until(|| region.receive(1));
            let asked = number - 100;
            assert_eq!(answer.len(), 1 + asked * 37 % 900);
            assert_eq!(checked(&answer), Some(!low(asked)));
        }
    }
    for _ in 0..100 {
        checked(&child.until(|| region.receive(1)));
    }
    region.message(0).unwrap().send(0);
    assert!(child.0.wait().unwrap().success());
    assert_eq!(region.usage().live_blocks, 0);
    region.validate().unwrap();
}

/// A source of numbers that depends on nothing outside.
struct Random(u64);

impl Random {
    fn next(&mut self) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap()
    }
}

/// One operation of somebody who holds some messages.
fn act<'r>(region: &'r SharedRegion, random: &mut Random, held: &mut Vec<Message<'r>>) {
    let choice = random.next();
    match choice % 8 {
        0..=2 => {
            if let Ok(mut message) =
                region.message(1 + random.next() % if choice % 64 < 4 { 3000 } else { 200 })
            {
                fill(&mut message, low(choice >> 9));
                held.push(message);
            }
        }
        3 if !held.is_empty() => held.swap_remove(choice % held.len()).send(choice >> 8 & 3),
        4 => held.extend(region.receive(choice >> 8 & 3)),
        5 if !held.is_empty() => {
            let kept = held.swap_remove(choice % held.len()).keep();
            // Whoever of the others takes it in between has it; nobody may have it twice.
            held.extend(region.adopt(kept));
        }
        _ if !held.is_empty() => drop(held.swap_remove(choice % held.len())),
        _ => {}
    }
    held.iter().last().map(checked);
    held.truncate(40);
}

/// Works until it is killed; says on queue 9 that it has begun.
fn busy(region: &SharedRegion, seed: u64) {
    let (mut random, mut held) = (Random(seed), Vec::new());
    region.message(1).unwrap().send(9);
    loop {
        act(region, &mut random, &mut held);
    }
}

/// Does nothing but take and give back, until it is killed.
fn greedy(region: &SharedRegion) {
    region.message(1).unwrap().send(9);
    loop {
        drop(region.message(100));
    }
}

/// Whether somebody has the lock: the sixth word of the region.
fn is_locked(memory: &File) -> bool {
    let mut word = [0; 8];
    memory.read_exact_at(&mut word, 5 * 8).unwrap();
    word != [0; 8]
}

#[test]
fn a_process_is_killed_at_any_moment_and_the_other_goes_on() {
    let kills = kills();
    let region = SharedRegion::create(c"killed", 1 << 17).unwrap();
    let memory = File::open(format!("/proc/self/fd/{}", region.descriptor().unwrap())).unwrap();
    let (mut random, mut held) = (Random(1), Vec::new());
    for round in 0..kills {
        // In every other round a child that nearly always has the lock, and nobody else who wants it.
        let mut child = Process::start(if round % 2 == 0 { "busy" } else { "greedy" }, &region);
        drop(child.until(|| region.receive(9)));
        let patience = random.next() % 2_000;
        std::thread::scope(|scope| {
            // A thread that never has the lock: so it kills while others have it, the child too.
            let killer = scope.spawn(|| {
                // A child that was only just woken up may have to wait for a processor.
                while round % 2 == 1 && !is_locked(&memory) {
                    std::thread::yield_now();
                }
                (0..patience).for_each(|_| core::hint::spin_loop());
                child.0.kill()
            });
            while round % 2 == 0 && !killer.is_finished() {
                act(&region, &mut random, &mut held);
            }
            killer.join().unwrap().unwrap();
        });
        // It is not waited for before this process has gone on: a zombie, at first.
        for _ in 0..50 {
            act(&region, &mut random, &mut held);
        }
        region.validate().unwrap_or_else(|violation| panic!("round {round}: {violation}"));
        drop(child);
        region.reclaim();
        region.validate().unwrap_or_else(|violation| panic!("round {round}, reclaimed: {violation}"));
        assert!(held.iter().all(|message| checked(message).is_some()));
    }
    let usage = region.usage();
    println!(
        "{kills} kills: {} locks taken over, {} dead cleaned up after",
        usage.takeovers, usage.reclaimed
    );
    assert!(usage.takeovers > 0, "no process was killed with the lock");
    assert!(usage.reclaimed > 0 && usage.reclaimed <= kills);
    held.clear();
    for queue in 0..4 {
        while let Some(message) = region.receive(queue) {
            assert!(checked(&message).is_some());
        }
    }
    // What was being kept when its process died waits for whoever knows its offset: nobody. At most one per kill.
    assert!(region.usage().live_blocks <= kills);
    region.validate().unwrap();
}

#[test]
fn two_go_on_while_a_third_is_killed_again_and_again() {
    let region = SharedRegion::create(c"three", 1 << 18).unwrap();
    let mut steady = Process::start("busy", &region);
    drop(steady.until(|| region.receive(9)));
    let (mut random, mut held) = (Random(2), Vec::new());
    for _ in 0..kills() / 3 {
        let mut child = Process::start("busy", &region);
        drop(child.until(|| region.receive(9)));
        for _ in 0..random.next() % 100 {
            act(&region, &mut random, &mut held);
        }
        drop(child);
        assert_eq!(steady.0.try_wait().unwrap(), None, "the other one found damage");
        region.reclaim();
        region.validate().unwrap();
    }
}

#[test]
fn memory_that_the_dead_held_is_found_when_it_is_needed() {
    let region = SharedRegion::create(c"needed", 1 << 16).unwrap();
    for _ in 0..5 {
        let mut child = Process::start("busy", &region);
        drop(child.until(|| region.receive(9)));
    }
    (0..4).for_each(|queue| while region.receive(queue).is_some() {});
    // Nearly all that there is; asked for without `reclaim`.
    let mut blocks = Vec::new();
    while let Ok(message) = region.message(1000) {
        blocks.push(message);
    }
    let room = region.usage().total_bytes;
    let live = region.usage().live_bytes;
    assert!(region.usage().reclaimed == 5, "{:?}", region.usage());
    assert!(live > room / 2, "{live} of {room}");
    region.validate().unwrap();
}
