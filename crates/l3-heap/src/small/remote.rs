//! Blocks on their way home: how a thread frees a block of another thread's slab.
//!
//! ```text
//!   freeing thread                       slab record                          owner heap
//!   ring (per slab) ── publish: 1 CAS ─► remote { head, tail, count, TOKEN }
//!                      first one also:   ───────── push record ─────────────► mailbox ─► drain: swap, splice
//! ```
//!
//! A freeing thread collects blocks of one slab in a ring and publishes the chain with one compare-and-swap on the slab's
//! `remote` word. Whoever turns the **token** on in that word pushes the record on the owner's mailbox. The owner takes the
//! whole mailbox when a bin runs dry, and each record's whole chain with one swap. (Batching by slab follows the
//! message queues of snmalloc, Liétar et al., ISMM 2019; the token is ours.)
//!
//! Rules
//! - **R1** The token is on ⇔ the record is in exactly one mailbox, or in the hands of exactly one thread that is about to put it
//!   there or to turn the token off. Only that holder may pass the token on or turn it off.
//! - **R2** The token belongs to the record, not to the slab: it may outlive the slab and even the slice's next use. Whoever takes
//!   a chain without being the holder leaves the token as it is.
//! - **R3** Blocks are in `remote` only while the slab has an owner that will see the token, or none (then it is in the depot,
//!   and adopting takes them, or an orphan, and taking it over does).
//!
//! Why no chain is forgotten. `deliver` holds the token. With an owner it pushes to that owner's mailbox; if ownership moves
//! meanwhile, the old owner (or who reaps it) pops the record, sees another owner and delivers again. Without an owner it turns
//! the token off and looks at the owner once more: adopting stores the owner *before* it takes the chain, both are
//! ordered through the word, so either adoption sees the chain, or `deliver` sees the adopter and turns the token on again.
//!
//! A thread that sleeps does not look into its mailbox. So whoever publishes the last block of a **full** slab takes the whole chain
//! away from the sleeper and gives the slab back to the region ([`send`]): with every block in hand, nobody else can free into the
//! slab, and a full slab is in no list of its owner. What a sleeping thread can hold back is therefore its current and partial
//! slabs, and full slabs of which some block is still in use. The token of a reclaimed slab may stay in the sleeper's mailbox,
//! where it keeps the next owner of the record from being told; so at every 64th such slab the sleeper's mail is forwarded.
//!
//! Full slabs of which some block is still in use need not wait for a sleeper either. One that is full for the first time may hold
//! objects that others will free, so its owner leaves it to nobody, an **orphan**; who frees a block of it may take it over
//! ([`take_over`]). Having a block in hand, the claimer excludes reclaiming; being the one whose compare-and-swap succeeds, it
//! excludes other claimers; and it takes the chain after it became the owner, as in adopting. A token that lies in the former owner's
//! mailbox keeps the claimer from being told until that mailbox is looked into, which forwards it. That is soon: a slab is filled in a
//! refill, whose next step is to drain the mailbox, or (a mixed one) by a request that has looked into it just before; only a thread that had read the owner before and posts after that drain leaves its
//! token there for longer, until the former owner's next look.
//!
//! | access | order | pairs with | carries |
//! | --- | --- | --- | --- |
//! | reclaim: CAS on `remote` | AcqRel | publish | the blocks; that every earlier life of the slab is over |
//! | `state` becomes Full / is read by reclaim | Release / Acquire | each other | the owner's last accesses to the record |
//! | publish: CAS on `remote` | AcqRel | drain, adopt | release: the blocks' links and contents; acquire: an adopter's owner store |
//! | drain: swap on `remote` | AcqRel | publish | acquire: the blocks; release: that they are free again |
//! | adopt, take over: `fetch_and` on `remote` | AcqRel | publish, deliver | release: the owner stored before it |
//! | `owner`: heap → orphan / orphan → heap, by CAS | Release / Acquire | each other | the plain fields |
//! | deliver: `fetch_and` on `remote` | AcqRel | adopt | acquire: the adopter's owner |
//! | mailbox push / take | Release / Acquire | each other | the record's mail link |
//! | `owner` | Relaxed | ordered by `remote` | – |
//!
//! No ABA: the word holds the complete state of the chain (head, tail, count), so a compare that succeeds is right whatever
//! happened in between, and chains are only ever taken whole.

use core::fmt;

use stratalloc_primitives::lockfree::{Mailbox, link};
use stratalloc_primitives::primitive::atomic::{AtomicU64, Ordering};

/// Bits of an offset in a slab, in units of 16 bytes: a wide slab has 64 KiB / 16 = 2^12.
const OFFSET_BITS: u32 = 12;
const HEAD_SHIFT: u32 = 0;
const TAIL_SHIFT: u32 = OFFSET_BITS;
const COUNT_SHIFT: u32 = 2 * OFFSET_BITS;
/// A slab holds at most 1024 blocks: 11 bits.
const COUNT_BITS: u32 = 11;
const TOKEN: u64 = 1 << (COUNT_SHIFT + COUNT_BITS);
const OFFSET_MASK: u64 = (1 << OFFSET_BITS) - 1;
const COUNT_MASK: u64 = (1 << COUNT_BITS) - 1;

