//! Bridges: from other interfaces to the contract, and from the contract to them.

mod from_global;
mod reference;
mod resource_allocator;

pub use from_global::FromGlobal;
pub use resource_allocator::ResourceAllocator;
