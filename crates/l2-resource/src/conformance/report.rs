//! What came of a run.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::property::PropertySet;
use super::{Config, Property};

/// A run in which everything held.
#[derive(Clone, Debug)]
pub struct Report {
    pub(super) subject: String,
    pub(super) config: Config,
    pub(super) checked: PropertySet,
    pub(super) skipped: Vec<(Property, &'static str)>,
    pub(super) requests: u64,
    pub(super) refusals: u64,
}

impl Report {
    /// The properties that were exercised at least once.
    pub fn checked(&self) -> impl Iterator<Item = Property> {
        let checked = self.checked;
        Property::ALL.iter().copied().filter(move |&property| checked.contains(property))
    }

    /// The properties that were left out although they belong to this kind of subject, and why.
    #[must_use]
    pub fn skipped(&self) -> &[(Property, &'static str)] {
        &self.skipped
    }

    /// The limits that were in force, after those that the resource states.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// How many blocks were asked for.
    #[must_use]
    pub const fn requests(&self) -> u64 {
        self.requests
    }

    /// How many of them were refused; only a resource with a capacity may do so.
    #[must_use]
    pub const fn refusals(&self) -> u64 {
        self.refusals
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {} properties hold, {} requests, {} refused",
            self.subject,
            self.checked().count(),
            self.requests,
            self.refusals
        )?;
        for (property, reason) in &self.skipped {
            write!(f, "\n  not checked: {property} ({reason})")?;
        }
        Ok(())
    }
}

/// A property that does not hold, and where that was seen.
///
/// The subject is not touched any more after this, not even to release what is live: its state is not to be trusted.
#[derive(Clone, Debug)]
pub struct Failure {
    // Boxed, so that the results that carry it stay small.
    details: Box<Details>,
}

#[derive(Clone, Debug)]
pub(super) struct Details {
    pub(super) subject: String,
    pub(super) property: Property,
    pub(super) place: Place,
    pub(super) seed: u64,
    pub(super) detail: String,
}

/// Where in a run something happens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) stage: &'static str,
    pub(super) operation: u64,
    pub(super) thread: Option<usize>,
}

impl Failure {
    pub(super) fn new(details: Details) -> Self {
        Self { details: Box::new(details) }
    }

    /// Which property.
    #[must_use]
    pub fn property(&self) -> Property {
        self.details.property
    }

    /// The seed that repeats it (up to the order in which threads run).
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.details.seed
    }

    /// The number of the operation within its stage.
    #[must_use]
    pub fn operation(&self) -> u64 {
        self.details.place.operation
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Details { subject, property, place, seed, detail } = &*self.details;
        write!(f, "{subject}: `{property}` does not hold, operation {} of {}", place.operation, place.stage)?;
        if let Some(thread) = place.thread {
            write!(f, " in thread {thread}")?;
        }
        write!(
            f,
            ", seed {seed:#018x}: {detail}\n  {}: \u{201c}{}\u{201d}",
            property.section(),
            property.quote()
        )
    }
}

impl core::error::Error for Failure {}
