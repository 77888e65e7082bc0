//! What a reader of trace records knows. The fuzz targets use this file, too.

use alloc::collections::BTreeMap;

use stratalloc_modifiers::Event;

/// What a reader of the records believes to be live: address to size. An address that is live twice, or released and not live, is a mistake.
#[derive(Debug, Default)]
pub(crate) struct Belief(pub(crate) BTreeMap<usize, usize>);

impl Belief {
    pub(crate) fn follow(&mut self, event: Event) {
        match event {
            Event::Allocated { address, size, .. } | Event::Resized { address, size, .. } => {
                assert_eq!(self.0.insert(address, size), None, "live twice: {event:x?}");
            }
            Event::Released { address, .. } | Event::ResizeBegun { address, .. } => {
                assert!(self.0.remove(&address).is_some(), "not live: {event:x?}");
            }
            _ => {}
        }
    }
}
