//! Calls to a resource of somebody else's whose answers do not fit.

use core::cell::{Cell, UnsafeCell};
use core::ptr;

use stratalloc_resource::abi::{ErrorCode, RawBlock, RawResource, ResourceV1};

use crate::calls::{
    stratalloc_resource_allocate, stratalloc_resource_allocate_zeroed, stratalloc_resource_resize,
};

const PLACE: usize = 256;

/// Places that are handed out one after the other; each answer is changed by what the test says, once.
#[repr(C)]
struct Lying {
    raw: RawResource,
    wrong: Cell<fn(RawBlock) -> RawBlock>,
    next: Cell<usize>,
    live: Cell<usize>,
    places: UnsafeCell<[u128; 5 * PLACE / 16]>,
}

static TABLE: ResourceV1 = ResourceV1 {
    allocate: Some(allocate),
    release: Some(release),
    resize: Some(resize),
    ..ResourceV1::EMPTY
};

fn right(block: RawBlock) -> RawBlock {
    block
}

fn null(_: RawBlock) -> RawBlock {
    RawBlock::NULL
}

fn short(block: RawBlock) -> RawBlock {
    RawBlock { len: block.len - 1, ..block }
}

fn misaligned(block: RawBlock) -> RawBlock {
    RawBlock { start: block.start.wrapping_add(1), ..block }
}

fn endless(block: RawBlock) -> RawBlock {
    RawBlock { len: usize::MAX, ..block }
}

impl Lying {
    fn new() -> Self {
        Self {
            raw: RawResource { table: &raw const TABLE },
            wrong: Cell::new(right),
            next: Cell::new(0),
            live: Cell::new(0),
            places: UnsafeCell::new([0xAAAA; 5 * PLACE / 16]),
        }
    }

    fn raw(&self) -> *mut RawResource {
        ptr::from_ref(self).cast_mut().cast()
    }

    fn take(&self, size: usize) -> RawBlock {
        let start = self.places.get().cast::<u8>().wrapping_add(self.next.get() * PLACE);
        self.next.set(self.next.get() + 1);
        assert!(size < PLACE && self.next.get() <= 5);
        let answer = self.wrong.replace(right)(RawBlock { start, len: size });
        self.live.set(self.live.get() + usize::from(!answer.start.is_null()));
        answer
    }
}

unsafe extern "C" fn allocate(raw: *mut RawResource, size: usize, _: usize, out: *mut RawBlock) -> ErrorCode {
    // SAFETY: a `Lying`.
    let lying = unsafe { &*raw.cast::<Lying>() };
    // SAFETY: a place for a block.
    unsafe { out.write(lying.take(size)) };
    ErrorCode::OK
}

unsafe extern "C" fn release(raw: *mut RawResource, _: *mut u8, _: usize, _: usize) -> ErrorCode {
    // SAFETY: a `Lying`.
    let lying = unsafe { &*raw.cast::<Lying>() };
    lying.live.set(lying.live.get() - 1);
    ErrorCode::OK
}

unsafe extern "C" fn resize(
    raw: *mut RawResource,
    start: *mut u8,
    len: usize,
    _: usize,
    size: usize,
    out: *mut RawBlock,
) -> ErrorCode {
    // SAFETY: a `Lying`.
    let lying = unsafe { &*raw.cast::<Lying>() };
    let moved = lying.take(size);
    // SAFETY: a place for a block.
    unsafe { out.write(moved) };
    if !moved.start.is_null() {
        // SAFETY: places are longer than that.
        unsafe { moved.start.copy_from_nonoverlapping(start, len.min(size)) };
        lying.live.set(lying.live.get() - 1);
    }
    ErrorCode::OK
}

#[test]
fn a_block_that_does_not_fit_goes_back_and_is_not_seen() {
    for request in [stratalloc_resource_allocate, stratalloc_resource_allocate_zeroed] {
        for wrong in [null, short, misaligned, endless] {
            let lying = Lying::new();
            lying.wrong.set(wrong);
            let mut out = RawBlock { start: ptr::null_mut(), len: 77 };
            // SAFETY: a resource whose only fault is what is tested, and a place for a block.
            let code = unsafe { request(lying.raw(), 100, 16, &raw mut out) };
            assert_eq!((code, out.len, lying.live.get()), (ErrorCode::UNSUPPORTED, 77, 0));
            // SAFETY: as above.
            let code = unsafe { request(lying.raw(), 100, 16, &raw mut out) };
            assert_eq!((code, out.len, lying.live.get()), (ErrorCode::OK, 100, 1));
        }
    }
}

/// Success means that the old block is gone: what was answered is all there is, and moves to where it fits.
#[test]
fn a_resized_block_that_does_not_fit_is_not_lost() {
    for wrong in [short, misaligned, endless] {
        let lying = Lying::new();
        let mut block = RawBlock::NULL;
        // SAFETY: a place for a block.
        unsafe { stratalloc_resource_allocate(lying.raw(), 50, 16, &raw mut block) };
        // SAFETY: 50 bytes of ours.
        unsafe { block.start.write_bytes(7, 50) };
        lying.wrong.set(wrong);
        // SAFETY: live.
        let code = unsafe {
            stratalloc_resource_resize(lying.raw(), block.start, block.len, 16, 100, &raw mut block)
        };
        assert_eq!((code, block.len, lying.live.get()), (ErrorCode::OK, 100, 1));
        assert!(block.start.addr().is_multiple_of(16));
        // SAFETY: live, and 50 bytes of it were written.
        assert_eq!(unsafe { core::slice::from_raw_parts(block.start, 50) }, [7; 50]);
    }
}

#[test]
fn a_resize_that_answers_nothing_leaves_the_block() {
    let lying = Lying::new();
    let mut block = RawBlock::NULL;
    // SAFETY: a place for a block.
    unsafe { stratalloc_resource_allocate(lying.raw(), 50, 16, &raw mut block) };
    let before = block;
    lying.wrong.set(null);
    // SAFETY: live.
    let code =
        unsafe { stratalloc_resource_resize(lying.raw(), block.start, block.len, 16, 100, &raw mut block) };
    assert_eq!((code, block.start, block.len), (ErrorCode::UNSUPPORTED, before.start, 50));
    assert_eq!(lying.live.get(), 1);
}
