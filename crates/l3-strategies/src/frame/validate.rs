//! The equations of a frame; they are listed at the struct.

use stratalloc_resource::{MemoryResource, Validate, Violation};

use super::policy::Policy;
use super::{Frame, min_align};

impl<P: Policy, U: MemoryResource> Validate for Frame<'_, P, U> {
    fn validate(&self) -> Result<(), Violation> {
        let (cursor, limit) = (self.cursor().addr().get(), self.limit.get());
        if cursor > limit {
            return Err(Violation::new("FRAME-1", "cursor <= limit", &["cursor", "limit"], &[cursor, limit]));
        }
        // Before any chunk is looked at: is the current one in the chain?
        let current = self.current.get();
        if current.is_some_and(|current| self.chunks().all(|chunk| chunk != current)) {
            let address = current.map_or(0, |chunk| chunk.addr().get());
            return Err(Violation::new("FRAME-4", "current is in the chain", &["current"], &[address]));
        }
        let region = self.region_of(current);
        if limit != region.end_address() || cursor < region.address() {
            let values = [region.address(), cursor, limit, region.end_address()];
            let terms = &["start", "cursor", "limit", "end"];
            return Err(Violation::new("FRAME-2", "start <= cursor, limit == end", terms, &values));
        }
        if !min_align::<P>().is_aligned(cursor) {
            let values = [cursor, P::MIN_ALIGN];
            return Err(Violation::new("FRAME-3", "cursor % align == 0", &["cursor", "align"], &values));
        }
        let (used, reserved) = (self.used(), self.reserved());
        if used > reserved {
            return Err(Violation::new(
                "FRAME-5",
                "used <= reserved",
                &["used", "reserved"],
                &[used, reserved],
            ));
        }
        let start = Self::first_place(region).addr().get();
        if self.is_in_first_region() && used != cursor.wrapping_sub(start) {
            let (terms, values) = (&["used", "cursor", "start"], [used, cursor, start]);
            return Err(Violation::new("FRAME-6", "used == cursor - start", terms, &values));
        }
        self.verify().map_err(|misuse| {
            let values = [misuse.address(), misuse.kind() as usize];
            Violation::new("GUARDS", "canaries are intact", &["block", "kind"], &values)
        })
    }
}
