//! Azure, S3 and GCS, by way of object_store.

mod answer;
mod azure;
mod connect;
mod list;
mod pace;
mod place;
mod read;
mod service;
mod upload;

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use object_store::path::Path;
use object_store::{Attribute, Attributes, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, PutPayload};
use tokio::time::timeout;

use crate::error::{At, Error};
use crate::parts::{Limits, PartSizes};
use crate::settings::StorageSettings;
use crate::stall::within;

pub(crate) use answer::Secrets;
pub(crate) use upload::RemoteUpload;

/// What to do where the container is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Missing {
    Create,
    Tell,
}

/// Begins no name of ours.
const NOTHING: &str = "check-of-the-container";

/// How often a create-only write is asked for again when its answer was lost.
const CREATES: usize = 3;

/// What to do about a store that does not know how to create only.
const CONDITIONAL_WRITES: &str =
    "Use a store that knows conditional writes (If-None-Match: *), such as a newer version of this one.";

/// A container or bucket, and the prefix in it below which everything of ours is.
#[derive(Debug, Clone)]
pub(crate) struct Remote {
    kind: &'static str,
    /// Tries again for as long as a transfer may be silent.
    store: Arc<dyn ObjectStore>,
    /// Gives up within seconds: for opening and probing, and for whoever waits for an answer.
    impatient: Arc<dyn ObjectStore>,
    prefix: String,
    describe: String,
    secrets: Secrets,
    limits: Limits,
    /// How long whoever is not answered goes on asking; nothing, where somebody waits for the answer.
    patience: Duration,
    stall_timeout: Duration,
    open_timeout: Duration,
    upload_memory: usize,
    max_in_flight: usize,
    /// Was seen to leave what is there when it is to be created again.
    keeps: Arc<AtomicBool>,
}

impl Remote {
    /// Opens the container, which is created when it is missing, or the bucket.
    pub(crate) async fn open(settings: &StorageSettings) -> Result<Self, Error> {
        Self::look_at(settings, Missing::Create).await
    }

    /// Opens a container or bucket that must be there.
    pub(crate) async fn open_existing(settings: &StorageSettings) -> Result<Self, Error> {
        Self::look_at(settings, Missing::Tell).await
    }

    /// The container or bucket, which nobody has looked at yet.
    pub(crate) fn unopened(settings: &StorageSettings) -> Result<Self, Error> {
        connect::connect(settings).map(|(remote, _)| remote)
    }

    /// Does what [`Self::open`] does; but where the store is away, that is told as soon as [`Self::check`] tells it.
    pub(crate) async fn open_soon(&self, settings: &StorageSettings) -> Result<(), Error> {
        match self.check().await {
            Ok(()) => Ok(()),
            Err(error @ Error::Unavailable(_)) => Err(error),
            // A container that is missing is made; of all else, opening says best what is wrong.
            Err(_) => Self::open(settings).await.map(drop),
        }
    }

    /// What the container or bucket is called, without asking it.
    pub(crate) fn locate(settings: &StorageSettings) -> Result<String, Error> {
        Self::unopened(settings).map(|remote| remote.describe)
    }

    /// See [`crate::BlobStore::keeps_credentials`].
    pub(crate) fn keeps_credentials(settings: &StorageSettings, environment: &StorageSettings) -> Result<bool, Error> {
        service::keeps_credentials(settings, environment)
    }

    async fn look_at(settings: &StorageSettings, missing: Missing) -> Result<Self, Error> {
        let (remote, azure) = connect::connect(settings)?;
        let at = At::whole(&remote.describe, "open");
        let limit = remote.open_timeout * 3;
        match azure {
            Some(account) => within(limit, at, account.ensure_container(at, &remote.secrets, missing)).await?,
            None => within(limit, at, remote.ensure_bucket(at, missing)).await?,
        }
        Ok(remote)
    }

