//! The operating system: pages, threads, clocks, limits.
//!
//! # Layer card
//!
//! | | |
//! |---|---|
//! | layer | 1, platform |
//! | may use | `core`, raw system calls, a handful of libc functions (below); no crate, not even `stratalloc-primitives` |
//! | used by | the heap, the strategies that map memory, the shared library, the command line |
//! | never does | allocate, panic, unwind, lock, touch `errno`, keep a descriptor open (but in an `shm::File`), cache what can change |
//!
//! **Windows** (64 bits, since 7) is asked through `kernel32.dll` alone (the module of this name), which sets the thread's last error where
//! Linux' calls leave `errno` alone. What it has no counterpart for:
//!
//! | | on Windows |
//! |---|---|
//! | [`shm`] | not compiled |
//! | [`vm`]: partial release, `remap`, `move_pages`, advice, markers | [`OsError::UNSUPPORTED`](vm::OsError::UNSUPPORTED) |
//! | [`access_fault`], [`alternative_stack`] | the same: there are no signals |
//! | [`signals`] | the work is done; nothing has to be held back |
//! | [`stack`] | the work is done on the caller's stack, as under Miri |
//! | [`fork`] | one address space, one number |
//! | [`thp`] | none; [`vm::reserve_huge`] takes large pages where the user has the privilege for them |
//! | [`numa`] | questions are answered; binding is refused on machines with several nodes |
//! | [`weak_symbol!`] | always null |
//!
//! From libc come only (on Linux): `getauxval`, `clock_gettime`, `environ`, the three `pthread_key` functions, and, where libc has it,
//! `__cxa_thread_atexit_impl`.
//!
//! ```text
//!      heap, strategies, libstratalloc.so, command line
//!   ───────┬──────────┬───────────┬──────────────┬───────────────┬─────────
//!      vm  probe     page    thread  tls  stack  report         thp  numa  cpu
//!   reserve commit  size     id  ExitHook    stderr  file     limits process
//!   purge release            yield_now signals  env  clock     (questions)
//!   ───────┬──────────┴───────────┴──────┬───────┴───────────────┴─────────
//!        fault                          text
//!   ───────┴──────────────────────────────┴────────────────────────────────
//!                    sys  (one file per architecture)
//!   ═══════════════════════════ kernel ════════════════════════════════════
//! ```
//!
//! | module | what it answers |
//! |---|---|
//! | [`vm`] | the contract of page ranges, and one file per operating system that fulfils it |
//! | [`shm`] | memory that several processes have |
//! | [`probe`] | can this word be read, and what does it say? |
//! | [`page`] | how large is a page, a huge page? |
//! | [`thp`] | does the kernel use huge pages, and are some set aside? |
//! | [`thread`] | which thread am I; tell me when it ends (a POSIX key, or C++'s way where no key is left) |
//! | [`tls`] | one word per thread, reached without a call |
//! | [`signals`] | work that no signal handler of this thread interrupts |
//! | [`stack`] | a call on another stack |
//! | [`access_fault`] | who touched memory that may not be touched? |
//! | [`alternative_stack`] | a stack for signal handlers |
//! | [`process`] | which process is this and what has it used? Does another one still run? End it at once |
//! | [`fork`] | which copy of the address space is this? |
//! | [`weak_symbol!`] | where is a function that libc, or the C++ runtime, may lack? |
//! | [`clock`] | what time is it, cheaply? |
//! | [`mod@env`] | what does the environment say, before `main`? |
//! | [`report`] | text to a descriptor or a file |
//! | [`numa`], [`cpu`], [`limits`] | what is the machine, and what may we have of it? |
//! | [`fault`] | tests only: refuse the N-th system call |
//!
//! Signal handlers and children of `fork` in a threaded process may call everything here but
//! [`ExitHook::install`](thread::ExitHook::install), [`ExitHook::arm`](thread::ExitHook::arm) and
//! [`at_thread_exit`](thread::at_thread_exit), for which libc may allocate or lock; code before `main` may call everything.
#![no_std]

mod error;
#[cfg(windows)]
mod kernel32;
mod sys;
mod text;
mod weak;

pub mod access_fault;
pub mod alternative_stack;
pub mod clock;
pub mod cpu;
pub mod env;
pub mod fault;
pub mod fork;
pub mod limits;
pub mod numa;
pub mod page;
pub mod probe;
pub mod process;
pub mod report;
// Windows has no descriptors that other processes could map.
#[cfg(not(windows))]
pub mod shm;
pub mod signals;
pub mod stack;
pub mod thp;
pub mod thread;
pub mod tls;
pub mod vm;
