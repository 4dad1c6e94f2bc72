//! Whose what is made in the folder is. Made by root, as by an operator's command, in a folder of somebody else, it is theirs:
//! otherwise the services could no longer write there, nor list anything.

use std::fs::{self, DirBuilder, File, Metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, fchown, lchown};
use std::path::Path;

/// Makes the folders that are missing on the way from `root`, which is there, to `folder` in it.
pub(super) fn create_folders(root: &Path, folder: &Path) -> io::Result<()> {
    let mut current = root.to_owned();
    for name in folder.strip_prefix(root).unwrap_or(Path::new("")) {
        current.push(name);
        match DirBuilder::new().mode(0o700).create(&current) {
            // Never of what a link leads to, which somebody may have put in its place.
            Ok(()) => hand_over(root, &fs::symlink_metadata(&current)?, |uid, gid| {
                lchown(&current, uid, gid)
            })?,
            Err(_) if current.is_dir() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Gives a new file, which has no name for anybody yet, to whoever has `root`.
pub(super) fn hand_over_file(root: &Path, file: &File) -> io::Result<()> {
    hand_over(root, &file.metadata()?, |uid, gid| fchown(file, uid, gid))
}

fn hand_over(
    root: &Path,
    made: &Metadata,
    chown: impl FnOnce(Option<u32>, Option<u32>) -> io::Result<()>,
) -> io::Result<()> {
    if made.uid() != 0 {
        return Ok(());
    }
    let owner = fs::metadata(root)?;
    if owner.uid() == 0 {
        return Ok(());
    }
    chown(Some(owner.uid()), Some(owner.gid())).or_else(|error| match error.kind() {
        // A container's root may have no right to: a backup that is root's is better than none.
        io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidInput => {
            tracing::warn!(folder = %root.display(), %error, "what root makes in the storage's folder stays root's");
            Ok(())
        }
        _ => Err(error),
    })
}
