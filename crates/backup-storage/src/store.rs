//! The store as the rest of the system sees it.

mod patience;
mod receipts;

pub(crate) use patience::blocking;
pub use receipts::MAX_RECEIPT_BYTES;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use backup_core::OsRandom;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::future;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _};
use tokio::time::{Instant, sleep};

use crate::error::{At, Error};
use crate::folder::{Folder, FolderUpload};
use crate::opening::Opening;
use crate::path;
use crate::remote::Remote;
use crate::settings::StorageSettings;
use crate::stall::within;
use crate::upload::{Inner, Upload};
use patience::USE;

/// How long a store that could not be opened is left alone by whoever goes on trying.
const PAUSE: Duration = Duration::from_secs(1);

/// A blob as a listing tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobInfo {
    /// Its path in the store.
    pub path: String,
    /// Its bytes.
    pub size: u64,
    /// When it was last written.
    pub modified: DateTime<Utc>,
    /// Not a blob but what an upload left, which may still be going on.
    pub partial: bool,
}

impl BlobInfo {
    /// Whether it stands where archives are, in `YYYY/MM-DD`. Elsewhere it is somebody's own, whatever its name.
    pub fn is_in_place(&self) -> bool {
        path::is_in_day(&self.path)
    }
}

/// A place where archives and receipts are kept. Cheap to clone; all clones are the same store.
#[derive(Debug, Clone)]
pub struct BlobStore {
    backend: Backend,
    /// What comes before its first use; `None`: it was opened at once.
    opening: Option<Arc<Opening>>,
}

#[derive(Debug, Clone)]
enum Backend {
    Folder(Arc<Folder>),
    Remote(Arc<Remote>),
}

impl BlobStore {
    /// The folder that holds it; `None`: it is elsewhere.
    pub fn folder(&self) -> Option<&std::path::Path> {
        match &self.backend {
            Backend::Folder(folder) => Some(folder.root()),
            Backend::Remote(_) => None,
        }
    }

    /// Opens the store, and creates its folder or its Azure container when that is missing. S3 and GCS buckets must
    /// be there.
    ///
    /// # Errors
    /// [`Error::Refused`] for settings that cannot work, [`Error::Unavailable`] when nothing answers within
    /// [`StorageSettings::open_timeout`].
    pub async fn open(settings: &StorageSettings) -> Result<Self, Error> {
        let limit = settings.stall_timeout;
        let backend = if let Some(root) = settings.folder() {
            let folder = blocking(At::whole(&settings.url, USE), limit, move || Folder::open(root, limit)).await?;
            Backend::Folder(Arc::new(folder))
        } else {
            Backend::Remote(Arc::new(Remote::open(settings).await?))
        };
        Ok(Self { backend, opening: None })
    }

    /// Opens a store that must be there, and changes nothing in it: the rights to list and to read suffice.
    ///
    /// # Errors
    /// [`Error::NotFound`] where there is no such folder, container or bucket; else as [`Self::open`].
    pub async fn open_existing(settings: &StorageSettings) -> Result<Self, Error> {
        let limit = settings.stall_timeout;
        let backend = if let Some(root) = settings.folder() {
            let folder = blocking(At::whole(&settings.url, USE), limit, move || {
                Folder::open_existing(root, limit)
            })
            .await?;
            Backend::Folder(Arc::new(folder))
        } else {
            Backend::Remote(Arc::new(Remote::open_existing(settings).await?))
        };
        Ok(Self { backend, opening: None })
    }

    /// The store of these settings, which nobody has asked for anything yet: its first use opens it, as [`Self::open`] does.
    /// While it is away each use says so, as one of a store that went away later does, and the next one tries anew.
    ///
    /// # Errors
    /// [`Error::Refused`] for settings that cannot work.
    pub fn open_lazily(settings: &StorageSettings) -> Result<Self, Error> {
        let backend = match settings.folder() {
            Some(root) => Backend::Folder(Arc::new(Folder::at_root(root, settings.stall_timeout))),
            None => Backend::Remote(Arc::new(Remote::unopened(settings)?)),
        };
        // Of a folder it lasts as long as its thread does: whoever waits has a patience of his own.
        let opening = Opening::new(StorageSettings {
            stall_timeout: Duration::MAX,
            ..settings.clone()
        });
        Ok(Self {
            backend,
            opening: Some(Arc::new(opening)),
        })
    }

