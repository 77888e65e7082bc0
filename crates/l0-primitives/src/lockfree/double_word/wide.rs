//! The pair by one 16-byte instruction (x86-64, aarch64).
//!
//! By inline assembly on purpose: the intrinsic for `cmpxchg16b` needs the target feature in every function
//! that it is inlined into, and otherwise becomes a call of a library function that is not there.

use super::{DoubleWord, Locked, Pair, Versioned, sealed};
use core::arch::asm;

/// The pair by the processor's own 16-byte exchange.
///
/// On x86-64 it is made by [`Wide::null`], which says whether the processor has the instruction, or lives
/// inside [`Native`](super::Native). On aarch64 every processor has it.
#[derive(Debug)]
pub struct Wide {
    // Invariant WIDE: exists only where the instruction does.
    pair: Pair,
}

impl Wide {
    /// A null pointer of version 0, or `None` where the instruction is missing.
    #[must_use]
    pub fn null() -> Option<Self> {
        is_available().then(|| Self { pair: Pair::null() })
    }
}

impl sealed::Sealed for Wide {}

impl DoubleWord for Wide {
    #[inline]
    fn observe(&self) -> Versioned {
        self.pair.observe()
    }

    #[inline]
    fn compare_exchange_weak(&self, current: Versioned, new: Versioned) -> bool {
        // SAFETY: the instruction is there (WIDE).
        unsafe { exchange(&self.pair, current, new) }
    }
}

/// [`Wide`] where the processor has the instruction, else [`Locked`]; the same choice for the whole process.
#[derive(Debug)]
pub struct Detected {
    // The pair is used by either method, the lock by one.
    locked: Locked,
}

impl Detected {
    /// A null pointer of version 0. All bits are zero.
    #[must_use]
    pub const fn null() -> Self {
        Self { locked: Locked::null() }
    }
}

impl sealed::Sealed for Detected {}

impl DoubleWord for Detected {
    #[inline]
    fn observe(&self) -> Versioned {
        self.locked.observe()
    }

    #[inline]
    fn compare_exchange_weak(&self, current: Versioned, new: Versioned) -> bool {
        // The answer never changes, so no pair is ever exchanged by both methods.
        if is_available() {
            // SAFETY: the instruction is there, as `is_available` said.
            unsafe { exchange(&self.locked.pair, current, new) }
        } else {
            self.locked.compare_exchange_weak(current, new)
        }
    }
}

/// Whether the processor has `cmpxchg16b`: asked once, then remembered.
#[cfg(target_arch = "x86_64")]
#[inline]
fn is_available() -> bool {
    use crate::primitive::atomic::{AtomicU8, Ordering};
    const UNKNOWN: u8 = 0;
    const ABSENT: u8 = 1;
    const PRESENT: u8 = 2;
    static ANSWER: AtomicU8 = AtomicU8::new(UNKNOWN);

    #[cold]
    fn ask() -> bool {
        const CMPXCHG16B: u32 = 1 << 13;
        let present = core::arch::x86_64::__cpuid(1).ecx & CMPXCHG16B != 0;
        // Relaxed: the byte is all there is to know, and all threads find the same.
        ANSWER.store(if present { PRESENT } else { ABSENT }, Ordering::Relaxed);
        present
    }

    cfg!(target_feature = "cmpxchg16b")
        || match ANSWER.load(Ordering::Relaxed) {
            PRESENT => true,
            ABSENT => false,
            _ => ask(),
        }
}

/// Every aarch64 processor has `ldaxp`/`stlxp`.
#[cfg(target_arch = "aarch64")]
#[inline(always)]
fn is_available() -> bool {
    true
}

/// PAIR-SWAP by `lock cmpxchg16b`, which is a full fence.
///
/// # Safety
///
/// The processor has the instruction.
#[cfg(target_arch = "x86_64")]
#[inline]
unsafe fn exchange(pair: &Pair, current: Versioned, new: Versioned) -> bool {
    let equal: u8;
    // SAFETY:
    // - the instruction exists (this function's contract);
    // - `pair` is 16 bytes, aligned to 16 (`repr`), shared and inside atomics, so it may be written through
    //   `&`;
    // - rbx, which LLVM keeps for itself and which cannot be an operand, holds the new pointer between the
    //   `xchg` and the `mov` only. Every other operand is pinned to a register, so none can be in rbx, except
    //   `spare` itself, for which both instructions are then no-ops;
    // - `mov` and `sete` leave the flags of the exchange alone.
    unsafe {
        asm!(
            "xchg {spare}, rbx",
            "lock cmpxchg16b [rdi]",
            "mov rbx, {spare}",
            "sete r8b",
            spare = inout(reg) new.pointer => _,
            in("rcx") new.version,
            inout("rax") current.pointer => _,
            inout("rdx") current.version => _,
            in("rdi") &raw const *pair,
            out("r8b") equal,
            options(nostack),
        );
    }
    equal != 0
}

/// PAIR-SWAP by `caspal`, in builds for processors with LSE (`-C target-feature=+lse`).
///
/// # Safety
///
/// None on aarch64; `unsafe` as on x86-64.
#[cfg(all(target_arch = "aarch64", target_feature = "lse"))]
#[inline]
unsafe fn exchange(pair: &Pair, current: Versioned, new: Versioned) -> bool {
    let (pointer, version): (*mut u8, usize);
    // SAFETY:
    // - `pair` is 16 bytes, aligned to 16 (`repr`), shared and inside atomics, so it may be written through
    //   `&`;
    // - the operands are in the consecutive registers, the first one even, that the instruction wants.
    unsafe {
        asm!(
            "caspal x4, x5, x6, x7, [{pair}]",
            pair = in(reg) &raw const *pair,
            inout("x4") current.pointer => pointer,
            inout("x5") current.version => version,
            in("x6") new.pointer,
            in("x7") new.version,
            options(nostack, preserves_flags),
        );
    }
    Versioned { pointer, version } == current
}

/// PAIR-SWAP by a load-exclusive and a store-exclusive pair: one attempt, which an interrupt may spoil.
///
/// # Safety
///
/// None on aarch64; `unsafe` as on x86-64.
#[cfg(all(target_arch = "aarch64", not(target_feature = "lse")))]
#[inline]
unsafe fn exchange(pair: &Pair, current: Versioned, new: Versioned) -> bool {
    let failed: u32;
    // SAFETY:
    // - `pair` is 16 bytes, aligned to 16 (`repr`), shared and inside atomics, so it may be written through
    //   `&`;
    // - the load alone may be torn (no LSE2), but then the store-exclusive fails; outputs that are written
    //   before the last input is read are `out`, not `lateout`.
    unsafe {
        asm!(
            "ldaxp {pointer}, {version}, [{pair}]",
            "mov {failed:w}, #1",
            "cmp {pointer}, {current_pointer}",
            "ccmp {version}, {current_version}, #0, eq",
            "b.ne 2f",
            "stlxp {failed:w}, {new_pointer}, {new_version}, [{pair}]",
            "2:",
            pair = in(reg) &raw const *pair,
            current_pointer = in(reg) current.pointer,
            current_version = in(reg) current.version,
            new_pointer = in(reg) new.pointer,
            new_version = in(reg) new.version,
            pointer = out(reg) _,
            version = out(reg) _,
            failed = out(reg) failed,
            options(nostack),
        );
    }
    failed == 0
}
