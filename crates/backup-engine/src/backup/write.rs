use std::io::{self, Read};
use std::sync::Arc;

use backup_archive::{ArchiveWriter, WriterOptions};
use backup_core::contents::Warning;
use backup_core::{
    ArchiveSeal, ArchiveSink, Backup, BackupContents, Entry, EntryPath, JobControl, LogLevel, PipelineError, Source,
    Step, counted,
};
use backup_storage::Upload;
use chrono::{DateTime, Utc};

use super::Plan;
use crate::bridge::{UploadSink, abort, blocking, cancelled, start_upload};
use crate::checkpoint::{Checkpoint, Checkpoints};
use crate::engine::Engine;
use crate::job::JobError;

/// A source, and how many bytes it is about to read.
pub(super) struct Part {
    pub(super) source: Arc<dyn Source>,
    pub(super) expected: u64,
}

/// What stands in the closed archive.
pub(super) struct Written {
    pub(super) seal: ArchiveSeal,
    pub(super) contents: BackupContents,
    pub(super) warnings: Vec<Warning>,
    pub(super) source_bytes: u64,
}

/// Asks every source whether it can be backed up at all, so that what cannot work fails before a byte is stored.
pub(super) async fn prepare(mut parts: Vec<Part>, job: &JobControl) -> Result<Vec<Part>, PipelineError> {
    let job = job.clone();
    blocking(move || {
        job.begin(Step::Preparing, 0);
        for part in &mut parts {
            job.check()?;
            part.expected = part.source.prepare(&job)?;
        }
        Ok(parts)
    })
    .await
}

/// Writes all parts through the archive into an upload, which is complete and not yet committed.
pub(super) async fn write(
    engine: &Engine,
    job: &JobControl,
    backup: &Backup,
    plan: &Plan,
    parts: Vec<Part>,
) -> Result<(Upload, Written), JobError> {
    // How much of it changed nobody knows.
    let all = || parts.iter().map(|part| part.expected).sum();
    let expected = plan.base.is_none().then(all);
    let options = options(engine, backup, plan, plan.started_at);
    let base = plan.base.as_ref().map(|base| base.chain.archive.clone());
    let (writing, writer, keys) = (job.clone(), engine.clone(), plan.place.keys.clone());
    let written = into_upload(engine, job, plan, expected, move |sink| {
        let (engine, sink, key) = (writer, Box::new(sink), keys.current());
        let random = &*engine.random;
        let mut archive = match &base {
            Some(base) => ArchiveWriter::create_on(base, sink, key, options, random)?,
            None => ArchiveWriter::create(sink, key, options, random)?,
        };
        let mut contents = BackupContents::default();
        for part in &parts {
            write_part(&engine, &mut archive, part, &writing, &mut contents)?;
        }
        writing.begin(Step::Archive, 0);
        let seal = archive.finish()?;
        Ok(Written {
            seal,
            contents,
            warnings: writing.warnings(),
            source_bytes: writing.bytes_read(),
        })
    });
    match written.await {
        Err(JobError::Failed(error @ PipelineError::Unavailable { .. })) if plan.base.is_some() => {
            Err(of_whom(plan, error).await)
        }
        written => written,
    }
}

/// An outage that came up while sources were read and the chain was: it is the storage's where that is still away. The upload
/// has noticed nothing of it while its first part was not full.
async fn of_whom(plan: &Plan, error: PipelineError) -> JobError {
    match plan.place.storage.check().await {
        Ok(()) => JobError::Failed(error),
        Err(away) => JobError::storage(away.into()),
    }
}

/// How the archive is written; `of`: the point in time that it holds.
pub(super) fn options(engine: &Engine, backup: &Backup, plan: &Plan, of: DateTime<Utc>) -> WriterOptions {
    WriterOptions {
        codec: plan.codec,
        encrypt: plan.encrypt,
        archive_id: *backup.id.as_bytes(),
        workers: engine.settings.compressors,
        created_at_secs: of.timestamp(),
    }
}

/// Lets `write` write an archive into an upload, which is complete then and not yet committed. The archive is not expected to
/// be larger than `expected` bytes, nor to be much smaller.
pub(super) async fn into_upload(
    engine: &Engine,
    job: &JobControl,
    plan: &Plan,
    expected: Option<u64>,
    write: impl FnOnce(UploadSink) -> Result<Written, PipelineError> + Send + 'static,
) -> Result<(Upload, Written), JobError> {
    // Compressed it is less, so parts of this size are never too many.
    let upload = tokio::select! {
        upload = plan.place.storage.upload_sized(&plan.path, expected) => upload,
        () = cancelled(job) => return Err(JobError::Stopped),
    };
    let upload = upload.map_err(|error| JobError::storage(error.into()))?;
    let (sink, transfer) = start_upload(upload, job.clone(), plan.limit, engine.throttle.clone());
    let archive = blocking(move || write(sink)).await;
    match (archive, transfer.done().await) {
        (Ok(written), Ok(upload)) => Ok((upload, written)),
        // Where the storage failed the archive could only notice that nobody took its bytes.
        (_, Err(error)) => Err(JobError::storage(error)),
        (Err(error), Ok(upload)) => {
            abort(upload).await;
            Err(error.into())
        }
    }
}

