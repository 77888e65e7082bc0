//! Memory that several processes allocate from, for messages that are not copied, and that survives the death of any of them.
//!
//! ```text
//!   process A                                                              process B
//!   SharedRegion ─► 0x7f12… ┌────────────────────────────────────────┐ ◄─ 0x7fa9… SharedRegion
//!                           │ lock: A │ journal │ bins │ queues │ …  │
//!                           ├────────────────────────────────────────┤
//!   Message ─────────────►  │ head │ payload, A's │ head │ free      │      A writes, then sends: one word says whose it is
//!                           │ head │ queued ──► queued ──► …         │      B receives: the same bytes, at B's address
//!                           │ head │ payload, B's │ head │ free │end │  ◄──────────── Message
//!                           └────────────────────────────────────────┘
//!                             numbers of words, nowhere an address
//! ```
//!
//! **What a death leaves.** Every operation (allocate, free, resize, send, receive, keep, adopt) is a *change* under a lock: what it overwrites is in
//! a journal first, and one store commits it. The lock names the process that has it. Whoever waits for it asks the kernel now and then
//! whether that process still runs; if not, it takes the lock over and undoes the change that was under way. So an
//! operation happened or it did not, at whichever instruction its process was killed. Each block names its holder, so what a
//! dead process held is found and freed: when memory runs out, when a newcomer finds no place, or on [`reclaim`](SharedRegion::reclaim). A message is
//! its sender's until it is in the queue and its receiver's from then on; it is never nobody's, and never two's.
//!
//! A lock and a journal, not a lock-free structure: what a process takes off a lock-free list it has, and if it dies then, nobody can tell
//! whether it had stored that somewhere. With the journal, that question does not exist, and the proof is short: **JOURNAL**, **LOCK**, **BLOCK**, **BINS** in the modules.
//!
//! | operation | cost |
//! | --- | --- |
//! | allocate, free, send, receive | O(1): the lock (one exchange, one store), 10 to 30 words changed at four stores each |
//! | while another has the lock | 128 attempts, the last ones yielding; then a question to the kernel after every eighth |
//! | [`reclaim`](SharedRegion::reclaim), [`validate`](stratalloc_resource::Validate::validate) | O(blocks), with the lock held |
//! | `owns`, offset to pointer and back | O(1), no lock |
//! | memory | 5 KiB, 32 bytes per block, rounding to 32 bytes |
//!
//! **Threads.** Any thread of any attached process may do anything at any time. A child of `fork` shares the mapping but is not attached: its
//! operations are refused until it attaches by itself ([`root`](SharedRegion::root) and [`set_root`](SharedRegion::set_root) need no place and work). Not to be called in a signal handler: the interrupted thread may have the lock. A process that
//! replaces itself (`exec`) keeps its id and the moment of its start, so it has to leave first: drop the region.
//!
//! **When to use it.** Messages between processes that would otherwise be copied through a pipe or socket, pools of buffers between a server
//! and its workers, state that has to outlive a crash of its maker.
//!
//! **When not.** Within one process (everything else here is faster); between processes that do not trust each other (any of them can
//! overwrite anything: the region then loses blocks or messages, though no process is made to write outside of it); where a stopped process
//! (`SIGSTOP`, a debugger) must not hold up the others; across machines or namespaces of process ids; as a database on disk (what a loss of power leaves is not looked after, and after a reboot
//! a process may have the id and the tick of start of one of before, and pass for it: a file in a `tmpfs` goes in time).
//!
//! **Misuse.** A block that is released twice, or that is none, is recognised in every build and left alone, as long as nobody got the same place
//! in between: then the second release is that of a live block, and takes it from its holder. A checked build reports what is recognised as a
//! [`Misuse`](crate::Misuse). Attaching what is not a region, or only part of one, gives the [`SharedError`] that says so.
//!
//! **Sources.** Two-level bins: Masmano et al., ECRTS 2004. The undo journal is the old way of databases (Gray and Reuter, *Transaction
//! Processing*, 1993, ch. 9–11), without its disks: a killed process leaves a prefix of its stores. Locks that survive their owner: POSIX's robust mutexes.

use core::alloc::Layout;
use core::ffi::CStr;
use core::fmt;

use stratalloc_platform::process::Mark;
use stratalloc_platform::{fork, page, shm};
use stratalloc_resource::{AllocError, MemoryBlock};

