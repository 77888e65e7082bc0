//! Every block carries the tag of the subsystem that asked for it: counts, bytes and a budget for each.
//!
//! ```text
//!   enter(AUDIO) ──► current tag ──► account of AUDIO: live + size ≤ hard? ── no ──► OverBudget(AUDIO)
//!                                                       └─ yes ──► the resource below ──► │ the caller's bytes │ label: AUDIO │
//!   release: the label says whose account is relieved, whatever tag is current
//! ```
//!
//! | operation | cost |
//! | --- | --- |
//! | `allocate`, `deallocate` | a word written or compared behind the block, and two atomic read-modify-writes each, relaxed, on the tag's first cache line |
//! | `reallocate` | the resource's, and as above; the block keeps its tag |
//! | `enter`, the end of a scope | an exchange, a store |
//! | `usage` | ten loads |
//! | memory | one word a block, two cache lines a tag |
//!
//! A block is shown exactly as long as it was requested, so accounts reconcile: when everything was released, every tag's live bytes are 0.
//! The **hard** limit is never exceeded, not by racing threads together either; a request that would exceed it is refused with
//! [`OverBudget`](AllocError::OverBudget), which names the tag, and a [`Fallback`](crate::Fallback) then asks its next link. Each time that live bytes go above
//! the **soft** limit an event is counted. Bytes are those of requests: what the resource below rounds up and the labels are in nobody's account.
//!
//! **Threads.** As the resource; the counters are atomic. The current tag of a value is all threads'; each takes a [`TagHandle`] of its own.
//!
//! **When to use it.** To see what each subsystem holds, and to keep one from taking what the others need: around a heap, or around the fast
//! link of a [`Fallback`](crate::Fallback), so that what is over budget goes to the slower one.
//!
//! **When not.** On the hottest path of many threads with one tag: they share its cache lines. One subsystem with a resource of its own
//! needs no tag: [`Counted`](crate::Counted) costs no word a block.
//!
//! **Misuse.** A second release, a wrong length, a write behind the end are noticed by the label at the release, in every build, unless the
//! resource below has reused the place: see [`set_damage_hook`](crate::set_damage_hook).
//!
//! Rates, events that call somebody, and scopes of the global allocator belong to the instruments' layer; they find here what they need:
//! [`Budget`] can have further fields, and every counter can be read while others allocate.

mod account;
mod budget;
mod label;
mod resource;
mod scope;

use core::sync::atomic::{AtomicU16, Ordering::Relaxed};

#[cfg(doc)]
use stratalloc_resource::AllocError;
use stratalloc_resource::MemoryTag;

use crate::numbered::Number;
use account::Account;

pub use budget::{Budget, TagUsage};
pub use scope::{TagHandle, TagScope};

/// A resource with an account for each of `TAGS` tags, numbered from 0; see the [module](self).
///
/// Number 0 is [`MemoryTag::UNTAGGED`]. What is allocated under a tag beyond the last is attributed to it too.
///
/// ```
/// use core::alloc::Layout;
/// use stratalloc_modifiers::{Budget, Tagged};
/// use stratalloc_resource::{AllocError, FromGlobal, MemoryResource, MemoryTag, OwnedBlock};
///
/// const AUDIO: MemoryTag = MemoryTag::new(1);
/// let tagged: Tagged<_> = Tagged::new(FromGlobal::new(&std::alloc::System))
///     .with_tag(AUDIO, "audio", Budget::UNLIMITED.with_soft(500).with_hard(1000));
/// let _scope = tagged.enter(AUDIO);
/// let block = OwnedBlock::new(&tagged, Layout::new::<[u8; 600]>())?;
/// assert_eq!(tagged.allocate(Layout::new::<[u8; 600]>()), Err(AllocError::OverBudget(AUDIO)));
/// let usage = tagged.usage(AUDIO);
/// assert_eq!((usage.live_bytes, usage.over_budget, usage.soft_events), (600, 1, 1));
/// # drop(block);
/// # Ok::<(), stratalloc_resource::AllocError>(())
/// ```
#[derive(Debug)]
pub struct Tagged<R, const TAGS: usize = 16> {
    inner: R,
    current: AtomicU16,
    number: Number,
    accounts: [Account; TAGS],
}

/// The kind of the identity.
struct TaggedKind;

impl<R, const TAGS: usize> Tagged<R, TAGS> {
    /// There is always an account for what is untagged.
    const AT_LEAST_ONE: () = assert!(TAGS > 0, "no account: not even for what is untagged");

    /// Accounts without names and limits; the current tag is [`MemoryTag::UNTAGGED`]. See [`Tagged`] for an example.
    #[must_use]
    pub const fn new(inner: R) -> Self {
        let () = Self::AT_LEAST_ONE;
        let accounts = [const { Account::new("", Budget::UNLIMITED) }; TAGS];
        Self { inner, current: AtomicU16::new(0), number: Number::new(), accounts }
    }

    /// The same with a name and a budget for a tag; one beyond the last has no account, and changes nothing. See [`Tagged`] for an example.
    #[must_use]
    pub const fn with_tag(mut self, tag: MemoryTag, name: &'static str, budget: Budget) -> Self {
        if (tag.number() as usize) < TAGS {
            self.accounts[tag.number() as usize].define(name, budget);
        }
        self
    }

