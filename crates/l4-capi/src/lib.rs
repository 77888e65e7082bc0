//! `libstratalloc`: the malloc family, the C++ operators and a small C interface of its own, on the heap.
//!
//! # Layer card
//!
//! * **May use**: `stratalloc_heap` (the process heap), `stratalloc_platform`, and of the C library only what cannot
//!   allocate: `errno`, raw file output, `dlsym` on cold paths.
//! * **Used by**: C, C++ and any program started with `LD_PRELOAD=libstratalloc.so`; no Rust crate depends on it.
//! * **Never**: allocates behind the caller's back, locks, panics, unwinds (an exception of a C++ new-handler passes
//!   through one frame, written in assembly for it), or changes `errno` on success.
//!
//! ```text
//!   C                 C++                  a program's own heap policy       load         ends
//!   malloc.rs         operators.rs         introspection.rs  api.rs          start.rs     start.rs  ends.rs
//!   aligned.rs        new_failed.rs            |                |            config.rs        |
//!   bsd.rs   libc_names.rs  |                  +--- report.rs --+---- summary.rs -------------+
//!       |        |          |                           |
//!   ====v========v==========v===== stratalloc_heap =====v===========================================
//!       ^ "not mine"
//!   foreign.rs ---- dynamic.rs ----> the next allocator, the C++ runtime: found by `dlsym`, never linked
//! ```
//!
//! # Modules
//!
//! * [`malloc`]: the functions of C and their POSIX and C23 relatives
//! * [`aligned`]: `memalign`, `aligned_alloc`, `posix_memalign`, `valloc`, `pvalloc`
//! * [`bsd`]: names of the BSDs and macOS that ports expect
//! * [`libc_names`]: `__libc_malloc` and the other aliases of glibc
//! * [`operators`], [`new_failed`]: the 8 `operator new`, the 12 `operator delete`, the new-handler loop
//! * [`introspection`]: `malloc_trim`, `mallinfo2`, `malloc_info`, `malloc_stats`, `mallopt`
//! * [`api`]: `stratalloc_*`, declared in `include/stratalloc.h`
//! * [`foreign`]: pointers that are not blocks of this heap
//! * [`dynamic`]: symbols that may be absent
//! * [`start`], [`config`], [`preload`]: what happens when the library is loaded
//! * [`ends`], [`summary`], [`own_stack`]: what happens when the process ends, whichever way
//! * [`report`], [`text`]: the heap's figures as text; text without allocation
//! * [`errno`], [`os`]: the error number; the C library as this crate sees it
//!
//! # Names that are left out on purpose
//!
//! * `strdup`, `strndup`: the C library's own call `malloc` through its symbol, so their blocks are ours already;
//!   replacing them would only lose its vectorised copies and the checkers that watch them.
//! * `nallocx`, `sdallocx`: programs take them as a sign that all of jemalloc is there (folly probes `mallctl` next);
//!   `malloc_good_size` and `free_sized` say the same.
//! * `_aligned_malloc`: its partner `_aligned_free` does not exist here, and no Linux program expects it.
//! * `__malloc_hook` and its kin: gone from glibc since 2.34.

#![no_std]

#[cfg(not(target_os = "linux"))]
compile_error!("libstratalloc replaces malloc on Linux only; other systems use the Rust crate `stratalloc`");
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
compile_error!(
    "libstratalloc has assembly for x86-64 and aarch64 only: see new_failed.rs, and foreign.rs for sizes of glibc's blocks"
);

mod aligned;
mod api;
mod bsd;
mod config;
mod dynamic;
mod ends;
mod errno;
mod foreign;
mod introspection;
mod libc_names;
mod malloc;
mod new_failed;
mod operators;
mod os;
mod own_stack;
mod preload;
mod report;
mod start;
mod summary;
mod text;

// Builds without fat LTO link objects of the precompiled `core` whose unwind tables name this function. Nothing unwinds
// through them, so nothing calls it. Weak and hidden: it is no export, and gives way to the one of `std` where a Rust
// program links the archive.
core::arch::global_asm!(
    ".weak rust_eh_personality",
    ".hidden rust_eh_personality",
    ".type rust_eh_personality, %function",
    "rust_eh_personality:",
    #[cfg(target_arch = "x86_64")]
    "ud2",
    #[cfg(target_arch = "aarch64")]
    "brk #1",
);

/// Required by the language, reached by nothing: no code of this library or below it panics in a release build, where fat
/// LTO then removes this function (`tests/capi/run.sh` looks for it). Debug builds check arithmetic: there it says where.
#[panic_handler]
fn never_reached(info: &core::panic::PanicInfo<'_>) -> ! {
    let mut said = text::complaint();
    said.str("panic, a mistake of this library, at ");
    if let Some(place) = info.location() {
        said.str(place.file()).str(":").number(u64::from(place.line()));
    }
    said.str("\n");
    drop(said);
    os::abort()
}
