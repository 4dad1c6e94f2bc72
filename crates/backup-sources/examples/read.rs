//! Reads a source into nothing and says how fast: `read files FOLDER`, or `read database HOST PORT NAME USER`.

use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use backup_core::contents::BackupContents;
use backup_core::{ArchiveSink, Entry, EntryPath, JobControl, OsRandom, PipelineError, Source};
use backup_sources::{ConnectionOptions, DatabaseSettings, DatabaseSource, FilesSource, NamedBy, libpq_password};

/// Reads everything and keeps nothing.
struct Nothing(Vec<u8>);

impl Nothing {
    fn drain(&mut self, content: &mut dyn Read) -> Result<u64, PipelineError> {
        let mut total = 0;
        loop {
            match content.read(&mut self.0) {
                Ok(0) => return Ok(total),
                Ok(length) => total += length as u64,
                Err(error) => return Err(PipelineError::failed("cannot read", "").because(error)),
            }
        }
    }
}

impl ArchiveSink for Nothing {
    fn append(&mut self, _entry: &Entry, content: &mut dyn Read) -> Result<u64, PipelineError> {
        self.drain(content)
    }

    fn append_stream(&mut self, _path: &EntryPath, content: &mut dyn Read) -> Result<u64, PipelineError> {
        self.drain(content)
    }
}

#[expect(clippy::print_stdout, reason = "it is for people")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let source: Box<dyn Source> = match words[..] {
        ["files", folder] => Box::new(FilesSource::new(PathBuf::from(folder))),
        ["database", host, port, name, user] => Box::new(DatabaseSource::new(DatabaseSettings {
            host: host.to_owned(),
            port: port.parse()?,
            name: name.to_owned(),
            user: Some(user.to_owned()),
            password: libpq_password(),
            options: ConnectionOptions::default(),
            named_by: NamedBy::Settings,
            programs: None,
            random: Arc::new(OsRandom),
        })),
        _ => return Err("read files FOLDER | read database HOST PORT NAME USER".into()),
    };
    let job = JobControl::new(Duration::from_mins(5));
    let begin = Instant::now();
    let estimate = source.prepare(&job)?;
    println!("prepared in {:.2?}: about {estimate} bytes", begin.elapsed());
    let (begin, mut contents) = (Instant::now(), BackupContents::default());
    source.backup(&mut Nothing(vec![0; 1 << 20]), &job, &mut contents)?;
    let seconds = begin.elapsed().as_secs_f64();
    let megabytes = job.bytes_read() as f64 / 1e6;
    println!(
        "read {megabytes:.0} MB in {seconds:.2} s: {:.0} MB/s",
        megabytes / seconds
    );
    if let Some(files) = contents.files {
        println!(
            "{} entries, {:.0} a second",
            files.entry_count,
            files.entry_count as f64 / seconds
        );
    }
    let status = std::fs::read_to_string("/proc/self/status")?;
    println!(
        "{}",
        status
            .lines()
            .find(|line| line.starts_with("VmHWM"))
            .unwrap_or_default()
    );
    Ok(())
}
