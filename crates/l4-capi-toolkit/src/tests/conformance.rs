//! The kit, through the tables.

use core::alloc::Layout;

use stratalloc_resource::abi::{ExportedResource, ForeignResource};
use stratalloc_resource::conformance::{Config, local_resource, resource};
use stratalloc_resource::{
    Alignment, AllocError, FromGlobal, MemoryBlock, MemoryResource, ResourceId, ResourceInfo, ThreadSafety,
};

use super::{KINDS, Made, memory};
use crate::config::RawConfig;
use crate::system;

fn config() -> Config {
    Config { operations: if cfg!(miri) { 20 } else { 300 }, ..Config::default() }
}

/// A foreign resource that is for any thread, as its info says.
struct Threads(ForeignResource);

// SAFETY: made of a resource that any number of threads may call.
unsafe impl Sync for Threads {}

// SAFETY: the resource itself, and for any thread.
unsafe impl MemoryResource for Threads {
    fn allocate(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        self.0.allocate(layout)
    }

    unsafe fn deallocate(&self, block: MemoryBlock, align: Alignment) {
        // SAFETY: this function's contract.
        unsafe { self.0.deallocate(block, align) };
    }

    unsafe fn reallocate(
        &self,
        block: MemoryBlock,
        new_size: usize,
        align: Alignment,
    ) -> Result<MemoryBlock, AllocError> {
        // SAFETY: this function's contract.
        unsafe { self.0.reallocate(block, new_size, align) }
    }

    fn identity(&self) -> ResourceId {
        self.0.identity()
    }

    fn info(&self) -> ResourceInfo<'_> {
        self.0.info()
    }
}

/// The kit, with threads where the resource says that it is for them.
fn conforms(made: &Made, config: &Config) {
    let foreign = made.foreign();
    let outcome = match foreign.info().threads {
        ThreadSafety::Shared => resource(&Threads(foreign), config),
        ThreadSafety::Confined => local_resource(&foreign, config),
    };
    if let Err(failure) = outcome {
        panic!("{}: {failure}", foreign.info().name);
    }
}

#[test]
fn over_the_callers_memory() {
    for kind in KINDS {
        let mut memory = memory(1 << 18);
        conforms(&kind.make(&kind.over(&mut memory[3..])), &config());
    }
}

#[test]
fn from_the_system() {
    for kind in KINDS {
        conforms(&kind.make(&kind.config()), &config());
    }
}

#[test]
fn from_a_resource_of_rust() {
    let upstream = ExportedResource::new(FromGlobal::new(&std::alloc::System));
    for kind in KINDS {
        let made = kind.make(&RawConfig { upstream: upstream.raw().as_ptr(), ..kind.config() });
        conforms(&made, &config());
    }
}

/// Each kind in the memory of those that serve any size and take blocks back one by one. (Not until they are full: in a checked build
/// each release then looks at thousands of blocks.)
#[test]
fn from_each_other() {
    for below in KINDS.into_iter().filter(|kind| ["tlsf", "buddy"].contains(&kind.name)) {
        let mut memory = memory(2 << 20);
        for kind in KINDS {
            let below = below.make(&below.over(&mut memory));
            let made = kind.make(&RawConfig { upstream: below.raw.as_ptr(), ..kind.config() });
            conforms(&made, &Config { operations: 300, exhaust: 0, ..Config::default() });
        }
    }
}

#[test]
fn the_system_itself() {
    let outcome = resource(&Threads(system::handle().unwrap()), &config());
    assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
}

#[test]
fn only_the_lock_free_pool_is_for_any_thread() {
    for kind in KINDS {
        let made = kind.make(&kind.config());
        let foreign = made.foreign();
        let shared = foreign.info().threads == ThreadSafety::Shared;
        assert_eq!(shared, kind.name == "lock-free pool", "{}", kind.name);
        assert!(foreign.info().name.ends_with(kind.name), "{:?} is no {}", foreign.info().name, kind.name);
    }
}
