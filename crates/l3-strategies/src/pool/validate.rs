//! The equations of a pool; they are listed at the struct.

use stratalloc_resource::{MemoryResource, Validate, Violation};

use super::Pool;

impl<U: MemoryResource> Validate for Pool<'_, U> {
    fn validate(&self) -> Result<(), Violation> {
        let total: usize = self.regions().map(|region| region.count).sum();
        let (mut free, fresh) = (0, self.fresh_count.get());
        // SAFETY: free blocks are the pool's: POOL. Each is looked at before its link is read.
        for block in unsafe { self.free.iter() } {
            let address = block.addr().get();
            if let Err(kind) = self.place_of(address) {
                let terms = &["block", "kind"];
                return Err(Violation::new(
                    "POOL-1",
                    "free blocks are blocks",
                    terms,
                    &[address, kind as usize],
                ));
            }
            free += 1;
            if free + fresh > total {
                break;
            }
        }
        if free + fresh > total || total != self.total.get() {
            let terms = &["free", "fresh", "total", "regions"];
            let values = [free, fresh, self.total.get(), total];
            return Err(Violation::new("POOL-2", "free + fresh <= total == regions", terms, &values));
        }
        let youngest = self.regions().next();
        let (end, fresh_end) = youngest.map_or((0, 0), |region| {
            let end = region.first.addr().get() + region.count * self.len[0];
            (end, self.fresh.get().addr().get() + fresh * self.len[0])
        });
        if end != fresh_end {
            return Err(Violation::new("POOL-3", "fresh end == end", &["end", "fresh"], &[end, fresh_end]));
        }
        Ok(())
    }
}
