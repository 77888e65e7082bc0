//! Fiber stacks beside a list of those that are live, for the property tests and the fuzz target.

use proptest::prelude::*;
use stratalloc_resource::{Collect, Validate};
use stratalloc_strategies::fiber_stacks::{FiberStack, FiberStacks, FiberStacksError};

/// What a program does with stacks.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Get {
        size: usize,
        cached: bool,
    },
    Return {
        index: usize,
        way: u8,
    },
    Touch {
        index: usize,
        depth: usize,
    },
    Collect,
    /// All, to the cache.
    ReturnAll,
    DropCache,
}

/// The live stacks: each with the depth and byte that were written last.
struct Model<'p> {
    live: Vec<(FiberStack<'p>, Option<(usize, u8)>)>,
    deepest: usize,
}

impl<'p> Model<'p> {
    fn add(&mut self, stack: FiberStack<'p>) -> Result<(), TestCaseError> {
        let range = |stack: &FiberStack<'_>| stack.lower_guard().addr().get()..stack.top().addr().get();
        let new = range(&stack);
        let overlap = self
            .live
            .iter()
            .map(|(other, _)| range(other))
            .find(|other| new.start < other.end && other.start < new.end);
        prop_assert!(overlap.is_none(), "{stack:?} overlaps with {overlap:x?}");
        self.live.push((stack, None));
        Ok(())
    }

    fn touch(&mut self, index: usize, depth: usize, mark: u8) {
        let count = self.live.len();
        let Some((stack, written)) = self.live.get_mut(index.checked_rem(count).unwrap_or(0)) else { return };
        let depth = depth % stack.size() + 1;
        // SAFETY: inside the stack, which is ours; nothing runs there.
        unsafe { stack.top().as_ptr().wrapping_sub(depth).write(mark) };
        *written = Some((depth, mark));
        self.deepest = self.deepest.max(depth);
    }

    fn check(&self, stacks: &FiberStacks) -> Result<(), TestCaseError> {
        for (stack, written) in &self.live {
            if let &Some((depth, mark)) = written {
                // SAFETY: written before, and ours since.
                prop_assert_eq!(unsafe { stack.top().as_ptr().wrapping_sub(depth).read() }, mark);
                prop_assert!(stack.high_water().unwrap() >= depth);
            }
        }
        prop_assert_eq!(stacks.usage().map(|class| class.live).sum::<usize>(), self.live.len());
        stacks.validate().map_err(|violation| TestCaseError::fail(violation.to_string()))
    }
}

pub(crate) fn play(stacks: &FiberStacks, steps: &[Step]) -> Result<(), TestCaseError> {
    let mut cache = stacks.cache::<3>();
    let mut model = Model { live: Vec::new(), deepest: 0 };
    for (number, step) in steps.iter().enumerate() {
        match *step {
            Step::Get { size, cached } => match if cached { cache.get(size) } else { stacks.get(size) } {
                Ok(stack) => {
                    prop_assert!(stack.size() >= size);
                    model.add(stack)?;
                }
                Err(FiberStacksError::TooLarge) => {
                    prop_assert!(stacks.usage().all(|class| class.size < size));
                }
                Err(error) => {
                    prop_assert_eq!(error, FiberStacksError::Exhausted);
                    let class = stacks.usage().find(|class| class.size >= size).unwrap();
                    prop_assert_eq!(class.live + class.cached, class.count);
                }
            },
            Step::Return { index, way } if !model.live.is_empty() => {
                let (stack, _) = model.live.swap_remove(index % model.live.len());
                match way {
                    0 => cache.put(stack).unwrap(),
                    1 => drop(stack),
                    // SAFETY: given up here; nothing runs there.
                    _ => unsafe { stacks.put_at(stack.into_top()) }.unwrap(),
                }
            }
            Step::Return { .. } => {}
            Step::Touch { index, depth } => {
                model.touch(index, depth, u8::try_from(number % 250).unwrap() + 1)
            }
            Step::Collect => drop(stacks.collect()),
            Step::ReturnAll => model.live.drain(..).for_each(|(stack, _)| cache.put(stack).unwrap()),
            Step::DropCache => cache = stacks.cache(),
        }
        prop_assert!(cache.len() <= 3 * stacks.usage().count());
        model.check(stacks)?;
    }
    prop_assert!(stacks.measure().high_water >= model.deepest);
    Ok(())
}
