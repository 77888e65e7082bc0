//! The configuration, in one table: `stratalloc config` prints it, and the documentation is printed from it.
//!
//! The keys of `STRATALLOC_CONF` come from the heap itself: the table cannot say anything but what holds.

use std::io::{self, Write};

use serde::Serialize;
use stratalloc_heap::{KNOBS, Knob};
use stratalloc_measure::text::Style;
use stratalloc_measure::units;

/// A variable of the environment.
#[derive(Debug, Serialize)]
struct Variable {
    name: &'static str,
    default: &'static str,
    unit: &'static str,
    meaning: &'static str,
}

const VARIABLES: &[Variable] = &[
    Variable {
        name: "STRATALLOC_CONF",
        default: "empty",
        unit: "key:value,key:value…",
        meaning: "Settings of the heap, by the keys below. A wrong one is reported once and ignored.",
    },
    Variable {
        name: "STRATALLOC_PEERS",
        default: "unset",
        unit: "path",
        meaning: "A folder of further allocators (lib*.so) for `stratalloc compare` and `stratalloc bench`.",
    },
    Variable {
        name: "STRATALLOC_LIBRARY",
        default: "the one inside the command",
        unit: "path",
        meaning: "The library that `stratalloc run` and `doctor` preload.",
    },
    Variable {
        name: "STRATALLOC_SUMMARY",
        default: "none",
        unit: "path prefix",
        meaning: "At its exit, each process writes its summary to <prefix>.<pid>. Set by `stratalloc run`.",
    },
    Variable {
        name: "STRATALLOC_ONLY_CHILD_OF",
        default: "none",
        unit: "process number",
        meaning: "Only a direct child of that process is summarised, and only it passes the heap on. Set by `stratalloc run` without --follow.",
    },
    Variable {
        name: "NO_COLOR",
        default: "unset",
        unit: "any text",
        meaning: "No colours in what the command writes.",
    },
];

/// A key of `STRATALLOC_CONF`; it can also be set alone, by its variable.
#[derive(Debug, Serialize)]
struct Key {
    key: &'static str,
    variable: String,
    default: usize,
    least: usize,
    most: usize,
    unit: &'static str,
    meaning: &'static str,
}

impl From<&Knob> for Key {
    fn from(knob: &Knob) -> Key {
        let &Knob { key, unit, meaning, range: (least, most), default, .. } = knob;
        let variable = format!("STRATALLOC_{}", key.to_ascii_uppercase());
        Key { key, variable, default, least, most, unit, meaning }
    }
}

impl Key {
    /// The default as it may be written in the configuration, with a unit that people know beside it.
    fn shown_default(&self) -> String {
        match u64::try_from(self.default) {
            Ok(bytes) if self.unit == "bytes" => format!("{bytes} ({})", units::bytes(bytes)),
            _ => self.default.to_string(),
        }
    }
}

fn keys() -> impl Iterator<Item = Key> {
    KNOBS.iter().map(Key::from)
}

/// Prints the table for people.
pub(crate) fn print(out: &mut dyn Write, style: Style) -> io::Result<()> {
    writeln!(out, "{}", style.title("Environment variables"))?;
    for Variable { name, default, unit, meaning } in VARIABLES {
        let values = style.faint(&format!("{unit}; default: {default}"));
        writeln!(out, "  {name}   {values}\n      {meaning}")?;
    }
    writeln!(out, "\n{}", style.title("Keys of STRATALLOC_CONF, each also a variable: STRATALLOC_<KEY>"))?;
    writeln!(out, "  Numbers may end in k, m, g or t (powers of 1024); max is the largest value.")?;
    for key in keys() {
        let values = style.faint(&format!("{}; default: {}", key.unit, key.shown_default()));
        writeln!(out, "  {}   {values}\n      {}", key.key, key.meaning)?;
    }
    Ok(())
}

/// Prints the table for programs.
pub(crate) fn print_json(out: &mut dyn Write) -> io::Result<()> {
    #[derive(Serialize)]
    struct Tables {
        schema: &'static str,
        variables: &'static [Variable],
        keys: Vec<Key>,
    }
    let tables = Tables { schema: "stratalloc-config/1", variables: VARIABLES, keys: keys().collect() };
    serde_json::to_writer_pretty(&mut *out, &tables)?;
    writeln!(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = VARIABLES.iter().map(|variable| variable.name.to_owned()).collect();
        names.extend(keys().map(|key| key.variable));
        names.sort_unstable();
        assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
    }

    #[test]
    fn sizes_are_shown_both_ways() {
        let key = keys().find(|key| key.unit == "bytes").expect("a size among the knobs");
        assert!(key.shown_default().starts_with(&format!("{} (", key.default)));
    }
}
