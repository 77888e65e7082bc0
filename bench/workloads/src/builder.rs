//! Strings that grow by appending, inside each other.
//!
//! ```text
//!   document  ◄── section ◄── line ◄── word …     every level is a string of its own that grows by `push_str`
//! ```
//!
//! Several strings grow at the same time, so a buffer is seldom alone at the end of its run, and the sizes at which
//! buffers are replaced range from 8 bytes to 100 KiB and more.

use crate::data::{WORDS, text_sum};
use crate::rng::Rng;
use crate::task::{Tally, Task};

/// Appends and counts the allocation, if there was one.
fn append(text: &mut String, part: &str, tally: &mut Tally) {
    let before = text.capacity();
    text.push_str(part);
    tally.operations += u64::from(text.capacity() != before);
}

/// Renders documents; every fourth stays until the next such one.
pub(crate) fn string_building(task: Task) -> Tally {
    let documents = task.share(640);
    task.split(|thread| {
        let mut rng = Rng::new(0x5eed_000e, thread);
        let mut tally = Tally::default();
        let mut kept = String::new();
        for number in 0..documents {
            let document = document(&mut rng, &mut tally);
            tally.add(text_sum(&document));
            if number % 4 == 0 {
                tally.add(text_sum(&kept));
                kept = document;
            }
        }
        tally.add(text_sum(&kept));
        tally
    })
}

fn document(rng: &mut Rng, tally: &mut Tally) -> String {
    let (mut body, mut contents) = (String::new(), String::new());
    for section in 0..40 + rng.below(60) {
        let mut text = String::new();
        for _ in 0..10 + rng.below(20) {
            let line = line(rng, tally);
            append(&mut text, &line, tally);
            append(&mut text, "<br>\n", tally);
        }
        append(&mut contents, WORDS[section % WORDS.len()], tally);
        append(&mut contents, "\n", tally);
        append(&mut body, &escaped(&text, tally), tally);
    }
    append(&mut contents, &body, tally);
    contents
}

fn line(rng: &mut Rng, tally: &mut Tally) -> String {
    let mut line = String::new();
    for _ in 0..4 + rng.below(12) {
        append(&mut line, WORDS[rng.below(WORDS.len())], tally);
        append(&mut line, " ", tally);
    }
    line
}

/// A copy with markup replaced, as long as it turns out to be.
fn escaped(text: &str, tally: &mut Tally) -> String {
    let mut escaped = String::new();
    for part in text.split_inclusive('<') {
        let (plain, markup) = part.strip_suffix('<').map_or((part, ""), |plain| (plain, "&lt;"));
        append(&mut escaped, plain, tally);
        append(&mut escaped, markup, tally);
    }
    escaped
}
