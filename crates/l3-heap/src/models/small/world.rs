//! The directory of the models: two heaps, two records with a few blocks, a depot of two classes, a region of slices.
//!
//! The steps of `home`, `depot` and `slice` around the protocol are repeated here (`put`, `take`, `retire`, `begin`), a line or two
//! each; publishing, delivering, draining, reclaiming and adopting are the real code.

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use stratalloc_primitives::lockfree::{IndexStack, Mailbox, link};
use stratalloc_primitives::primitive::atomic::{AtomicU16, AtomicU32, Ordering};

use super::remote::{self, Chain, Directory, Owners, RemoteWord};

/// Blocks of a record at most. The last one is for [`World::settle`].
const BLOCKS: u16 = 4;
const LAST: u16 = BLOCKS - 1;
const HEAPS: u32 = 2;
/// In place of an owner: a full slab that whoever frees a block may take over.
const ORPHAN: u32 = u32::MAX;

struct Record {
    word: RemoteWord,
    /// Heap + 1; 0 is nobody; [`ORPHAN`].
    owner: AtomicU32,
    mail: AtomicU32,
    /// Link in the depot.
    next: AtomicU32,
    /// 1 while the slab is full.
    full: AtomicU32,
    /// Blocks of the slab: its class.
    capacity: AtomicU16,
    /// How often a slab began here.
    begun: AtomicU32,
    /// 1 while the slice is free: what the chunk's word of free granules says.
    free: AtomicU32,
    /// What only the owner touches: per block, how often it came home.
    home: UnsafeCell<[u32; BLOCKS as usize]>,
    /// Whether the record is in a mailbox: touched by the holder of the token, and nobody else (R1).
    posted: UnsafeCell<bool>,
    /// Each block's link, touched by who freed it, then by the owner.
    blocks: [UnsafeCell<Option<u16>>; BLOCKS as usize],
}

/// Everything that threads share.
pub(super) struct World {
    mailboxes: [Mailbox; HEAPS as usize],
    records: [Record; 2],
    depot: [IndexStack; 2],
}

// SAFETY: the cells are touched as the protocol allows, which is what the models check.
unsafe impl Sync for World {}
// SAFETY: as above.
unsafe impl Send for World {}

impl Directory for World {
    type Record = u32;
    type Owner = u32;

    fn word(&self, record: u32) -> &RemoteWord {
        &self.records[record as usize].word
    }

    fn owner(&self, record: u32) -> Option<u32> {
        let owner = self.records[record as usize].owner.load(Ordering::Relaxed);
        link::index(owner).filter(|_| owner != ORPHAN)
    }

    fn found_nobody(&self, _record: u32) {}

    fn post(&self, owner: u32, record: u32) {
        let mail = &self.records[record as usize];
        // SAFETY: the caller holds the token (R1).
        let before = mail.posted.with_mut(|posted| unsafe { posted.replace(true) });
        assert!(!before, "R1: a record in two mailboxes");
        self.mailboxes[owner as usize].push(record, |next| mail.mail.store(next, Ordering::Relaxed));
    }
}

impl Owners for World {
    fn owns(&self, owner: u32, record: u32) -> bool {
        self.owner(record) == Some(owner)
    }

