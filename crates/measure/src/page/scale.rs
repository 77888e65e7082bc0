//! From values to places in a chart.

/// A linear scale from 0 to a largest value, onto a length.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    most: f64,
    length: f64,
}

impl Scale {
    /// 0 is mapped to 0 and `most` to `length`. Nothing to show is shown at 0.
    pub(super) fn new(most: f64, length: f64) -> Scale {
        Scale { most: if most.is_finite() && most > 0.0 { most } else { f64::INFINITY }, length }
    }

    /// The place of a value, at most a little beyond the end.
    pub(super) fn at(self, value: f64) -> f64 {
        (value / self.most * self.length).clamp(0.0, self.length * 1.02)
    }

    /// Whether the chart ends before the value.
    pub(super) fn is_beyond(self, value: f64) -> bool {
        value > self.most * 1.02
    }

    /// Round values from 0 to the end, about so many.
    pub(super) fn ticks(self, about: f64) -> Vec<f64> {
        if !self.most.is_finite() {
            return Vec::new();
        }
        let step = round_step(self.most / about);
        let fits = |index: &u32| f64::from(*index) * step <= self.most * 1.0001;
        (0..).take_while(fits).map(|index| f64::from(index) * step).collect()
    }
}

/// The least of 1, 2, 5 times a power of ten that is not below `step`.
fn round_step(step: f64) -> f64 {
    let magnitude = 10_f64.powf(step.log10().floor());
    let factor = [1.0, 2.0, 5.0, 10.0].into_iter().find(|factor| factor * magnitude >= step * 0.9999);
    factor.unwrap_or(10.0) * magnitude
}

/// A place as text: a tenth of a unit is finer than a screen.
pub(super) fn place(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

/// A name cut to so many characters.
pub(super) fn cut(name: &str, most: usize) -> String {
    if name.chars().count() <= most {
        return name.to_owned();
    }
    name.chars().take(most - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_within() {
        assert_eq!(Scale::new(7.3, 100.0).ticks(4.0), [0.0, 2.0, 4.0, 6.0]);
        assert_eq!(Scale::new(1000.0, 100.0).ticks(4.0), [0.0, 500.0, 1000.0]);
        assert_eq!(Scale::new(0.0, 100.0).ticks(4.0), [0.0; 0]);
    }

    #[test]
    fn places_are_within_the_chart() {
        let scale = Scale::new(10.0, 200.0);
        assert_eq!((scale.at(5.0), scale.at(-1.0), scale.at(1e9)), (100.0, 0.0, 204.0));
        assert!(scale.is_beyond(11.0) && !scale.is_beyond(10.1));
        assert_eq!(Scale::new(f64::NAN, 200.0).at(3.0), 0.0);
        assert_eq!([place(3.0), place(7.26), place(0.04)], ["3", "7.3", "0"]);
    }

    #[test]
    fn long_names_are_cut_by_characters() {
        assert_eq!(cut("mimalloc", 8), "mimalloc");
        assert_eq!(cut("größer-als", 5), "größ…");
    }
}
