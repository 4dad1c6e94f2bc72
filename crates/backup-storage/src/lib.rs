//! Blobs and receipts in a folder, Azure, S3 or GCS. The only crate that names object_store.
//!
//! A [`BlobStore`] is opened from [`StorageSettings`]. Archives go in through an [`Upload`], of which nothing is visible
//! before it is finished; receipts are created once and never replaced. Every operation is bounded in memory and in
//! time: the remote stores are asked again while that may help, never longer than the stall timeout, and every
//! [`Error`] names the store, the path and what to do.

mod connection_string;
mod error;
mod folder;
mod opening;
mod parts;
mod path;
mod remote;
mod settings;
mod stall;
mod store;
mod upload;

pub use error::{Detail, Error};
pub use settings::StorageSettings;
pub use store::{BlobInfo, BlobStore, MAX_RECEIPT_BYTES};
pub use upload::Upload;
