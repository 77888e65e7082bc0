//! Writers: one at a time makes the next version on every node, and then shows it.

use core::fmt;

use stratalloc_primitives::primitive::atomic::Ordering;

use super::{Places, Replicated, Versioned};

/// What stands in a writer's way. See [`Guard`](super::Guard) for an example.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Busy {
    /// Another writer is at work.
    Writer,
    /// Somebody on this node still reads the version before the last, whose slot the next version needs.
    Readers {
        /// The place of the copy.
        place: usize,
    },
}

impl fmt::Display for Busy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Writer => f.write_str("another writer is at work"),
            Self::Readers { place } => write!(f, "the version before the last is still read on node {place}"),
        }
    }
}

impl core::error::Error for Busy {}

/// A value that was not published, and why. See [`Guard`](super::Guard) for an example.
pub struct Unpublished<T> {
    value: T,
    reason: Busy,
}

impl<T> Unpublished<T> {
    /// Why not. An example is at [`Guard`](super::Guard).
    #[must_use]
    pub const fn reason(&self) -> Busy {
        self.reason
    }

    /// The value back. An example is at [`Guard`](super::Guard).
    #[must_use]
    pub fn into_value(self) -> T {
        self.value
    }
}

impl<T> fmt::Debug for Unpublished<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unpublished").field("reason", &self.reason).finish_non_exhaustive()
    }
}

impl<T> fmt::Display for Unpublished<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not published: {}", self.reason)
    }
}

impl<T> core::error::Error for Unpublished<T> {}

/// The right to write: REPLICA-WRITER. Given up by the drop, also in a panic of `clone`.
struct Writer<'r, T, P: Places, const NODES: usize>(&'r Replicated<T, P, NODES>);

impl<T, P: Places, const NODES: usize> Drop for Writer<'_, T, P, NODES> {
    fn drop(&mut self) {
        // Release: the next writer sees what this one did.
        self.0.writing.store(false, Ordering::Release);
    }
}

impl<'r, T, P: Places, const NODES: usize> Writer<'r, T, P, NODES> {
    fn try_new(replicated: &'r Replicated<T, P, NODES>) -> Result<Self, Busy> {
        // Acquire: what the last writer did.
        match replicated.writing.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed) {
            Ok(_) => Ok(Self(replicated)),
            Err(_) => Err(Busy::Writer),
        }
    }

    fn new(replicated: &'r Replicated<T, P, NODES>) -> Self {
        loop {
            match Self::try_new(replicated) {
                Ok(writer) => return writer,
                Err(_) => replicated.places.wait(),
            }
        }
    }

    /// Whether the next version has room on every node.
    fn all_quiet(&self) -> Result<(), Busy> {
        for place in 0..self.0.count {
            // SAFETY: REPLICA-WRITER: this value.
            if !unsafe { self.0.replica(place).is_quiet() } {
                return Err(Busy::Readers { place });
            }
        }
        Ok(())
    }

    fn wait_for_readers(&self) {
        while self.all_quiet().is_err() {
            self.0.places.wait();
        }
    }

    /// The last version.
    fn last(&self) -> &Versioned<T> {
        let replica = self.0.replica(0);
        let slot = replica.with(replica.present(), |slot| slot);
        // SAFETY: the present slot is written to by nobody before the writer's second turn from here, which is this value's.
        let value = unsafe { (*slot).as_ref() };
        // SAFETY: the present slot holds a value: REPLICA-FULL.
        unsafe { value.unwrap_unchecked() }
    }

    /// Puts what `make` makes into every spare slot, then turns all; the spare slots have to be quiet. The new version's number.
    fn publish(&self, mut make: impl FnMut(usize) -> T) -> u64 {
        let version = self.last().version + 1;
        for place in 0..self.0.count {
            let value = make(place);
            // SAFETY: REPLICA-WRITER: this value; quiet: the caller asked.
            drop(unsafe { self.0.replica(place).stage(Some(Versioned { version, value })) });
        }
        for place in 0..self.0.count {
            // SAFETY: as above; staged.
            unsafe { self.0.replica(place).turn() };
        }
        version
    }

    fn publish_clones(&self, value: T) -> u64
    where
        T: Clone,
    {
        let (mut value, last) = (Some(value), self.0.count - 1);
        self.publish(|place| {
            let found = if place == last { value.take() } else { value.clone() };
            // SAFETY: taken for the last place only, which comes last.
            unsafe { found.unwrap_unchecked() }
        })
    }
}

impl<T: Clone, P: Places, const NODES: usize> Replicated<T, P, NODES> {
    /// Makes `value` the present version on every node; returns its number. Waits for other writers, and for readers of the version
    /// before the last: so not while this thread holds a guard. See [`reclaim`](Self::reclaim) for an example.
    pub fn publish(&self, value: T) -> u64 {
        let writer = Writer::new(self);
        writer.wait_for_readers();
        writer.publish_clones(value)
    }

    /// As [`publish`](Self::publish), without waiting. An example is at [`Guard`](super::Guard).
    ///
    /// # Errors
    ///
    /// The value, and who is in the way.
    pub fn try_publish(&self, value: T) -> Result<u64, Unpublished<T>> {
        let writer = Writer::try_new(self).and_then(|writer| writer.all_quiet().map(|()| writer));
        match writer {
            Ok(writer) => Ok(writer.publish_clones(value)),
            Err(reason) => Err(Unpublished { value, reason }),
        }
    }

    /// Publishes what `change` makes of the last version, to which no other writer adds meanwhile. An example is at the [module](super).
    pub fn update(&self, change: impl FnOnce(&T) -> T) -> u64 {
        let writer = Writer::new(self);
        writer.wait_for_readers();
        let value = change(&writer.last().value);
        writer.publish_clones(value)
    }
}

impl<T, P: Places, const NODES: usize> Replicated<T, P, NODES> {
    /// As [`publish`](Self::publish), of what `make` makes for each node, in the node's memory if it likes.
    ///
    /// ```
    /// use stratalloc_strategies::replicated::{Machine, Replicated};
    ///
    /// let names: Replicated<String> = Replicated::new(Machine, String::from("of no node"))?;
    /// let version = names.publish_with(|node, _memory| format!("of node {node}"));
    /// assert_eq!(version, 1);
    /// assert!(names.read().starts_with("of node "));
    /// # Ok::<(), stratalloc_resource::AllocError>(())
    /// ```
    pub fn publish_with(&self, mut make: impl FnMut(usize, &P::Memory) -> T) -> u64 {
        let writer = Writer::new(self);
        writer.wait_for_readers();
        writer.publish(|place| make(place, self.memory(place)))
    }

    /// Drops the version before the last on every node where nobody reads it any more; on how many nothing of it is left. Does not wait.
    ///
    /// ```
    /// use stratalloc_strategies::replicated::{Machine, Replicated};
    ///
    /// let table: Replicated<Vec<u8>> = Replicated::new(Machine, vec![0; 1 << 20])?;
    /// table.publish(vec![1; 1 << 20]);
    /// assert_eq!(table.reclaim(), table.copies()); // the zeros are gone
    /// # Ok::<(), stratalloc_resource::AllocError>(())
    /// ```
    pub fn reclaim(&self) -> usize {
        let Ok(_writer) = Writer::try_new(self) else { return 0 };
        let mut clear = 0;
        for place in 0..self.count {
            let replica = self.replica(place);
            // SAFETY: REPLICA-WRITER: `_writer`.
            if unsafe { replica.is_quiet() } {
                // SAFETY: as above; quiet.
                drop(unsafe { replica.stage(None) });
                clear += 1;
            }
        }
        clear
    }
}