fn write_part(
    engine: &Engine,
    archive: &mut ArchiveWriter,
    part: &Part,
    job: &JobControl,
    contents: &mut BackupContents,
) -> Result<(), PipelineError> {
    job.check()?;
    let source = &part.source;
    job.begin(source.step(), part.expected);
    let at = match source.step() {
        Step::Database => Checkpoint::InDatabase,
        Step::Config => Checkpoint::InConfig,
        _ => Checkpoint::InFiles,
    };
    let mut writer = archive.part(source.part())?;
    let mut sink = Watched {
        sink: &mut writer,
        checkpoint: Pending {
            at: Some(at),
            checkpoints: &engine.checkpoints,
        },
    };
    source.backup(&mut sink, job, contents)?;
    sink.checkpoint.pass()?;
    writer.finish()?;
    job.log(LogLevel::Info, saved(&**source, contents));
    Ok(())
}

/// What was saved of a source, for the log.
fn saved(source: &dyn Source, contents: &BackupContents) -> String {
    let part = source.part();
    let BackupContents {
        database,
        files,
        config,
        other,
    } = contents;
    match (source.step(), other.get(part), database, files, config) {
        (_, Some(part_of), ..) => format!(
            "{part}: {}, {} bytes",
            counted(part_of.entry_count, "entry", "entries"),
            part_of.size_bytes
        ),
        (Step::Database, _, Some(saved), ..) => format!(
            "{part}: {}, {}, a dump of {} bytes",
            counted(saved.tables.len(), "table", "tables"),
            counted(saved.row_count, "row", "rows"),
            saved.size_bytes
        ),
        (Step::Files, _, _, Some(saved), _) => format!(
            "{part}: {} among {}, {} bytes",
            counted(saved.file_count, "file", "files"),
            counted(saved.entry_count, "entry", "entries"),
            saved.size_bytes
        ),
        (Step::Config, .., Some(saved)) => format!(
            "{part}: {}, {} bytes",
            counted(saved.config_count, "item", "items"),
            saved.size_bytes
        ),
        _ => format!("{part}: done"),
    }
}

/// A part's sink that passes the part's checkpoint once, when its first content has been read.
struct Watched<'a> {
    sink: &'a mut dyn ArchiveSink,
    checkpoint: Pending<'a>,
}

struct Pending<'a> {
    at: Option<Checkpoint>,
    checkpoints: &'a Checkpoints,
}

impl Pending<'_> {
    fn pass(&mut self) -> Result<(), PipelineError> {
        self.at.take().map_or(Ok(()), |at| (self.checkpoints)(at))
    }
}

impl ArchiveSink for Watched<'_> {
    fn append(&mut self, entry: &Entry, content: &mut dyn Read) -> Result<u64, PipelineError> {
        let checkpoint = &mut self.checkpoint;
        self.sink.append(entry, &mut WatchedContent { content, checkpoint })
    }

    fn append_file(
        &mut self,
        entry: &Entry,
        content: &mut dyn Read,
        is_same: &mut dyn FnMut() -> bool,
    ) -> Result<u64, PipelineError> {
        let checkpoint = &mut self.checkpoint;
        self.sink
            .append_file(entry, &mut WatchedContent { content, checkpoint }, is_same)
    }

    fn append_unchanged(&mut self, entry: &Entry) -> Result<Option<u64>, PipelineError> {
        self.sink.append_unchanged(entry)
    }

    fn append_stream(&mut self, path: &EntryPath, content: &mut dyn Read) -> Result<u64, PipelineError> {
        let checkpoint = &mut self.checkpoint;
        self.sink
            .append_stream(path, &mut WatchedContent { content, checkpoint })
    }
}

struct WatchedContent<'a, 'b> {
    content: &'a mut dyn Read,
    checkpoint: &'a mut Pending<'b>,
}

impl Read for WatchedContent<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.content.read(buffer)?;
        if count > 0 && self.checkpoint.at.is_some() {
            self.checkpoint.pass().map_err(io::Error::other)?;
        }
        Ok(count)
    }
}
