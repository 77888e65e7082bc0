//! One thread's dealings with the resource under test: every call goes through here and is checked here.

use alloc::format;
use alloc::string::{String, ToString};
use core::alloc::Layout;
use core::panic::AssertUnwindSafe;
use std::panic;

use super::live::{Length, Live};
use super::property::PropertySet;
use super::random::Random;
use super::report::{Details, Place};
use super::shadow::Shadow;
use super::{Config, Failure, Property, mark};
use crate::{Alignment, AllocError, MemoryBlock, MemoryResource, Reuse, Violation};

/// A callback that checks the resource's own equations after each operation.
pub(super) type Validator<'a> = &'a dyn Fn() -> Result<(), Violation>;

pub(super) struct Session<'a, R: ?Sized> {
    pub(super) resource: &'a R,
    pub(super) config: Config,
    pub(super) random: Random,
    pub(super) place: Place,
    /// While set, whatever goes wrong is held against this property: the stage varies nothing else.
    pub(super) suspect: Option<Property>,
    pub(super) checked: PropertySet,
    pub(super) requests: u64,
    pub(super) refusals: u64,
    /// How blocks are handed back.
    pub(super) length: Length,
    pub(super) validator: Option<Validator<'a>>,
    shadow: &'a Shadow,
    live: usize,
    served: u64,
    /// The largest size that was served.
    largest: usize,
}

/// The shared part of a session. It may cross threads if the resource may; a session, with its validator, may not.
pub(super) struct Origin<'a, R: ?Sized> {
    resource: &'a R,
    config: Config,
    shadow: &'a Shadow,
    length: Length,
    stage: &'static str,
    suspect: Option<Property>,
}

impl<'a, R: MemoryResource + ?Sized> Origin<'a, R> {
    /// The session of `thread` with the same resource and shadow, in the same stage.
    pub(super) fn session(&self, thread: usize) -> Session<'a, R> {
        let mut session = Session::new(self.resource, self.config, self.shadow, Some(thread));
        session.length = self.length;
        session.place.stage = self.stage;
        session.suspect = self.suspect;
        session
    }
}

impl<'a, R: MemoryResource + ?Sized> Session<'a, R> {
    /// The dealings of `thread`, or of the only one.
    pub(super) fn new(resource: &'a R, config: Config, shadow: &'a Shadow, thread: Option<usize>) -> Self {
        Self {
            resource,
            config,
            random: Random::new(config.seed, thread.map_or(0, |thread| thread as u64 + 1)),
            place: Place { stage: "start", operation: 0, thread },
            suspect: None,
            checked: PropertySet::default(),
            requests: 0,
            refusals: 0,
            length: Length::Real,
            largest: 0,
            validator: None,
            shadow,
            live: 0,
            served: 0,
        }
    }