const _: () = assert!(COUNT_SHIFT + COUNT_BITS < 64);

/// Chain of blocks: offsets in the slab in units of 16 bytes, and how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chain {
    pub(crate) head: u16,
    pub(crate) tail: u16,
    pub(crate) count: u16,
}

/// What a thread learns when it publishes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Published {
    /// The caller turned the token on and must [`deliver`].
    pub(crate) token: bool,
    /// Blocks that wait now.
    pub(crate) waiting: u16,
}

/// The `remote` word of a slab record. All bits zero: no blocks, no token.
pub(crate) struct RemoteWord(AtomicU64);

#[allow(clippy::cast_possible_truncation, reason = "fields are masked to their width")]
const fn unpack(word: u64) -> Option<Chain> {
    let count = (word >> COUNT_SHIFT & COUNT_MASK) as u16;
    if count == 0 {
        return None;
    }
    Some(Chain {
        head: (word >> HEAD_SHIFT & OFFSET_MASK) as u16,
        tail: (word >> TAIL_SHIFT & OFFSET_MASK) as u16,
        count,
    })
}

const fn pack(chain: Chain) -> u64 {
    debug_assert!(chain.head as u64 <= OFFSET_MASK && chain.tail as u64 <= OFFSET_MASK);
    debug_assert!(chain.count as u64 <= COUNT_MASK, "more blocks than a slab has: one was freed twice");
    (chain.head as u64) << HEAD_SHIFT
        | (chain.tail as u64) << TAIL_SHIFT
        | (chain.count as u64) << COUNT_SHIFT
}

impl RemoteWord {
    #[cfg(loom)]
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Puts `chain` in front; `link(tail, head)` makes the block at offset `tail` point to the one at `head` (or to nothing).
    pub(crate) fn publish(&self, chain: Chain, mut link: impl FnMut(u16, Option<u16>)) -> Published {
        let mut seen = self.0.load(Ordering::Relaxed);
        loop {
            let before = unpack(seen);
            link(chain.tail, before.map(|old| old.head));
            let joined = before.map_or(chain, |old| Chain {
                head: chain.head,
                tail: old.tail,
                count: old.count + chain.count,
            });
            match self.0.compare_exchange_weak(
                seen,
                pack(joined) | TOKEN,
                Ordering::AcqRel,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Published { token: seen & TOKEN == 0, waiting: joined.count },
                Err(now) => seen = now,
            }
        }
    }

    /// Takes the chain if it has exactly `count` blocks, and leaves the token as it is (R2).
    pub(crate) fn fold_exact(&self, count: u16) -> Option<Chain> {
        let mut seen = self.0.load(Ordering::Relaxed);
        loop {
            let chain = unpack(seen).filter(|chain| chain.count == count)?;
            match self.0.compare_exchange_weak(seen, seen & TOKEN, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return Some(chain),
                Err(now) => seen = now,
            }
        }
    }

    /// The holder of the token, owner of the slab, takes the chain and turns the token off.
    pub(crate) fn take(&self) -> Option<Chain> {
        unpack(self.0.swap(0, Ordering::AcqRel))
    }

    /// Takes the chain and leaves the token as it is (R2); for adoption and for looking at a slab in hand.
    pub(crate) fn fold(&self) -> Option<Chain> {
        unpack(self.0.fetch_and(TOKEN, Ordering::AcqRel))
    }

    /// The holder turns the token off; true when blocks wait there.
    fn drop_token(&self) -> bool {
        unpack(self.0.fetch_and(!TOKEN, Ordering::AcqRel)).is_some()
    }

    /// Turns the token on if blocks wait and nobody holds it.
    fn retake_token(&self) -> bool {
        let mut seen = self.0.load(Ordering::Relaxed);
        loop {
            if seen & TOKEN != 0 || unpack(seen).is_none() {
                return false;
            }
            match self.0.compare_exchange_weak(seen, seen | TOKEN, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(now) => seen = now,
            }
        }
    }

    /// Offset of the first block that waits, for statistics.
    pub(crate) fn first(&self) -> Option<u16> {
        unpack(self.0.load(Ordering::Relaxed)).map(|chain| chain.head)
    }

    /// Blocks that wait, for statistics.
    pub(crate) fn waiting(&self) -> u32 {
        unpack(self.0.load(Ordering::Relaxed)).map_or(0, |chain| u32::from(chain.count))
    }
}

impl fmt::Debug for RemoteWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = self.0.load(Ordering::Relaxed);
        f.debug_struct("RemoteWord")
            .field("chain", &unpack(word))
            .field("token", &(word & TOKEN != 0))
            .finish()
    }
}

/// What the protocol needs to know about records and owners; the heap has one, the models have theirs.
pub(crate) trait Directory {
    /// A record.
    type Record: Copy;
    /// An owner, never "nobody".
    type Owner: Copy;
    /// The record's word.
    fn word(&self, record: Self::Record) -> &RemoteWord;
    /// The record's owner, read relaxed.
    fn owner(&self, record: Self::Record) -> Option<Self::Owner>;
    /// Pushes the record on the owner's mailbox.
    fn post(&self, owner: Self::Owner, record: Self::Record);
    /// Blocks came home to a record that nobody owns.
    fn found_nobody(&self, record: Self::Record);
}

