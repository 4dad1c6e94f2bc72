//! Which keys the kept backups need.

use backup_core::{BackupId, JobStatus};
use diesel::dsl::count_star;
use diesel::prelude::*;

use crate::schema::backups;
use crate::types::{Word, count};
use crate::{Error, Store};

/// Backups by the key that opens them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyUse {
    /// Whose backups.
    pub config_key: String,
    /// Which key.
    pub fingerprint: String,
    /// How many.
    pub backups: u64,
}

impl Store {
    /// Which keys the good backups need, and how many need each.
    pub async fn keys_in_use(&self) -> Result<Vec<KeyUse>, Error> {
        self.read("keys_in_use", |tx| {
            let rows: Vec<(String, Option<String>, i64)> = backups::table
                .filter(backups::key_fingerprint.is_not_null())
                .filter(backups::deleting.eq(false))
                .filter(backups::status.eq(JobStatus::Completed.as_str()))
                .group_by((backups::key_fingerprint, backups::config_key))
                .select((backups::config_key, backups::key_fingerprint, count_star()))
                .load(tx.db)?;
            Ok(rows
                .into_iter()
                .filter_map(|(config_key, fingerprint, backups)| {
                    Some(KeyUse {
                        config_key,
                        fingerprint: fingerprint?,
                        backups: count(backups),
                    })
                })
                .collect())
        })
        .await
    }

    /// The key that the newest good backup of a configuration needs, of those that need one.
    pub async fn newest_key(&self, config_key: &str) -> Result<Option<String>, Error> {
        let config_key = config_key.to_owned();
        self.read("newest_key", move |tx| {
            let newest: Option<Option<String>> = backups::table
                .filter(backups::config_key.eq(&config_key))
                .filter(backups::key_fingerprint.is_not_null())
                .filter(backups::deleting.eq(false))
                .filter(backups::status.eq(JobStatus::Completed.as_str()))
                .order((backups::created_at.desc(), backups::id.desc()))
                .select(backups::key_fingerprint)
                .first(tx.db)
                .optional()?;
            Ok(newest.flatten())
        })
        .await
    }

    /// Good backups of a configuration of which no key is written down, those that need none too, with the paths of their
    /// archives: those behind `after`, in the order of their identifiers, at most `limit`.
    pub async fn without_key(
        &self,
        config_key: &str,
        after: Option<BackupId>,
        limit: u32,
    ) -> Result<Vec<(BackupId, String)>, Error> {
        let config_key = config_key.to_owned();
        self.read("without_key", move |tx| {
            let rows: Vec<(Word<BackupId>, Option<String>)> = backups::table
                .filter(backups::config_key.eq(&config_key))
                .filter(backups::key_fingerprint.is_null())
                .filter(backups::deleting.eq(false))
                .filter(backups::status.eq(JobStatus::Completed.as_str()))
                .filter(backups::storage_path.is_not_null())
                .filter(backups::id.gt(after.map_or_else(String::new, |id| id.to_string())))
                .order(backups::id)
                .limit(i64::from(limit))
                .select((backups::id, backups::storage_path))
                .load(tx.db)?;
            Ok(rows.into_iter().filter_map(|(id, path)| Some((id.0, path?))).collect())
        })
        .await
    }

    /// Writes down which keys open these backups, as their receipts say. Where it is written down already, that stays.
    pub async fn note_keys(&self, keys: Vec<(BackupId, String)>) -> Result<(), Error> {
        if keys.is_empty() {
            return Ok(());
        }
        self.write("note_keys", move |tx| {
            for (id, fingerprint) in &keys {
                let row = backups::table
                    .filter(backups::id.eq(id.to_string()))
                    .filter(backups::key_fingerprint.is_null());
                diesel::update(row)
                    .set(backups::key_fingerprint.eq(fingerprint))
                    .execute(tx.db)?;
            }
            Ok(())
        })
        .await
    }
}
