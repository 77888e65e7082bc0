//! A malloc family as data: function pointers, and what differs lawfully between families.

use core::ffi::{c_int, c_void};

use crate::Alignment;

/// What `realloc(p, 0)` does; the standards allow either, and programs depend on what they know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReallocZero {
    /// Releases `p` and returns null: glibc.
    FreesAndReturnsNull,
    /// Shrinks `p` to the smallest block: jemalloc, mimalloc.
    ReturnsBlock,
}

type Request = unsafe extern "C" fn(usize) -> *mut c_void;
type AlignedRequest = unsafe extern "C" fn(usize, usize) -> *mut c_void;

/// A `malloc` and its relatives, as function pointers.
///
/// The four that every program uses are arguments of [`new`](Self::new); the others are set afterwards if the family has
/// them, and what concerns them is skipped otherwise.
///
/// ```no_run
/// use core::ffi::c_void;
/// use stratalloc_resource::conformance::{self, Config, MallocFamily};
///
/// unsafe extern "C" {
///     fn malloc(size: usize) -> *mut c_void;
///     fn free(block: *mut c_void);
///     fn calloc(count: usize, size: usize) -> *mut c_void;
///     fn realloc(block: *mut c_void, size: usize) -> *mut c_void;
///     fn malloc_usable_size(block: *mut c_void) -> usize;
/// }
///
/// // SAFETY: these are the C library's, which do what their names say.
/// let mut libc = unsafe { MallocFamily::new("libc", malloc, free, calloc, realloc) };
/// libc.malloc_usable_size = Some(malloc_usable_size);
/// let report = conformance::malloc_family(&libc, &Config::default()).unwrap();
/// println!("{report}");
/// ```
// Invariant FAMILY: the functions may be called as C declares the functions of their names, on blocks of this
// family, from any thread. Established by the caller of `new`, who also answers for the fields set later: they are
// function pointers of an `unsafe` type.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct MallocFamily {
    /// For reports.
    pub name: &'static str,
    /// `void *malloc(size_t size)`
    pub malloc: Request,
    /// `void free(void *block)`
    pub free: unsafe extern "C" fn(*mut c_void),
    /// `void *calloc(size_t count, size_t size)`
    pub calloc: AlignedRequest,
    /// `void *realloc(void *block, size_t size)`
    pub realloc: unsafe extern "C" fn(*mut c_void, usize) -> *mut c_void,
    /// `int posix_memalign(void **out, size_t alignment, size_t size)`
    pub posix_memalign: Option<unsafe extern "C" fn(*mut *mut c_void, usize, usize) -> c_int>,
    /// `void *aligned_alloc(size_t alignment, size_t size)`
    pub aligned_alloc: Option<AlignedRequest>,
    /// `void *memalign(size_t alignment, size_t size)`
    pub memalign: Option<AlignedRequest>,
    /// `void *valloc(size_t size)`
    pub valloc: Option<Request>,
    /// `void *pvalloc(size_t size)`
    pub pvalloc: Option<Request>,
    /// `void *reallocarray(void *block, size_t count, size_t size)`
    pub reallocarray: Option<unsafe extern "C" fn(*mut c_void, usize, usize) -> *mut c_void>,
    /// `size_t malloc_usable_size(void *block)`
    pub malloc_usable_size: Option<unsafe extern "C" fn(*mut c_void) -> usize>,
    /// `void free_sized(void *block, size_t size)`
    pub free_sized: Option<unsafe extern "C" fn(*mut c_void, usize)>,
    /// `void free_aligned_sized(void *block, size_t alignment, size_t size)`
    pub free_aligned_sized: Option<unsafe extern "C" fn(*mut c_void, usize, usize)>,
    /// `void cfree(void *block)`
    pub cfree: Option<unsafe extern "C" fn(*mut c_void)>,
    /// Where the calling thread's `errno` is: `__errno_location`, `__error`, `_errno`.
    pub errno: Option<unsafe extern "C" fn() -> *mut c_int>,
    /// What `realloc(p, 0)` does.
    pub realloc_zero: ReallocZero,
    /// The alignment of every block, however small; the family is asked for no less than this by `malloc`.
    pub min_align: Alignment,
    /// The page size, for `valloc` and `pvalloc`.
    pub page_size: usize,
}

impl MallocFamily {
    /// A family of the four basic functions, with glibc's answer to `realloc(p, 0)`, blocks aligned to two pointers, and
    /// pages of 4 KiB.
    ///
    /// # Safety
    ///
    /// Each function, also those that are set afterwards, may be called from any thread as C declares the
    /// function of its name. (Wrong results are what the kit is looking for; wrong signatures and wild writes it cannot
    /// survive.)
    #[must_use]
    pub const unsafe fn new(
        name: &'static str,
        malloc: Request,
        free: unsafe extern "C" fn(*mut c_void),
        calloc: AlignedRequest,
        realloc: unsafe extern "C" fn(*mut c_void, usize) -> *mut c_void,
    ) -> Self {
        Self {
            name,
            malloc,
            free,
            calloc,
            realloc,
            posix_memalign: None,
            aligned_alloc: None,
            memalign: None,
            valloc: None,
            pvalloc: None,
            reallocarray: None,
            malloc_usable_size: None,
            free_sized: None,
            free_aligned_sized: None,
            cfree: None,
            errno: None,
            realloc_zero: ReallocZero::FreesAndReturnsNull,
            min_align: Alignment::MALLOC,
            page_size: 4096,
        }
    }
}