mod bins;
mod block;
#[cfg(all(test, not(loom)))]
mod crash_tests;
#[cfg(test)]
pub(crate) mod fuse;
mod heap;
mod journal;
mod layout;
mod lock;
#[cfg(all(test, not(loom)))]
mod lock_tests;
#[cfg(all(test, loom))]
mod loom_models;
mod mapping;
mod message;
mod offset;
mod participant;
mod resource;
#[cfg(all(test, not(loom)))]
mod scribble_tests;
mod validate;
mod words;

pub use layout::SharedError;
pub use message::Message;
pub use offset::Offset;

use layout::{
    AT_BLOCKS, AT_LAYOUT, AT_LENGTH, AT_LIVE_BLOCKS, AT_LIVE_WORDS, AT_MAGIC, AT_RECLAIMED, AT_STATE,
    AT_TAKEOVERS, AT_VERSION, HEADER, LAYOUT, MAGIC, MAX_WORDS, MIN_WORDS, READY, VERSION,
};
use mapping::Mapping;
use words::Words;

const WORD: usize = 8;

/// A region of memory that processes share; see the [module](self).
///
/// ```
/// use stratalloc_strategies::shared_region::SharedRegion;
///
/// let region = SharedRegion::create(c"jobs", 1 << 20)?;
/// // Elsewhere: `SharedRegion::attach(c"/proc/<pid>/fd/<descriptor>")`.
/// let other = SharedRegion::attach_descriptor(region.descriptor().unwrap())?;
///
/// let mut message = region.message(5)?;
/// message.copy_from_slice(b"hello");
/// message.send(0);
/// assert_eq!(&*other.receive(0).unwrap(), b"hello");
/// assert!(other.receive(0).is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
// Invariant REGION: `map` is a mapping whose header was checked. `owner` is this value's place among the participants, as long as `home` is
// the address space that asks.
pub struct SharedRegion {
    map: Mapping,
    file: Option<shm::File>,
    mark: Mark,
    /// The number of the participant, plus 1: the owner of this value's blocks.
    owner: u64,
    home: u32,
}

// SAFETY: the mapping is reached through atomics under the region's lock, payloads through their holders only.
unsafe impl Send for SharedRegion {}
// SAFETY: as above.
unsafe impl Sync for SharedRegion {}

/// Counts of a region, at one moment. See [`Offset`] for an example.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SharedUsage {
    /// Blocks that somebody holds or that wait in a queue.
    pub live_blocks: u64,
    /// Their bytes, headers included.
    pub live_bytes: u64,
    /// What there is for blocks, headers included.
    pub total_bytes: u64,
    /// How often a lock was taken from a dead process.
    pub takeovers: u64,
    /// How many dead participants were cleaned up after.
    pub reclaimed: u64,
}

impl SharedRegion {
    /// Makes a region of at least `bytes`, in memory without a name in the file system; `name` is for people who look into `/proc`.
    /// See [`SharedRegion`] for an example.
    ///
    /// Others attach through its [`descriptor`](Self::descriptor): sent, named `/proc/<pid>/fd/<descriptor>`, or inherited by a `fork`, but not by a
    /// program that is started (`exec` closes it, unless `FD_CLOEXEC` is cleared). It goes when the last process has gone. Its pages become resident as they are touched.
    ///
    /// # Errors
    ///
    /// [`SharedError::BadSize`] if `bytes`, rounded up to whole pages, are less than the tables take (some 5 KiB) or not less than 32 GiB;
    /// [`SharedError::NoProcesses`]; or what the kernel says.
    pub fn create(name: &CStr, bytes: usize) -> Result<Self, SharedError> {
        let size = checked_size(bytes)?;
        Self::found(shm::File::anonymous(name, size)?, size)
    }

