//! What a restore in mode REPLACE puts where, written down before it does: whoever takes the job over finds its way by it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{RestoreId, text_enum};

text_enum! {
    /// How far a replacement is.
    pub enum ReplacementStage {
        /// The restored state is made beside the one in use.
        Beside => "BESIDE",
        /// The restored state is whole; from here on the exchange is finished, not taken back.
        Swapping => "SWAPPING",
        /// The restored state is in use; the one before is kept.
        Kept => "KEPT",
        /// The state before is being removed, and may be whole no more.
        Discarding => "DISCARDING",
        /// The state before is in use again, the restored one removed.
        RolledBack => "ROLLED_BACK",
        /// The state before is removed.
        Discarded => "DISCARDED",
    }
}

/// The names of a database that is replaced, all on one server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReplacedDatabase {
    /// The one in use.
    pub live: String,
    /// Where the restored state is made.
    pub beside: String,
    /// What the one in use is called afterwards.
    pub old: String,
    /// Which database was restored, by its number (oid), which no rename changes; known before the exchange begins.
    #[serde(default)]
    pub restored: Option<u32>,
    /// Whether there was one in use; known before the exchange begins.
    #[serde(default)]
    pub had_live: bool,
    /// The number of the one in use; known before the exchange begins.
    #[serde(default)]
    pub former: Option<u32>,
    /// Whether the restored one is in use since an earlier attempt, so that somebody may have written to it.
    #[serde(default)]
    pub was_used: bool,
}

/// The longest name that PostgreSQL keeps, in bytes.
const MAX_NAME: usize = 63;

impl ReplacedDatabase {
    /// The names for one attempt at a restore, which nobody else's are: not even an earlier attempt's, whose worker may still
    /// be at work on its own.
    pub fn of(live: &str, id: RestoreId) -> Self {
        let id = id.to_string().replace('-', "");
        let named = |word: &str| {
            let ending = format!("_{word}_{id}");
            let mut end = live.len().min(MAX_NAME - ending.len());
            while !live.is_char_boundary(end) {
                end -= 1;
            }
            format!("{}{ending}", &live[..end])
        };
        Self {
            live: live.to_owned(),
            beside: named("new"),
            old: named("old"),
            restored: None,
            had_live: false,
            former: None,
            was_used: false,
        }
    }
}

/// Which folder it is, whatever it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FolderIdentity {
    /// Its device.
    pub device: u64,
    /// Its inode.
    pub inode: u64,
    /// When it was made, in seconds and nanoseconds, where the file system says so: an inode's number is given out again.
    #[serde(default)]
    pub born: Option<(i64, u32)>,
}

impl FolderIdentity {
    /// Whether both are one folder. A device's number may be another after the machine has started anew, and does not count.
    pub fn is(&self, other: &Self) -> bool {
        self.inode == other.inode && self.born.zip(other.born).is_none_or(|(one, other)| one == other)
    }
}

/// The names of a folder that is replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReplacedFolder {
    /// The one in use.
    pub live: String,
    /// Where the restored state is made, and after the exchange the state before is.
    pub beside: String,
    /// The restored folder, known before the exchange begins.
    pub restored: Option<FolderIdentity>,
    /// Whether there was one in use.
    pub had_live: bool,
    /// The one that was in use; known before the exchange begins, but not in what an older version wrote down.
    #[serde(default)]
    pub former: Option<FolderIdentity>,
}

impl ReplacedFolder {
    /// The names for one attempt at a restore: beside the folder in use, hidden, and nobody else's.
    pub fn of(live: &str, id: RestoreId) -> Self {
        let live = live.trim_end_matches('/');
        let (above, name) = live.rsplit_once('/').map_or(("", live), |(above, name)| (above, name));
        let slash = if live.contains('/') { "/" } else { "" };
        Self {
            live: live.to_owned(),
            beside: format!("{above}{slash}.{name}.restore-{id}"),
            restored: None,
            had_live: false,
            former: None,
        }
    }
}

/// What is replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Replacement {
    /// How far it is.
    pub stage: ReplacementStage,
    /// The database, where it is one of the parts.
    pub database: Option<ReplacedDatabase>,
    /// The files, where they are one of the parts.
    pub files: Option<ReplacedFolder>,
    /// Until when the state before is kept, once it is.
    pub kept_until: Option<DateTime<Utc>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_got_the_number_of_another_is_not_taken_for_it() {
        let read = |text: &str| serde_json::from_str::<FolderIdentity>(text).unwrap();
        let made = read(r#"{"device": 1, "inode": 7, "born": [1795000000, 5]}"#);
        assert!(made.is(&FolderIdentity { device: 2, ..made }), "after a restart");
        let later = Some((1_795_000_000, 6));
        assert!(!made.is(&FolderIdentity { born: later, ..made }));
        assert!(!made.is(&FolderIdentity { inode: 8, ..made }));
        // What an older version wrote down.
        assert!(made.is(&read(r#"{"device": 1, "inode": 7}"#)));
    }

    #[test]
    fn names_are_short_enough_and_tell_restores_apart() {
        let id: RestoreId = "0193a1de-0000-7000-8000-000000000001".parse().unwrap();
        let names = ReplacedDatabase::of(&"資".repeat(40), id);
        assert!(
            names.beside.len() <= MAX_NAME && names.old.len() <= MAX_NAME,
            "{names:?}"
        );
        assert_ne!(names.beside, names.old);
        assert!(
            names.old.ends_with("_old_0193a1de000070008000000000000001"),
            "{names:?}"
        );
        let folder = ReplacedFolder::of("/srv/uploads/", id);
        assert_eq!(folder.live, "/srv/uploads");
        assert_eq!(
            folder.beside,
            "/srv/.uploads.restore-0193a1de-0000-7000-8000-000000000001"
        );
        assert_eq!(
            ReplacedFolder::of("uploads", id).beside,
            format!(".uploads.restore-{id}")
        );
        assert_eq!(
            ReplacedFolder::of("/uploads", id).beside,
            format!("/.uploads.restore-{id}")
        );
    }
}
