//! What a backup or a restore took, and how it is seen from outside.

use std::collections::HashMap;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use backup_tests::guard::children_of;
use backup_tests::process::Watched;

use super::contest::Work;
use crate::failed;

/// How often the disk is looked at.
const PAUSE: Duration = Duration::from_millis(100);

/// One measured backup or restore.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    /// From the start until the backup is safe in the storage, or all is restored.
    pub(super) wall: Duration,
    /// Processor time of the program and its children, without the servers that it talks to.
    pub(super) cpu: Duration,
    /// Peak memory of the largest process, bytes.
    pub(super) memory: u64,
    /// Peak of temporary files, bytes, those among them that were unlinked while open.
    pub(super) temporary: u64,
    /// Bytes in the storage.
    pub(super) stored: u64,
}

impl Sample {
    /// The median of each figure; `None` of none.
    pub(super) fn median(samples: &[Self]) -> Option<Self> {
        (!samples.is_empty()).then(|| Self {
            wall: middle(samples, |sample| sample.wall),
            cpu: middle(samples, |sample| sample.cpu),
            memory: middle(samples, |sample| sample.memory),
            temporary: middle(samples, |sample| sample.temporary),
            stored: middle(samples, |sample| sample.stored),
        })
    }
}

/// The least and the most wall time, in seconds; empty of no samples.
pub(super) fn range(samples: &[Sample]) -> String {
    let walls = || samples.iter().map(|sample| sample.wall);
    let (Some(least), Some(most)) = (walls().min(), walls().max()) else {
        return String::new();
    };
    format!("{:.1}–{:.1}", least.as_secs_f64(), most.as_secs_f64())
}

pub(super) fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

pub(super) fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// Runs a program to its end in `work`, and gives what it took and what it printed. What is stored is not looked at.
pub(super) fn run(program: &mut Command, work: &Work) -> io::Result<(Sample, String)> {
    let (out, err) = (work.folder().join("out"), work.folder().join("err"));
    let child = program
        .stdin(Stdio::null())
        .stdout(File::create(&out)?)
        .stderr(File::create(&err)?)
        .spawn()?;
    let mut watched = Watched::new(child);
    let disk = DiskWatch::start(watched.pid(), vec![work.temporary()]);
    let (status, usage) = watched.collect();
    let temporary = disk.peak()?;
    let said = |file: &Path| fs::read_to_string(file).unwrap_or_default();
    if !status.success() {
        return Err(failed(format!("{status}: {}{}", said(&out), said(&err))));
    }
    let sample = Sample {
        wall: usage.wall,
        cpu: usage.cpu,
        memory: usage.largest_memory,
        temporary,
        stored: 0,
    };
    Ok((sample, said(&out)))
}

fn middle<T: Ord + Copy>(samples: &[Sample], figure: impl Fn(&Sample) -> T) -> T {
    let mut figures: Vec<T> = samples.iter().map(figure).collect();
    figures.sort();
    figures[figures.len() / 2]
}

/// Watches how much disk a process and its children take for temporary files.
pub(super) struct DiskWatch {
    stop: Sender<()>,
    thread: JoinHandle<u64>,
}

impl DiskWatch {
    /// Starts to watch. What is in the folders already does not count.
    pub(super) fn start(pid: u32, folders: Vec<PathBuf>) -> Self {
        let (stop, stopped) = channel();
        let before = used(pid, &folders);
        let thread = thread::spawn(move || {
            let mut peak = before;
            while stopped.recv_timeout(PAUSE) == Err(RecvTimeoutError::Timeout) {
                peak = peak.max(used(pid, &folders));
            }
            peak - before
        });
        Self { stop, thread }
    }

    /// Ends it and gives the most that was taken at once, in bytes.
    pub(super) fn peak(self) -> io::Result<u64> {
        drop(self.stop);
        self.thread
            .join()
            .map_err(|_| failed("the watch over the disk broke down"))
    }
}

/// Bytes on the disk of the files in these folders and of the unlinked files that the process and its children hold open.
fn used(pid: u32, folders: &[PathBuf]) -> u64 {
    let mut files = HashMap::new();
    for folder in folders {
        each_file(folder, &mut |file| note(&mut files, file));
    }
    unlinked(pid, &mut files);
    files.values().sum()
}

/// A file counts once, however many names and descriptors lead to it.
fn note(files: &mut HashMap<(u64, u64), u64>, file: &Metadata) {
    files.insert((file.dev(), file.ino()), file.blocks() * 512);
}

fn unlinked(pid: u32, files: &mut HashMap<(u64, u64), u64>) {
    let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    for descriptor in open.map(|entry| entry.path()) {
        let gone = fs::read_link(&descriptor).is_ok_and(|target| {
            let target = target.to_string_lossy();
            target.ends_with(" (deleted)") && !target.starts_with("/memfd:")
        });
        if let Some(file) = fs::metadata(&descriptor).ok().filter(|file| gone && file.is_file()) {
            note(files, &file);
        }
    }
    for child in children_of(pid) {
        unlinked(child, files);
    }
}

/// Bytes in the files of a folder.
pub(super) fn size_of(folder: &Path) -> u64 {
    let mut total = 0;
    each_file(folder, &mut |file| total += file.len());
    total
}

/// How many files a folder holds.
pub(super) fn count_in(folder: &Path) -> u64 {
    let mut count = 0;
    each_file(folder, &mut |_| count += 1);
    count
}

/// What vanishes meanwhile is passed over.
fn each_file(folder: &Path, seen: &mut impl FnMut(&Metadata)) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.metadata() {
            Ok(about) if about.is_dir() => each_file(&entry.path(), seen),
            Ok(about) if about.is_file() => seen(&about),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_taken_of_each_figure() {
        let sample = |wall, memory| Sample {
            wall: Duration::from_secs(wall),
            cpu: Duration::ZERO,
            memory,
            temporary: 0,
            stored: 0,
        };
        let median = Sample::median(&[sample(3, 10), sample(1, 30), sample(2, 20)]).unwrap();
        assert_eq!((median.wall, median.memory), (Duration::from_secs(2), 20));
        assert!(Sample::median(&[]).is_none());
    }

    #[test]
    fn unlinked_files_of_children_take_room_too() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("before"), vec![1; 100_000]).unwrap();
        let script = "read -r word; head -c 300000 /dev/zero >file; sh -c 'exec 3<file; rm file; echo; read -r word'";
        let mut child = Command::new("sh")
            .args(["-c", script])
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let before = used(child.id(), &[folder.path().to_owned()]);
        let mut input = child.stdin.take().unwrap();
        io::Write::write_all(&mut input, b"go\n").unwrap();
        io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut [0]).unwrap();
        let taken = used(child.id(), &[folder.path().to_owned()]) - before;
        assert!((300_000..400_000).contains(&taken), "{taken}");
        drop(input);
        child.wait().unwrap();
    }
}
