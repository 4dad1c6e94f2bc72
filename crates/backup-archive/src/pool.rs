//! Worker threads whose results are taken in the order in which the work was given.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use backup_core::PipelineError;

/// Threads that all take work from one bounded queue. Dropped, it waits until they have ended.
pub(crate) struct Pool<Job, Output> {
    queue: Option<SyncSender<(Job, SyncSender<Output>)>>,
    threads: Vec<JoinHandle<()>>,
}

/// The result of a piece of work, sooner or later.
pub(crate) struct Ticket<Output>(Receiver<Output>);

impl<Output> Ticket<Output> {
    /// Waits for the result.
    pub(crate) fn wait(self) -> Result<Output, PipelineError> {
        self.0.recv().map_err(|_| stopped())
    }
}

/// A thread ended without being asked to: only after a defect.
pub(crate) fn stopped() -> PipelineError {
    PipelineError::failed("a thread of the archive stopped unexpectedly", "")
}

/// Starts a thread with a name that tells what it is for.
pub(crate) fn spawn<T: Send + 'static>(
    name: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, PipelineError> {
    std::thread::Builder::new()
        .name(format!("archive-{name}"))
        .spawn(body)
        .map_err(|error| PipelineError::unavailable("cannot start a thread", "").because(error))
}

impl<Job: Send + 'static, Output: Send + 'static> Pool<Job, Output> {
    /// One thread for each of `workers`.
    pub(crate) fn start<Worker>(name: &str, workers: Vec<Worker>) -> Result<Self, PipelineError>
    where
        Worker: FnMut(Job) -> Output + Send + 'static,
    {
        let (queue, jobs) = sync_channel::<(Job, SyncSender<Output>)>(workers.len());
        let jobs = Arc::new(Mutex::new(jobs));
        let mut threads = Vec::new();
        for mut worker in workers {
            let jobs = jobs.clone();
            threads.push(spawn(name, move || {
                loop {
                    let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok((job, result)) = next else { return };
                    // Nobody waits for the result any more when everything is being dropped.
                    let _unheard = result.send(worker(job));
                }
            })?);
        }
        Ok(Self {
            queue: Some(queue),
            threads,
        })
    }

    /// Hands a piece of work to the next free thread; waits while all are busy and the queue is full.
    pub(crate) fn submit(&self, job: Job) -> Result<Ticket<Output>, PipelineError> {
        let (sender, receiver) = sync_channel(1);
        let queue = self.queue.as_ref().ok_or_else(stopped)?;
        queue.send((job, sender)).map_err(|_| stopped())?;
        Ok(Ticket(receiver))
    }
}

impl<Job, Output> Drop for Pool<Job, Output> {
    fn drop(&mut self) {
        self.queue = None;
        for thread in self.threads.drain(..) {
            // A panic of a thread has shown itself where its result was awaited.
            let _ended = thread.join();
        }
    }
}
