//! The heap's figures as lines `key value`: the text of `malloc_stats`, `stratalloc_statistics_print` and the summary.

use crate::text::Text;
use stratalloc_heap::{self as heap, Statistics};

/// The figures of the heap, now.
#[inline(never)]
pub(crate) fn figures() -> Statistics {
    let mut now = Statistics::default();
    heap::statistics(&mut now);
    now
}

/// One line: `prefix` + `key`, a blank, the value.
#[inline(never)]
pub(crate) fn line(out: &mut Text, prefix: &str, key: &str, value: u64) {
    out.str(prefix).str(key).str(" ").number(value).str("\n");
}

/// All figures of the heap. Classes that were never used are left out.
#[inline(never)]
pub(crate) fn statistics(out: &mut Text) {
    let now = figures();
    for (name, domain) in
        [("small.", &now.small), ("medium.", &now.medium), ("large.", &now.large), ("huge.", &now.huge)]
    {
        line(out, name, "live_bytes", domain.live_bytes);
        line(out, name, "peak_bytes", domain.peak_bytes);
        line(out, name, "allocations", domain.allocations);
        line(out, name, "releases", domain.releases);
        line(out, name, "failures", domain.failures);
    }
    for class in now.classes.iter().filter(|class| class.allocations != 0) {
        let size = u64::from(class.size);
        for (key, value) in [
            (".allocations", class.allocations),
            (".live", class.live),
            (".bytes", class.live * size),
            (".slabs", class.slabs),
        ] {
            out.str("class.").number(size);
            line(out, "", key, value);
        }
    }
    for (key, value) in [
        ("committed_bytes", now.committed_bytes),
        ("in_use_bytes", now.in_use_bytes),
        ("dirty_bytes", now.dirty_bytes),
        ("peak_bytes", now.peak_bytes),
        ("reserved_bytes", now.reserved_bytes),
        ("purges", now.purges),
        ("purged_bytes", now.purged_bytes),
        ("remote_frees", now.remote_frees),
        ("remote_batches", now.remote_batches),
        ("remote_waiting", now.remote_waiting),
        ("thread_heaps", now.thread_heaps),
        ("slabs", now.slabs),
        ("huge_page_chunks", now.huge_page_chunks),
    ] {
        line(out, "", key, value);
    }
}
