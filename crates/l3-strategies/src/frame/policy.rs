//! What a frame does with each block, as a type.

/// How a [`Frame`](super::Frame) treats its blocks. Decided by the type, so a frame pays only for what it does.
///
/// | policy | does | costs |
/// | --- | --- | --- |
/// | [`Speed`] | nothing but bump | nothing |
/// | [`Counted<P>`] | counts allocations | one read-modify-write of a word a block |
/// | [`MinAlign<N, P>`] | starts and ends every block at a multiple of `N` | the padding; the rounding of addresses is then saved |
/// | [`CacheLined<P>`] | gives every block cache lines of its own, at both ends | up to 63 bytes a block |
/// | [`Chunks<FIRST, LARGEST, P>`] | sets what a growing frame asks its upstream for | nothing |
/// | [`Safety`] | counts, fills, guards with canaries, checks them | five words and a fill a block; a fill a chunk |
///
/// They nest: `Frame<Counted<MinAlign<16>>>`. An implementation of one's own sets the constants; a combination that makes no
/// sense does not compile.
///
/// An alignment has to be a power of two:
/// ```compile_fail,E0080
/// use stratalloc_strategies::frame::{Frame, MinAlign};
/// let mut memory = [core::mem::MaybeUninit::uninit(); 64];
/// let frame: Frame<MinAlign<24>> = Frame::over(&mut memory);
/// ```
/// An alignment above a page would waste more than it aligns; ask for it per block instead:
/// ```compile_fail,E0080
/// use stratalloc_strategies::frame::{Frame, MinAlign};
/// let mut memory = [core::mem::MaybeUninit::uninit(); 64];
/// let frame: Frame<MinAlign<8192>> = Frame::over(&mut memory);
/// ```
/// Blocks with canaries that are not filled would let stale canaries pass for fresh ones:
/// ```compile_fail,E0080
/// use stratalloc_strategies::frame::{Frame, Policy};
/// struct Careless;
/// impl Policy for Careless {
///     const CANARIES: bool = true;
/// }
/// let mut memory = [core::mem::MaybeUninit::uninit(); 64];
/// let frame: Frame<Careless> = Frame::over(&mut memory);
/// ```
/// A frame cannot begin with larger chunks than its largest:
/// ```compile_fail,E0080
/// use stratalloc_strategies::frame::{Chunks, Frame};
/// let mut memory = [core::mem::MaybeUninit::uninit(); 64];
/// let frame: Frame<Chunks<8192, 4096>> = Frame::over(&mut memory);
/// ```
/// Chunks of a few bytes spend more on headers than on blocks:
/// ```compile_fail,E0080
/// use stratalloc_strategies::frame::{Chunks, Frame};
/// let mut memory = [core::mem::MaybeUninit::uninit(); 64];
/// let frame: Frame<Chunks<32, 4096>> = Frame::over(&mut memory);
/// ```
/// A frame whose policy does not count has no count to tell:
/// ```compile_fail,E0277
/// use stratalloc_strategies::frame::{Frame, Speed};
/// let mut memory = [core::mem::MaybeUninit::uninit(); 64];
/// let frame: Frame<Speed> = Frame::over(&mut memory);
/// frame.count();
/// ```
/// The same with nothing to refuse:
/// ```
/// use stratalloc_strategies::frame::{CacheLined, Chunks, Counted, Frame};
/// let mut memory = [core::mem::MaybeUninit::uninit(); 512];
/// let frame: Frame<Counted<CacheLined<Chunks<4096, 8192>>>> = Frame::over(&mut memory);
/// assert_eq!(frame.alloc(1_u8) as *const u8 as usize % 64, 0);
/// assert_eq!((frame.count(), frame.used()), (1, 64));
/// ```
///
/// A policy of one's own, and what its constants come to:
/// ```
/// use stratalloc_resource::FromGlobal;
/// use stratalloc_strategies::frame::{Counts, Frame, Policy, Safety, Speed};
///
/// struct Pages; // counts, and grows by 16 KiB at a time
/// impl Policy for Pages {
///     const COUNT: bool = true;
///     const FIRST_CHUNK: usize = 16 << 10;
///     const LARGEST_CHUNK: usize = 16 << 10;
/// }
/// impl Counts for Pages {}
///
/// let frame = Frame::<Pages, _>::growing(FromGlobal::new(&std::alloc::System));
/// frame.alloc(1_u8);
/// assert_eq!((frame.count(), frame.reserved()), (1, 16 << 10));
/// assert!(Pages::MIN_ALIGN == 1 && !Speed::FILL && Safety::FILL && Safety::CANARIES);
/// ```
pub trait Policy {
    /// Every block starts and ends at a multiple of this. See [`Policy`] for an example.
    const MIN_ALIGN: usize = 1;
    /// The size of the first chunk. Each is twice as large as the one before. See [`Policy`] for an example.
    const FIRST_CHUNK: usize = 4096;
    /// The size at which chunks stop doubling. A block that is larger gets a chunk of its size. See [`Policy`] for an example.
    const LARGEST_CHUNK: usize = if usize::BITS < 64 { 1 << 20 } else { 64 << 20 };
    /// Whether the frame counts allocations. With this comes [`Counts`]. See [`Policy`] for an example.
    const COUNT: bool = false;
    /// Whether fresh bytes are filled with `0xCD` and given-up ones with `0xDD`. See [`Policy`] for an example.
    const FILL: bool = false;
    /// Whether words before and after each block show overflow, underflow and double release. See [`Policy`] for an example.
    const CANARIES: bool = false;
}