    fn claim(&self, owner: u32, record: u32) -> bool {
        let word = &self.records[record as usize].owner;
        word.compare_exchange(ORPHAN, link::to(owner), Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    fn set_owner(&self, record: u32, owner: Option<u32>) {
        // A store in the heap. Loom does not see that what is stored over an owner also comes after the compare-and-swap that replaced
        // this owner; a swap tells it.
        self.records[record as usize].owner.swap(owner.map_or(link::END, link::to), Ordering::Relaxed);
    }

    fn capacity(&self, record: u32) -> u16 {
        self.records[record as usize].capacity.load(Ordering::Relaxed)
    }

    fn is_full(&self, record: u32) -> bool {
        self.records[record as usize].full.load(Ordering::Acquire) == 1
    }

    fn link(&self, record: u32, tail: u16, head: Option<u16>) {
        // SAFETY: the caller has the block in hand: it freed it, or took the chain, and has not published it.
        self.records[record as usize].blocks[tail as usize].with_mut(|cell| unsafe { *cell = head });
    }

    fn give(&self, record: u32, all: Chain) {
        assert_eq!(all.count, self.capacity(record), "S5: with blocks in hand the class is what it is");
        self.count_home(record, all);
        self.retire(record);
    }

    fn mailbox(&self, owner: u32) -> &Mailbox {
        &self.mailboxes[owner as usize]
    }

    fn record(&self, index: u32) -> u32 {
        index
    }

    /// Read once for every record that a drain takes out, before it goes on.
    fn mail_link(&self, record: u32) -> u32 {
        let mail = &self.records[record as usize];
        // SAFETY: the mailbox was taken: the taker holds the tokens of its records (R1).
        let before = mail.posted.with_mut(|posted| unsafe { posted.replace(false) });
        assert!(before, "R1: a record in a mailbox without having been posted");
        mail.mail.load(Ordering::Relaxed)
    }
}

impl World {
    /// Two records, owned by heap 0; nothing freed.
    pub(super) fn new() -> Arc<Self> {
        let record = |_| Record {
            word: RemoteWord::new(),
            owner: AtomicU32::new(link::to(0)),
            mail: AtomicU32::new(link::END),
            next: AtomicU32::new(link::END),
            full: AtomicU32::new(0),
            capacity: AtomicU16::new(BLOCKS),
            begun: AtomicU32::new(0),
            free: AtomicU32::new(0),
            home: UnsafeCell::new([0; BLOCKS as usize]),
            posted: UnsafeCell::new(false),
            blocks: core::array::from_fn(|_| UnsafeCell::new(None)),
        };
        Arc::new(Self {
            mailboxes: core::array::from_fn(|_| Mailbox::new()),
            records: core::array::from_fn(record),
            depot: core::array::from_fn(|_| IndexStack::new()),
        })
    }

    /// A thread that does not own the record frees `count` blocks, `head` and those below it: `free::publish_chain`.
    pub(super) fn free(&self, record: u32, head: u16, count: u16) {
        let tail = head + 1 - count;
        (tail + 1..=head).for_each(|block| self.link(record, block, Some(block - 1)));
        remote::send(self, record, Chain { head, tail, count });
    }

    /// Blocks of a chain that was taken by who has the record's plain fields.
    fn count_home(&self, record: u32, chain: Chain) {
        let slab = &self.records[record as usize];
        let mut at = Some(chain.head);
        let mut last = chain.head;
        for _ in 0..chain.count {
            let block = at.expect("a chain is as long as it says");
            last = block;
            // SAFETY: taking the chain made its blocks the taker's.
            at = slab.blocks[block as usize].with_mut(|cell| unsafe { cell.replace(None) });
            // SAFETY: only the owner, or who has all blocks, touches the plain fields (S1).
            slab.home.with_mut(|home| unsafe { (*home)[block as usize] += 1 });
        }
        assert_eq!((last, at), (chain.tail, None), "a chain ends at its tail");
    }

    /// What any use of a record by its owner does: touch the plain fields.
    pub(super) fn touch(&self, record: u32) {
        // SAFETY: only the owner touches the plain fields (S1).
        self.records[record as usize].home.with_mut(|home| unsafe { (*home)[0] += 0 });
    }

    /// `home::drain`. Returns how many blocks came home.
    pub(super) fn drain(&self, heap: u32) -> u16 {
        let mut came = 0;
        remote::drain(self, heap, |record, chain| {
            assert_eq!(self.owner(record), Some(heap), "S1: a chain of another heap's slab");
            self.count_home(record, chain);
            came += chain.count;
        });
        came
    }

    /// `home::adopt`.
    fn adopt(&self, heap: u32, record: u32) {
        if let Some(chain) = remote::adopt(self, heap, record) {
            self.count_home(record, chain);
        }
        self.touch(record);
    }

    /// `depot::put`.
    pub(super) fn put(&self, class: usize, record: u32) {
        self.touch(record);
        self.set_owner(record, None);
        let slab = &self.records[record as usize];
        self.depot[class].push(record, |next| slab.next.store(next, Ordering::Relaxed));
    }

    /// `depot::take`.
    pub(super) fn take(&self, heap: u32, class: usize) -> Option<u32> {
        let next = |record: u32| self.records[record as usize].next.load(Ordering::Relaxed);
        let record = self.depot[class].pop(next)?;
        self.adopt(heap, record);
        Some(record)
    }

    /// `home::fill`: every block is out.
    pub(super) fn fill(&self, record: u32) {
        self.touch(record);
        self.records[record as usize].full.store(1, Ordering::Release);
    }

    /// `home::fill` of a slab that is full for the first time.
    pub(super) fn fill_and_leave(&self, heap: u32, record: u32) {
        self.fill(record);
        let word = &self.records[record as usize].owner;
        let _ = word.compare_exchange(link::to(heap), ORPHAN, Ordering::Release, Ordering::Relaxed);
    }

    /// `free::remote_free` of one block: the slab is taken over if it is an orphan. True if it was.
    pub(super) fn free_or_take_over(&self, heap: u32, record: u32, block: u16) -> bool {
        let taken = remote::take_over(self, heap, record, |chain| self.count_home(record, chain));
        if taken {
            // `push_local`.
            self.count_home(record, Chain { head: block, tail: block, count: 1 });
        } else {
            self.free(record, block, 1);
        }
        taken
    }

    /// `slice::give`: the slab is empty; its slice goes back, its record may serve another slab.
    pub(super) fn retire(&self, record: u32) {
        self.touch(record);
        let slab = &self.records[record as usize];
        slab.full.store(0, Ordering::Release);
        self.set_owner(record, None);
        slab.free.store(1, Ordering::Release);
    }

    /// `slice::take` and `Slab::begin`: a slab of `capacity` blocks, if the slice is free. The word is left as it is (R2).
    pub(super) fn begin(&self, heap: u32, record: u32, capacity: u16) -> bool {
        let slab = &self.records[record as usize];
        if slab.free.swap(0, Ordering::Acquire) == 0 {
            return false;
        }
        self.set_owner(record, Some(heap));
        slab.begun.fetch_add(1, Ordering::Relaxed);
        slab.capacity.store(capacity, Ordering::Relaxed);
        self.touch(record);
        true
    }

    /// How many slabs began on the slice, when all is quiet.
    pub(super) fn times_begun(&self, record: u32) -> u32 {
        self.records[record as usize].begun.load(Ordering::Relaxed)
    }

    /// How often each block came home.
    fn home(&self, record: u32) -> [u32; BLOCKS as usize] {
        // SAFETY: the caller has the record's plain fields.
        self.records[record as usize].home.with(|home| unsafe { *home })
    }

    /// When all is quiet: what lies in the depot is adopted, an orphan is taken over, and all mail is read. Then blocks have come home as often as
    /// `freed` says (the last one never), and the next free of all is announced to the owner: no token was left behind.
    pub(super) fn settle(&self, record: u32, freed: [u32; 3]) {
        while self.take(0, 0).is_some() {}
        // Its last block is in the caller's hand.
        remote::take_over(self, 0, record, |chain| self.count_home(record, chain));
        self.read_all_mail();
        let [a, b, c] = freed;
        assert_eq!(self.home(record), [a, b, c, 0], "times that each block came home");
        if self.owner(record).is_some() {
            self.free(record, LAST, 1);
            self.read_all_mail();
            assert_eq!(self.home(record)[LAST as usize], 1, "a free after all the others came home");
        }
    }

    fn read_all_mail(&self) {
        // Twice: what was forwarded to a heap already drained.
        (0..2 * HEAPS).for_each(|heap| {
            self.drain(heap % HEAPS);
        });
    }
}
