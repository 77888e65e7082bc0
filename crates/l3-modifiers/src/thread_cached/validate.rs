//! The equations of caches and depot.

use stratalloc_resource::{MemoryResource, Validate, Violation};

use super::class::{CLASSES, length};
use super::free::count;
use super::{CacheHandle, ThreadCached};

/// A waiting block whose seal is broken.
fn broken(class: usize) -> Violation {
    Violation::new("CACHE-LINK", "each waiting block is as it was left", &["length"], &[length(class)])
}

impl<R: MemoryResource + Validate> Validate for CacheHandle<'_, R> {
    /// For each class CACHE-LINK, `each waiting block is as it was left`; CACHE-BIN, `listed == count <= 2 batches`. Then CACHE-BYTES, `listed bytes ==
    /// bytes <= limit`, and what the depot and the resource below can check.
    fn validate(&self) -> Result<(), Violation> {
        let mut bytes = 0;
        for (class, bin) in self.bins.iter().enumerate() {
            let (blocks, most) = (bin.count.get(), 2 * self.shared.batch(class));
            // SAFETY: CACHE-LINK: the list is ours.
            let listed = unsafe { count(bin.first.get(), blocks) }.map_err(|_| broken(class))?;
            if listed != blocks || blocks > most {
                let terms = &["listed", "count", "2 batches", "length"];
                let values = [listed, blocks, most, length(class)];
                return Err(Violation::new("CACHE-BIN", "listed == count <= 2 batches", terms, &values));
            }
            bytes += listed * length(class);
        }
        let (counted, limit) = (self.bytes.get(), self.shared.limits.handle_bytes);
        if bytes != counted || bytes > limit {
            let terms = &["listed bytes", "bytes", "limit"];
            let values = [bytes, counted, limit];
            return Err(Violation::new("CACHE-BYTES", "listed bytes == bytes <= limit", terms, &values));
        }
        self.shared.validate()
    }
}

impl<R: MemoryResource + Validate> Validate for ThreadCached<R> {
    /// For each chain of the depot CACHE-LINK, `each waiting block is as it was left`; DEPOT-CHAIN, `listed == batch`. Then DEPOT-BYTES,
    /// `listed bytes == bytes <= limit`, and what the resource below can check.
    fn validate(&self) -> Result<(), Violation> {
        let (bytes, counted) = (self.listed_bytes()?, self.depot.bytes());
        let limit = self.limits.depot_bytes;
        if bytes != counted || bytes > limit {
            let terms = &["listed bytes", "bytes", "limit"];
            let values = [bytes, counted, limit];
            return Err(Violation::new("DEPOT-BYTES", "listed bytes == bytes <= limit", terms, &values));
        }
        self.inner.validate()
    }
}

impl<R: MemoryResource> ThreadCached<R> {
    /// The bytes of all chains in the depot, each of which is taken out, looked at, and put back: nobody else may look at its links.
    fn listed_bytes(&self) -> Result<usize, Violation> {
        let mut bytes = 0;
        for class in 0..CLASSES {
            let mut chains = [None; super::PLACES];
            for chain in &mut chains {
                *chain = self.depot.take(class, self.batch_bytes(class));
            }
            let batch = self.batch(class);
            let mut verdict = Ok(());
            for chain in chains.into_iter().flatten() {
                // SAFETY: CACHE-LINK: taken, so ours.
                match unsafe { count(Some(chain), batch) } {
                    Err(_) => verdict = Err(broken(class)),
                    Ok(listed) if listed != batch => {
                        let terms = &["listed", "batch", "length"];
                        let values = [listed, batch, length(class)];
                        verdict = Err(Violation::new("DEPOT-CHAIN", "listed == batch", terms, &values));
                    }
                    Ok(_) => {}
                }
                bytes += self.batch_bytes(class);
                // A chain that is not sound is put back too: whoever takes it next reports it.
                if !self.depot.put(class, chain, self.batch_bytes(class)) {
                    bytes -= self.batch_bytes(class);
                    self.give_back(class, Some(chain));
                }
            }
            verdict?;
        }
        Ok(bytes)
    }
}
