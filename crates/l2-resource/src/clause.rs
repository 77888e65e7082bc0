//! The sentences of the contract, once.
//!
//! The documentation of [`MemoryResource`](crate::MemoryResource) is printed from this table, and the conformance
//! kit quotes the same entry when it finds it broken. A sentence therefore cannot change in one place only.

/// Expands to the text of one clause.
macro_rules! clause {
    (fit_length) => {
        "A block has `block.len() >= size`; `len` is the real size, and all of it is the caller's."
    };
    (fit_alignment) => {
        "The address of a block is a multiple of the alignment that was asked for, also after `reallocate`."
    };
    (fit_release) => {
        "A block may be handed back with any length from the requested size to the returned `len`, and with \
         the alignment of its request; nothing depends on which length is chosen."
    };
    (fit_zero) => {
        "Zero bytes are a request like any other: the block is aligned, may have length 0, and is released once."
    };
    (disjoint) => {
        "The bytes of two live blocks never overlap, whichever threads asked for them."
    };
    (stable) => {
        "From its return to its release nobody but the caller changes a block's bytes; moving the resource value \
         moves no block."
    };
    (stable_reallocate) => {
        "A successful `reallocate` keeps the first `min(block.len(), new_size)` bytes, and the old block is gone."
    };
    (stable_zeroed) => {
        "All `len` bytes of a block from `allocate_zeroed` are zero, on fresh and on recycled memory."
    };
    (threads_parallel) => {
        "Where the type is `Sync`, any number of threads may call any operation at once."
    };
    (threads_remote) => {
        "Where the type is `Sync`, any thread may release a block, and what its maker wrote arrives whole."
    };
    (errors_value) => {
        "Every failure is an `AllocError`: no operation panics, unwinds, aborts or waits for memory."
    };
    (errors_served) => {
        "A request within the limits of `info` that there is room for is served."
    };
    (errors_huge) => {
        "A size that no address space holds is refused, be it a layout near `isize::MAX` or any `new_size` above."
    };
    (errors_intact) => {
        "When `reallocate` fails, the block is still live, at its place, with its contents."
    };
    (errors_capacity) => {
        "A stated capacity is never exceeded, and once it is spent the error says so: `CapacityExhausted`, \
         `OutOfMemory` or `OverBudget`."
    };
    (errors_recovery) => {
        "Nothing is lost by running out: what was served once is served again after everything was released, as \
         far as `Reuse` promises."
    };
    (equal_reflexive) => {
        "A resource is equal to itself, also through a reference to it."
    };
    (equal_symmetric) => {
        "`a.is_equal(b)` is `b.is_equal(a)`."
    };
    (equal_stable) => {
        "The identity stays the same as long as a block of the resource is live."
    };
    (equal_release) => {
        "Where `a.is_equal(b)`, a block of one may be handed back through the other."
    };
    (equal_clone) => {
        "Where the type is `Clone`, a clone is equal to its original on whichever thread, and blocks live until both are \
         dropped. (The kit cannot clone what it is given.)"
    };
    (info_truthful) => {
        "`info` has a name, ascending size classes, and answers the same each time."
    };
}

pub(crate) use clause;
