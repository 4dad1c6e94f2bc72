//! Which keys the kept backups need.

use backup_core::JobStatus;
use diesel::dsl::count_star;
use diesel::prelude::*;

use crate::schema::backups;
use crate::types::count;
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
}
