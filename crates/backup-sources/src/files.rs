//! The uploaded files of a backup: a tree with everything a tree can hold.
//!
//! Both ways go through descriptors of open folders and never follow a link, so that neither a folder that is swapped for a
//! link while it is read, nor a hostile archive, leads out of the tree.

mod content;
mod digest;
mod dirs;
mod drill;
mod links;
mod look;
mod made;
mod measure;
mod metadata;
mod mode;
mod owners;
mod plan;
mod remove;
mod restore;
mod save;
mod shown;
mod source;
mod swap;
mod target;
mod walk;

pub use drill::FilesDrill;
pub(crate) use look::look_at_folder;
pub(crate) use made::Made;
pub(crate) use measure::{measure, measure_readable};
pub(crate) use restore::restore_tree;
pub(crate) use save::Saver;
pub use shown::shown_path;
pub use source::FilesSource;
pub use swap::{FolderSwap, FolderSwapState};
pub use target::{FilesTarget, FilesTargetOptions};
pub(crate) use target::{check_target, into_folder};

/// The part's name in the archive.
const PART: &str = "files";

/// The most components of a path, so that memory is bounded. What lies deeper is neither saved nor restored.
const MAX_DEPTH: usize = 100_000;