    /// What another thread needs to take part.
    pub(super) fn origin(&self) -> Origin<'a, R> {
        let Self { resource, config, shadow, length, suspect, .. } = *self;
        Origin { resource, config, shadow, length, stage: self.place.stage, suspect }
    }

    pub(super) fn enter(&mut self, stage: &'static str, suspect: Option<Property>) {
        self.place.stage = stage;
        self.place.operation = 0;
        self.suspect = suspect;
        if let Some(property) = suspect {
            self.checked.insert(property);
        }
    }

    pub(super) fn failure(&self, property: Property, detail: String) -> Failure {
        let detail = match self.suspect {
            Some(suspect) if suspect != property => format!("({property}) {detail}"),
            _ => detail,
        };
        Failure::new(Details {
            subject: self.resource.info().name.to_string(),
            property: self.suspect.unwrap_or(property),
            place: self.place,
            seed: self.config.seed,
            detail,
        })
    }

    /// Records that `property` is being checked, and fails with `detail` unless it holds.
    pub(super) fn check(
        &mut self,
        property: Property,
        holds: bool,
        detail: impl FnOnce() -> String,
    ) -> Result<(), Failure> {
        self.checked.insert(property);
        if holds { Ok(()) } else { Err(self.failure(property, detail())) }
    }

    /// Asks for a block, checks it and marks it; `None` if it was refused for a reason that the resource is entitled to.
    pub(super) fn allocate(
        &mut self,
        size: usize,
        align: Alignment,
        zeroed: bool,
    ) -> Result<Option<Live>, Failure> {
        self.place.operation += 1;
        self.requests += 1;
        let layout = Layout::from_size_align(size, align.bytes())
            .map_err(|_| self.failure(Property::Served, format!("the kit asked for {size} bytes")))?;
        let answer =
            if zeroed { self.resource.allocate_zeroed(layout) } else { self.resource.allocate(layout) };
        let block = match answer {
            Ok(block) => block,
            Err(error) => return self.refused(size, align, error),
        };
        self.check(Property::FitLength, block.len() >= size, || {
            format!("{size} bytes were requested, {} returned", block.len())
        })?;
        self.check(Property::FitAlignment, block.is_aligned(align), || {
            format!("{:#x} is not a multiple of {}", block.address(), align.bytes())
        })?;
        self.adopt(block)?;
        if zeroed {
            // SAFETY: live, ours, just returned by `allocate_zeroed`.
            let dirt = unsafe { mark::not_zero(block) };
            self.check(Property::Zeroed, dirt.is_none(), || {
                format!("byte {} of {} (requested {size}) is not 0", dirt.unwrap_or(0), block.len())
            })?;
        }
        let live = self.marked(block, size, align);
        self.live += 1;
        self.served += 1;
        self.largest = self.largest.max(size);
        self.checked.insert(Property::Served);
        self.validate()?;
        Ok(Some(live))
    }

    fn adopt(&mut self, block: MemoryBlock) -> Result<(), Failure> {
        let inserted = self.shadow.insert(block);
        self.check(Property::Disjoint, inserted.is_ok(), || inserted.err().unwrap_or_default())
    }

    fn marked(&mut self, block: MemoryBlock, size: usize, align: Alignment) -> Live {
        let mark = self.random.next();
        // SAFETY: live and ours: returned just now and found disjoint.
        unsafe { mark::fill(block, mark) };
        Live { block, size, align, mark }
    }

    /// Whether the resource was entitled to refuse, and which promise it broke if not.
    fn refused(&mut self, size: usize, align: Alignment, error: AllocError) -> Result<Option<Live>, Failure> {
        self.refusals += 1;
        let info = self.resource.info();
        // With other threads at work, or without reuse of single blocks, the kit cannot know whether it is empty.
        let alone = self.place.thread.is_none();
        let empty = self.live == 0 && alone && info.reuse != Reuse::AllTogether;
        let first = self.served == 0 && alone;
        let broken = match info.capacity {
            Some(_) if empty && error.is_transient() && size <= self.largest => Some(Property::Recovery),
            Some(_) if !empty && !first => (!error.is_transient()).then_some(Property::Capacity),
            _ => Some(Property::Served),
        };
        if let Some(property) = broken {
            let detail = format!("{size} bytes at alignment {} were refused: {error}", align.bytes());
            let state = if empty { "nothing" } else { "something" };
            return Err(self.failure(property, format!("{detail}; {state} was live")));
        }
        self.checked.insert(Property::Capacity);
        self.validate()?;
        Ok(None)
    }

    /// Checks a live block's contents.
    pub(super) fn inspect(&mut self, live: &Live) -> Result<(), Failure> {
        let len = live.block.len();
        // SAFETY: LIVE.
        let damage = unsafe { mark::damage(live.block, len, len, live.mark) };
        self.check(Property::Stable, damage.is_none(), || {
            format!(
                "byte {} of the live block at {:#x} has changed",
                damage.unwrap_or(0),
                live.block.address()
            )
        })
    }

    /// Checks a block and releases it.
    pub(super) fn release(&mut self, live: &Live) -> Result<(), Failure> {
        self.place.operation += 1;
        self.inspect(live)?;
        let handed = live.handed(self.length, &mut self.random);
        self.shadow.remove(live.block);
        // SAFETY:
        // * live in this resource, with a fitting length and its alignment: LIVE, `handed`;
        // * not used any more.
        unsafe { self.resource.deallocate(handed, live.align) };
        self.forget_one();
        self.validate()
    }

    /// One of this session's blocks was released in another.
    pub(super) fn forget_one(&mut self) {
        self.live = self.live.saturating_sub(1);
    }

    /// Releases several, the last first.
    pub(super) fn release_all(&mut self, blocks: &mut alloc::vec::Vec<Live>) -> Result<(), Failure> {
        while let Some(live) = blocks.pop() {
            self.release(&live)?;
        }
        Ok(())
    }

    /// Resizes a block, checks contents and fit, and marks it anew. On refusal the old block comes back, checked.
    pub(super) fn reallocate(
        &mut self,
        live: Live,
        new_size: usize,
    ) -> Result<(Live, Option<AllocError>), Failure> {
        self.place.operation += 1;
        self.requests += 1;
        self.inspect(&live)?;
        let handed = live.handed(self.length, &mut self.random);
        // Out of the shadow meanwhile: if the block moves, its old place may be another thread's at once.
        self.shadow.remove(live.block);
        // SAFETY:
        // * live in this resource, with a fitting length and its alignment: LIVE, `handed`;
        // * not used by anybody else.
        let answer = unsafe { self.resource.reallocate(handed, new_size, live.align) };
        let block = match answer {
            Ok(block) => block,
            Err(error) => return self.not_resized(live, new_size, error),
        };
        let old = live.block.len();
        self.check(Property::ReallocateLength, block.len() >= new_size, || {
            format!("{new_size} bytes were requested, {} returned", block.len())
        })?;
        self.check(Property::ReallocateAlignment, block.is_aligned(live.align), || {
            format!("{:#x} is not a multiple of {}", block.address(), live.align.bytes())
        })?;
        self.adopt(block)?;
        let kept = handed.len().min(new_size);
        // SAFETY:
        // * live and ours: just returned, found disjoint, `kept <= new_size <= block.len()`;
        // * the first `kept <= old` bytes were marked at the old place: LIVE.
        let damage = unsafe { mark::damage(block, old, kept, live.mark) };
        let property =
            if new_size < handed.len() { Property::ReallocateShrink } else { Property::ReallocateGrow };
        self.check(property, damage.is_none(), || {
            format!(
                "byte {} of {kept} was lost from {} to {new_size} bytes at alignment {}",
                damage.unwrap_or(0),
                handed.len(),
                live.align.bytes()
            )
        })?;
        let moved = self.marked(block, new_size, live.align);
        self.validate()?;
        Ok((moved, None))
    }

    /// After a refusal: the block must be as it was, and the refusal for want of room.
    fn not_resized(
        &mut self,
        live: Live,
        new_size: usize,
        error: AllocError,
    ) -> Result<(Live, Option<AllocError>), Failure> {
        self.refusals += 1;
        let before = self.suspect.replace(self.suspect.unwrap_or(Property::FailureIntact));
        self.checked.insert(Property::FailureIntact);
        self.adopt(live.block)?;
        self.inspect(&live)?;
        self.suspect = before;
        let bounded = self.resource.info().capacity.is_some();
        let property = if bounded { Property::Capacity } else { Property::Served };
        self.check(property, bounded && error.is_transient(), || {
            format!("{} bytes were not resized to {new_size}: {error}", live.block.len())
        })?;
        self.validate()?;
        Ok((live, Some(error)))
    }

    /// Runs `work`; a panic in it is a failure like others.
    pub(super) fn guarded(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        self.checked.insert(Property::ErrorsValue);
        // After a panic the session is only asked for its place, so a broken one does no harm.
        panic::catch_unwind(AssertUnwindSafe(|| work(self))).unwrap_or_else(|payload| {
            let said = payload.downcast_ref::<&str>().map(|said| (*said).to_string());
            let said = said.or_else(|| payload.downcast_ref::<String>().cloned());
            self.suspect = None;
            Err(self.failure(Property::ErrorsValue, format!("it panicked: {}", said.unwrap_or_default())))
        })
    }

    fn validate(&mut self) -> Result<(), Failure> {
        let Some(validator) = self.validator else { return Ok(()) };
        let verdict = validator();
        self.check(Property::Validate, verdict.is_ok(), || {
            verdict.err().map_or_else(String::new, |violation| violation.to_string())
        })
    }
}
