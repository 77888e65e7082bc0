//! Resources behind tables: the kit through one, tables of other lengths and versions, answers that are wrong.
//!
//! Not covered: programs in C, which are in `tests/capi/toolkit.sh`.

use core::alloc::Layout;
use core::cell::{Cell, RefCell};
use core::mem::offset_of;
use core::ptr::{self, NonNull};
use std::alloc::System;

use stratalloc_resource::abi::{
    ErrorCode, ExportedResource, ForeignResource, RawBlock, RawInfo, RawResource, RawUsage, ResourceV1,
    UNKNOWN,
};
use stratalloc_resource::conformance::{self, Config};
use stratalloc_resource::{
    Alignment, AllocError, FromGlobal, MemoryBlock, MemoryResource, MemoryTag, OwnedBlock,
};

fn foreign(raw: NonNull<RawResource>) -> Result<ForeignResource, ErrorCode> {
    // SAFETY: the tests' resources outlive their handles.
    unsafe { ForeignResource::new(raw) }
}

fn global() -> ExportedResource<FromGlobal<'static, System>> {
    ExportedResource::new(FromGlobal::new(&System))
}

#[test]
fn an_exported_resource_conforms() {
    let exported = global();
    let config = Config { operations: if cfg!(miri) { 20 } else { 1_000 }, ..Config::default() };
    let outcome = conformance::local_resource(&foreign(exported.raw()).unwrap(), &config);
    assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
}

#[test]
fn handles_to_one_resource_are_equal() {
    let (one, other) = (global(), global());
    let handles = [one.raw(), one.raw(), other.raw()].map(|raw| foreign(raw).unwrap());
    assert!(handles[0].is_equal(&handles[1]) && !handles[0].is_equal(&handles[2]));
    assert_eq!(handles[0].info().name, "global");
}

/// A resource over the system's, with a table that tests write.
#[repr(C)]
struct Written {
    raw: RawResource,
    answer: Cell<Answer>,
    live: Cell<usize>,
    // Given back when all is over, so that a wrong answer harms nobody.
    given: RefCell<Vec<OwnedBlock<FromGlobal<'static, System>>>>,
}

#[derive(Clone, Copy)]
enum Answer {
    Right,
    Null,
    TooShort,
    Misaligned,
    /// Of a resize: the block as it was.
    Unmoved,
    Code(i32),
}

impl Written {
    fn new(table: &ResourceV1) -> Self {
        Self {
            raw: RawResource { table },
            answer: Cell::new(Answer::Right),
            live: Cell::new(0),
            given: RefCell::default(),
        }
    }

    fn raw(&self) -> NonNull<RawResource> {
        NonNull::from_ref(self).cast()
    }
}

unsafe extern "C" fn allocate(
    raw: *mut RawResource,
    size: usize,
    align: usize,
    out: *mut RawBlock,
) -> ErrorCode {
    // SAFETY: a `Written`.
    let written = unsafe { &*raw.cast::<Written>() };
    let layout = Layout::from_size_align(size + 64, align.max(16)).unwrap();
    let Ok(block) = OwnedBlock::new(FromGlobal::new(&System), layout) else {
        return ErrorCode::OUT_OF_MEMORY;
    };
    let start = block.as_ptr();
    written.given.borrow_mut().push(block);
    let answer = match written.answer.get() {
        Answer::Right | Answer::Unmoved => RawBlock { start, len: size },
        Answer::Null => RawBlock::NULL,
        Answer::TooShort => RawBlock { start, len: size.saturating_sub(1) },
        Answer::Misaligned => RawBlock { start: start.wrapping_add(1), len: size },
        Answer::Code(code) => return ErrorCode::new(code),
    };
    written.live.set(written.live.get() + usize::from(!answer.start.is_null()));
    // SAFETY: a place for a block.
    unsafe { out.write(answer) };
    ErrorCode::OK
}

