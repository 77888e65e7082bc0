//! Symbols that may be absent.

/// The address of a symbol that the dynamic linker may leave undefined, as a `*const ()`: null means absent.
///
/// Stable Rust has no weak references, so the assembler makes one: a load from the global offset table, where the linker
/// writes 0 for a weak symbol that nobody defines. It knows what was loaded with the program, and costs that load; what
/// came later by `dlopen` it does not see. Always null on architectures without a recipe here, and under Miri.
///
/// ```
/// let there = stratalloc_platform::weak_symbol!("getenv");
/// let not_there = stratalloc_platform::weak_symbol!("no_such_function_anywhere");
/// assert!(not_there.is_null());
/// # #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
/// assert!(!there.is_null());
/// ```
#[macro_export]
macro_rules! weak_symbol {
    ($name:literal) => {{
        #[allow(unused_mut, unused_assignments, reason = "assigned where the target has a recipe")]
        let mut address: *const () = ::core::ptr::null();
        #[cfg(all(target_arch = "x86_64", target_os = "linux", not(miri)))]
        // SAFETY: reads one slot of the global offset table, which never changes after binding.
        unsafe {
            ::core::arch::asm!(
                ::core::concat!(".weak ", $name),
                ::core::concat!("mov {}, qword ptr [rip + ", $name, "@GOTPCREL]"),
                out(reg) address,
                options(pure, nomem, nostack, preserves_flags),
            );
        }
        #[cfg(all(target_arch = "aarch64", target_os = "linux", not(miri)))]
        // SAFETY: as above.
        unsafe {
            ::core::arch::asm!(
                ::core::concat!(".weak ", $name),
                ::core::concat!("adrp {0}, :got:", $name),
                ::core::concat!("ldr {0}, [{0}, :got_lo12:", $name, "]"),
                out(reg) address,
                options(pure, nomem, nostack, preserves_flags),
            );
        }
        address
    }};
}