    // Whether the bucket is there and may be listed. It is never created: its place and rules are for people to choose.
    async fn ensure_bucket(&self, at: At<'_>, missing: Missing) -> Result<(), Error> {
        let (reason, hint) = (
            "the bucket does not exist",
            "Create the bucket, or correct its name in the storage URL.",
        );
        // Of what is never in it: a name of others may be one that no listing gets past.
        match self.impatient.list(Some(&self.location(at, NOTHING)?)).next().await {
            Some(Err(object_store::Error::NotFound { .. })) => Err(match missing {
                Missing::Create => at.refused(reason, hint),
                Missing::Tell => at.not_found(reason, hint),
            }),
            Some(Err(error)) => Err(self.error(at, &error)),
            Some(Ok(_)) | None => Ok(()),
        }
    }

    /// Whether the container or bucket is there and may be listed: by a list of what is never in it, which is short.
    pub(crate) async fn check(&self) -> Result<(), Error> {
        let at = self.at("list", NOTHING);
        match self.impatient.list(Some(&self.location(at, NOTHING)?)).next().await {
            Some(Err(error)) => Err(self.error(at, &error)),
            Some(Ok(_)) | None => Ok(()),
        }
    }

    pub(crate) fn describe(&self) -> &str {
        &self.describe
    }

