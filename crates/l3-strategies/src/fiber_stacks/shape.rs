//! Where the stacks of one size lie: arithmetic between addresses and indices, nothing else.
//!
//! ```text
//!   base                                                                    base + len
//!   │ guard 0 │ stack 0 │ guard 1 │ stack 1 │ … │ stack n − 1 │ guard n │
//!             ◄── size ─►                                        each guard serves both neighbours
//!   ◄──── stride ──────►
//! ```

/// What lies at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Inside the stack with this index. (Its top is the first address of the guard above.)
    Stack(usize),
    /// In the guard below the stack with this index, and above the one before. The first is above none, the last below none.
    Guard(usize),
}

/// The geometry of one class. Invariant SHAPE: `guard`, `size` and `base` are multiples of the page size, `size` is positive, and
/// `base + len()` is an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) base: usize,
    pub(super) guard: usize,
    pub(super) size: usize,
    pub(super) count: usize,
}

impl Shape {
    /// From one stack to the next.
    pub(super) const fn stride(&self) -> usize {
        self.guard + self.size
    }

    /// All stacks and guards; `None` if that fits no address space.
    pub(super) const fn checked_len(&self) -> Option<usize> {
        let Some(stride) = self.guard.checked_add(self.size) else { return None };
        let Some(stacks) = stride.checked_mul(self.count) else { return None };
        stacks.checked_add(self.guard)
    }

    /// All stacks and guards.
    pub(super) const fn len(&self) -> usize {
        self.stride() * self.count + self.guard
    }

    /// How far from the base guard `index` starts.
    pub(super) const fn guard_offset(&self, index: usize) -> usize {
        self.stride() * index
    }

    /// How far from the base the lowest byte of stack `index` is.
    pub(super) const fn limit_offset(&self, index: usize) -> usize {
        self.guard_offset(index) + self.guard
    }

    /// The lowest address of stack `index`.
    pub(super) const fn limit(&self, index: usize) -> usize {
        self.base + self.limit_offset(index)
    }

    /// One past the highest address of stack `index`.
    pub(super) const fn top(&self, index: usize) -> usize {
        self.base + self.guard_offset(index + 1)
    }

    /// Whether an address is that of a stack or guard.
    pub(super) const fn contains(&self, address: usize) -> bool {
        address.wrapping_sub(self.base) < self.len()
    }

    /// What is there; `None` outside.
    pub(super) fn place(&self, address: usize) -> Option<Place> {
        let offset = self.contains(address).then(|| address - self.base)?;
        let (index, within) = (offset / self.stride(), offset % self.stride());
        Some(if within < self.guard { Place::Guard(index) } else { Place::Stack(index) })
    }

    /// The stack that ends at `top`; `None` if none does.
    pub(super) fn index_of_top(&self, top: usize) -> Option<usize> {
        let offset = top.wrapping_sub(self.base);
        let inside = offset != 0 && offset < self.len() && offset.is_multiple_of(self.stride());
        inside.then(|| offset / self.stride() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape { base: 0x10_0000, guard: 0x1000, size: 0x3000, count: 3 };

    #[test]
    fn every_page_is_a_stack_s_or_a_guard_s_as_drawn() {
        let expected = "GSSSGSSSGSSSG";
        assert_eq!(SHAPE.len(), expected.len() * 0x1000);
        let mut seen = [0_u8; 13];
        for (page, letter) in seen.iter_mut().enumerate() {
            let place = SHAPE.place(SHAPE.base + page * 0x1000 + 0xFFF).unwrap();
            *letter = if matches!(place, Place::Guard(_)) { b'G' } else { b'S' };
        }
        assert_eq!(&seen, expected.as_bytes());
        assert_eq!((SHAPE.place(SHAPE.base - 1), SHAPE.place(SHAPE.base + SHAPE.len())), (None, None));
    }

    #[test]
    fn a_stack_lies_between_its_guards() {
        for index in 0..SHAPE.count {
            let (limit, top) = (SHAPE.limit(index), SHAPE.top(index));
            assert_eq!(top - limit, SHAPE.size);
            assert_eq!(SHAPE.place(limit - 1), Some(Place::Guard(index)));
            assert_eq!(SHAPE.place(limit), Some(Place::Stack(index)));
            assert_eq!(SHAPE.place(top - 1), Some(Place::Stack(index)));
            assert_eq!(SHAPE.place(top), Some(Place::Guard(index + 1)));
            assert_eq!(SHAPE.index_of_top(top), Some(index));
            assert_eq!(SHAPE.index_of_top(top - 16), None);
        }
        assert_eq!(SHAPE.index_of_top(SHAPE.base), None);
        assert_eq!(SHAPE.index_of_top(SHAPE.top(SHAPE.count - 1) + SHAPE.stride()), None);
        assert_eq!(SHAPE.index_of_top(0), None);
    }

    #[test]
    fn a_length_beyond_the_address_space_is_noticed() {
        let huge = Shape { count: usize::MAX / 0x3000, ..SHAPE };
        assert_eq!((huge.checked_len(), SHAPE.checked_len()), (None, Some(SHAPE.len())));
    }
}
