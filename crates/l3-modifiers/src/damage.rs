//! What the modifiers that look at blocks say when one is not as it should be.
//!
//! They are there to look, so they look in every build. (`stratalloc_strategies::Misuse` is the same for strategies, which know places but
//! no bytes; neither crate may know the other.)

use core::fmt;
use core::mem;
use core::ptr::null_mut;
// Not the loom switch: the hook is a setting, not part of a protocol.
use core::sync::atomic::{AtomicPtr, Ordering};

/// What is wrong with a block. See [`Damage`] for an example.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DamageKind {
    /// It was released already.
    DoubleRelease,
    /// It is handed back with another length than it was requested with.
    WrongSize,
    /// Bytes before it were overwritten, or it never was a block of this resource.
    Underflow,
    /// Bytes after it were overwritten.
    Overflow,
    /// The mark behind it is not its own: it was overwritten, the block has another length, or it never was one of this resource.
    NotAsMade,
    /// Its bytes were written to after its release.
    LateWrite,
}

/// A block that is not as it should be.
///
/// ```
/// use stratalloc_modifiers::{Damage, DamageKind};
///
/// let damage = Damage::new("guarded", DamageKind::Overflow, 0x1000, 100).with_offset(102);
/// assert_eq!(damage.to_string(), "guarded: the block of 100 bytes at 0x1000 was written to behind its end, 2 bytes further");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damage {
    resource: &'static str,
    kind: DamageKind,
    address: usize,
    size: usize,
    offset: Option<isize>,
}

impl Damage {
    /// The block of `size` bytes at `address`, as its resource or its releaser knows it. See [`Damage`] for an example.
    #[must_use]
    pub const fn new(resource: &'static str, kind: DamageKind, address: usize, size: usize) -> Self {
        Self { resource, kind, address, size, offset: None }
    }

    /// The same with the first overwritten byte, counted from the block's start. See [`Damage`] for an example.
    #[must_use]
    pub const fn with_offset(mut self, offset: isize) -> Self {
        self.offset = Some(offset);
        self
    }

    /// Which modifier noticed.
    ///
    /// ```
    /// # use stratalloc_modifiers::{Damage, DamageKind};
    /// let damage = Damage::new("guarded", DamageKind::Underflow, 0x1000, 100).with_offset(-8);
    /// assert_eq!((damage.resource(), damage.kind()), ("guarded", DamageKind::Underflow));
    /// assert_eq!((damage.address(), damage.size(), damage.offset()), (0x1000, 100, Some(-8)));
    /// ```
    #[must_use]
    pub const fn resource(&self) -> &'static str {
        self.resource
    }

    /// What is wrong. An example is at [`resource`](Self::resource).
    #[must_use]
    pub const fn kind(&self) -> DamageKind {
        self.kind
    }

    /// Where the block starts. An example is at [`resource`](Self::resource).
    #[must_use]
    pub const fn address(&self) -> usize {
        self.address
    }

    /// How long it is. An example is at [`resource`](Self::resource).
    #[must_use]
    pub const fn size(&self) -> usize {
        self.size
    }

    /// The first overwritten byte, counted from the block's start, if that is known. An example is at [`resource`](Self::resource).
    #[must_use]
    pub const fn offset(&self) -> Option<isize> {
        self.offset
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { resource, kind, address, size, offset } = *self;
        write!(f, "{resource}: the block of {size} bytes at {address:#x} ")?;
        f.write_str(match kind {
            DamageKind::DoubleRelease => "is released, but was released before",
            DamageKind::WrongSize => "is handed back, but was requested with another length",
            DamageKind::Underflow => "was written to before its start, or is not of this resource",
            DamageKind::Overflow => "was written to behind its end",
            DamageKind::NotAsMade => {
                "was written to behind its end, has another length, or is not of this resource"
            }
            DamageKind::LateWrite => "was written to after its release",
        })?;
        match offset {
            Some(offset @ ..0) => write!(f, ", {} bytes before", offset.unsigned_abs()),
            Some(offset) => write!(f, ", {} bytes further", offset.unsigned_abs().saturating_sub(size)),
            None => Ok(()),
        }
    }
}

impl core::error::Error for Damage {}

/// What is called with each damage. It may panic or end the process; if it returns, the block is not used again.
/// See [`set_damage_hook`] for an example.
pub type DamageHook = fn(&Damage);

// Null, or a `DamageHook`.
static HOOK: AtomicPtr<()> = AtomicPtr::new(null_mut());

/// Installs what is called with each damage, in place of a panic.
///
/// ```
/// use stratalloc_modifiers::{Damage, set_damage_hook};
///
/// fn log(damage: &Damage) {
///     eprintln!("{damage}");
/// }
/// set_damage_hook(log);
/// ```
pub fn set_damage_hook(hook: DamageHook) {
    HOOK.store(hook as *mut (), Ordering::Release);
}

/// Tells the hook, or panics.
#[cold]
#[inline(never)]
pub(crate) fn report(damage: &Damage) {
    let hook = HOOK.load(Ordering::Acquire);
    assert!(!hook.is_null(), "{damage}");
    // SAFETY: not null, so it was stored by `set_damage_hook`, which stores nothing but hooks.
    let hook = unsafe { mem::transmute::<*mut (), DamageHook>(hook) };
    hook(damage);
}
