//! A measuring process that is large itself puts a floor under what it measures, and says so. In a file, hence a process,
//! of its own: the other tests must stay small.

use core::hint::black_box;
use std::process::Command;

use stratalloc_measure::Watch;
use stratalloc_measure::process::run;

#[test]
fn the_floor_is_told_so_that_it_cannot_pass_for_a_measurement() {
    let ballast = black_box(vec![1_u8; 64 << 20]);
    let run = run(Command::new("/bin/true"), Watch::default()).unwrap();
    assert!(run.floor_kib >= 64 << 10, "{}", run.floor_kib);
    // The kernel's figure is useless now, and recognisable as such.
    assert!(run.usage.peak_rss_kib >= 60 << 10, "{}", run.usage.peak_rss_kib);
    assert!(!run.peak_is_its_own());
    drop(black_box(ballast));
}
