//! Numbers as people read them.

use core::time::Duration;

/// A size: `0 B`, `640 B`, `12.3 KiB`, `1.50 MiB`. Three digits are shown, and never more precision than there is.
#[must_use]
pub fn bytes(size: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if size < 1024 {
        return format!("{size} B");
    }
    let mut scaled = approximate(size) / 1024.0;
    let mut unit = 0;
    // 999.5 would be shown as 1000, which has four digits.
    while scaled >= 999.5 && unit + 1 < UNITS.len() {
        scaled /= 1024.0;
        unit += 1;
    }
    let unit = UNITS[unit];
    match scaled {
        ..9.995 => format!("{scaled:.2} {unit}"),
        ..99.95 => format!("{scaled:.1} {unit}"),
        _ => format!("{scaled:.0} {unit}"),
    }
}

/// A size given in KiB.
#[must_use]
pub fn kibibytes(size: u64) -> String {
    bytes(size.saturating_mul(1024))
}

/// A count with its thousands apart: `1 234 567`.
#[must_use]
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// A time: `1.234 s`, `2 min 03.4 s`, `1 h 02 min`; below one second in milliseconds, since one is all that the kernel's
/// accounting is good for.
#[must_use]
pub fn time(value: Duration) -> String {
    let seconds = value.as_secs_f64();
    let whole = value.as_secs();
    match seconds {
        ..1.0 => format!("{:.1} ms", seconds * 1e3),
        ..60.0 => format!("{seconds:.3} s"),
        ..3600.0 => format!("{} min {:04.1} s", whole / 60, seconds % 60.0),
        _ => format!("{} h {:02} min", whole / 3600, whole / 60 % 60),
    }
}

/// A time given in seconds. One that is not finite is shown as a dash.
#[must_use]
pub fn seconds(value: f64) -> String {
    Duration::try_from_secs_f64(value).map_or_else(|_| "–".to_owned(), time)
}

/// The nearest whole number; figures are not negative, and far below 2^53.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, and only for show")]
#[must_use]
pub fn whole(value: f64) -> u64 {
    value.round() as u64
}

/// `part` of `whole` as a ratio; `None` when there is nothing to compare with.
#[must_use]
pub fn ratio(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole)
}

/// As a floating-point number: exact up to 2^53, and only ever shown with a few digits.
#[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
#[must_use]
pub fn approximate(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_three_digits() {
        for (size, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.00 KiB"),
            (10 * 1024 - 1, "10.0 KiB"),
            (102_400, "100 KiB"),
            (1_048_064, "1.00 MiB"),
            (1_023_000, "999 KiB"),
            (1_023_500, "0.98 MiB"),
            (1 << 20, "1.00 MiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(bytes(size), text, "{size}");
        }
    }

    #[test]
    fn thousands_stand_apart() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_234_567), "1 234 567");
    }

    #[test]
    fn times_change_their_unit() {
        assert_eq!(time(Duration::from_micros(1500)), "1.5 ms");
        assert_eq!(time(Duration::from_millis(1234)), "1.234 s");
        assert_eq!(time(Duration::from_millis(123_400)), "2 min 03.4 s");
        assert_eq!(time(Duration::from_secs(3720)), "1 h 02 min");
    }
}
