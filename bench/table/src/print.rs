//! Tables as Markdown.

use crate::cells::{Cell, Table};
use std::fmt::Write;

/// The table of `value`, and the comparison of the column `ours` with the best other one.
pub(crate) fn markdown(table: &Table, value: &str, row_title: &str, ours: Option<&str>) -> String {
    let mut text = format!("## {value}\n\n| {row_title} |");
    for column in &table.columns {
        push(&mut text, format_args!(" {column} |"));
    }
    text.push_str("\n| --- |");
    text.push_str(&" ---: |".repeat(table.columns.len()));
    text.push('\n');
    for (name, cells) in &table.rows {
        let best = cells.iter().filter_map(Cell::median).min_by(f64::total_cmp);
        push(&mut text, format_args!("| {name} |"));
        for index in 0..table.columns.len() {
            push(
                &mut text,
                format_args!(" {} |", cells.get(index).map_or(String::new(), |cell| show(cell, best))),
            );
        }
        text.push('\n');
    }
    if let Some(ours) = ours {
        push(&mut text, format_args!("\n{}\n", comparison(table, ours)));
    }
    text.push('\n');
    text
}

fn push(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    text.write_fmt(arguments).expect("a string takes everything");
}

fn show(cell: &Cell, best: Option<f64>) -> String {
    let Some(median) = cell.median() else { return String::new() };
    let number = significant(median);
    let number = if Some(median) == best { format!("**{number}**") } else { number };
    let spread = cell.spread().map_or(String::new(), |spread| format!(" ±{spread:.0}%"));
    number + &spread
}

/// At least three digits, no more after the point than needed.
fn significant(value: f64) -> String {
    let digits = if value.abs() >= 100.0 || value.fract() == 0.0 {
        0
    } else if value.abs() >= 10.0 {
        1
    } else {
        2
    };
    format!("{value:.digits$}")
}

/// Our column by the best other one, row by row, worst first, and the geometric mean.
fn comparison(table: &Table, ours: &str) -> String {
    let Some(own) = table.columns.iter().position(|column| column == ours) else {
        return format!("{ours} has no column.");
    };
    let mut ratios: Vec<(f64, String)> = Vec::new();
    for (name, cells) in &table.rows {
        let others = cells.iter().zip(&table.columns).filter(|(_, column)| *column != ours);
        let best = others
            .filter_map(|(cell, column)| Some((cell.median()?, column)))
            .min_by(|one, other| one.0.total_cmp(&other.0));
        // A ratio to nothing says nothing.
        if let (Some(own), Some((best, column))) = (cells.get(own).and_then(Cell::median), best)
            && best > 0.0
            && own > 0.0
        {
            ratios.push((own / best, format!("{name} {:.2} ({column})", own / best)));
        }
    }
    if ratios.is_empty() {
        return format!("{ours}: nothing to compare with.");
    }
    let mean = (ratios.iter().map(|(ratio, _)| ratio.ln()).sum::<f64>() / ratios.len() as f64).exp();
    ratios.sort_by(|one, other| other.0.total_cmp(&one.0));
    let rows: Vec<&str> = ratios.iter().map(|(_, text)| text.as_str()).collect();
    format!("{ours} × best other of each row, worst first: {}; geometric mean {mean:.2}.", rows.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cells::tests::table;

    #[test]
    fn a_whole_table() {
        let lines = [
            r#"{"p":"x","n":1,"a":"one","v":3}"#,
            r#"{"p":"x","n":1,"a":"one","v":5}"#,
            r#"{"p":"x","n":1,"a":"two","v":2}"#,
            r#"{"p":"y","n":1,"a":"one","v":12.25}"#,
            r#"{"p":"y","n":1,"a":"two","v":49}"#,
            r#"{"p":"z","n":1,"a":"two","v":7}"#,
        ];
        let expected = "## v\n\n| p, n | one | two |\n| --- | ---: | ---: |\n| x 1 | 4 ±25% | **2** |\n\
            | y 1 | **12.2** | 49 |\n| z 1 |  | **7** |\n\n\
            one × best other of each row, worst first: x 1 2.00 (two), y 1 0.25 (two); geometric mean 0.71.\n\n";
        assert_eq!(markdown(&table(&lines, &[]), "v", "p, n", Some("one")), expected);
    }

    #[test]
    fn a_missing_column_is_said() {
        let table = table(&[r#"{"p":"x","n":1,"a":"one","v":3}"#], &[]);
        assert!(markdown(&table, "v", "p", Some("two")).contains("two has no column."));
        assert!(markdown(&table, "v", "p", Some("one")).contains("nothing to compare"));
    }
}
