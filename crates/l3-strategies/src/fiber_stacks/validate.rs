//! The equations of [`FiberStacks`], checked.

use stratalloc_primitives::lockfree::link;
use stratalloc_primitives::primitive::atomic::Ordering;
use stratalloc_resource::{Validate, Violation};

use super::FiberStacks;
use super::class::Class;
use super::record::State;

impl Validate for FiberStacks {
    /// In the order of the struct's equations. The kernel is asked about each guard: a system call per stack that was ever used.
    fn validate(&self) -> Result<(), Violation> {
        self.classes().try_for_each(check)
    }
}

fn check(class: &Class) -> Result<(), Violation> {
    let (born, count) = (class.born(), class.shape.count);
    if born > count {
        return Err(Violation::new("FS-1", "born <= count", &["born", "count"], &[born, count]));
    }
    let listed = check_list(class, born)?;
    check_states(class, born, listed)?;
    for guard in 0..=born {
        if class.is_readable(guard) {
            return Err(Violation::new("FS-4", "guards are not accessible", &["guard"], &[guard]));
        }
    }
    Ok(())
}

/// FS-2; the length of the list.
fn check_list(class: &Class, born: usize) -> Result<usize, Violation> {
    let mut listed = 0;
    // The list can be walked only by whoever has all of it: nobody else is here.
    let first = class.changing.shared.take_all();
    let mut walk = first;
    let mut broken = None;
    while let Some(index) = walk {
        listed += 1;
        let known = (index as usize) < born && class.record(index).state() == State::Shared;
        if !known || listed > born {
            let terms = &["index", "listed", "born"];
            let formula = "each listed index < born, is Shared, and is listed once";
            broken = Some(Violation::new("FS-2", formula, terms, &[index as usize, listed, born]));
            break;
        }
        let next = class.record(index).next.load(Ordering::Relaxed);
        walk = link::index(next);
        if walk.is_none() {
            // Back as it was: by one exchange, its last element last.
            let put_back = |link| class.record(index).next.store(link, Ordering::Relaxed);
            first.into_iter().for_each(|first| class.changing.shared.push_chain(first, put_back));
        }
    }
    broken.map_or(Ok(listed), Err)
}

/// FS-3.
fn check_states(class: &Class, born: usize, listed: usize) -> Result<(), Violation> {
    let (ever, never) = class.records().split_at(born);
    let shared = ever.iter().filter(|record| record.state() == State::Shared).count();
    let fresh = ever.iter().filter(|record| record.state() == State::Fresh).count();
    let early = never.iter().filter(|record| record.state() != State::Fresh).count();
    if shared != listed || fresh != 0 || early != 0 {
        let formula = "shared == listed, and Fresh are all from born on and no others";
        let terms = &["shared", "listed", "fresh below born", "others from born on"];
        return Err(Violation::new("FS-3", formula, terms, &[shared, listed, fresh, early]));
    }
    Ok(())
}
