//! Counted under `LD_PRELOAD=libstratalloc.so`: single calls of `malloc` and `free` (no argument), or one of the workloads.
//!
//! The workloads call the C functions themselves, so that no change of Rust's standard library moves a number. Each prints
//! the minor page faults that it caused. Transparent huge pages are off: whether the kernel has one at hand differs from
//! minute to minute, which pages are touched does not.

use core::hint::black_box;

mod warm;
use warm::warm;

mod c {
    use core::ffi::{c_int, c_ulong};
    // The C library's, as C declares them.
    unsafe extern "C" {
        pub(super) safe fn malloc(size: usize) -> *mut u8;
        pub(super) fn free(block: *mut u8);
        pub(super) fn realloc(block: *mut u8, size: usize) -> *mut u8;
        pub(super) safe fn prctl(option: c_int, a: c_ulong, b: c_ulong, c: c_ulong, d: c_ulong) -> c_int;
    }
    pub(super) const PR_SET_THP_DISABLE: c_int = 41;
}

/// A block that knows how to end.
struct Block(*mut u8);

// SAFETY: a block of memory belongs to no thread.
unsafe impl Send for Block {}

impl Block {
    /// A block of `size` bytes, the first byte of each page touched.
    fn new(size: usize) -> Self {
        let start = c::malloc(size);
        assert!(!start.is_null(), "malloc of {size} bytes");
        for offset in (0..size).step_by(4096) {
            let byte = start.wrapping_add(offset);
            // SAFETY: inside the block.
            unsafe { byte.write(1) };
        }
        Self(start)
    }

    fn resize(&mut self, size: usize) {
        // SAFETY: the block came from `malloc`; the old pointer is overwritten.
        self.0 = unsafe { c::realloc(self.0, size) };
        assert!(!self.0.is_null(), "realloc to {size} bytes");
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: the block came from `malloc` or `realloc` and ends here.
        unsafe { c::free(self.0) };
    }
}

/// Two functions in which callgrind collects, and a third one that calls them once each.
macro_rules! single_calls {
    ($size:literal, $malloc:ident, $free:ident, $both:ident) => {
        #[inline(never)]
        #[unsafe(no_mangle)]
        extern "C" fn $malloc(size: usize) -> *mut u8 {
            // Functions with equal bodies would become one: each says its number.
            black_box($size);
            black_box(c::malloc(size))
        }

        #[inline(never)]
        #[unsafe(no_mangle)]
        extern "C" fn $free(block: *mut u8) {
            // SAFETY: only called with what `malloc` gave.
            unsafe { c::free(block) };
            black_box($size);
        }

        fn $both() {
            // SAFETY: only called with what `malloc` gave.
            let end = |block| unsafe { c::free(block) };
            warm(|| c::malloc($size), end);
            let block = $malloc(black_box($size));
            $free(black_box(block));
        }
    };
}

single_calls!(1, probe_malloc_1, probe_free_1, single_calls_1);
single_calls!(200, probe_malloc_200, probe_free_200, single_calls_200);
single_calls!(1024, probe_malloc_1024, probe_free_1024, single_calls_1024);

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) >> 33).unwrap_or(0) % bound
    }

    /// Half of the results lie below twice the smallest, a quarter below four times, …
    fn size(&mut self, smallest: usize, doublings: usize) -> usize {
        let base = smallest << (0..doublings).take_while(|_| self.below(2) == 1).count();
        base + self.below(base)
    }
}

/// A cache in steady state: 5000 live blocks of 16 B to 8 KiB, a random one replaced each time.
fn replace() {
    let mut random = Random(1);
    let mut live: Vec<Block> = (0..5000).map(|_| Block::new(random.size(16, 8))).collect();
    for _ in 0..200_000 {
        let at = random.below(live.len());
        live[at] = Block::new(random.size(16, 8));
    }
}

/// 1000 blocks made, then ended newest first or oldest first.
fn batch() {
    let mut random = Random(2);
    for round in 0..200 {
        let mut blocks: Vec<Block> = (0..1000).map(|_| Block::new(24 + random.below(136))).collect();
        if round % 2 == 0 {
            blocks.reverse();
        }
        drop(blocks);
    }
}

/// 200 arrays growing side by side, by half of their size each time, from 16 B to 256 KiB.
fn grow() {
    let mut random = Random(3);
    let mut arrays: Vec<(Block, usize)> = (0..200).map(|_| (Block::new(16), 16)).collect();
    for _ in 0..8000 {
        let at = random.below(arrays.len());
        let (block, size) = &mut arrays[at];
        *size = if *size > 1 << 18 { 16 } else { *size + *size / 2 };
        block.resize(*size);
    }
}

/// 40 live buffers of 40 KiB to 5 MiB, every page touched.
fn buffers() {
    let mut random = Random(4);
    let mut live: Vec<Block> = (0..40).map(|_| Block::new(random.size(40 << 10, 6))).collect();
    for _ in 0..1500 {
        let at = random.below(live.len());
        live[at] = Block::new(random.size(40 << 10, 6));
    }
}

/// 50 threads, one after the other, each leaving 500 blocks for this thread to end.
fn handover() {
    for round in 0..50 {
        let make = move || {
            let mut random = Random(round);
            (0..500).map(|_| Block::new(random.size(16, 6))).collect::<Vec<Block>>()
        };
        drop(std::thread::spawn(make).join());
    }
}

/// Field 10 of `/proc/self/stat`, counted after the program's name, which ends with the last `)`.
fn minor_faults() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default();
    fields.split_whitespace().nth(7).and_then(|field| field.parse().ok()).expect("minflt")
}

fn main() {
    let Some(name) = std::env::args().nth(1) else {
        single_calls_1();
        single_calls_200();
        return single_calls_1024();
    };
    c::prctl(c::PR_SET_THP_DISABLE, 1, 0, 0, 0);
    let workload = match name.as_str() {
        "replace" => replace,
        "batch" => batch,
        "grow" => grow,
        "buffers" => buffers,
        "handover" => handover,
        _ => panic!("no workload {name}"),
    };
    let before = minor_faults();
    workload();
    println!("{}", minor_faults() - before);
}
