//! How the lists of indices write an index into a link: `index + 1`, so that zeroed memory is a list's end.
//!
//! A link is what [`IndexStack`](super::IndexStack) and [`Mailbox`](super::Mailbox) hand to `set_next` and
//! ask of `next_of`; the caller stores it as it is, in a relaxed `AtomicU32` beside the record that it
//! belongs to.

/// The link after the last element.
pub const END: u32 = 0;

/// The largest index that a link can name.
pub const MAX_INDEX: u32 = u32::MAX - 1;

/// The link to `index`, which is at most [`MAX_INDEX`].
#[inline(always)]
#[must_use]
pub const fn to(index: u32) -> u32 {
    debug_assert!(index <= MAX_INDEX);
    index.wrapping_add(1)
}

/// The index behind `link`, or `None` at the end.
#[inline(always)]
#[must_use]
pub const fn index(link: u32) -> Option<u32> {
    link.checked_sub(1)
}

/// Walks a list that this thread alone holds (from `take_all`), from the element behind `first` to the end.
///
/// The link of an element is read before the element is handed out, so the loop body may push it elsewhere.
#[inline]
pub fn walk(first: u32, next_of: impl FnMut(u32) -> u32) -> impl Iterator<Item = u32> {
    let mut next_of = next_of;
    let mut link = first;
    core::iter::from_fn(move || {
        let index = index(link)?;
        link = next_of(index);
        Some(index)
    })
}