    /// As [`create`](Self::create), in a new file: it stays, with what is kept and queued, until it is removed.
    ///
    /// All of its space is taken now. Where the file system cannot do that, and in a copy with holes, an access for which the disk has
    /// no room kills the process (`SIGBUS`); the others undo what it was doing and go on.
    ///
    /// ```
    /// use stratalloc_strategies::shared_region::SharedRegion;
    ///
    /// let folder = std::env::temp_dir().join(format!("region-{}", std::process::id()));
    /// let path = std::ffi::CString::new(folder.into_os_string().into_encoded_bytes())?;
    /// let mut region = SharedRegion::create_file(&path, 1 << 16)?;
    /// let kept = region.message(4)?.keep();
    /// region.set_root(0, Some(kept));
    /// region.close_descriptor(); // others attach by the name
    /// drop(region);
    ///
    /// let again = SharedRegion::attach(&path)?;
    /// assert_eq!(again.reclaim(), 0, "what is kept is no dead process's");
    /// assert_eq!(again.root(0), Some(kept));
    /// # std::fs::remove_file(path.to_str()?)?;
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As there; a file that exists is refused. After any other error the file is gone. Whoever attaches it before it is finished is told so:
    /// [`SharedError::Unfinished`]. A maker that is killed until then leaves it so: it has to be removed.
    pub fn create_file(path: &CStr, bytes: usize) -> Result<Self, SharedError> {
        let size = checked_size(bytes)?;
        let made = shm::File::create(path, size).map(|file| Self::found(file, size))?;
        if made.is_err() {
            let _ = shm::File::remove(path);
        }
        made
    }

    /// Attaches the region in a file, or in another process's descriptor.
    ///
    /// # Errors
    ///
    /// What is wrong with the file: see [`SharedError`].
    pub fn attach(path: &CStr) -> Result<Self, SharedError> {
        Self::attach_file(shm::File::open(path)?)
    }

    /// Attaches the region behind an open descriptor, which stays the caller's. See [`SharedRegion`] for an example.
    ///
    /// # Errors
    ///
    /// As for [`attach`](Self::attach).
    pub fn attach_descriptor(descriptor: i32) -> Result<Self, SharedError> {
        Self::attach_file(shm::File::duplicate(descriptor)?)
    }

    /// Writes the tables of a new region; nobody else knows the file, or it says that it is not finished.
    fn found(file: shm::File, size: usize) -> Result<Self, SharedError> {
        let map = Mapping::new(&file, size)?;
        let words = map.words();
        words.set(AT_LENGTH, words.count());
        words.set(AT_LAYOUT, LAYOUT);
        words.set(AT_VERSION, VERSION);
        words.set(AT_MAGIC, MAGIC);
        heap::lay_out(&words);
        words.set(AT_STATE, READY);
        Self::join(map, file)
    }

    fn attach_file(file: shm::File) -> Result<Self, SharedError> {
        let found = file.size()?;
        let size = stated_size(&file, found)?;
        if size > found {
            return Err(SharedError::Truncated { stated: size as u64, found: found as u64 });
        }
        let map = Mapping::new(&file, size)?;
        Self::join(map, file)
    }

    fn join(map: Mapping, file: shm::File) -> Result<Self, SharedError> {
        let mark = Mark::own().ok_or(SharedError::NoProcesses)?;
        let owner = participant::join(&map.words(), mark)?;
        Ok(Self { map, file: Some(file), mark, owner, home: fork::identity() })
    }

    /// The descriptor of the memory, open as long as this value or until [`close_descriptor`](Self::close_descriptor).
    /// See [`SharedRegion`] for an example.
    #[must_use]
    pub fn descriptor(&self) -> Option<i32> {
        self.file.as_ref().map(shm::File::fd)
    }

    /// Closes the descriptor; the region stays mapped. An example is at [`create_file`](Self::create_file).
    pub fn close_descriptor(&mut self) {
        self.file = None;
    }