/// Brings a record whose token the caller holds to its owner, or puts the token down when it has none.
pub(crate) fn deliver<D: Directory>(directory: &D, record: D::Record) {
    loop {
        if let Some(owner) = directory.owner(record) {
            directory.post(owner, record);
            return;
        }
        let waiting = directory.word(record).drop_token();
        if waiting {
            directory.found_nobody(record);
        }
        if !waiting || directory.owner(record).is_none() || !directory.word(record).retake_token() {
            return;
        }
    }
}

/// What an owner needs besides.
pub(crate) trait Owners: Directory {
    /// Whether `owner` owns the record. A yes is exact for who holds `owner` and a block of the slab: without all of its blocks
    /// nobody else can end that.
    fn owns(&self, owner: Self::Owner, record: Self::Record) -> bool;
    /// Makes `owner` the owner of an orphan, by one compare-and-swap with acquire. The caller has a block of the slab in hand, so nobody
    /// can reclaim it meanwhile.
    fn claim(&self, owner: Self::Owner, record: Self::Record) -> bool;
    /// Stores the record's owner, relaxed; `None` is nobody.
    fn set_owner(&self, record: Self::Record, owner: Option<Self::Owner>);
    /// Blocks of the slab. Exact for who holds one of them.
    fn capacity(&self, record: Self::Record) -> u16;
    /// Whether the slab is full, read with acquire. Exact for who holds all of its blocks, but for changes from Current to Full.
    fn is_full(&self, record: Self::Record) -> bool;
    /// Makes the block at offset `tail` point to the one at `head`, or to nothing. The caller has the block in hand.
    fn link(&self, record: Self::Record, tail: u16, head: Option<u16>);
    /// Gives a full slab back to the region; the caller has all its blocks, and so the slab, exclusively.
    fn give(&self, record: Self::Record, all: Chain);
    /// The owner's mailbox.
    fn mailbox(&self, owner: Self::Owner) -> &Mailbox;
    /// The record of an index in a mailbox.
    fn record(&self, index: u32) -> Self::Record;
    /// The record's link in the mailbox, read relaxed.
    fn mail_link(&self, record: Self::Record) -> u32;
}

/// Sends blocks home: publishes their chain, gives the slab back if it is full and these were its last blocks, and brings the token
/// to the owner if the caller turned it on.
pub(crate) fn send<D: Owners>(directory: &D, record: D::Record, mut chain: Chain) {
    let word = directory.word(record);
    let mut token = false;
    loop {
        let published = word.publish(chain, |tail, head| directory.link(record, tail, head));
        token |= published.token;
        let capacity = directory.capacity(record);
        if published.waiting != capacity || !directory.is_full(record) {
            break;
        }
        let Some(all) = word.fold_exact(capacity) else { break };
        // Both looked at again with blocks in hand: before, it may have been another slab, or this one in an earlier life.
        if all.count == directory.capacity(record) && directory.is_full(record) {
            directory.give(record, all);
            break;
        }
        chain = all;
    }
    if token {
        deliver(directory, record);
    }
}

/// The holder of `owner` takes all mail: chains of its own records go to `home`, other records to their owners. True if there
/// was any.
pub(crate) fn drain<D: Owners>(
    directory: &D,
    owner: D::Owner,
    mut home: impl FnMut(D::Record, Chain),
) -> bool {
    let first = directory.mailbox(owner).take_all();
    // The walk reads a record's link before it hands it out: once the token goes, the record may be linked elsewhere.
    for index in link::walk(first, |index| directory.mail_link(directory.record(index))) {
        let record = directory.record(index);
        if !directory.owns(owner, record) {
            deliver(directory, record);
        } else if let Some(chain) = directory.word(record).take() {
            // Looked at again with blocks in hand: before, somebody may have reclaimed the slab, and these are another one's.
            if directory.owns(owner, record) {
                home(record, chain);
            } else {
                send(directory, record, chain);
            }
        }
    }
    first != link::END
}

/// Makes `owner` the owner of a record that the caller has exclusively and that had none; returns the blocks that came home
/// meanwhile.
pub(crate) fn adopt<D: Owners>(directory: &D, owner: D::Owner, record: D::Record) -> Option<Chain> {
    // The owner first, then the chain: see "Why no chain is forgotten".
    directory.set_owner(record, Some(owner));
    directory.word(record).fold()
}

/// Makes `owner` the owner of an orphan of which the caller has a block in hand; the blocks that came home meanwhile go to `home`. False
/// if it is no orphan, or no longer.
pub(crate) fn take_over<D: Owners>(
    directory: &D,
    owner: D::Owner,
    record: D::Record,
    home: impl FnOnce(Chain),
) -> bool {
    // The owner first, then the chain, as in `adopt`.
    let claimed = directory.claim(owner, record);
    if claimed && let Some(chain) = directory.word(record).fold() {
        home(chain);
    }
    claimed
}
