//! The modifiers that keep books: each over a TLSF heap, and what it says compared with the shadow after each operation.

use alloc::collections::BTreeMap;
use core::alloc::Layout;
use core::cell::RefCell;

use proptest::prelude::*;
use stratalloc_modifiers::{
    Budget, CacheLimits, Counted, Ring, Sample, SampleObserver, Sampled, Tagged, ThreadCached, Traced,
};
use stratalloc_resource::{Alignment, MemoryResource, MemoryTag, Owns, Validate};
use stratalloc_strategies::tlsf::Tlsf;

use crate::belief::Belief;
use crate::input::Input;
use crate::support::memory;
use crate::{plain, run_beside, settle};

/// Any limits; scopes open and close, innermost first. Each account is the sum of what is live under its tag.
pub fn tagged(data: &[u8]) {
    const TAGS: u16 = 3;
    let mut input = Input::new(data);
    let (len, soft, hard) = (input.number(200..60_000), input.number(0..20_000), input.number(0..40_000));
    let ops = input.ops(20_000);
    let mut bytes = memory(len);
    let Ok(tlsf) = Tlsf::<'_, 24, 32>::over(&mut bytes) else { return };
    let limits = Budget::UNLIMITED.with_soft(soft).with_hard(hard);
    let tagged: Tagged<_, 3> = Tagged::new(tlsf).with_tag(MemoryTag::new(2), "limited", limits);
    let handle = tagged.handle(MemoryTag::new(1));
    let mut entered = Vec::new();
    let mut special = |choice: usize| {
        if choice.is_multiple_of(3) {
            entered.pop();
        } else {
            // One more than there are.
            entered.push(handle.enter(MemoryTag::new((choice % 4) as u16)));
        }
        Ok(())
    };
    settle(run_beside(
        &handle,
        &ops,
        |_, choice| special(choice),
        |shadow| {
            let usages: Vec<_> = (0..TAGS).map(|tag| tagged.usage(MemoryTag::new(tag))).collect();
            let blocks: usize = usages.iter().map(|usage| usage.live_blocks()).sum();
            let bytes: usize = usages.iter().map(|usage| usage.live_bytes).sum();
            prop_assert_eq!((blocks, bytes), (shadow.len(), shadow.bytes()));
            prop_assert!(usages[2].peak_bytes <= hard, "over its limit");
            Ok(())
        },
    ));
    assert_eq!(tagged.inner().usage().used, 0, "blocks are left");
}

/// Any limits; another handle takes part in the depot, and both are flushed now and then.
pub fn thread_cached(data: &[u8]) {
    let mut input = Input::new(data);
    let len = input.number(200..60_000);
    let limits = CacheLimits::DEFAULT
        .with_batch(input.number(0..40), input.number(0..8000))
        .with_handle_bytes(input.number(0..20_000))
        .with_depot_bytes(input.number(0..20_000));
    let ops = input.ops(20_000);
    let mut bytes = memory(len);
    let Ok(tlsf) = Tlsf::<'_, 24, 32>::over(&mut bytes) else { return };
    let cached = ThreadCached::with_limits(Counted::new(tlsf), limits);
    let (handle, other) = (cached.handle(), cached.handle());
    let special = |choice: usize| match choice % 3 {
        0 => {
            cached.flush();
            assert_eq!(cached.depot_bytes(), 0, "blocks wait after a flush");
        }
        1 => {
            handle.flush();
            assert_eq!(handle.waiting(), (0, 0), "blocks wait after a flush");
        }
        _ => {
            let layout = Layout::from_size_align(choice, 8).expect("a layout");
            if let Ok(block) = other.allocate(layout) {
                // SAFETY: live.
                unsafe { other.deallocate(block, Alignment::from_layout(layout)) };
            }
        }
    };
    settle(run_beside(
        &handle,
        &ops,
        |_, choice| {
            special(choice);
            Ok(())
        },
        |shadow| {
            let waiting = handle.waiting().0 + other.waiting().0;
            prop_assert!(cached.inner().counts().live_blocks() >= shadow.len() + waiting);
            prop_assert!(
                shadow.blocks().all(|live| handle.owns(live.block.as_ptr())),
                "a live block is denied"
            );
            other.validate().map_err(|violation| TestCaseError::fail(violation.to_string()))
        },
    ));
    drop((handle, other));
    cached.flush();
    assert_eq!(cached.inner().counts().live_bytes, 0, "blocks wait after a flush");
    assert_eq!(cached.inner().inner().usage().used, 0, "blocks are left");
}

/// Believes what it hears.
#[derive(Default)]
struct Heard(RefCell<BTreeMap<usize, Sample>>);

impl SampleObserver for Heard {
    fn allocated(&self, sample: &Sample) {
        assert!(self.0.borrow_mut().insert(sample.address, *sample).is_none(), "twice: {sample:?}");
    }

    fn released(&self, sample: &Sample) {
        assert_eq!(self.0.borrow_mut().remove(&sample.address), Some(*sample));
    }
}

/// Any interval and seed: the observer knows exactly those live blocks that are samples.
pub fn sampled(data: &[u8]) {
    let mut input = Input::new(data);
    let (len, interval, seed) = (input.number(200..60_000), input.number(0..5000), input.number(0..1 << 32));
    let ops = input.ops(20_000);
    let mut bytes = memory(len);
    let Ok(tlsf) = Tlsf::<'_, 24, 32>::over(&mut bytes) else { return };
    let heard = Heard::default();
    let sampled: Sampled<_, _, 64> = Sampled::with_seed(tlsf, &heard, interval, seed as u64);
    settle(run_beside(&sampled, &ops, plain, |shadow| {
        let live = heard.0.borrow();
        for (address, sample) in live.iter() {
            let known = shadow.blocks().find(|live| live.block.address() == *address);
            let known = known.map(|live| (live.size, live.align));
            prop_assert_eq!(known, Some((sample.size, sample.align)));
        }
        prop_assert_eq!(live.len(), sampled.counts().live());
        // Without an interval each block is one, as long as there is room to note them.
        prop_assert!(interval > 0 || sampled.counts().skipped > 0 || live.len() == shadow.len());
        Ok(())
    }));
    assert_eq!(sampled.inner().usage().used, 0, "blocks are left");
}

/// Whoever reads the ring after each operation knows what is live.
pub fn traced(data: &[u8]) {
    let mut input = Input::new(data);
    let len = input.number(200..60_000);
    let ops = input.ops(20_000);
    let mut bytes = memory(len);
    let Ok(tlsf) = Tlsf::<'_, 24, 32>::over(&mut bytes) else { return };
    // Room for all that is released at the end without a look.
    let ring = Ring::<512>::new();
    let traced = Traced::new(tlsf, &ring);
    let belief = RefCell::new(Belief::default());
    settle(run_beside(&traced, &ops, plain, |shadow| {
        let mut belief = belief.borrow_mut();
        ring.drain().for_each(|record| belief.follow(record.event().expect("a whole record")));
        prop_assert_eq!(belief.0.len(), shadow.len());
        for (known, live) in belief.0.iter().zip(shadow.blocks()) {
            prop_assert_eq!(*known.0, live.block.address());
            // A refused resize leaves the length that was handed in, which may be the real one.
            prop_assert!((live.size..=live.block.len()).contains(known.1), "{known:?}");
        }
        Ok(())
    }));
    assert_eq!(traced.dropped(), 0);
}
