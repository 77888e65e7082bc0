//! What a checked build says when a caller breaks the contract.
//!
//! A broken contract is undefined behaviour in the fast build. With debug assertions, or with the feature `checked`, the
//! strategies look for it where they can, and describe what they found in a [`Misuse`]. It goes to the process-wide
//! hook; the one that is installed at first panics with the description, so a test or a debugger stops at the culprit.

use core::fmt;
use core::mem;
use core::ptr::null_mut;
// Not the loom switch of the primitives: the hook is a setting, not part of a protocol.
use core::sync::atomic::{AtomicPtr, Ordering};

use stratalloc_resource::{Alignment, MemoryBlock};

/// Whether this build looks for misuse.
pub(crate) const CHECKED: bool = cfg!(any(debug_assertions, feature = "checked"));

/// Which rule was broken. See [`Inspect`] for an example.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MisuseKind {
    /// A block was released that is not live: for the second time, or never handed out.
    DoubleRelease,
    /// A block was released to a resource that it did not come from.
    ForeignBlock,
    /// The pointer lies inside a block, not at its start.
    InteriorPointer,
    /// The length is neither the requested nor the returned one, nor between them.
    WrongSize,
    /// Bytes before the block were overwritten.
    Underflow,
    /// Bytes after the block were overwritten.
    Overflow,
    /// The alignment is not that of the request.
    WrongAlignment,
    /// The bytes of a released block were overwritten.
    WriteAfterRelease,
    /// A younger block of a stack is still live.
    OutOfOrder,
    /// A marker is of another resource, or of memory that was given up since.
    StaleMarker,
}

/// A broken contract: which rule, by which block, of which kind of resource.
///
/// ```
/// use stratalloc_strategies::{Misuse, MisuseKind};
///
/// let misuse = Misuse::new("pool", MisuseKind::DoubleRelease, 0x1000);
/// assert_eq!(misuse.to_string(), "pool: the block at 0x1000 is released, but not live");
/// assert_eq!((misuse.resource(), misuse.address()), ("pool", 0x1000));
/// assert!(matches!(misuse.kind(), MisuseKind::DoubleRelease));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Misuse {
    resource: &'static str,
    kind: MisuseKind,
    address: usize,
}

impl Misuse {
    /// The misuse of the block at `address` of a resource with this name. See [`Misuse`] for an example.
    #[must_use]
    pub const fn new(resource: &'static str, kind: MisuseKind, address: usize) -> Self {
        Self { resource, kind, address }
    }

    /// The name of the resource that noticed. See [`Misuse`] for an example.
    #[must_use]
    pub const fn resource(&self) -> &'static str {
        self.resource
    }

    /// Which rule was broken. See [`Misuse`] for an example.
    #[must_use]
    pub const fn kind(&self) -> MisuseKind {
        self.kind
    }

    /// Where the block starts. See [`Misuse`] for an example.
    #[must_use]
    pub const fn address(&self) -> usize {
        self.address
    }
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { resource, address, .. } = *self;
        let what = match self.kind {
            MisuseKind::DoubleRelease => "is released, but not live",
            MisuseKind::ForeignBlock => "is released here, but came from elsewhere",
            MisuseKind::InteriorPointer => "is released, but no block starts there",
            MisuseKind::WrongSize => "is released with a length that it never had",
            MisuseKind::Underflow => "was written to before its first byte",
            MisuseKind::Overflow => "was written to after its last byte",
            MisuseKind::WrongAlignment => "is released with an alignment that it was not requested with",
            MisuseKind::WriteAfterRelease => "was written to after its release",
            MisuseKind::OutOfOrder => "is released before a younger one",
            MisuseKind::StaleMarker => "is rewound to, but not the resource's any more",
        };
        write!(f, "{resource}: the block at {address:#x} {what}")
    }
}

impl core::error::Error for Misuse {}

/// A strategy that can be asked about a release before it is done.
///
/// Every build can ask, also those that do not look by themselves; [`stratalloc_resource::MemoryResource::deallocate`] of a block
/// that was found to be right is then as safe as the strategy can tell.
///
/// | strategy | cost | recognises |
/// | --- | --- | --- |
/// | `Buddy` | O(1) | every wrong release, but for a block whose place is a live one of the same size again |
/// | `LockFreePool` | O(1) | foreign blocks, pointers into blocks, wrong length and alignment |
/// | `Slab` | O(slabs) | every wrong release |
/// | `Pool` | O(chunks + free blocks) | every wrong release, once other threads' returns are taken in |
/// | `Tlsf`, `GrowingTlsf` | O(blocks of the chunk) | every wrong release |
/// | `Frame` | O(chunks) | foreign blocks, what lies behind the cursor; with [`Safety`](crate::frame::Safety) every wrong release |
/// | `System` | a system call, O(pages) | what begins at no page, or is not mapped |
/// | `Stack` | O(1) for the top block, else O(depth) | every wrong release; of a strict one also the wrong order |
///
/// ```
/// use core::alloc::Layout;
/// use stratalloc_resource::{Alignment, MemoryResource};
/// use stratalloc_strategies::pool::{Pool, PoolConfig};
/// use stratalloc_strategies::{Inspect, MisuseKind};
///
/// let mut memory = [core::mem::MaybeUninit::uninit(); 1000];
/// let pool = Pool::over(PoolConfig::of::<u64>(), &mut memory)?;
/// let block = pool.allocate(Layout::new::<u64>())?;
/// assert_eq!(pool.inspect(block, Alignment::of::<u64>()), Ok(()));
/// // SAFETY: live, and not used.
/// unsafe { pool.deallocate(block, Alignment::of::<u64>()) };
/// assert_eq!(pool.inspect(block, Alignment::of::<u64>()), Err(MisuseKind::DoubleRelease));
/// # Ok::<(), stratalloc_resource::AllocError>(())
/// ```
pub trait Inspect {
    /// What would be wrong with handing back `block`, which may be anything at all. Nothing is changed or reported.
    /// See [`Inspect`] for an example.
    ///
    /// # Errors
    ///
    /// The rule that the release would break.
    fn inspect(&self, block: MemoryBlock, align: Alignment) -> Result<(), MisuseKind>;
}

/// What is called with each misuse. It may panic; if it returns, the resource ignores the call that was wrong.
/// See [`set_misuse_hook`] for an example.
pub type MisuseHook = fn(&Misuse);

// Null, or a `MisuseHook`.
static HOOK: AtomicPtr<()> = AtomicPtr::new(null_mut());

/// Installs what is called with each misuse that a checked build finds, in place of a panic.
///
/// ```
/// use stratalloc_strategies::{Misuse, set_misuse_hook};
///
/// fn log(misuse: &Misuse) {
///     eprintln!("{misuse}");
/// }
/// set_misuse_hook(log);
/// ```
pub fn set_misuse_hook(hook: MisuseHook) {
    HOOK.store(hook as *mut (), Ordering::Release);
}

/// Tells the hook, or panics.
#[cold]
#[inline(never)]
pub(crate) fn report(resource: &'static str, kind: MisuseKind, address: usize) {
    let misuse = Misuse::new(resource, kind, address);
    let hook = HOOK.load(Ordering::Acquire);
    assert!(!hook.is_null(), "{misuse}");
    // SAFETY: not null, so it was stored by `set_misuse_hook`, which stores nothing but hooks.
    let hook = unsafe { mem::transmute::<*mut (), MisuseHook>(hook) };
    hook(&misuse);
}
