//! Tables for the terminal that are also Markdown, so that they can go into a document as they are.

/// Prints a table. The first column is set to the left, the others to the right.
pub(super) fn print(heads: &[&str], rows: &[Vec<String>]) {
    let heads: Vec<String> = heads.iter().map(ToString::to_string).collect();
    let width = |column: usize| {
        let cells = rows.iter().chain([&heads]).filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    println!("{}", line(&heads, &widths));
    let rule: Vec<String> = widths
        .iter()
        .enumerate()
        .map(|(column, width)| rule(column, *width))
        .collect();
    println!("| {} |", rule.join(" | "));
    for row in rows {
        println!("{}", line(row, &widths));
    }
}

fn rule(column: usize, width: usize) -> String {
    if column == 0 {
        "-".repeat(width)
    } else {
        format!("{}:", "-".repeat(width.saturating_sub(1)))
    }
}

fn line(cells: &[String], widths: &[usize]) -> String {
    let cells: Vec<String> = cells
        .iter()
        .zip(widths)
        .enumerate()
        .map(|(column, (cell, width))| {
            if column == 0 {
                format!("{cell:<width$}")
            } else {
                format!("{cell:>width$}")
            }
        })
        .collect();
    format!("| {} |", cells.join(" | "))
}

/// Prints whether an aim was reached.
pub(super) fn verdict(met: bool, aim: &str, figure: &str) {
    println!("{} {aim}: {figure}", if met { "met   " } else { "MISSED" });
}
