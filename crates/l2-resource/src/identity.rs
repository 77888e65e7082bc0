//! When two resources are one: a comparison that works through `dyn` and survives moves.

use core::any::TypeId;
use core::fmt;

/// Which pool of memory a resource draws from.
///
/// Two resources with the same identity release each other's blocks. The identity names the *state*, not the
/// Rust value that points to it: a `Heap`, a `&Heap` and an `Arc<Heap>` share one, and moving a handle does not
/// change it.
///
/// ```text
///   ResourceId = ( kind: TypeId of a marker type ,  instance: where the state lives )
///
///   a value with state elsewhere     ( HeapKind,  address of the heap's own record )
///   a unit type with state in a static  ( SystemKind, address of that static )
///   a unit type without state of its own ( SystemKind, 0 )
/// ```
///
/// The kind keeps apart two resources where one lies at the other's address (a wrapper's first field is its
/// upstream). The instance must be an address, not a constant, for anything that has a static: two shared objects may
/// contain the same crate, with the same `TypeId` and separate statics.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ResourceId {
    kind: TypeId,
    instance: usize,
}

impl ResourceId {
    /// The identity of the state at `instance` (an address, or 0 for none) under the kind `K`.
    ///
    /// `K` is any type that nobody else uses for this: the resource itself if it is `'static`, else a private marker.
    ///
    /// ```
    /// use stratalloc_resource::ResourceId;
    ///
    /// struct Pool;
    /// struct Frame;
    /// assert_eq!(ResourceId::new::<Pool>(0x1000), ResourceId::new::<Pool>(0x1000));
    /// assert_ne!(ResourceId::new::<Pool>(0x1000), ResourceId::new::<Pool>(0x2000));
    /// assert_ne!(ResourceId::new::<Pool>(0x1000), ResourceId::new::<Frame>(0x1000));
    /// ```
    #[must_use]
    pub const fn new<K: ?Sized + 'static>(instance: usize) -> Self {
        Self { kind: TypeId::of::<K>(), instance }
    }
}

impl fmt::Debug for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ResourceId({:?} at {:#x})", self.kind, self.instance)
    }
}
