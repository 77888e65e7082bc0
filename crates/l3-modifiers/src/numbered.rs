//! Identities of modifiers that keep something of their own: two over one resource differ, and moves change nothing.

use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use stratalloc_resource::ResourceId;

/// How many were asked for their identity.
static NUMBERS: AtomicUsize = AtomicUsize::new(0);

/// Tells a value from others of this library; 0 until somebody asks, so that constructors can be `const`.
#[derive(Debug, Default)]
pub(crate) struct Number(AtomicUsize);

impl Number {
    pub(crate) const fn new() -> Self {
        Self(AtomicUsize::new(0))
    }

    /// The identity of the value with this number over the resource `below`: composed of the number, of where that is counted (another
    /// shared object may contain this crate too), and of what is below.
    pub(crate) fn identity<K: 'static>(&self, below: ResourceId) -> ResourceId {
        let mut number = self.0.load(Relaxed);
        if number == 0 {
            let fresh = NUMBERS.fetch_add(1, Relaxed) + 1;
            number = self.0.compare_exchange(0, fresh, Relaxed, Relaxed).err().unwrap_or(fresh);
        }
        let part = ResourceId::new::<K>;
        ResourceId::composed::<K>(&[part(core::ptr::from_ref(&NUMBERS).addr()), part(number), below])
    }
}
