//! One word per thread, reached without a call.
//!
//! The macros [`thread_slot_initial_exec!`](crate::thread_slot_initial_exec) and
//! [`thread_slot_portable!`](crate::thread_slot_portable) define a module with `get` and `set` for a thread-local `*const T` whose value in a new
//! thread is the address of a static. It exists in two forms:
//!
//! - **initial-exec**, by assembly (x86-64 and aarch64 ELF): the word lies in the static TLS block, at an offset that the
//!   dynamic linker writes into the GOT. Two loads, no `std`, no call to `__tls_get_addr`, valid from the first instruction of
//!   a thread on; in an executable the linker turns the GOT load into a constant. The price: a library that uses it takes 8
//!   bytes of the static TLS surplus when it is loaded by `dlopen`.
//! - **portable**, by `std::thread_local!` with a constant initialiser and no destructor: direct access in an executable. On Windows, where
//!   some targets take such a word away from a thread before its exit hooks run, by one of the system's own slots: `Slot`.
//!
//! Both may be used before `main`, in signal handlers and in thread-exit hooks.

#[cfg(windows)]
#[path = "tls/windows.rs"]
mod slot;

#[cfg(windows)]
pub use slot::Slot;

/// Defines `mod $name { pub fn get() -> *const T; pub fn set(*const T) }`, initial-exec form. `$init` is a static of type `T`,
/// `$symbol` a name that is unique in the program.
#[macro_export]
macro_rules! thread_slot_initial_exec {
    ($(#[$meta:meta])* $vis:vis mod $name:ident($symbol:literal): $ty:ty = $init:path) => {
        $(#[$meta])*
        $vis mod $name {
            #[cfg(target_arch = "x86_64")]
            core::arch::global_asm!(
                ".pushsection .tdata.stratalloc,\"awT\",@progbits",
                ".p2align 3",
                concat!(".globl ", $symbol),
                concat!(".hidden ", $symbol),
                concat!(".type ", $symbol, ",@tls_object"),
                concat!(".size ", $symbol, ", 8"),
                concat!($symbol, ": .quad {init}"),
                ".popsection",
                init = sym $init,
            );
            #[cfg(target_arch = "aarch64")]
            core::arch::global_asm!(
                ".pushsection .tdata.stratalloc,\"awT\",@progbits",
                ".p2align 3",
                concat!(".globl ", $symbol),
                concat!(".hidden ", $symbol),
                concat!(".type ", $symbol, ",%tls_object"),
                concat!(".size ", $symbol, ", 8"),
                concat!($symbol, ": .xword {init}"),
                ".popsection",
                init = sym $init,
            );

            /// The word of the current thread.
            #[inline(always)]
            $vis fn get() -> *const $ty {
                let value: *const $ty;
                #[cfg(target_arch = "x86_64")]
                // SAFETY: the symbol is the 8-byte thread-local word defined above, and the relocation yields its offset from
                // the thread pointer; reading it has no other effect.
                unsafe {
                    core::arch::asm!(
                        concat!("mov {v}, qword ptr [rip + ", $symbol, "@GOTTPOFF]"),
                        "mov {v}, qword ptr fs:[{v}]",
                        v = out(reg) value,
                        options(pure, readonly, nostack, preserves_flags),
                    );
                }
                #[cfg(target_arch = "aarch64")]
                // SAFETY: as on x86-64.
                unsafe {
                    core::arch::asm!(
                        "mrs {t}, tpidr_el0",
                        concat!("adrp {v}, :gottprel:", $symbol),
                        concat!("ldr {v}, [{v}, :gottprel_lo12:", $symbol, "]"),
                        "ldr {v}, [{t}, {v}]",
                        t = out(reg) _,
                        v = out(reg) value,
                        options(pure, readonly, nostack, preserves_flags),
                    );
                }
                value
            }

            /// Sets the word of the current thread.
            #[inline]
            $vis fn set(value: *const $ty) {
                #[cfg(target_arch = "x86_64")]
                // SAFETY: writes the 8-byte thread-local word defined above.
                unsafe {
                    core::arch::asm!(
                        concat!("mov {o}, qword ptr [rip + ", $symbol, "@GOTTPOFF]"),
                        "mov qword ptr fs:[{o}], {v}",
                        o = out(reg) _,
                        v = in(reg) value,
                        options(nostack, preserves_flags),
                    );
                }
                #[cfg(target_arch = "aarch64")]
                // SAFETY: as on x86-64.
                unsafe {
                    core::arch::asm!(
                        "mrs {t}, tpidr_el0",
                        concat!("adrp {o}, :gottprel:", $symbol),
                        concat!("ldr {o}, [{o}, :gottprel_lo12:", $symbol, "]"),
                        "str {v}, [{t}, {o}]",
                        t = out(reg) _,
                        o = out(reg) _,
                        v = in(reg) value,
                        options(nostack, preserves_flags),
                    );
                }
            }
        }
    };
}

/// Defines `mod $name { pub fn get() -> *const T; pub fn set(*const T) }`, portable form; the calling crate links `std`.
#[macro_export]
macro_rules! thread_slot_portable {
    ($(#[$meta:meta])* $vis:vis mod $name:ident: $ty:ty = $init:path) => {
        $(#[$meta])*
        $vis mod $name {
            #[cfg(windows)]
            static SLOT: $crate::tls::Slot = $crate::tls::Slot::new();
            #[cfg(not(windows))]
            std::thread_local! {
                static SLOT: core::cell::Cell<*const $ty> = const { core::cell::Cell::new(&raw const $init) };
            }

            /// The word of the current thread.
            #[inline(always)]
            $vis fn get() -> *const $ty {
                #[cfg(windows)]
                return SLOT.get(&raw const $init);
                #[cfg(not(windows))]
                SLOT.with(core::cell::Cell::get)
            }

            /// Sets the word of the current thread.
            #[inline]
            $vis fn set(value: *const $ty) {
                #[cfg(windows)]
                SLOT.set(value);
                #[cfg(not(windows))]
                SLOT.with(|slot| slot.set(value));
            }
        }
    };
}
