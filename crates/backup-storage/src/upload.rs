//! An archive on its way into the store.

use bytes::Bytes;

use crate::error::Error;
use crate::folder::FolderUpload;
use crate::remote::RemoteUpload;

/// An archive on its way into the store. Nothing of it is visible before [`Upload::finish`] has returned; dropped, it
/// is aborted, where there is a runtime. Killed with the program, it leaves a hidden partial file in a folder (see
/// [`crate::BlobStore::discard_partial`]), invisible blocks in Azure that the service collects after a week, and an
/// unfinished multipart upload in S3 and GCS, for which the bucket should have a lifecycle rule.
#[derive(Debug)]
pub struct Upload(pub(crate) Inner);

#[derive(Debug)]
pub(crate) enum Inner {
    Folder(FolderUpload),
    Remote(Box<RemoteUpload>),
}

impl Upload {
    /// Appends bytes, and waits while the store is behind: at most [`crate::StorageSettings::upload_memory`] beside one
    /// part are held. After an error the upload is of no more use.
    ///
    /// # Errors
    /// [`Error::NoSpace`], [`Error::Unavailable`] once the store was silent for too long, [`Error::Refused`] where the
    /// rights do not suffice.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), Error> {
        if bytes.is_empty() {
            return Ok(());
        }
        match &mut self.0 {
            Inner::Folder(upload) => upload.write(bytes).await,
            Inner::Remote(upload) => upload.write(bytes).await,
        }
    }

    /// Makes the archive visible, durably, and returns its size in bytes, as the store tells it. Where this fails, or is
    /// given up, an archive may be left that has no receipt: [`crate::BlobStore::discard_partial`] removes it.
    ///
    /// # Errors
    /// As [`Self::write`]; besides, [`Error::AlreadyExists`] where the path is taken, since an archive is never
    /// replaced, and [`Error::UploadLost`] where the store forgot what it had taken: the whole upload must start again.
    pub async fn finish(self) -> Result<u64, Error> {
        match self.0 {
            Inner::Folder(upload) => upload.finish().await,
            Inner::Remote(upload) => upload.finish().await,
        }
    }

    /// Gives up: what was written is gone when this returns, or was never visible.
    ///
    /// # Errors
    /// When the store does not answer; what is left then is invisible, and cleaned up later.
    pub async fn abort(self) -> Result<(), Error> {
        match self.0 {
            Inner::Folder(upload) => upload.abort().await,
            Inner::Remote(upload) => upload.abort().await,
        }
    }
}