    /// Opens it, where that is still to be done: see [`Self::open_lazily`]. Where it is away, a remote store goes on trying for
    /// as long as a transfer does; an impatient one does not.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn opened(&self) -> Result<(), Error> {
        let Some(opening) = &self.opening else {
            return Ok(());
        };
        let (patience, silence) = match &self.backend {
            Backend::Folder(folder) => (Duration::ZERO, folder.stall_timeout()),
            Backend::Remote(remote) => (remote.patience(), remote.stall_timeout()),
        };
        let end = Instant::now() + patience;
        let at = At::whole(self.name(), "open");
        let open = || {
            let (backend, settings) = (self.backend.clone(), opening.settings.clone());
            async move {
                match backend {
                    Backend::Folder(_) => Self::open(&settings).await.map(drop),
                    Backend::Remote(remote) => remote.open_soon(&settings).await,
                }
            }
        };
        loop {
            let opened = within(silence, at, opening.opened(at, open)).await;
            match opened {
                Err(Error::Unavailable(_)) if Instant::now() + PAUSE < end => sleep(PAUSE).await,
                opened => return opened,
            }
        }
    }

    /// What it is used by, once it is open.
    async fn used(&self) -> Result<&Backend, Error> {
        self.opened().await?;
        Ok(&self.backend)
    }

    /// What [`Self::describe`] would say of the store that these settings lead to, without asking it.
    ///
    /// # Errors
    /// [`Error::Refused`] for settings that cannot work.
    pub fn locate(settings: &StorageSettings) -> Result<String, Error> {
        match settings.folder() {
            Some(root) => Ok(Folder::locate(root, settings.stall_timeout)),
            None => Remote::locate(settings),
        }
    }

    /// Whether `settings`, which have their credentials of `environment`, send them to no other account or endpoint of Azure
    /// than `environment` names. Asks nobody.
    ///
    /// # Errors
    /// [`Error::Refused`] for `settings` that cannot work.
    pub fn keeps_credentials(settings: &StorageSettings, environment: &StorageSettings) -> Result<bool, Error> {
        Remote::keeps_credentials(settings, environment)
    }

    /// The store in words for people: `Azure container backups at https://acct.blob.core.windows.net`,
    /// `folder /var/backups`. Holds no secret.
    pub fn describe(&self) -> String {
        self.name().to_owned()
    }

    /// What the store is, without where: `folder`, `Azure container`.
    pub fn kind(&self) -> &'static str {
        match &self.backend {
            Backend::Folder(_) => "folder",
            Backend::Remote(remote) => remote.kind(),
        }
    }

    fn name(&self) -> &str {
        match &self.backend {
            Backend::Folder(folder) => folder.describe(),
            Backend::Remote(remote) => remote.describe(),
        }
    }

    fn at<'a>(&'a self, action: &'static str, path: &'a str) -> At<'a> {
        At::new(self.name(), action, path)
    }

    /// Whether the store is there and lets us look into it: its folder, container or bucket. Changes nothing, once it is open.
    pub async fn check(&self) -> Result<(), Error> {
        self.impatient().opened().await?;
        match &self.backend {
            Backend::Folder(folder) => self.in_folder(folder, Folder::check).await,
            Backend::Remote(remote) => remote.check().await,
        }
    }

    /// Writes a small blob, reads it back and deletes it, to see that all three work now; and, until that was seen once,
    /// that it is not replaced when it is to be created again.
    ///
    /// # Errors
    /// [`Error::Refused`] also for a store that does replace it.
    pub async fn probe(&self) -> Result<(), Error> {
        self.impatient().opened().await?;
        let path = path::probe(&OsRandom).map_err(|error| At::whole(self.name(), "probe").io(error))?;
        let written = Bytes::from_static(b"backup storage probe");
        match &self.backend {
            Backend::Folder(folder) => {
                let probe = move |folder: &Folder| {
                    folder.create(&path, &written, || true)?;
                    let read = folder.get(&path, &(0..written.len() as u64));
                    folder.delete(&path)?;
                    same(At::new(folder.describe(), "read back", &path), &read?, &written)
                };
                self.in_folder(folder, probe).await
            }
            Backend::Remote(remote) => {
                let read = remote.probe(&path, written.clone()).await?;
                same(self.at("read back", &path), &read, &written)
            }
        }
    }

    /// Begins an archive at `path`, of unknown size.
    pub async fn upload(&self, path: &str) -> Result<Upload, Error> {
        self.upload_sized(path, None).await
    }

    /// Begins an archive at `path` of about `expected` bytes, which only sets the size of its parts. With an estimate
    /// that is right by half, parts stay below 64 MiB, and what is held in memory below 128 MiB, up to 2.4 TiB in Azure
    /// and 500 GiB in S3 and GCS; without one, up to 1.5 TiB and 320 GiB.
    pub async fn upload_sized(&self, path: &str, expected: Option<u64>) -> Result<Upload, Error> {
        let at = self.at("write", path);
        path::check(at, path)?;
        Ok(Upload(match self.used().await? {
            Backend::Folder(folder) => Inner::Folder(FolderUpload::start(Arc::clone(folder), path).await?),
            Backend::Remote(remote) => {
                let name = path::unique(&OsRandom).map_err(|error| at.io(error))?;
                Inner::Remote(Box::new(remote.upload(path, name, expected)?))
            }
        }))
    }

    /// Exactly the bytes of `range`, held in memory at once.
    ///
    /// # Errors
    /// [`Error::NotFound`], or [`Error::Failed`] where the blob ends before the range does.
    pub async fn get(&self, path: &str, range: Range<u64>) -> Result<Bytes, Error> {
        path::check(self.at("read", path), path)?;
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        match self.used().await? {
            Backend::Folder(folder) => {
                let path = path.to_owned();
                self.in_folder(folder, move |folder| folder.get(&path, &range)).await
            }
            Backend::Remote(remote) => remote.get(path, range).await,
        }
    }

    /// The bytes of `range` in order, in pieces of a few MiB, read a little ahead. An end of `u64::MAX` means the end
    /// of the blob. The stream ends early only with an error; nothing is asked of the store before it is polled.
    pub fn stream(&self, path: &str, range: Range<u64>) -> BoxStream<'static, Result<Bytes, Error>> {
        let (store, path) = (self.clone(), path.to_owned());
        stream::once(async move { store.open_stream(path, range).await })
            .try_flatten()
            .boxed()
    }

    async fn open_stream(
        self,
        path: String,
        mut range: Range<u64>,
    ) -> Result<BoxStream<'static, Result<Bytes, Error>>, Error> {
        let at = self.at("read", &path);
        path::check(at, &path)?;
        self.opened().await?;
        if range.end == u64::MAX {
            range.end = self
                .size(&path)
                .await?
                .ok_or_else(|| at.not_found("there is no such blob", ""))?;
        }
        if range.is_empty() {
            return Ok(stream::empty().boxed());
        }
        match self.backend {
            Backend::Folder(folder) => Ok(folder.stream(path, range)),
            Backend::Remote(remote) => Ok(remote.stream(path, range)),
        }
    }

    /// The blob's bytes; `None` where there is no such blob.
    pub async fn size(&self, path: &str) -> Result<Option<u64>, Error> {
        path::check(self.at("look at", path), path)?;
        match self.used().await? {
            Backend::Folder(folder) => {
                let path = path.to_owned();
                self.in_folder(folder, move |folder| folder.size(&path)).await
            }
            Backend::Remote(remote) => remote.size(path).await,
        }
    }

    /// Deletes the blob. One that is not there is deleted already.
    pub async fn delete(&self, path: &str) -> Result<(), Error> {
        path::check(self.at("delete", path), path)?;
        match self.used().await? {
            Backend::Folder(folder) => {
                let path = path.to_owned();
                self.in_folder(folder, move |folder| folder.delete(&path)).await
            }
            Backend::Remote(remote) => remote.delete(path).await,
        }
    }

    /// Everything in the store but receipts: archives, what was put there by others, and what killed uploads left, which is
    /// marked. In no promised order, page by page as the stream is read. Only what lies where ours can be: in the store
    /// itself, in `YYYY` and in `YYYY/MM-DD`; other folders are somebody else's, and may be closed.
    pub fn blobs(&self) -> BoxStream<'static, Result<BlobInfo, Error>> {
        self.list()
            .try_filter(|info| future::ready(!path::is_receipt(&info.path)))
            .boxed()
    }

    fn list(&self) -> BoxStream<'static, Result<BlobInfo, Error>> {
        let store = self.clone();
        let listed = async move {
            Ok::<_, Error>(match store.used().await? {
                Backend::Folder(folder) => Arc::clone(folder).list(),
                Backend::Remote(remote) => remote.list(),
            })
        };
        stream::once(listed).try_flatten().boxed()
    }

    /// Removes what a killed upload of this path may have left: its hidden files, and the archive itself where it was
    /// finished but never got its receipt. An archive with a receipt stays. To be called before an archive is
    /// uploaded again.
    pub async fn discard_partial(&self, path: &str) -> Result<(), Error> {
        path::check(self.at("clean up", path), path)?;
        if let Backend::Folder(folder) = self.used().await? {
            let path = path.to_owned();
            self.in_folder(folder, move |folder| folder.discard_partial(&path))
                .await?;
        }
        if self.size(&path::receipt_beside(path)).await?.is_none() {
            self.delete(path).await?;
        }
        Ok(())
    }
}

fn same(at: At<'_>, read: &Bytes, written: &Bytes) -> Result<(), Error> {
    if read == written {
        Ok(())
    } else {
        Err(at.failed(
            "what is read is not what was written",
            "Check the storage: it does not keep what it is given.",
        ))
    }
}
