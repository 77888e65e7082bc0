//! Lines sorted into cells.

use serde_json::Value;

/// Which fields name rows and columns, and which lines count.
#[derive(Debug)]
pub(crate) struct Keys<'a> {
    pub(crate) rows: &'a [String],
    pub(crate) column: &'a str,
    /// `FIELD=VALUE`
    pub(crate) only: &'a [String],
}

/// The samples of one row and one column.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Cell(Vec<f64>);

impl Cell {
    /// The middle sample, or what lies between the middle two.
    pub(crate) fn median(&self) -> Option<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len().checked_sub(1)?;
        Some(f64::midpoint(sorted[middle / 2], sorted[middle.div_ceil(2)]))
    }

    /// Half of the range in per cent of the median, of several samples.
    pub(crate) fn spread(&self) -> Option<f64> {
        let least = self.0.iter().copied().min_by(f64::total_cmp)?;
        let most = self.0.iter().copied().max_by(f64::total_cmp)?;
        let median = self.median()?;
        (self.0.len() > 1 && median != 0.0).then(|| (most - least) * 50.0 / median)
    }
}

/// Rows and columns in the order of their first appearance.
#[derive(Debug, Default)]
pub(crate) struct Table {
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<(String, Vec<Cell>)>,
}

impl Table {
    /// The table of one value; lines that lack a field are left out.
    pub(crate) fn new(lines: &[Value], keys: &Keys<'_>, value: &str) -> Self {
        let mut table = Self::default();
        for line in lines.iter().filter(|line| keys.only.iter().all(|only| has(line, only))) {
            let row: Option<Vec<String>> = keys.rows.iter().map(|key| text(line, key)).collect();
            if let (Some(row), Some(column), Some(sample)) =
                (row, text(line, keys.column), line.get(value).and_then(Value::as_f64))
            {
                table.cell(&row.join(" "), &column).0.push(sample);
            }
        }
        table
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The cell, made if it is new.
    fn cell(&mut self, row: &str, column: &str) -> &mut Cell {
        let column = position_or_push(&mut self.columns, |name| name == column, || column.to_owned());
        let row = position_or_push(&mut self.rows, |(name, _)| name == row, || (row.to_owned(), Vec::new()));
        let cells = &mut self.rows[row].1;
        cells.resize(cells.len().max(column + 1), Cell::default());
        &mut cells[column]
    }
}

fn position_or_push<T>(items: &mut Vec<T>, wanted: impl Fn(&T) -> bool, new: impl FnOnce() -> T) -> usize {
    items.iter().position(wanted).unwrap_or_else(|| {
        items.push(new());
        items.len() - 1
    })
}

/// A field as it is written in a table.
fn text(line: &Value, key: &str) -> Option<String> {
    match line.get(key)? {
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// Whether `FIELD=VALUE` holds.
fn has(line: &Value, only: &str) -> bool {
    only.split_once('=').is_some_and(|(key, wanted)| text(line, key).is_some_and(|found| found == wanted))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn table(lines: &[&str], only: &[String]) -> Table {
        let lines: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let keys = Keys { rows: &["p".to_owned(), "n".to_owned()], column: "a", only };
        Table::new(&lines, &keys, "v")
    }

    const LINES: [&str; 5] = [
        r#"{"p":"x","n":1,"a":"one","v":3}"#,
        r#"{"p":"x","n":1,"a":"two","v":9}"#,
        r#"{"p":"x","n":1,"a":"one","v":1}"#,
        r#"{"p":"x","n":2,"a":"one","v":5,"skip":"yes"}"#,
        r#"{"p":"x","n":2,"a":"one"}"#,
    ];

    #[test]
    fn lines_fall_into_the_cells_of_their_row_and_column() {
        let table = table(&LINES, &[]);
        assert_eq!(table.columns, ["one", "two"]);
        let expected = [("x 1", vec![vec![3.0, 1.0], vec![9.0]]), ("x 2", vec![vec![5.0]])];
        let expected: Vec<_> = expected
            .into_iter()
            .map(|(row, cells)| (row.to_owned(), cells.into_iter().map(Cell).collect::<Vec<_>>()))
            .collect();
        assert_eq!(table.rows, expected);
    }

    #[test]
    fn only_the_wanted_lines_count() {
        let table = table(&LINES, &["skip=yes".to_owned()]);
        assert_eq!((table.rows.len(), table.rows[0].0.as_str()), (1, "x 2"));
    }

    #[test]
    fn medians_and_spreads() {
        assert_eq!((Cell(vec![]).median(), Cell(vec![]).spread()), (None, None));
        assert_eq!((Cell(vec![4.0]).median(), Cell(vec![4.0]).spread()), (Some(4.0), None));
        let cell = Cell(vec![10.0, 8.0, 11.0]);
        assert_eq!((cell.median(), cell.spread()), (Some(10.0), Some(15.0)));
        assert_eq!(Cell(vec![1.0, 4.0, 2.0, 8.0]).median(), Some(3.0));
    }
}
