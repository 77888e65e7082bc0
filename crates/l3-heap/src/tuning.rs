//! The knobs of the heap: defaults with their reason, and how configuration sets them.

use stratalloc_primitives::primitive::atomic::{AtomicUsize, Ordering};

/// A knob that configuration may set. See [`configure`] for an example.
#[derive(Debug)]
pub struct Knob {
    /// Name in `STRATALLOC_CONF`; in upper case behind `STRATALLOC_` the name of its own variable.
    pub key: &'static str,
    /// Unit of the value, for people.
    pub unit: &'static str,
    /// What it does, one sentence.
    pub meaning: &'static str,
    /// Smallest and largest value taken.
    pub range: (usize, usize),
    /// Value when nothing is configured.
    pub default: usize,
    value: &'static AtomicUsize,
}

impl Knob {
    /// The value in force. See [`configure`] for an example.
    pub fn get(&self) -> usize {
        self.value.load(Ordering::Relaxed)
    }
}

// 4 KiB pages keep small programs small; from here on a huge page is filled soon (docs/experiments).
const DEFAULT_HUGE_PAGE_THRESHOLD: usize = 32 << 20;
const DEFAULT_PURGE_FLOOR: usize = 2 << 20;
const DEFAULT_PURGE_DIVISOR: usize = 8;
const DEFAULT_PURGE_DELAY: usize = 500;

// Values apart from what is said about them: the process that writes none of them has one page less of its own.
static HUGE_PAGE_THRESHOLD: AtomicUsize = AtomicUsize::new(DEFAULT_HUGE_PAGE_THRESHOLD);
static PURGE_FLOOR: AtomicUsize = AtomicUsize::new(DEFAULT_PURGE_FLOOR);
static PURGE_DIVISOR: AtomicUsize = AtomicUsize::new(DEFAULT_PURGE_DIVISOR);
static PURGE_DELAY: AtomicUsize = AtomicUsize::new(DEFAULT_PURGE_DELAY);

/// Every knob, in the order of the documentation. See [`configure`] for an example.
pub static KNOBS: [Knob; 4] = [
    Knob {
        key: "thp_threshold",
        unit: "bytes",
        meaning: "Heap size from which transparent huge pages are asked for (a quarter of it for blocks of 4 MiB and more); the largest value never asks.",
        range: (0, usize::MAX),
        default: DEFAULT_HUGE_PAGE_THRESHOLD,
        value: &HUGE_PAGE_THRESHOLD,
    },
    Knob {
        key: "purge_floor",
        unit: "bytes",
        meaning: "Freed memory that is kept whatever the heap's size.",
        range: (0, usize::MAX),
        default: DEFAULT_PURGE_FLOOR,
        value: &PURGE_FLOOR,
    },
    Knob {
        key: "purge_divisor",
        unit: "1/heap",
        meaning: "Freed memory kept when the heap grows: the heap's size in use divided by this.",
        range: (1, 1 << 20),
        default: DEFAULT_PURGE_DIVISOR,
        value: &PURGE_DIVISOR,
    },
    Knob {
        key: "purge_delay",
        unit: "ms",
        meaning: "Time after which half of the memory that stayed unused is given back.",
        range: (0, 86_400_000),
        default: DEFAULT_PURGE_DELAY,
        value: &PURGE_DELAY,
    },
];

pub(crate) fn huge_page_threshold() -> usize {
    HUGE_PAGE_THRESHOLD.load(Ordering::Relaxed)
}

pub(crate) fn purge_floor() -> usize {
    PURGE_FLOOR.load(Ordering::Relaxed)
}

pub(crate) fn purge_divisor() -> usize {
    PURGE_DIVISOR.load(Ordering::Relaxed).max(1)
}

pub(crate) fn purge_delay_ms() -> u64 {
    PURGE_DELAY.load(Ordering::Relaxed) as u64
}

/// Why a configuration was not taken. See [`configure`] for an example.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigError {
    /// No knob has this name.
    UnknownKey,
    /// The value is not a number with an optional `k`, `m`, `g` or `t` behind it, nor `on` or `off` where that is allowed.
    NotANumber,
    /// The number is outside the knob's range.
    OutOfRange,
}

/// Sets one knob. Values are decimal numbers, optionally with `k`, `m`, `g`, `t` (powers of 1024); `max` is the largest value.
/// Never allocates; takes effect for what happens afterwards.
///
/// ```
/// use stratalloc_heap::{ConfigError, KNOBS, configure};
///
/// configure(b"purge_floor", b"16m").unwrap();
/// let floor = KNOBS.iter().find(|knob| knob.key == "purge_floor").unwrap();
/// assert_eq!((floor.get(), floor.default), (16 << 20, 2 << 20));
/// assert_eq!(configure(b"purge_divisor", b"0"), Err(ConfigError::OutOfRange));
/// assert_eq!(configure(b"colour", b"1"), Err(ConfigError::UnknownKey));
/// ```
pub fn configure(key: &[u8], value: &[u8]) -> Result<(), ConfigError> {
    let Some(knob) = KNOBS.iter().find(|knob| knob.key.as_bytes().eq_ignore_ascii_case(key)) else {
        return Err(ConfigError::UnknownKey);
    };
    let number = parse(value).ok_or(ConfigError::NotANumber)?;
    if number < knob.range.0 || number > knob.range.1 {
        return Err(ConfigError::OutOfRange);
    }
    knob.value.store(number, Ordering::Relaxed);
    Ok(())
}

fn parse(value: &[u8]) -> Option<usize> {
    if value.eq_ignore_ascii_case(b"max") {
        return Some(usize::MAX);
    }
    let (digits, shift) = match value.split_last()? {
        (b'k' | b'K', digits) => (digits, 10),
        (b'm' | b'M', digits) => (digits, 20),
        (b'g' | b'G', digits) => (digits, 30),
        (b't' | b'T', digits) => (digits, 40),
        _ => (value, 0),
    };
    if digits.is_empty() {
        return None;
    }
    let mut number = 0usize;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        number = number.checked_mul(10)?.checked_add(usize::from(digit - b'0'))?;
    }
    number.checked_mul(1usize.checked_shl(shift)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_with_and_without_units() {
        assert_eq!(parse(b"17"), Some(17));
        assert_eq!(parse(b"4k"), Some(4096));
        assert_eq!(parse(b"2M"), Some(2 << 20));
        assert_eq!(parse(b"max"), Some(usize::MAX));
        for wrong in [&b""[..], b"k", b"-1", b"1.5", b"12x", b"99999999999999999999999"] {
            assert_eq!(parse(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn unknown_keys_and_values_out_of_range_are_refused() {
        assert_eq!(configure(b"no_such_knob", b"1"), Err(ConfigError::UnknownKey));
        assert_eq!(configure(b"purge_delay", b"soon"), Err(ConfigError::NotANumber));
        assert_eq!(configure(b"purge_divisor", b"0"), Err(ConfigError::OutOfRange));
        assert_eq!(configure(b"PURGE_DIVISOR", b"8"), Ok(()));
    }
}
