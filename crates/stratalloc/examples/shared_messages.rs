//! Two processes and a region of memory that both have: jobs go one way, results the other way, and no byte of them is copied in between. Then
//! a worker is killed in the middle of its work, and another one goes on.
//!
//! `cargo run --release --example shared_messages`

extern crate alloc;

use alloc::ffi::CString;
use core::error::Error;
use std::process::{Child, Command};
use std::time::Instant;

use stratalloc::Validate;
use stratalloc::strategies::shared_region::SharedRegion;

/// Tells the program that it is a worker, and where the region is.
const PLACE: &str = "SHARED_MESSAGES_REGION";
const JOBS: usize = 0;
const RESULTS: usize = 1;

const COUNT: u32 = 20_000;
/// Jobs under way at one time.
const AHEAD: u32 = 64;

fn main() -> Result<(), Box<dyn Error>> {
    match std::env::var(PLACE) {
        Ok(place) => work(&SharedRegion::attach(&CString::new(place)?)?),
        Err(_) => direct(),
    }
}

/// A worker: takes a text, writes how often each letter occurs in it *into the same message*, and sends it back.
fn work(region: &SharedRegion) -> Result<(), Box<dyn Error>> {
    loop {
        let Some(mut job) = region.receive(JOBS) else {
            std::thread::yield_now();
            continue;
        };
        if job.is_empty() {
            return Ok(());
        }
        let mut counts = [0_u32; 26];
        for letter in job.iter().filter(|byte| byte.is_ascii_lowercase()) {
            counts[usize::from(letter - b'a')] += 1;
        }
        for (place, count) in job.chunks_exact_mut(4).zip(counts) {
            place.copy_from_slice(&count.to_le_bytes());
        }
        job.send(RESULTS);
    }
}

/// The text of a job.
fn text(number: u32) -> impl Iterator<Item = u8> {
    (0..400 + number % 1000).map(move |place| b'a' + u8::try_from((place * 7 + number) % 26).unwrap_or(0))
}

/// How often `a` occurs, by the slow way.
fn expected(number: u32) -> u32 {
    text(number).map(|letter| u32::from(letter == b'a')).sum()
}

fn start(region: &SharedRegion) -> Result<Child, Box<dyn Error>> {
    let descriptor = region.descriptor().ok_or("the region has no descriptor")?;
    let place = format!("/proc/{}/fd/{descriptor}", std::process::id());
    Ok(Command::new(std::env::current_exe()?).env(PLACE, place).spawn()?)
}

fn direct() -> Result<(), Box<dyn Error>> {
    let region = SharedRegion::create(c"messages", 1 << 20)?;
    let mut worker = start(&region)?;
    let began = Instant::now();
    exchange(&region, &mut worker)?;
    let each = began.elapsed().as_nanos() / u128::from(COUNT);
    println!("{COUNT} jobs to process {} and back: {each} ns each", worker.id());

    for number in 0..AHEAD {
        let mut job = region.message(usize::try_from(400 + number % 1000)?)?;
        job.iter_mut().zip(text(number)).for_each(|(byte, letter)| *byte = letter);
        job.send(JOBS);
    }
    worker.kill()?;
    worker.wait()?;
    region.validate()?;
    let (before, freed) = (region.usage(), region.reclaim());
    println!("killed: {} of {AHEAD} messages are left, {freed} bytes were in its hands", before.live_blocks);

    let mut other = start(&region)?;
    region.message(0)?.send(JOBS);
    other.wait()?;
    let mut results = 0;
    while region.receive(RESULTS).is_some() {
        results += 1;
    }
    println!("process {} did the rest: {results} results; {:?}", other.id(), region.usage());
    Ok(region.validate()?)
}

/// Sends all jobs and checks all results.
fn exchange(region: &SharedRegion, worker: &mut Child) -> Result<(), Box<dyn Error>> {
    let mut sent = 0;
    for received in 0..COUNT {
        while sent < COUNT.min(received + AHEAD) {
            let mut job = region.message(usize::try_from(400 + sent % 1000)?)?;
            job.iter_mut().zip(text(sent)).for_each(|(byte, letter)| *byte = letter);
            job.send(JOBS);
            sent += 1;
        }
        let result = loop {
            match region.receive(RESULTS) {
                Some(result) => break result,
                None if worker.try_wait()?.is_some() => return Err("the worker ended early".into()),
                None => std::thread::yield_now(),
            }
        };
        let count = result.first_chunk().map(|bytes| u32::from_le_bytes(*bytes));
        assert_eq!(count, Some(expected(received)), "job {received}");
    }
    Ok(())
}
