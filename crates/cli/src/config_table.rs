//! The configuration, in one table: `stratalloc config` prints it, and the documentation is printed from it.

use std::io::{self, Write};

use serde::Serialize;

use crate::render::Style;

/// One thing that can be set.
#[derive(Debug, Serialize)]
pub(crate) struct Entry {
    /// The key in `STRATALLOC_CONF="key:value,…"`, or the name of a variable.
    pub(crate) name: &'static str,
    /// What holds when nothing is set.
    pub(crate) default: &'static str,
    /// The unit, or the values that are understood.
    pub(crate) unit: &'static str,
    /// What it does.
    pub(crate) meaning: &'static str,
}

/// Environment variables that stand alone.
pub(crate) const VARIABLES: &[Entry] = &[
    Entry {
        name: "STRATALLOC_CONF",
        default: "empty",
        unit: "key:value,key:value…",
        meaning: "settings of the heap, by the keys below; a wrong one is reported once and ignored",
    },
    Entry {
        name: "STRATALLOC_LIBRARY",
        default: "the one inside the command",
        unit: "path",
        meaning: "the library that `stratalloc run` and `doctor` preload",
    },
    Entry {
        name: "STRATALLOC_SUMMARY",
        default: "none",
        unit: "path prefix",
        meaning: "at exit, each process writes its summary to <prefix>.<pid>; set by `stratalloc run`",
    },
    Entry {
        name: "STRATALLOC_ONLY_CHILD_OF",
        default: "none",
        unit: "process number",
        meaning: "only a direct child of that process is summarised; others drop the heap from what they start. Set by `stratalloc run` without --follow",
    },
    Entry {
        name: "NO_COLOR",
        default: "unset",
        unit: "any text",
        meaning: "no colours in what the command writes",
    },
];

/// Keys of `STRATALLOC_CONF`; each can also be set alone as `STRATALLOC_<KEY>`.
pub(crate) const KEYS: &[Entry] = &[];

/// Prints the table for people.
pub(crate) fn print(out: &mut dyn Write, style: Style) -> io::Result<()> {
    writeln!(out, "{}", style.title("Environment variables"))?;
    section(out, style, VARIABLES)?;
    if !KEYS.is_empty() {
        writeln!(out, "\n{}", style.title("Keys of STRATALLOC_CONF (or alone, as STRATALLOC_<KEY>)"))?;
        section(out, style, KEYS)?;
    }
    Ok(())
}

fn section(out: &mut dyn Write, style: Style, entries: &[Entry]) -> io::Result<()> {
    for entry in entries {
        let values = style.faint(&format!("{}; default: {}", entry.unit, entry.default));
        writeln!(out, "  {}   {values}\n      {}", entry.name, entry.meaning)?;
    }
    Ok(())
}

/// Prints the table for programs.
pub(crate) fn print_json(out: &mut dyn Write) -> io::Result<()> {
    #[derive(Serialize)]
    struct Tables {
        schema: &'static str,
        variables: &'static [Entry],
        keys: &'static [Entry],
    }
    let tables = Tables { schema: "stratalloc-config/1", variables: VARIABLES, keys: KEYS };
    serde_json::to_writer_pretty(&mut *out, &tables)?;
    writeln!(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_nothing_is_empty() {
        let mut names: Vec<_> = VARIABLES.iter().chain(KEYS).map(|entry| entry.name).collect();
        names.sort_unstable();
        assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
        for entry in VARIABLES.iter().chain(KEYS) {
            assert!(
                [entry.name, entry.default, entry.unit, entry.meaning].iter().all(|text| !text.is_empty())
            );
        }
    }
}