/// Answers what `allocate` does, to which the old block's bytes are moved, or the old place.
unsafe extern "C" fn resize(
    raw: *mut RawResource,
    start: *mut u8,
    len: usize,
    align: usize,
    new_size: usize,
    out: *mut RawBlock,
) -> ErrorCode {
    // SAFETY: a `Written`.
    let written = unsafe { &*raw.cast::<Written>() };
    if let Answer::Unmoved = written.answer.get() {
        // SAFETY: a place for a block.
        unsafe { out.write(RawBlock { start, len }) };
        return ErrorCode::OK;
    }
    // SAFETY: as for this function.
    let code = unsafe { allocate(raw, new_size, align, out) };
    // SAFETY: written just now, if it succeeded.
    let moved = unsafe { out.read() };
    if code == ErrorCode::OK && !moved.start.is_null() {
        // SAFETY: both are that long.
        unsafe { moved.start.copy_from_nonoverlapping(start, len.min(moved.len)) };
        written.live.set(written.live.get() - 1);
        // What comes next is right again.
        written.answer.set(Answer::Right);
    }
    code
}

unsafe extern "C" fn release(raw: *mut RawResource, _: *mut u8, _: usize, _: usize) -> ErrorCode {
    // SAFETY: a `Written`.
    let written = unsafe { &*raw.cast::<Written>() };
    written.live.set(written.live.get() - 1);
    ErrorCode::OK
}

const FUNCTIONS: ResourceV1 =
    ResourceV1 { allocate: Some(allocate), release: Some(release), ..ResourceV1::EMPTY };

#[test]
fn a_wrong_answer_goes_back_and_is_refused() {
    let written = Written::new(&FUNCTIONS);
    let handle = foreign(written.raw()).unwrap();
    let layout = Layout::from_size_align(100, 8).unwrap();
    for answer in [Answer::TooShort, Answer::Misaligned] {
        written.answer.set(answer);
        assert_eq!(handle.allocate(layout), Err(AllocError::Unsupported));
        assert_eq!(written.live.get(), 0, "it was not handed back");
    }
    written.answer.set(Answer::Null);
    assert_eq!(handle.allocate(layout), Err(AllocError::Unsupported));
}

/// Success means that the old block is gone, so what was answered is all there is.
#[test]
fn a_wrong_answer_to_a_resize_loses_no_block() {
    let table = ResourceV1 { resize: Some(resize), ..FUNCTIONS };
    for answer in [Answer::TooShort, Answer::Misaligned, Answer::Unmoved, Answer::Null] {
        let written = Written::new(&table);
        let handle = foreign(written.raw()).unwrap();
        let block = handle.allocate(Layout::new::<[u64; 4]>()).unwrap();
        // SAFETY: 32 bytes of ours.
        unsafe { block.as_ptr().write_bytes(7, 32) };
        written.answer.set(answer);
        // SAFETY: live.
        let outcome = unsafe { handle.reallocate(block, 100, Alignment::of::<u64>()) };
        if matches!(answer, Answer::Unmoved | Answer::Null) {
            assert_eq!(outcome, Err(AllocError::Unsupported));
        }
        assert_eq!(written.live.get(), 1, "one block is live: the old one or the new one");
        let block = outcome.unwrap_or(block);
        assert!(
            block.len() >= if outcome.is_ok() { 100 } else { 32 } && block.is_aligned(Alignment::of::<u64>())
        );
        // SAFETY: live, and 32 bytes of it were written.
        let kept = unsafe { core::slice::from_raw_parts(block.as_ptr(), 32) };
        assert_eq!(kept, [7; 32]);
    }
}

#[test]
fn codes_become_errors() {
    let written = Written::new(&FUNCTIONS);
    let handle = foreign(written.raw()).unwrap();
    let over_budget = 4 + 1000 * 256;
    for (code, error) in [
        (1, AllocError::OutOfMemory),
        (2, AllocError::SizeOverflow),
        (3, AllocError::BadAlignment),
        (over_budget, AllocError::OverBudget(MemoryTag::new(1000))),
        (5, AllocError::CapacityExhausted),
        (6, AllocError::NotOwned),
        (7, AllocError::Unsupported),
        (33, AllocError::NotOwned),
        (99, AllocError::Unsupported),
        (-1, AllocError::Unsupported),
    ] {
        written.answer.set(Answer::Code(code));
        assert_eq!(handle.allocate(Layout::new::<u8>()), Err(error), "{code}");
        if (0..=7).contains(&code) || code == over_budget {
            assert_eq!(ErrorCode::from(error).get(), code);
        }
    }
}

