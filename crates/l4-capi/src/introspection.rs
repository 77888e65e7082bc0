//! glibc's functions about the heap itself, answered with what this heap has.
//!
//! | glibc's field | here |
//! | --- | --- |
//! | `arena` | bytes committed for the small and medium domains |
//! | `uordblks`, `fordblks` | of these: in blocks, not in blocks |
//! | `hblks`, `hblkhd` | blocks of the large and huge domains, and their bytes |
//! | `ordblks` | slabs |
//! | `keepcost` | what `malloc_trim` could give back |
//! | `smblks`, `usmblks`, `fsmblks` | 0: no such things |

use crate::errno;
use crate::os;
use crate::report;
use crate::text::Text;
use stratalloc_heap as heap;
use stratalloc_platform::report::stderr;

/// `struct mallinfo2`, and `struct mallinfo` with fields of type `int`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
struct Info<T> {
    arena: T,
    ordblks: T,
    smblks: T,
    hblks: T,
    hblkhd: T,
    usmblks: T,
    fsmblks: T,
    uordblks: T,
    fordblks: T,
    keepcost: T,
}

/// Gives empty memory back to the system; 1 if there was any. There is no top of the heap that `pad` could keep.
#[unsafe(no_mangle)]
extern "C" fn malloc_trim(_pad: usize) -> i32 {
    errno::keeping(|| i32::from(heap::collect() != 0))
}

/// The figures of the heap.
#[unsafe(no_mangle)]
extern "C" fn mallinfo2() -> Info<usize> {
    info().map(|value| usize::try_from(value).unwrap_or(usize::MAX))
}

/// The figures of the heap; what does not fit an `int` is `INT_MAX` (glibc wraps around).
#[unsafe(no_mangle)]
extern "C" fn mallinfo() -> Info<i32> {
    info().map(|value| i32::try_from(value).unwrap_or(i32::MAX))
}

impl<T> Info<T> {
    /// Converts every field.
    fn map<U>(self, number: impl Fn(T) -> U) -> Info<U> {
        Info {
            arena: number(self.arena),
            ordblks: number(self.ordblks),
            smblks: number(self.smblks),
            hblks: number(self.hblks),
            hblkhd: number(self.hblkhd),
            usmblks: number(self.usmblks),
            fsmblks: number(self.fsmblks),
            uordblks: number(self.uordblks),
            fordblks: number(self.fordblks),
            keepcost: number(self.keepcost),
        }
    }
}

/// What both forms of `mallinfo` tell.
#[inline(never)]
fn info() -> Info<u64> {
    let now = report::figures();
    let live = now.small.live_bytes + now.medium.live_bytes;
    let mapped = now.large.live_bytes + now.huge.live_bytes;
    let arena = now.committed_bytes.saturating_sub(mapped).max(live);
    let blocks = |domain: &heap::DomainStatistics| domain.allocations.saturating_sub(domain.releases);
    Info {
        arena,
        ordblks: now.slabs,
        smblks: 0,
        hblks: blocks(&now.large) + blocks(&now.huge),
        hblkhd: mapped,
        usmblks: 0,
        fsmblks: 0,
        uordblks: live,
        fordblks: arena - live,
        keepcost: now.dirty_bytes,
    }
}

/// Accepts and ignores glibc's tuning parameters; they mean nothing here.
#[unsafe(no_mangle)]
extern "C" fn mallopt(_parameter: i32, _value: i32) -> i32 {
    1
}

/// The figures as text on standard error.
#[unsafe(no_mangle)]
extern "C" fn malloc_stats() {
    report::statistics(&mut Text::Descriptor(stderr()));
}

/// The figures as XML on `stream`, 0; no option is known: any but 0 is `EINVAL`.
///
/// The elements that glibc's readers look for (`system`, `aspace`, `total type="mmap"`) are there.
///
/// Written with `fwrite`, not to the stream's descriptor: the text keeps its place among what the program wrote, and
/// streams without a descriptor work. No heap lock exists that stdio's own first buffer could meet.
#[unsafe(no_mangle)]
unsafe extern "C" fn malloc_info(options: i32, stream: *mut os::File) -> i32 {
    if options != 0 {
        return errno::EINVAL;
    }
    let now = report::figures();
    let figures = info();
    let mut out = Text::Stream(stream);
    out.str("<malloc version=\"1\">\n<heap nr=\"0\">\n<sizes>\n");
    for class in now.classes.iter().filter(|class| class.allocations != 0) {
        let size = u64::from(class.size);
        let attributes = [("to", size), ("count", class.live), ("total", class.live * size)];
        element(&mut out, "size", "class", &attributes);
    }
    out.str("</sizes>\n");
    totals(&mut out, &now, &figures);
    out.str("</heap>\n");
    totals(&mut out, &now, &figures);
    out.str("</malloc>\n");
    0
}

/// The elements that stand in the heap and again in the whole.
#[inline(never)]
fn totals(out: &mut Text, now: &heap::Statistics, figures: &Info<u64>) {
    element(out, "total", "rest", &[("count", figures.ordblks), ("size", figures.fordblks)]);
    element(out, "total", "mmap", &[("count", figures.hblks), ("size", figures.hblkhd)]);
    element(out, "system", "current", &[("size", now.committed_bytes)]);
    element(out, "aspace", "total", &[("size", now.committed_bytes)]);
    element(out, "aspace", "mprotect", &[("size", now.committed_bytes)]);
}

/// `<name type="kind" key="value" …/>`
#[inline(never)]
fn element(out: &mut Text, name: &str, kind: &str, attributes: &[(&str, u64)]) {
    out.str("<").str(name).str(" type=\"").str(kind).str("\"");
    for &(key, value) in attributes {
        out.str(" ").str(key).str("=\"").number(value).str("\"");
    }
    out.str("/>\n");
}
