//! What a job did, line by line, as people read it who want to know why it failed.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{counted, text_enum};

/// How many lines the log of a job has at the most, the one included that says how many were left out.
pub const MAX_LOG_LINES: usize = 500;
/// How many characters a line has at the most; what is longer is cut.
pub const MAX_LOG_TEXT: usize = 400;

/// How many of the first lines are kept; of the last ones, as many as there is room for.
const FIRST: usize = MAX_LOG_LINES / 2;
const LAST: usize = MAX_LOG_LINES - FIRST - 1;

text_enum! {
    /// How much a line of a job's log matters.
    pub enum LogLevel {
        /// What happens.
        Info => "INFO",
        /// Worth a look, and no reason to stop.
        Warning => "WARNING",
        /// Why the job ended.
        Error => "ERROR",
    }
}

/// A line of a job's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogLine {
    /// When it was noted.
    pub at: DateTime<Utc>,
    /// How much it matters.
    pub level: LogLevel,
    /// One line for people, without control characters, of at most [`MAX_LOG_TEXT`] characters. Never a secret.
    pub text: String,
}

impl LogLine {
    /// A line that says `text`, cut where it is too long.
    pub fn new(at: DateTime<Utc>, level: LogLevel, text: &str) -> Self {
        let mut characters = text.chars().map(|c| if c.is_control() { ' ' } else { c });
        let mut text: String = characters.by_ref().take(MAX_LOG_TEXT).collect();
        if characters.next().is_some() {
            text.pop();
            text.push('…');
        }
        Self { at, level, text }
    }
}

/// The log of a job, of all its attempts. It is bounded: of very many lines, the first and the last are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct JobLog {
    first: Vec<LogLine>,
    left_out: u64,
    last: VecDeque<LogLine>,
}

impl JobLog {
    /// Adds a line.
    pub fn add(&mut self, line: LogLine) {
        if self.first.len() < FIRST {
            self.first.push(line);
            return;
        }
        if self.last.len() >= LAST {
            self.last.pop_front();
            self.left_out += 1;
        }
        self.last.push_back(line);
    }

    /// How many lines were ever added: it only grows, so that of two states of a log the later one is known.
    pub fn count(&self) -> u64 {
        (self.first.len() + self.last.len()) as u64 + self.left_out
    }

    /// The lines, oldest first; where some were left out, one in their place says how many.
    pub fn into_lines(self) -> Vec<LogLine> {
        let left_out = self.last.front().filter(|_| self.left_out > 0).map(|next| LogLine {
            at: next.at,
            level: LogLevel::Info,
            text: format!("… {} left out here", counted(self.left_out, "line was", "lines were")),
        });
        self.first.into_iter().chain(left_out).chain(self.last).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> LogLine {
        LogLine::new(
            DateTime::from_timestamp(1_700_000_000, 0).unwrap(),
            LogLevel::Warning,
            text,
        )
    }

    #[test]
    fn of_very_many_lines_the_first_and_the_last_are_kept() {
        let mut log = JobLog::default();
        for i in 0..MAX_LOG_LINES - 1 {
            log.add(line(&i.to_string()));
        }
        assert_eq!(log.clone().into_lines().len(), MAX_LOG_LINES - 1, "all of them");
        for i in MAX_LOG_LINES - 1..2000 {
            // What comes out of the catalog goes on as it was.
            log = serde_json::from_str(&serde_json::to_string(&log).unwrap()).unwrap();
            log.add(line(&i.to_string()));
        }
        assert_eq!(log.count(), 2000);
        let lines = log.into_lines();
        assert_eq!(lines.len(), MAX_LOG_LINES);
        assert_eq!((lines[0].text.as_str(), lines[249].text.as_str()), ("0", "249"));
        assert_eq!(lines[250].text, "… 1501 lines were left out here");
        assert_eq!((lines[251].text.as_str(), lines[499].text.as_str()), ("1751", "1999"));
    }

    #[test]
    fn a_line_is_one_line_and_not_too_long() {
        assert_eq!(line("a\nb\t\u{1b}[31mc\0").text, "a b  [31mc ");
        let exact = "字".repeat(MAX_LOG_TEXT);
        assert_eq!(line(&exact).text, exact);
        let cut = line(&(exact + "!")).text;
        assert_eq!(cut.chars().count(), MAX_LOG_TEXT);
        assert!(cut.ends_with("字…"), "{cut}");
    }

    #[test]
    fn what_no_job_wrote_is_empty() {
        let log: JobLog = serde_json::from_str("{}").unwrap();
        assert_eq!(log, JobLog::default());
        assert_eq!((log.count(), log.into_lines()), (0, Vec::new()));
    }
}