/// A policy with [`COUNT`](Policy::COUNT): its frames tell how many allocations there were. An example is at [`Policy`].
#[diagnostic::on_unimplemented(
    message = "a frame with the policy `{Self}` does not count its allocations",
    label = "wrap the policy: `Counted<{Self}>`"
)]
pub trait Counts: Policy {}

/// Nothing but the bump; see the table at [`Policy`]. See [`Frame`](super::Frame) for an example.
#[derive(Clone, Copy, Debug, Default)]
pub struct Speed;

impl Policy for Speed {}

/// Every check there is: canaries, fill patterns, counts, double release.
///
/// What it finds becomes a [`Misuse`](crate::Misuse), in every build.
///
/// ```
/// use stratalloc_strategies::MisuseKind;
/// use stratalloc_strategies::frame::{Frame, Safety};
///
/// let mut memory = [core::mem::MaybeUninit::uninit(); 1024];
/// let frame: Frame<Safety> = Frame::over(&mut memory);
/// let four = frame.alloc([1_u8; 4]);
/// assert!(frame.verify().is_ok());
///
/// let fifth = four.as_mut_ptr().wrapping_add(4);
/// // SAFETY: inside the frame's memory; that it is not ours is the mistake.
/// let behind = unsafe { fifth.read() };
/// // SAFETY: as above.
/// unsafe { fifth.write(9) };
/// assert_eq!(frame.verify().unwrap_err().kind(), MisuseKind::Overflow);
/// // SAFETY: as above; else the frame's end would report it.
/// unsafe { fifth.write(behind) };
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Safety;

impl Policy for Safety {
    const COUNT: bool = true;
    const FILL: bool = true;
    const CANARIES: bool = true;
}

impl Counts for Safety {}

/// `P`, and every block starts and ends at a multiple of `N`; see [`Policy`].
#[derive(Clone, Copy, Debug, Default)]
pub struct MinAlign<const N: usize, P = Speed>(P);

impl<const N: usize, P: Policy> Policy for MinAlign<N, P> {
    const MIN_ALIGN: usize = if N > P::MIN_ALIGN { N } else { P::MIN_ALIGN };
    const FIRST_CHUNK: usize = P::FIRST_CHUNK;
    const LARGEST_CHUNK: usize = P::LARGEST_CHUNK;
    const COUNT: bool = P::COUNT;
    const FILL: bool = P::FILL;
    const CANARIES: bool = P::CANARIES;
}

impl<const N: usize, P: Counts> Counts for MinAlign<N, P> {}

/// `P`, and every block has its cache lines for itself: what one thread writes never slows down a neighbour's reader. See
/// [`Policy`].
pub type CacheLined<P = Speed> = MinAlign<64, P>;

/// `P`, and the frame counts its allocations; see [`Policy`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Counted<P = Speed>(P);

impl<P: Policy> Policy for Counted<P> {
    const MIN_ALIGN: usize = P::MIN_ALIGN;
    const FIRST_CHUNK: usize = P::FIRST_CHUNK;
    const LARGEST_CHUNK: usize = P::LARGEST_CHUNK;
    const COUNT: bool = true;
    const FILL: bool = P::FILL;
    const CANARIES: bool = P::CANARIES;
}

impl<P: Policy> Counts for Counted<P> {}

/// `P`, and growth begins with chunks of `FIRST` bytes and doubles them up to `LARGEST`; see [`Policy`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Chunks<const FIRST: usize, const LARGEST: usize, P = Speed>(P);

impl<const FIRST: usize, const LARGEST: usize, P: Policy> Policy for Chunks<FIRST, LARGEST, P> {
    const MIN_ALIGN: usize = P::MIN_ALIGN;
    const FIRST_CHUNK: usize = FIRST;
    const LARGEST_CHUNK: usize = LARGEST;
    const COUNT: bool = P::COUNT;
    const FILL: bool = P::FILL;
    const CANARIES: bool = P::CANARIES;
}

impl<const FIRST: usize, const LARGEST: usize, P: Counts> Counts for Chunks<FIRST, LARGEST, P> {}

/// The largest [`Policy::MIN_ALIGN`].
pub(super) const LARGEST_MIN_ALIGN: usize = 4096;
/// The smallest [`Policy::FIRST_CHUNK`].
pub(super) const SMALLEST_CHUNK: usize = 64;

/// Refuses what makes no sense, at compile time, wherever a frame with `P` is made.
pub(super) const fn check<P: Policy>() {
    const {
        assert!(P::MIN_ALIGN.is_power_of_two(), "the minimal alignment of a frame is a power of two");
        assert!(P::MIN_ALIGN <= LARGEST_MIN_ALIGN, "a minimal alignment above a page: ask for it per block");
        assert!(P::FILL || !P::CANARIES, "canaries need fills, or stale canaries pass for fresh ones");
        assert!(P::COUNT || !P::CANARIES, "a frame with canaries counts what it checks");
        assert!(P::FIRST_CHUNK <= P::LARGEST_CHUNK, "the first chunk is not larger than the largest");
        assert!(P::FIRST_CHUNK >= SMALLEST_CHUNK, "smaller chunks spend more on headers than on blocks");
    }
}
