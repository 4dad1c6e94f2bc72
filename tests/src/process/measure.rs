//! Measures a process: wall time, processor time, peak memory.

use std::fs;
use std::process::{Child, ExitStatus};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use crate::guard::{children_of, stat_fields};

/// What a process took.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// From start to end.
    pub wall: Duration,
    /// Processor time, user and system, of it and all its children that ended.
    pub cpu: Duration,
    /// Peak resident memory, bytes, of the process itself.
    pub own_memory: u64,
    /// Peak resident memory, bytes, of the largest process among it and its children.
    pub largest_memory: u64,
}

/// A process under measurement. A thread samples the peak memory that the kernel keeps for each process of the family.
#[derive(Debug)]
pub struct Watched {
    child: Child,
    pid: u32,
    started: Instant,
    shared: Arc<Shared>,
    sampler: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    ended: AtomicBool,
    own: AtomicU64,
    largest: AtomicU64,
    at_end: Mutex<Option<(Duration, Duration)>>,
}

impl Watched {
    /// Watches a child that was just started.
    pub fn new(child: Child) -> Self {
        let (pid, started, shared) = (child.id(), Instant::now(), Arc::new(Shared::default()));
        let ours = Arc::clone(&shared);
        let sampler = thread::spawn(move || sample(pid, started, &ours));
        Self {
            child,
            pid,
            started,
            shared,
            sampler: Some(sampler),
        }
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        self.shared.ended.load(Ordering::SeqCst)
    }

    /// Peak resident memory so far, bytes, of the process itself.
    pub fn peak_memory(&self) -> u64 {
        peak_memory(self.pid)
            .unwrap_or(0)
            .max(self.shared.own.load(Ordering::SeqCst))
    }

    /// Waits for the end.
    pub fn collect(&mut self) -> (ExitStatus, Usage) {
        if let Some(sampler) = self.sampler.take() {
            sampler.join().expect("the sampler ends with the process");
        }
        let status = self.child.wait().expect("the process is ours to wait for");
        let at_end = *self.shared.at_end.lock().unwrap_or_else(PoisonError::into_inner);
        let (wall, cpu) = at_end.unwrap_or((self.started.elapsed(), Duration::ZERO));
        let usage = Usage {
            wall,
            cpu,
            own_memory: self.shared.own.load(Ordering::SeqCst),
            largest_memory: self.shared.largest.load(Ordering::SeqCst),
        };
        (status, usage)
    }
}

/// Samples until the process has ended. It stays uncollected until then: `/proc` still knows its processor time.
fn sample(pid: u32, started: Instant, shared: &Shared) {
    let raw = Pid::from_raw(pid.cast_signed()).expect("a process id");
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(own) = peak_memory(pid) {
            shared.own.fetch_max(own, Ordering::SeqCst);
        }
        shared.largest.fetch_max(family_peak(pid), Ordering::SeqCst);
        if !matches!(waitid(WaitId::Pid(raw), options), Ok(None)) {
            break;
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(25));
    }
    let end = (started.elapsed(), cpu_time(pid));
    *shared.at_end.lock().unwrap_or_else(PoisonError::into_inner) = Some(end);
    shared.ended.store(true, Ordering::SeqCst);
}

fn family_peak(pid: u32) -> u64 {
    let children = children_of(pid).into_iter().map(family_peak).max().unwrap_or(0);
    peak_memory(pid).unwrap_or(0).max(children)
}

/// `VmHWM` of a process in bytes; `None` once it has ended.
fn peak_memory(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// User and system time of a process and its collected children. Linux counts it in hundredths of a second.
pub fn cpu_time(pid: u32) -> Duration {
    let fields = stat_fields(pid).unwrap_or_default();
    let ticks: u64 = fields
        .iter()
        .skip(11)
        .take(4)
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    Duration::from_millis(ticks * 10)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn time_and_memory_of_a_process_and_its_children_are_counted() {
        let burn = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done";
        // The large one stays until its reader comes, so that it is seen.
        let large = "head -c 60000000 /dev/zero | tail -n 1 | (sleep 0.5; tail -c 1) >/dev/null";
        let script = format!("{burn}; sh -c '{burn}'; {large}");
        let child = Command::new("sh").args(["-c", &script]).spawn().unwrap();
        let (status, usage) = Watched::new(child).collect();
        assert!(status.success());
        assert!(usage.cpu > Duration::from_millis(100), "{usage:?}");
        assert!(usage.wall >= usage.cpu / 3, "{usage:?}");
        assert!(usage.own_memory > 100_000 && usage.own_memory < 20_000_000, "{usage:?}");
        assert!(usage.largest_memory > 50_000_000, "{usage:?}");
    }
}