    pub(crate) fn kind(&self) -> &'static str {
        self.kind
    }

    /// How long whoever is not answered goes on asking.
    pub(crate) fn patience(&self) -> Duration {
        self.patience
    }

    /// How long the store may be silent.
    pub(crate) fn stall_timeout(&self) -> Duration {
        self.stall_timeout
    }

    /// The same, which gives up within seconds whatever it is asked for.
    pub(crate) fn impatient(&self) -> Self {
        Self {
            store: Arc::clone(&self.impatient),
            patience: Duration::ZERO,
            stall_timeout: self.stall_timeout.min(self.open_timeout),
            ..self.clone()
        }
    }

    fn at<'a>(&'a self, action: &'static str, path: &'a str) -> At<'a> {
        At::new(&self.describe, action, path)
    }

    fn error(&self, at: At<'_>, error: &object_store::Error) -> Error {
        answer::error(at, error, &self.secrets)
    }

    // `Path::from` would encode what is not ASCII into the name itself.
    fn location(&self, at: At<'_>, path: &str) -> Result<Path, Error> {
        Path::parse(format!("{}{path}", self.prefix)).map_err(|error| at.refused(error, "Give a plain relative path."))
    }

    pub(crate) async fn probe(&self, path: &str, bytes: Bytes) -> Result<Bytes, Error> {
        let at = self.at("write", path);
        let location = self.location(at, path)?;
        within(self.open_timeout * 3, At::whole(&self.describe, "probe"), async {
            let quick = self.impatient();
            match quick.create_small(at, &location, bytes.clone()).await {
                // Nothing else has this name: the answer of a first try was lost.
                Ok(()) | Err(Error::AlreadyExists(_)) => {}
                Err(error) => return Err(error),
            }
            let kept = quick.keep(at, &location, bytes).await;
            let read = async { self.impatient.get(&location).await?.bytes().await }.await;
            let deleted = self.impatient.delete(&location).await;
            kept?;
            let read = read.map_err(|error| self.error(self.at("read", path), &error))?;
            deleted.map_err(|error| self.error(self.at("delete", path), &error))?;
            Ok(read)
        })
        .await
    }

    // Whether what is there stays when it is to be created again, upon which every receipt depends. A store that has
    // passed is not asked again.
    async fn keep(&self, at: At<'_>, location: &Path, bytes: Bytes) -> Result<(), Error> {
        if self.keeps.load(Ordering::Relaxed) {
            return Ok(());
        }
        match self.create_small(at, location, bytes).await {
            Err(Error::AlreadyExists(_)) => {
                self.keeps.store(true, Ordering::Relaxed);
                Ok(())
            }
            Ok(()) => Err(at.refused(
                "the store replaces what it should only create, so that a receipt could be replaced unseen",
                CONDITIONAL_WRITES,
            )),
            Err(error) => Err(error),
        }
    }

    async fn create_small(&self, at: At<'_>, location: &Path, bytes: Bytes) -> Result<(), Error> {
        let attributes = Attributes::from_iter([(Attribute::ContentType, "application/json")]);
        self.create_once(at, location, bytes.into(), attributes).await
    }

    /// `name` is the upload's own, which no other one has.
    pub(crate) fn upload(
        self: &Arc<Self>,
        path: &str,
        name: String,
        expected: Option<u64>,
    ) -> Result<RemoteUpload, Error> {
        let location = self.location(self.at("write", path), path)?;
        Ok(RemoteUpload::new(
            Arc::clone(self),
            path,
            location,
            archive_attributes(path, name),
            PartSizes::new(self.limits, expected),
        ))
    }

    pub(crate) async fn size(&self, path: &str) -> Result<Option<u64>, Error> {
        let at = self.at("look at", path);
        let location = self.location(at, path)?;
        within(self.stall_timeout, at, async {
            match self.store.head(&location).await {
                Ok(meta) => Ok(Some(meta.size)),
                Err(object_store::Error::NotFound { .. }) => Ok(None),
                Err(error) => Err(self.error(at, &error)),
            }
        })
        .await
    }

    pub(crate) async fn delete(&self, path: &str) -> Result<(), Error> {
        let at = self.at("delete", path);
        let location = self.location(at, path)?;
        within(self.stall_timeout, at, async {
            match self.store.delete(&location).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
                Err(error) => Err(self.error(at, &error)),
            }
        })
        .await
    }

    /// Creates a small blob; an error where there is one already. A write whose answer was lost is asked for again,
    /// which then may find its own blob there: the caller compares.
    pub(crate) async fn create(&self, path: &str, bytes: Bytes) -> Result<(), Error> {
        let at = self.at("create", path);
        let location = self.location(at, path)?;
        let mut tries = 0;
        loop {
            tries += 1;
            match self.create_small(at, &location, bytes.clone()).await {
                Err(Error::Unavailable(_)) if tries < CREATES => {}
                result => return result,
            }
        }
    }

    async fn create_once(
        &self,
        at: At<'_>,
        location: &Path,
        payload: PutPayload,
        attributes: Attributes,
    ) -> Result<(), Error> {
        let options = PutOptions {
            mode: PutMode::Create,
            attributes,
            ..PutOptions::default()
        };
        within(self.stall_timeout, at, async {
            match self.store.put_opts(location, payload, options).await {
                Ok(_) => Ok(()),
                Err(object_store::Error::Precondition { .. }) => {
                    Err(at.already_exists("there is one already", "Blobs are never replaced: delete it first."))
                }
                Err(error) => Err(self.error(at, &error)),
            }
        })
        .await
    }
}

/// Names the upload that made an archive.
const UPLOAD: Attribute = Attribute::Metadata(Cow::Borrowed("upload"));

/// The attributes of an archive: as specified, true to what its name says of the encryption, and the name of its upload.
fn archive_attributes(path: &str, upload: String) -> Attributes {
    let encrypted = path.rsplit('.').next() == Some("enc");
    let mut attributes = Attributes::from_iter([
        (Attribute::ContentType, "application/octet-stream"),
        (
            Attribute::Metadata("encrypted".into()),
            if encrypted { "true" } else { "false" },
        ),
    ]);
    attributes.insert(UPLOAD, upload.into());
    if encrypted {
        attributes.insert(Attribute::Metadata("algorithm".into()), "aes-256-cbc".into());
    }
    attributes
}

/// Waits for `work`, but no longer than `limit`; `None` when it took longer.
async fn at_most<T>(limit: Duration, work: impl Future<Output = T>) -> Option<T> {
    timeout(limit, work).await.ok()
}