#[test]
fn a_table_without_resize_moves_blocks() {
    let written = Written::new(&FUNCTIONS);
    let handle = foreign(written.raw()).unwrap();
    let block = handle.allocate(Layout::new::<[u8; 10]>()).unwrap();
    // SAFETY: ten bytes of ours.
    unsafe { block.as_ptr().write_bytes(7, 10) };
    // SAFETY: live.
    let moved = unsafe { handle.reallocate(block, 50, Alignment::ONE) }.unwrap();
    assert_ne!(moved.address(), block.address());
    // SAFETY: live, 50 bytes long.
    assert_eq!(unsafe { moved.as_ptr().wrapping_add(9).read() }, 7);
    assert_eq!((moved.len(), written.live.get()), (50, 1));
    assert_eq!((handle.info().name, handle.info().capacity), ("foreign", None));
}

/// What lies beyond the size that a table states is not read: here it would be taken for functions.
#[test]
fn a_short_table_has_no_more_than_it_says() {
    let full = global();
    // SAFETY: a table.
    let functions = unsafe { ResourceV1::of(full.raw()) }.unwrap();
    for end in
        [offset_of!(ResourceV1, resize), offset_of!(ResourceV1, resize) + 4, offset_of!(ResourceV1, owns)]
    {
        let table = ResourceV1 { size: u32::try_from(end).unwrap(), ..functions };
        let written = Written::new(&table);
        // SAFETY: a table.
        let read = unsafe { ResourceV1::of(written.raw()) }.unwrap();
        assert_eq!(read.resize.is_some(), end == offset_of!(ResourceV1, owns));
        assert!(read.info.is_none() && read.allocate.is_some());
    }
}

#[test]
fn other_tables_are_refused() {
    let refused = |table: *const ResourceV1| {
        let written = Written { raw: RawResource { table }, ..Written::new(&FUNCTIONS) };
        foreign(written.raw()).err()
    };
    assert_eq!(refused(&raw const FUNCTIONS_COPY), None);
    assert_eq!(refused(ptr::null()), Some(ErrorCode::INVALID_ARGUMENT));
    assert_eq!(refused(&ResourceV1 { version: 2, ..FUNCTIONS }), Some(ErrorCode::BAD_VERSION));
    assert_eq!(refused(&ResourceV1 { version: 0, ..FUNCTIONS }), Some(ErrorCode::BAD_VERSION));
    assert_eq!(
        refused(&ResourceV1 { size: size_to(offset_of!(ResourceV1, release)), ..FUNCTIONS }),
        Some(ErrorCode::BAD_VERSION)
    );
    assert_eq!(refused(&ResourceV1 { allocate: None, ..FUNCTIONS }), Some(ErrorCode::INVALID_ARGUMENT));
    assert_eq!(refused(&ResourceV1 { release: None, ..FUNCTIONS }), Some(ErrorCode::INVALID_ARGUMENT));
}

/// The size of a table that ends in front of a field.
fn size_to(offset: usize) -> u32 {
    u32::try_from(offset).unwrap()
}

static FUNCTIONS_COPY: ResourceV1 = FUNCTIONS;

