//! Scenario `catalog`: how fast the catalog answers with a million backups in it, on SQLite and on PostgreSQL.

use std::io;
use std::path::Path;
use std::process::Command;

use backup_tests::tools;

use super::{Args, data, table};
use crate::cargo;
use crate::failed;
use crate::setup::Installed;

/// What a list may take, in milliseconds.
const LIMIT: f64 = 50.0;

/// A question to the catalog, with the milliseconds that the answer took: the median, and the worst.
#[derive(Debug, PartialEq)]
struct Answer {
    question: String,
    median: f64,
    worst: f64,
}

/// Measures and prints.
pub(super) fn run(args: &Args, installed: &Installed) -> io::Result<()> {
    let million = cargo::build_example("million")?;
    let folder = tempfile::Builder::new().prefix("catalog-").tempdir_in(args.keep()?)?;
    println!("SQLite: filling and asking");
    let sqlite = ask(
        &million,
        &format!("sqlite://{}", folder.path().join("million.db").display()),
    )?;
    println!("PostgreSQL: filling and asking");
    let postgres = data::server(installed)?;
    let database = postgres.create_database("million");
    let postgresql = ask(&million, &database.url())?;

    println!("\nMilliseconds with a million backups: median (worst) of seven.\n");
    let both = sqlite.iter().zip(&postgresql);
    let shown = |answer: &Answer| format!("{:.1} ({:.1})", answer.median, answer.worst);
    let rows: Vec<Vec<String>> = both
        .map(|(one, other)| vec![one.question.clone(), shown(one), shown(other)])
        .collect();
    table::print(&["", "SQLite", "PostgreSQL"], &rows);
    println!();
    for (catalog, answers) in [("SQLite", &sqlite), ("PostgreSQL", &postgresql)] {
        let lists = answers.iter().filter(|answer| answer.question.starts_with("list: "));
        if let Some(slowest) = lists.max_by(|one, other| one.median.total_cmp(&other.median)) {
            let figure = format!("{:.1} ms ({})", slowest.median, slowest.question);
            table::verdict(
                slowest.median < LIMIT,
                &format!("{catalog}: every list under {LIMIT} ms"),
                &figure,
            );
        }
    }
    Ok(())
}

/// Runs the example that fills an empty catalog and asks it.
fn ask(million: &Path, url: &str) -> io::Result<Vec<Answer>> {
    let output = tools::run(Command::new(million).arg(url))?;
    let answers: Vec<Answer> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(parse)
        .collect();
    if answers.is_empty() {
        return Err(failed("the example 'million' said nothing that is understood"));
    }
    Ok(answers)
}

/// Reads a line such as `overview      1.2 ms  (worst 3.4)`.
fn parse(line: &str) -> Option<Answer> {
    let (rest, worst) = line.strip_suffix(')')?.split_once(" ms  (worst ")?;
    let (question, median) = rest.rsplit_once(' ')?;
    Some(Answer {
        question: question.trim().to_owned(),
        median: median.parse().ok()?,
        worst: worst.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_the_example_are_understood() {
        let answer = parse("list: page 25,001                 12.3 ms  (worst 45.6)").unwrap();
        assert_eq!(answer.question, "list: page 25,001");
        assert_eq!((answer.median, answer.worst), (12.3, 45.6));
        assert_eq!(parse("filled in 12s"), None);
    }
}