    fn words(&self) -> Words<'_> {
        self.map.words()
    }

    /// Runs an operation with the lock held; `None` in a child of a `fork`, which is not attached.
    fn locked<R>(&self, operation: impl FnOnce(&Words<'_>) -> R) -> Option<R> {
        if fork::identity() != self.home {
            return None;
        }
        let words = self.words();
        let _lock = lock::acquire(&words, self.mark.bits(), &participant::Kernel);
        Some(operation(&words))
    }

    /// Where the payload of a block of `size` words at `at` lies here, if it lies in the region.
    fn payload(&self, at: u64, size: u64) -> Option<MemoryBlock> {
        self.map.piece(at.checked_add(HEADER)?, size.checked_sub(HEADER)?)
    }

    /// The block whose payload starts at `address`, if one could.
    fn block_at(&self, address: usize) -> Option<u64> {
        let map = self.map.block();
        let offset = address.checked_sub(map.address()).filter(|offset| *offset < map.len())?;
        let word = offset.is_multiple_of(WORD).then_some(offset / WORD)? as u64;
        word.checked_sub(HEADER).filter(|at| *at >= AT_BLOCKS)
    }

    /// Allocates at least as much as asked for; if there is no room, frees what dead processes hold and tries again.
    fn take(&self, layout: Layout, length: u64) -> Result<(u64, MemoryBlock), AllocError> {
        if layout.align() > layout::MAX_ALIGN {
            return Err(AllocError::BadAlignment);
        }
        let size = heap::block_words(layout.size() as u64).ok_or(AllocError::CapacityExhausted)?;
        let request = (size, layout.align() as u64);
        let attempt = || {
            self.locked(|words| {
                let (at, size) = heap::allocate(words, request, length, self.owner)?;
                let block = self.payload(at, size).filter(|block| block.len() >= layout.size())?;
                Some((at, block))
            })
            .ok_or(AllocError::Unsupported)
        };
        match attempt()? {
            Some(block) => Ok(block),
            None if self.reclaim() > 0 => attempt()?.ok_or(AllocError::CapacityExhausted),
            None => Err(AllocError::CapacityExhausted),
        }
    }

    /// Frees what processes held that do not run any more; how many bytes. An example is at [`create_file`](Self::create_file).
    ///
    /// Happens by itself when memory runs out and when a newcomer finds no place. Messages in queues and kept blocks are nobody's, and stay.
    pub fn reclaim(&self) -> u64 {
        if fork::identity() != self.home {
            return 0;
        }
        participant::reclaim(&self.words(), self.mark.bits(), &participant::Kernel)
    }

    /// Counts; see [`Offset`]. Zeros in a child of `fork`.
    #[must_use]
    pub fn usage(&self) -> SharedUsage {
        let get = |words: &Words<'_>, at| words.get(at);
        let all = self.locked(|words| {
            [AT_LIVE_BLOCKS, AT_LIVE_WORDS, AT_TAKEOVERS, AT_RECLAIMED].map(|at| get(words, at))
        });
        let [live_blocks, live_words, takeovers, reclaimed] = all.unwrap_or_default();
        let total_bytes = (self.words().count() - AT_BLOCKS - HEADER) * WORD as u64;
        SharedUsage {
            live_blocks,
            live_bytes: live_words.saturating_mul(WORD as u64),
            total_bytes,
            takeovers,
            reclaimed,
        }
    }
}

/// The size of a region for `bytes`: whole pages.
fn checked_size(bytes: usize) -> Result<usize, SharedError> {
    let bad = SharedError::BadSize { bytes };
    let size = bytes.checked_next_multiple_of(page::size()).ok_or(bad)?;
    let words = (size / WORD) as u64;
    let fits = (MIN_WORDS..=MAX_WORDS).contains(&words) && size <= isize::MAX.unsigned_abs();
    if fits { Ok(size) } else { Err(bad) }
}

/// What the header says about the size, in bytes, if it is one.
fn stated_size(file: &shm::File, found: usize) -> Result<usize, SharedError> {
    if found == 0 {
        return Err(SharedError::Unfinished);
    }
    let map = Mapping::new(file, page::size())?;
    let words = map.words();
    match [AT_MAGIC, AT_VERSION, AT_LAYOUT, AT_LENGTH, AT_STATE].map(|at| words.get_acquire(at)) {
        [MAGIC, VERSION, LAYOUT, length, state] => {
            let size = length.checked_mul(WORD as u64).filter(|_| (MIN_WORDS..=MAX_WORDS).contains(&length));
            let size = size.and_then(|size| usize::try_from(size).ok()).ok_or(SharedError::OtherLayout)?;
            if size <= found && state != READY { Err(SharedError::Unfinished) } else { Ok(size) }
        }
        [MAGIC, VERSION, ..] => Err(SharedError::OtherLayout),
        [MAGIC, found, ..] => Err(SharedError::OtherVersion { found }),
        // The magic number is the last of them that a maker writes.
        [0, ..] => Err(SharedError::Unfinished),
        _ => Err(SharedError::NotARegion),
    }
}

impl Drop for SharedRegion {
    /// Frees what this value still holds, and leaves.
    fn drop(&mut self) {
        self.locked(|words| participant::leave(words, self.owner));
    }
}

impl fmt::Debug for SharedRegion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedRegion")
            .field("map", &self.map.block())
            .field("usage", &self.usage())
            .finish_non_exhaustive()
    }
}
