//! What people read: tables with aligned columns, and colour where it is welcome.

use std::env;
use std::io::{self, IsTerminal, Write};

use crate::args::Color;

/// Whether and how text is marked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Style {
    colored: bool,
}

impl Style {
    /// The style for a stream, from what was asked, what the stream is, and `NO_COLOR` (any non-empty value, as
    /// no-color.org says).
    pub(crate) fn resolve(asked: Color, stream: &impl IsTerminal) -> Style {
        let refused = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = env::var_os("TERM").is_some_and(|value| value == "dumb");
        let colored = match asked {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => stream.is_terminal() && !refused && !dumb,
        };
        Style { colored }
    }

    fn mark(self, code: &str, text: &str) -> String {
        if self.colored { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// A heading.
    pub(crate) fn title(self, text: &str) -> String {
        self.mark("1", text)
    }

    /// Something beside the point.
    pub(crate) fn faint(self, text: &str) -> String {
        self.mark("2", text)
    }

    /// Something better than what it is compared with, or in order.
    pub(crate) fn good(self, text: &str) -> String {
        self.mark("32", text)
    }

    /// Something worse, or wrong.
    pub(crate) fn bad(self, text: &str) -> String {
        self.mark("31", text)
    }
}

/// To which side a column leans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    /// Names.
    Left,
    /// Figures.
    Right,
}

/// A cell: its text, and how it is marked once its width is known.
#[derive(Debug)]
pub(crate) struct Cell {
    text: String,
    mark: Mark,
}

/// How a cell stands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// Not at all.
    None,
    /// As something good.
    Good,
    /// As something bad.
    Bad,
}

impl From<String> for Cell {
    fn from(text: String) -> Cell {
        Cell { text, mark: Mark::None }
    }
}

impl Cell {
    /// A cell that stands out.
    pub(crate) fn marked(text: String, mark: Mark) -> Cell {
        Cell { text, mark }
    }
}

/// What stands where there is no figure.
pub(crate) const ABSENT: &str = "–";

/// Rows of cells under a heading, indented by two and as wide as they need to be.
#[derive(Debug)]
pub(crate) struct Table<const N: usize> {
    heading: [(&'static str, Align); N],
    rows: Vec<[Cell; N]>,
}

impl<const N: usize> Table<N> {
    /// An empty table.
    pub(crate) fn new(heading: [(&'static str, Align); N]) -> Table<N> {
        Table { heading, rows: Vec::new() }
    }

    /// Adds a row.
    pub(crate) fn row<C: Into<Cell>>(&mut self, cells: [C; N]) {
        self.rows.push(cells.map(Into::into));
    }

    /// Whether it has no rows.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Prints it; a heading of empty texts only is left out.
    pub(crate) fn print(&self, out: &mut dyn Write, style: Style) -> io::Result<()> {
        let widths: [usize; N] = core::array::from_fn(|column| {
            let cells = self.rows.iter().map(|row| row[column].text.chars().count());
            cells.chain([self.heading[column].0.chars().count()]).max().unwrap_or(0)
        });
        if self.heading.iter().any(|(text, _)| !text.is_empty()) {
            let heading = self.heading.map(|(text, _)| text);
            let line = self.line(&heading, &widths, |_, text| text.to_owned());
            writeln!(out, "{}", style.faint(&line))?;
        }
        for row in &self.rows {
            let texts: [&str; N] = core::array::from_fn(|column| row[column].text.as_str());
            let line = self.line(&texts, &widths, |column, text| match row[column].mark {
                Mark::None => text.to_owned(),
                Mark::Good => style.good(text),
                Mark::Bad => style.bad(text),
            });
            writeln!(out, "{line}")?;
        }
        Ok(())
    }

    fn line(&self, texts: &[&str; N], widths: &[usize; N], mark: impl Fn(usize, &str) -> String) -> String {
        let mut line = String::new();
        for (column, text) in texts.iter().enumerate() {
            let room = " ".repeat(widths[column] - text.chars().count());
            let text = mark(column, text);
            line.push_str(if column == 0 { "  " } else { "   " });
            match self.heading[column].1 {
                Align::Left => line.extend([text, room]),
                Align::Right => line.extend([room, text]),
            }
        }
        line.truncate(line.trim_end().len());
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_whatever_the_marks() {
        let mut table = Table::new([("name", Align::Left), ("size", Align::Right)]);
        table.row([Cell::from("a".to_owned()), Cell::marked("10".to_owned(), Mark::Good)]);
        table.row(["länger", "1"].map(str::to_owned));
        let mut out = Vec::new();
        table.print(&mut out, Style { colored: false }).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "  name     size\n  a          10\n  länger      1\n");
        let mut out = Vec::new();
        table.print(&mut out, Style { colored: true }).unwrap();
        assert!(String::from_utf8(out).unwrap().contains("  a          \x1b[32m10\x1b[0m\n"));
    }
}