    /// Changes a tag's limits. Live bytes above a new limit stay; nothing more is served until enough of them are released.
    ///
    /// ```
    /// use stratalloc_modifiers::{Budget, Tagged};
    /// use stratalloc_resource::MemoryTag;
    ///
    /// let tagged: Tagged<_> = Tagged::new("below");
    /// tagged.set_budget(MemoryTag::new(3), Budget::UNLIMITED.with_hard(100));
    /// assert_eq!(tagged.usage(MemoryTag::new(3)).budget.hard, 100);
    /// ```
    pub fn set_budget(&self, tag: MemoryTag, budget: Budget) {
        self.account(tag).1.set_budget(budget);
    }

    /// Makes `tag` current, for this value and so for every thread that uses it directly, until the scope ends.
    ///
    /// ```
    /// use stratalloc_modifiers::Tagged;
    /// use stratalloc_resource::MemoryTag;
    ///
    /// let tagged: Tagged<_> = Tagged::new("below");
    /// let game = tagged.enter(MemoryTag::new(1));
    /// {
    ///     let _physics = tagged.enter(MemoryTag::new(2));
    ///     assert_eq!(tagged.current(), MemoryTag::new(2));
    /// }
    /// assert_eq!(tagged.current(), MemoryTag::new(1));
    /// drop(game);
    /// assert_eq!(tagged.current(), MemoryTag::UNTAGGED);
    /// ```
    pub fn enter(&self, tag: MemoryTag) -> TagScope<'_> {
        TagScope::new(&self.current, tag)
    }

    /// The current tag. An example is at [`enter`](Self::enter).
    #[must_use]
    pub fn current(&self) -> MemoryTag {
        MemoryTag::new(self.current.load(Relaxed))
    }

    /// The same resource with a current tag of its own, `tag` at first. An example is at [`TagHandle`].
    #[must_use]
    pub const fn handle(&self, tag: MemoryTag) -> TagHandle<'_, R, TAGS> {
        TagHandle::new(self, tag)
    }

    /// What a tag used.
    ///
    /// ```
    /// # use core::alloc::Layout;
    /// # use stratalloc_modifiers::Tagged;
    /// # use stratalloc_resource::{FromGlobal, MemoryTag, OwnedBlock};
    /// let tagged: Tagged<_> = Tagged::new(FromGlobal::new(&std::alloc::System));
    /// drop(OwnedBlock::new(&tagged, Layout::new::<u64>())?);
    /// let usage = tagged.usage(MemoryTag::UNTAGGED);
    /// assert_eq!((usage.allocations, usage.live_blocks(), usage.live_bytes, usage.peak_bytes), (1, 0, 0, 8));
    /// # Ok::<(), stratalloc_resource::AllocError>(())
    /// ```
    #[must_use]
    pub fn usage(&self, tag: MemoryTag) -> TagUsage {
        let (tag, account) = self.account(tag);
        account.usage(tag)
    }

    /// What each tag used that was ever asked with or has a name, by number.
    ///
    /// ```
    /// use stratalloc_modifiers::{Budget, Tagged};
    /// use stratalloc_resource::MemoryTag;
    ///
    /// let tagged: Tagged<_> = Tagged::new("below").with_tag(MemoryTag::new(2), "audio", Budget::UNLIMITED);
    /// assert!(tagged.usages().map(|usage| usage.name).eq(["audio"]));
    /// ```
    pub fn usages(&self) -> impl Iterator<Item = TagUsage> + '_ {
        let all = (0..=u16::MAX).zip(&self.accounts);
        all.map(|(number, account)| account.usage(MemoryTag::new(number))).filter(|usage| {
            !usage.name.is_empty() || usage.allocations + usage.over_budget + usage.refused_below > 0
        })
    }

    /// The resource below.
    ///
    /// ```
    /// use stratalloc_modifiers::Tagged;
    ///
    /// assert_eq!(Tagged::<_>::new("below").inner(), &"below");
    /// ```
    #[must_use]
    pub const fn inner(&self) -> &R {
        &self.inner
    }

    /// Ends all blocks at once by `reset`, after which no account has anything live: for frames and stacks.
    ///
    /// ```
    /// use core::alloc::Layout;
    /// use core::mem::MaybeUninit;
    /// use stratalloc_modifiers::Tagged;
    /// use stratalloc_resource::{MemoryResource, MemoryTag};
    /// use stratalloc_strategies::frame::Frame;
    ///
    /// let mut memory = [MaybeUninit::uninit(); 1024];
    /// let mut tagged: Tagged<Frame<'_>> = Tagged::new(Frame::over(&mut memory));
    /// tagged.allocate(Layout::new::<u64>())?;
    /// tagged.reset_by(|frame| frame.reset());
    /// assert_eq!(tagged.usage(MemoryTag::UNTAGGED).live_blocks(), 0);
    /// # Ok::<(), stratalloc_resource::AllocError>(())
    /// ```
    pub fn reset_by<T>(&mut self, reset: impl FnOnce(&mut R) -> T) -> T {
        let answer = reset(&mut self.inner);
        self.accounts.iter_mut().for_each(Account::start_over);
        answer
    }

    /// The account of a tag, and the tag whose account it is.
    #[inline]
    fn account(&self, tag: MemoryTag) -> (MemoryTag, &Account) {
        let account = self.accounts.get(usize::from(tag.number()));
        account.map_or((MemoryTag::UNTAGGED, &self.accounts[0]), |account| (tag, account))
    }
}
