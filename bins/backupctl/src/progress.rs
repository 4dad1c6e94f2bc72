//! How far a long command is: a bar on the terminal, and nothing where stderr is none.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use backup_core::{JobControl, Step};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::task::JoinHandle;

use crate::cli::Settings;
use crate::output;

/// How often the bar is drawn anew.
const TICK: Duration = Duration::from_millis(200);

/// What is counted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Bytes,
    Backups,
}

/// A bar that follows a job until it is dropped, which clears it.
pub(crate) struct Progress {
    bar: ProgressBar,
    follower: Option<JoinHandle<()>>,
}

impl Progress {
    /// Follows `job`. Hidden with `--json` and `--quiet`, and where nobody would see it.
    pub(crate) fn of(settings: &Settings, job: &JobControl, unit: Unit) -> Self {
        if settings.json || settings.quiet || !io::stderr().is_terminal() {
            return Self::hidden();
        }
        let bar = ProgressBar::new(0);
        let follower = tokio::spawn(follow(bar.clone(), job.clone(), unit));
        Self {
            bar,
            follower: Some(follower),
        }
    }

    /// No bar.
    pub(crate) fn hidden() -> Self {
        Self {
            bar: ProgressBar::hidden(),
            follower: None,
        }
    }

    /// A message for people, not written into the bar.
    pub(crate) fn message(&self, text: &str) {
        self.bar.suspend(|| output::message(text));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(follower) = &self.follower {
            follower.abort();
        }
        self.bar.finish_and_clear();
    }
}

async fn follow(bar: ProgressBar, job: JobControl, unit: Unit) {
    let mut shown = None;
    let mut ticks = tokio::time::interval(TICK);
    loop {
        ticks.tick().await;
        let (step, done, total) = job.position();
        if shown != Some((step, total)) {
            shown = Some((step, total));
            bar.reset();
            bar.set_style(style(unit, total > 0));
            bar.set_message(name(step, unit));
            bar.set_length(total.max(done));
        }
        // The total may have been an estimate, and too small.
        if total > 0 && done > total {
            bar.set_length(done);
        }
        bar.set_position(done);
        bar.tick();
    }
}

fn style(unit: Unit, with_total: bool) -> ProgressStyle {
    let style = ProgressStyle::with_template(template(unit, with_total));
    style
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}

fn template(unit: Unit, with_total: bool) -> &'static str {
    match (unit, with_total) {
        (Unit::Bytes, true) => "{msg:<10} [{wide_bar}] {bytes}/{total_bytes} {bytes_per_sec} {eta}",
        (Unit::Bytes, false) => "{msg:<10} {spinner} {bytes} {bytes_per_sec}",
        (Unit::Backups, true) => "{msg:<10} [{wide_bar}] {pos}/{len} {per_sec} {eta}",
        (Unit::Backups, false) => "{msg:<10} {spinner}",
    }
}

fn name(step: Step, unit: Unit) -> &'static str {
    match step {
        _ if unit == Unit::Backups => "receipts",
        Step::Verify => "checking",
        Step::Database => "database",
        Step::Files => "files",
        Step::Config => "config",
        _ => "preparing",
    }
}

/// A writer that tells a job how much went through.
pub(crate) struct Counted<W> {
    pub(crate) inner: W,
    pub(crate) job: JobControl,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(buffer)?;
        self.job.advance(count as u64);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A template that cannot be read would silently be another bar.
    #[test]
    fn every_template_is_read() {
        for unit in [Unit::Bytes, Unit::Backups] {
            for with_total in [false, true] {
                assert!(ProgressStyle::with_template(template(unit, with_total)).is_ok());
            }
        }
    }
}
