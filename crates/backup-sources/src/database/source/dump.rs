//! The dump, and the counting beside it.

use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use backup_core::{ArchiveSink, JobControl, PipelineError, WarningCode};

use super::begin::Dump;
use super::{DatabaseSource, path};
use crate::Error;
use crate::child::Exit;
use crate::database::count::{Tables, count_beside_dump};
use crate::database::psql::Session;
use crate::database::server::hint_for;
use crate::database::{DUMP, shown};

/// How often the wait for the counting looks up to see whether the job was cancelled.
const TICK: Duration = Duration::from_millis(100);
/// The most of what `pg_dump` said that a remark repeats, in characters.
const MAX_SAID: usize = 1000;

impl DatabaseSource {
    /// Saves a dump that has begun, and counts its rows in the snapshot that `session` shares with it.
    pub(super) fn dump_and_count(
        &self,
        dump: Dump,
        mut session: Session,
        counting: &JobControl,
        sink: &mut dyn ArchiveSink,
        job: &JobControl,
    ) -> Result<(u64, Tables), Error> {
        let (give, counted) = channel();
        let failed = AtomicBool::new(false);
        thread::scope(|scope| {
            let failed = &failed;
            scope.spawn(move || {
                let result = count_beside_dump(&mut session);
                failed.store(result.is_err(), Ordering::SeqCst);
                // Whoever waits for it waits until it comes.
                let _heard = give.send(result);
            });
            let dumped = self.save_dump(dump, sink, job, failed);
            if dumped.is_err() {
                counting.cancel();
            }
            let counted = loop {
                if job.is_cancelled() {
                    counting.cancel();
                }
                match counted.recv_timeout(TICK) {
                    Ok(counted) => break counted,
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => {
                        break Err(Error::failed(
                            "counting the tables' rows ended in an unforeseen way",
                            "",
                        ));
                    }
                }
            };
            job.check()?;
            match (dumped, counted) {
                (Ok(size), Ok(counted)) => {
                    warn_of_missed(&counted.missed, job);
                    Ok((size, counted.tables))
                }
                // The dump was ended because the counting had failed.
                (_, Err(error)) if !matches!(error, Error::Pipeline(PipelineError::Cancelled)) => Err(error),
                (Err(error), _) | (_, Err(error)) => Err(error),
            }
        })
    }

    fn save_dump(
        &self,
        dump: Dump,
        sink: &mut dyn ArchiveSink,
        job: &JobControl,
        ended: &AtomicBool,
    ) -> Result<u64, Error> {
        let mut reader = Counted { dump, job, ended };
        let appended = sink.append_stream(&path(DUMP)?, &mut reader);
        let (_, child) = reader.dump.into_inner();
        if let Some(fault) = child.fault() {
            return Err(fault.into());
        }
        let size = appended?;
        let said = self.judge(child.finish()?)?;
        warn_of_said(&said, job);
        Ok(size)
    }

    /// What it said, where it said that all is well.
    pub(super) fn judge(&self, exit: Exit) -> Result<String, Error> {
        if let Some(error) = self.settings.lost(&exit) {
            return Err(error);
        }
        let hint = hint_for(&exit.stderr);
        exit.check(hint).map(|exit| exit.stderr)
    }
}

/// Of what it calls good, `pg_dump` may have left something out, such as subscriptions.
fn warn_of_said(said: &str, job: &JobControl) {
    if said.is_empty() {
        return;
    }
    let mut text: String = said.chars().take(MAX_SAID).collect();
    if text.len() < said.len() {
        text.push_str(" ...");
    }
    job.warn(WarningCode::Other, None, format!("pg_dump succeeded and said: {text}"));
}

fn warn_of_missed(missed: &[String], job: &JobControl) {
    if !missed.is_empty() {
        let text = format!(
            "the rows of tables that an application was about to change, or of which an index was being made anew, are in the \
             dump, and were not counted: {}",
            shown(missed)
        );
        job.warn(WarningCode::Other, None, text);
    }
}

/// Says how far the dump is.
struct Counted<'a> {
    dump: Dump,
    job: &'a JobControl,
    /// The dump is of no use any more.
    ended: &'a AtomicBool,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ended.load(Ordering::SeqCst) {
            return Err(io::Error::other(PipelineError::Cancelled));
        }
        let length = self.dump.read(buffer)?;
        self.job.advance(length as u64);
        Ok(length)
    }
}