#[test]
fn an_exported_table_refuses_what_is_no_request() {
    let exported = global();
    let raw = exported.raw().as_ptr();
    // SAFETY: a table.
    let table = unsafe { ResourceV1::of(exported.raw()) }.unwrap();
    let mut block = RawBlock { start: ptr::null_mut(), len: 77 };
    let mut request = |size, align| {
        // SAFETY: a place for a block.
        unsafe { table.allocate.unwrap()(raw, size, align, &raw mut block) }
    };
    assert_eq!(request(isize::MAX.unsigned_abs() + 1, 1), ErrorCode::SIZE_OVERFLOW);
    assert_eq!(request(1, 0), ErrorCode::BAD_ALIGNMENT);
    assert_eq!(request(1, 3), ErrorCode::BAD_ALIGNMENT);
    assert_eq!(block.len, 77);
    // SAFETY: nothing is written where there is no place.
    let code = unsafe { table.allocate.unwrap()(raw, 1, 1, ptr::null_mut()) };
    assert_eq!(code, ErrorCode::INVALID_ARGUMENT);
    // SAFETY: null is no block.
    let code = unsafe { table.release.unwrap()(raw, ptr::null_mut(), 1, 1) };
    assert_eq!(code, ErrorCode::INVALID_ARGUMENT);
}

#[test]
fn answers_end_where_the_asker_said() {
    let mut usage =
        RawUsage { size: size_to(offset_of!(RawUsage, live_blocks)), live_blocks: 5, ..RawUsage::UNKNOWN };
    // SAFETY: a place that is larger than it says.
    unsafe { RawUsage { used: 1, peak: 2, reserved: 3, ..RawUsage::UNKNOWN }.fill(&raw mut usage) }.unwrap();
    assert_eq!(
        (usage.size, usage.used, usage.peak, usage.reserved, usage.live_blocks),
        (size_to(offset_of!(RawUsage, live_blocks)), 1, 2, 3, 5)
    );
    usage.size = size_to(offset_of!(RawUsage, used));
    // SAFETY: as above.
    assert_eq!(unsafe { RawUsage::UNKNOWN.fill(&raw mut usage) }, Err(ErrorCode::BAD_VERSION));
    // SAFETY: null.
    assert_eq!(unsafe { RawInfo::UNKNOWN.fill(ptr::null_mut()) }, Err(ErrorCode::INVALID_ARGUMENT));
}

/// As a newer asker has them: with a field at the end that this version does not know.
#[test]
fn answers_say_where_they_end() {
    #[repr(C)]
    struct Newer<T>(T, usize);
    let mut usage = Newer(RawUsage::UNKNOWN, 5);
    let mut info = Newer(RawInfo::UNKNOWN, 5);
    usage.0.size = size_to(size_of::<Newer<RawUsage>>());
    info.0.size = size_to(size_of::<Newer<RawInfo>>());
    // SAFETY: places that are as large as they say.
    unsafe { RawUsage { used: 1, ..RawUsage::UNKNOWN }.fill((&raw mut usage).cast()) }.unwrap();
    // SAFETY: as above.
    unsafe { RawInfo { threads: 1, ..RawInfo::UNKNOWN }.fill((&raw mut info).cast()) }.unwrap();
    assert_eq!((usage.0.size, usage.0.used, usage.1), (size_to(size_of::<RawUsage>()), 1, 5));
    assert_eq!((info.0.size, info.0.threads, info.1), (size_to(size_of::<RawInfo>()), 1, 5));
}

#[test]
fn a_long_name_is_cut() {
    let info = stratalloc_resource::ResourceInfo::new(
        "a name that is much too long for its place",
        stratalloc_resource::ThreadSafety::Shared,
    );
    let raw = RawInfo::new(&info);
    assert_eq!((raw.name[22], raw.name[23], raw.threads), (b'o'.cast_signed(), 0, 1));
    assert_eq!((raw.capacity, raw.max_align), (UNKNOWN, UNKNOWN));
}

#[test]
fn blocks_fit_or_not() {
    let block = MemoryBlock::new(NonNull::<u64>::dangling().cast(), 8);
    let align = Alignment::of::<u64>();
    assert_eq!(RawBlock::from(block).fitting(8, align), Some(block));
    assert_eq!(RawBlock::from(block).fitting(9, align), None);
    assert_eq!(RawBlock { len: usize::MAX, ..block.into() }.fitting(8, align), None);
    assert_eq!(RawBlock::NULL.fitting(0, align), None);
}
