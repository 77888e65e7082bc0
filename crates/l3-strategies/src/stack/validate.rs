//! The equations of a stack; they are listed at the struct.

use stratalloc_resource::{MemoryResource, Validate, Violation};

use super::header::Header;
use super::{Order, Stack};

impl<O: Order, U: MemoryResource> Validate for Stack<'_, O, U> {
    fn validate(&self) -> Result<(), Violation> {
        let room = self.room.block();
        let (start, cursor) = (room.address(), self.cursor.get().addr().get());
        if cursor < start || cursor > self.limit || self.limit != room.end_address() {
            let terms = &["start", "cursor", "limit", "end"];
            let values = [start, cursor, self.limit, room.end_address()];
            return Err(Violation::new("STACK-1", "start <= cursor <= limit == end", terms, &values));
        }
        // Headers lie below this, and so does the end that a header remembers, for the next one.
        let mut above = cursor;
        let mut next = self.top.get();
        while let Some(place) = next {
            let address = place.addr().get();
            if address < start || address.saturating_add(Header::SIZE) > above || !place.is_aligned() {
                let terms = &["start", "header", "above"];
                return Err(Violation::new(
                    "STACK-2",
                    "start <= header < above",
                    terms,
                    &[start, address, above],
                ));
            }
            // SAFETY: aligned, inside the used part of the room, where the list leads.
            let header = unsafe { place.read() };
            let end = start.saturating_add(header.end());
            if end > address {
                return Err(Violation::new("STACK-3", "end <= header", &["end", "header"], &[end, address]));
            }
            if Some(place) == self.top.get() && header.is_released() {
                return Err(Violation::new("STACK-4", "the top block is live", &["header"], &[address]));
            }
            above = end;
            next = header.below;
        }
        Ok(())
    }
}
