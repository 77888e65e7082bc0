//! What people read in a terminal: tables with aligned columns, and colour where it is welcome.

use std::io::{self, Write};

/// Whether and how text is marked.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    colored: bool,
}

impl Style {
    /// With colours or without.
    #[must_use]
    pub fn new(colored: bool) -> Style {
        Style { colored }
    }

    fn mark(self, code: &str, text: &str) -> String {
        if self.colored { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// A heading.
    #[must_use]
    pub fn title(self, text: &str) -> String {
        self.mark("1", text)
    }

    /// Something beside the point.
    #[must_use]
    pub fn faint(self, text: &str) -> String {
        self.mark("2", text)
    }

    /// Something better than what it is compared with, or in order.
    #[must_use]
    pub fn good(self, text: &str) -> String {
        self.mark("32", text)
    }

    /// Something worse, or wrong.
    #[must_use]
    pub fn bad(self, text: &str) -> String {
        self.mark("31", text)
    }
}

/// To which side a column leans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Names.
    Left,
    /// Figures.
    Right,
}

/// A cell: its text, and how it is marked once its width is known.
#[derive(Debug)]
pub struct Cell {
    text: String,
    mark: Mark,
}

/// How a cell stands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
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
    #[must_use]
    pub fn marked(text: String, mark: Mark) -> Cell {
        Cell { text, mark }
    }
}

/// What stands where there is no figure.
pub const ABSENT: &str = "–";

/// Rows of cells under a heading, indented by two and as wide as they need to be.
#[derive(Debug)]
pub struct Table {
    heading: Vec<(String, Align)>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// An empty table.
    pub fn new<T: Into<String>>(heading: impl IntoIterator<Item = (T, Align)>) -> Table {
        let heading = heading.into_iter().map(|(text, align)| (text.into(), align)).collect();
        Table { heading, rows: Vec::new() }
    }

    /// Adds a row. Cells that are missing stay empty; those beyond the heading are dropped.
    pub fn row<C: Into<Cell>>(&mut self, cells: impl IntoIterator<Item = C>) {
        let mut row: Vec<Cell> = cells.into_iter().map(Into::into).collect();
        row.resize_with(self.heading.len(), || Cell::from(String::new()));
        self.rows.push(row);
    }

    /// Whether it has no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Prints it; a heading of empty texts only is left out.
    pub fn print(&self, out: &mut dyn Write, style: Style) -> io::Result<()> {
        let width = |column: usize| {
            let cells = self.rows.iter().map(|row| row[column].text.chars().count());
            cells.chain([self.heading[column].0.chars().count()]).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.heading.len()).map(width).collect();
        if self.heading.iter().any(|(text, _)| !text.is_empty()) {
            let heading = self.heading.iter().map(|(text, _)| (text.as_str(), Mark::None));
            writeln!(out, "{}", style.faint(&self.line(heading, &widths, style)))?;
        }
        for row in &self.rows {
            let cells = row.iter().map(|cell| (cell.text.as_str(), cell.mark));
            writeln!(out, "{}", self.line(cells, &widths, style))?;
        }
        Ok(())
    }

    fn line<'a>(
        &self,
        cells: impl Iterator<Item = (&'a str, Mark)>,
        widths: &[usize],
        style: Style,
    ) -> String {
        let mut line = String::new();
        for (column, (text, mark)) in cells.enumerate() {
            let room = " ".repeat(widths[column] - text.chars().count());
            let text = match mark {
                Mark::None => text.to_owned(),
                Mark::Good => style.good(text),
                Mark::Bad => style.bad(text),
            };
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
