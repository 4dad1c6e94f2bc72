//! The dump, and the counting beside it.

use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use backup_core::{ArchiveSink, JobControl, PipelineError, WarningCode};

use super::{DatabaseSource, path};
use crate::Error;
use crate::child::{Child, Exit};
use crate::database::count::{Tables, count_beside_dump};
use crate::database::psql::Session;
use crate::database::server::hint_for;
use crate::database::{DUMP, shown};

/// How often the wait for the counting looks up to see whether the job was cancelled.
const TICK: Duration = Duration::from_millis(100);
/// The most of what `pg_dump` said that a remark repeats, in characters.
const MAX_SAID: usize = 1000;

impl DatabaseSource {
    /// Dumps the snapshot of `session` in the database's `encoding` and counts its rows there. The counting begins with the
    /// dump's first byte: from then on the dump has all its locks and the snapshot, and needs nothing of the session any more.
    pub(super) fn dump_and_count(
        &self,
        snapshot: &str,
        encoding: &str,
        mut session: Session,
        counting: &JobControl,
        sink: &mut dyn ArchiveSink,
        job: &JobControl,
    ) -> Result<(u64, Tables), Error> {
        let (begun, begin) = channel();
        let (give, counted) = channel();
        let failed = AtomicBool::new(false);
        thread::scope(|scope| {
            let failed = &failed;
            scope.spawn(move || {
                let begun = begin.recv().map_err(|_| PipelineError::Cancelled.into());
                let result = begun.and_then(|()| count_beside_dump(&mut session));
                failed.store(result.is_err(), Ordering::SeqCst);
                // Whoever waits for it waits until it comes.
                let _heard = give.send(result);
            });
            let dumped = self.dump(snapshot, encoding, sink, job, begun, failed);
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
                    warn_of_rewritten(&counted.rewritten, job);
                    Ok((size, counted.tables))
                }
                // The dump was ended because the counting had failed.
                (_, Err(error)) if !matches!(error, Error::Pipeline(PipelineError::Cancelled)) => Err(error),
                (Err(error), _) | (_, Err(error)) => Err(error),
            }
        })
    }

    fn dump(
        &self,
        snapshot: &str,
        encoding: &str,
        sink: &mut dyn ArchiveSink,
        job: &JobControl,
        begun: Sender<()>,
        ended: &AtomicBool,
    ) -> Result<u64, Error> {
        let mut program = self.settings.program("pg_dump")?;
        program
            .command
            .args(["--format=custom", "--compress=0", "--no-password"]);
        program.command.arg(format!("--snapshot={snapshot}"));
        // A role or the server may be set to another, which lacks some of the database's characters.
        program.command.arg(format!("--encoding={encoding}"));
        program.command.arg(format!(
            "--lock-wait-timeout={}",
            job.stall_timeout().as_millis().max(1)
        ));
        program
            .command
            .arg(format!("--dbname={}", self.settings.conninfo(&self.settings.name)));
        let mut reader = Counted {
            child: self.settings.spawn(program, job)?,
            job,
            begun: Some(begun),
            ended,
        };
        reader.child.close_stdin();
        let appended = sink.append_stream(&path(DUMP)?, &mut reader);
        if let Some(fault) = reader.child.fault() {
            return Err(fault.into());
        }
        let size = appended?;
        let said = self.judge(reader.child.finish()?)?;
        if size == 0 {
            return Err(Error::failed("pg_dump wrote nothing and said nothing", ""));
        }
        warn_of_said(&said, job);
        Ok(size)
    }

    /// What it said, where it said that all is well.
    fn judge(&self, exit: Exit) -> Result<String, Error> {
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

fn warn_of_rewritten(rewritten: &[String], job: &JobControl) {
    if !rewritten.is_empty() {
        let text = format!(
            "the dump may lack the rows of tables that somebody emptied or wrote anew just when it began (let them not begin at the same time): {}",
            shown(rewritten)
        );
        job.warn(WarningCode::Other, None, text);
    }
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

/// Says how far the dump is, and that it has begun.
struct Counted<'a> {
    child: Child,
    job: &'a JobControl,
    begun: Option<Sender<()>>,
    /// The dump is of no use any more.
    ended: &'a AtomicBool,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ended.load(Ordering::SeqCst) {
            return Err(io::Error::other(PipelineError::Cancelled));
        }
        let length = self.child.read(buffer)?;
        if length > 0
            && let Some(begun) = self.begun.take()
        {
            // Where nobody listens the counting has failed, which is seen with the next read.
            let _heard = begun.send(());
        }
        self.job.advance(length as u64);
        Ok(length)
    }
}
