//! `libstratalloc_toolkit`: the strategies for C and C++, each behind a versioned table of functions.
//!
//! # Layer card
//!
//! * **May use**: `stratalloc_strategies`, `stratalloc_resource`; of the C library nothing but `abort`.
//! * **Used by**: C and C++ programs through `include/stratalloc_toolkit.h`, where every function is described; no Rust crate depends on it.
//! * **Never**: replaces `malloc` or calls it, panics, unwinds, keeps a state outside of the resources that it makes.
//!
//! It is a library of its own and not a part of `libstratalloc.so`, whose pages count in every process that is started under it.
//!
//! ```text
//!   stratalloc_frame_create …        stratalloc_resource_allocate …                 a table's functions, also called directly
//!   kinds.rs ── config.rs            calls.rs ──── looks at the table ────────────► table.rs
//!        │                                                                              │ checks arguments and releases
//!        └── made.rs: places  │ table │ looks │   origin │ strategy │ in memory ◄───────┘
//!                                                     │
//!                              strategy.rs: what is asked of each; strategies.rs, lock_free.rs, system.rs: who answers
//! ```
//!
//! # Modules
//!
//! * [`config`]: `stratalloc_config`, read as far as its maker knew it
//! * [`kinds`]: `stratalloc_frame_create` and its like
//! * [`made`]: where a resource lies, and how it ends
//! * [`table`]: the functions of a table, for any strategy
//! * [`strategy`]: what a strategy has to offer beyond the contract
//! * [`strategies`], [`lock_free`], [`system`]: the strategies that do
//! * [`makes`]: how they are made by a configuration
//! * [`upstream`]: where growing ones get their memory
//! * [`calls`]: `stratalloc_resource_*`, for any resource, also of others
//! * [`answers`]: what such a resource answers, looked at before the caller sees it
//! * [`about`]: version and texts

#![cfg_attr(not(test), no_std)]

#[cfg(not(target_os = "linux"))]
compile_error!("the C toolkit is built for Linux only; other systems use the Rust crate `stratalloc`");

mod about;
mod answers;
mod calls;
mod config;
mod kinds;
mod lock_free;
mod made;
mod makes;
mod strategies;
mod strategy;
mod system;
mod table;
#[cfg(test)]
mod tests;
mod upstream;

// As in `l4-capi`: named by unwind tables of the precompiled `core`, called by nothing; weak, for programs that bring `std`.
#[cfg(not(test))]
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

/// Required by the language, reached by nothing in a release build (`tests/capi/toolkit.sh` looks for it). Debug builds check
/// arithmetic, and end here.
#[cfg(not(test))]
#[panic_handler]
fn never_reached(_: &core::panic::PanicInfo<'_>) -> ! {
    unsafe extern "C" {
        safe fn abort() -> !;
    }
    abort()
}
