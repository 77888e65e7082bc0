//! Checking one's own equations.

use core::fmt;

/// A resource whose state obeys written equations and that can check them.
///
/// ```
/// use stratalloc_resource::{Validate, Violation};
///
/// /// TANK-1: `used + free == 100`.
/// struct Tank { used: usize, free: usize }
/// impl Validate for Tank {
///     fn validate(&self) -> Result<(), Violation> {
///         let (used, free) = (self.used, self.free);
///         let holds = used + free == 100;
///         holds.then_some(()).ok_or_else(|| Violation::new("TANK-1", "used + free == 100", &["used", "free"], &[used, free]))
///     }
/// }
///
/// assert!(Tank { used: 40, free: 60 }.validate().is_ok());
/// let broken = Tank { used: 40, free: 50 }.validate().unwrap_err();
/// assert_eq!(broken.to_string(), "TANK-1: used + free == 100, but used = 40, free = 50");
/// ```
pub trait Validate {
    /// Checks each equation in the order in which the struct documents them; the first broken one is returned.
    /// See [`Validate`] for an example.
    ///
    /// Callable whenever no other operation runs; costs as much as the state is large. Never follows a pointer that an
    /// earlier equation has not vouched for, so it reports a corrupted state instead of crashing in it.
    ///
    /// # Errors
    ///
    /// The first equation that does not hold, with its values.
    fn validate(&self) -> Result<(), Violation>;
}

impl<R: Validate + ?Sized> Validate for &R {
    fn validate(&self) -> Result<(), Violation> {
        (**self).validate()
    }
}

/// An equation that does not hold, with the values that show it.
///
/// ```
/// use stratalloc_resource::Violation;
///
/// let terms = &["used", "free", "capacity"];
/// let broken = Violation::new("SLAB-3", "used + free == capacity", terms, &[5, 2, 8]);
/// assert_eq!(broken.to_string(), "SLAB-3: used + free == capacity, but used = 5, free = 2, capacity = 8");
/// assert_eq!((broken.invariant(), broken.formula()), ("SLAB-3", "used + free == capacity"));
/// assert!(broken.terms().eq([("used", 5), ("free", 2), ("capacity", 8)]) && terms.len() <= Violation::TERMS);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Violation {
    invariant: &'static str,
    formula: &'static str,
    terms: &'static [&'static str],
    // The values of the first terms, in their order; zeros after them.
    values: [usize; Violation::TERMS],
}

impl Violation {
    /// How many values a violation carries; more than an equation that a person can follow has. See [`Violation`] for an example.
    pub const TERMS: usize = 4;

    /// The invariant's id, its formula, and the formula's terms with their values, of which the first
    /// [`TERMS`](Self::TERMS) are kept. See [`Violation`] for an example.
    #[must_use]
    pub fn new(
        invariant: &'static str,
        formula: &'static str,
        terms: &'static [&'static str],
        values: &[usize],
    ) -> Self {
        let mut kept = [0; Self::TERMS];
        for (place, value) in kept.iter_mut().zip(values) {
            *place = *value;
        }
        Self { invariant, formula, terms, values: kept }
    }

    /// The id under which `SAFETY.md` lists the invariant. See [`Violation`] for an example.
    #[must_use]
    pub const fn invariant(&self) -> &'static str {
        self.invariant
    }

    /// The equation, as the sources write it. See [`Violation`] for an example.
    #[must_use]
    pub const fn formula(&self) -> &'static str {
        self.formula
    }

    /// The equation's terms with the values found. See [`Violation`] for an example.
    pub fn terms(&self) -> impl Iterator<Item = (&'static str, usize)> + '_ {
        self.terms.iter().copied().zip(self.values)
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant, self.formula)?;
        for (index, (name, value)) in self.terms.iter().zip(&self.values).enumerate() {
            let lead = if index == 0 { ", but " } else { ", " };
            write!(f, "{lead}{name} = {value}")?;
        }
        Ok(())
    }
}

impl core::error::Error for Violation {}
