//! When two resources are one: a comparison that works through `dyn` and survives moves.

use core::any::TypeId;
use core::fmt;
use core::hash::{Hash, Hasher};

/// Which pool of memory a resource draws from. See [`new`](Self::new) for an example.
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
///   a resource made of others           ( FallbackKind, – ) with a digest of their identities
/// ```
///
/// The kind keeps apart two resources where one lies at the other's address (a wrapper's first field is its
/// upstream). The instance must be an address, not a constant, for anything that has a static: two shared objects may
/// contain the same crate, with the same `TypeId` and separate statics.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ResourceId {
    kind: TypeId,
    instance: usize,
    // Zero but for identities made of others.
    parts: [u64; 2],
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
        Self { kind: TypeId::of::<K>(), instance, parts: [0; 2] }
    }

    /// The identity of a resource of the kind `K` whose blocks are told apart by where `parts` lie, in this order.
    ///
    /// For compositions: they have no state of their own whose address could be taken, since they move. The parts enter as a
    /// digest of 128 bits, so that two compositions of different parts differ as surely as two types do.
    ///
    /// ```
    /// use stratalloc_resource::ResourceId;
    ///
    /// struct Pool;
    /// struct Pair;
    /// let (a, b) = (ResourceId::new::<Pool>(0x1000), ResourceId::new::<Pool>(0x2000));
    /// assert_eq!(ResourceId::composed::<Pair>(&[a, b]), ResourceId::composed::<Pair>(&[a, b]));
    /// assert_ne!(ResourceId::composed::<Pair>(&[a, b]), ResourceId::composed::<Pair>(&[b, a]));
    /// assert_ne!(ResourceId::composed::<Pair>(&[a]), ResourceId::composed::<Pool>(&[a]));
    /// assert_ne!(ResourceId::composed::<Pair>(&[a]), a);
    /// ```
    #[must_use]
    pub fn composed<K: ?Sized + 'static>(parts: &[Self]) -> Self {
        let digest = |seed| {
            let mut digest = Digest(seed);
            parts.hash(&mut digest);
            digest.finish()
        };
        Self { kind: TypeId::of::<K>(), instance: 0, parts: [digest(1), digest(2)] }
    }
}

/// A hash with two independent seeds; multiplication and shifts after S. Vigna's SplitMix64.
struct Digest(u64);

impl Hasher for Digest {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_ne_bytes(word));
        }
    }

    fn write_u64(&mut self, word: u64) {
        let sum = (self.0 ^ word).wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (sum ^ sum >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        self.0 = (mixed ^ mixed >> 31).wrapping_add(self.0.rotate_left(23));
    }

    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl fmt::Debug for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.parts {
            [0, 0] => write!(f, "ResourceId({:?} at {:#x})", self.kind, self.instance),
            [first, second] => write!(f, "ResourceId({:?} of {first:016x}{second:016x})", self.kind),
        }
    }
}
