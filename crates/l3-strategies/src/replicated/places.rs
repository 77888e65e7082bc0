//! Where copies lie: [`Places`], [`OnePlace`], [`Machine`].

use core::hint;

use stratalloc_resource::MemoryResource;

/// The places of a machine that each get a copy, and the memory there.
///
/// An implementation of one's own serves machines that this crate does not know, and tests:
///
/// ```
/// use core::cell::Cell;
/// use stratalloc_resource::FromGlobal;
/// use stratalloc_strategies::replicated::{Places, Replicated};
///
/// /// Two places, of which a thread says itself where it is.
/// struct Pretended;
/// thread_local!(static HERE: Cell<usize> = const { Cell::new(0) });
/// impl Places for Pretended {
///     type Memory = FromGlobal<'static, std::alloc::System>;
///     fn count(&self) -> usize { 2 }
///     fn here(&self) -> usize { HERE.get() }
///     fn memory(&self, _: usize) -> Self::Memory { FromGlobal::new(&std::alloc::System) }
///     fn wait(&self) { std::thread::yield_now() }
/// }
///
/// let table: Replicated<u32, _> = Replicated::new(Pretended, 7)?;
/// let first = core::ptr::from_ref(&*table.read());
/// HERE.set(1);
/// assert!(*table.read() == 7 && !core::ptr::eq(first, &*table.read()));
/// assert_eq!(table.places().here(), 1);
/// # Ok::<(), stratalloc_resource::AllocError>(())
/// ```
pub trait Places {
    /// What gives memory at a place, and takes it back.
    type Memory: MemoryResource;

    /// How many places there are: the numbers below are places. 0 counts as 1; those beyond the `NODES` of a
    /// [`Replicated`](super::Replicated) get no copy. Asked once for each value. See [`Places`] for an example.
    fn count(&self) -> usize;

    /// Where the calling thread runs now. Any number is right (one that has no copy is taken modulo their number), a true one fast.
    /// See [`Places`] for an example.
    fn here(&self) -> usize;

    /// The memory of a place, below [`count`](Self::count). Asked once for each copy, and kept as long as the copy.
    /// See [`Places`] for an example.
    fn memory(&self, place: usize) -> Self::Memory;

    /// What a writer does while a reader is in its way. See [`Places`] for an example.
    fn wait(&self) {
        hint::spin_loop();
    }
}

/// One place, with memory of any resource: for machines without nodes, and without an operating system.
///
/// ```
/// use core::mem::MaybeUninit;
/// use stratalloc_strategies::replicated::{OnePlace, Replicated};
/// use stratalloc_strategies::tlsf::Tlsf;
///
/// let mut memory = [MaybeUninit::uninit(); 4096];
/// let heap: Tlsf<'_> = Tlsf::over(&mut memory)?;
/// let limits: Replicated<[u16; 8], _> = Replicated::new(OnePlace(&heap), [100; 8])?;
/// limits.update(|old| old.map(|limit| limit + 1));
/// assert_eq!(*limits.read(), [101; 8]);
/// # Ok::<(), stratalloc_resource::AllocError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct OnePlace<R>(pub R);

impl<R: MemoryResource + Copy> Places for OnePlace<R> {
    type Memory = R;

    fn count(&self) -> usize {
        1
    }

    #[inline]
    fn here(&self) -> usize {
        0
    }

    fn memory(&self, _: usize) -> R {
        self.0
    }
}

#[cfg(all(any(target_os = "linux", windows), not(loom)))]
pub use machine::Machine;

#[cfg(all(any(target_os = "linux", windows), not(loom)))]
mod machine {
    use stratalloc_platform::numa::{self, Policy};
    use stratalloc_platform::thread;

    use super::Places;
    use crate::node_pages::NodePages;

    /// The memory nodes of this machine; each copy lies in pages of its node.
    ///
    /// Asking where a thread runs is a system call where there is more than one node, and nothing where there is one.
    ///
    /// ```
    /// use stratalloc_strategies::replicated::{Machine, Replicated};
    ///
    /// let routes: Replicated<Vec<u32>> = Replicated::new(Machine, vec![1, 2, 3])?;
    /// assert_eq!(routes.read().len(), 3);
    /// # Ok::<(), stratalloc_resource::AllocError>(())
    /// ```
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Machine;

    impl Places for Machine {
        type Memory = NodePages;

        fn count(&self) -> usize {
            numa::nodes() as usize
        }

        #[inline]
        fn here(&self) -> usize {
            if numa::nodes() == 1 { 0 } else { numa::current_node() as usize }
        }

        fn memory(&self, place: usize) -> NodePages {
            // A number without a node, in a gap between two, gets pages as they come.
            let node = u32::try_from(place).unwrap_or(u32::MAX);
            NodePages::on(node).unwrap_or(NodePages::AS_THEY_COME)
        }

        fn wait(&self) {
            thread::yield_now();
        }
    }

    const _: () = assert!(matches!(NodePages::AS_THEY_COME.policy(), Policy::Default));
}
