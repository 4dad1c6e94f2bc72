//! What a machine that watches wants to know.

use backup_core::JobStatus;
use backup_core::usage::{Monitor, ScheduleHealth};
use diesel::prelude::*;

use crate::schema::{alerts, backup_schedules, backups};
use crate::types::{Time, Word, count, time};
use crate::{Error, Store};

impl Store {
    /// How each schedule is doing, what verifications found, and how many alerts are open.
    pub async fn monitor(&self) -> Result<Monitor, Error> {
        type Row = (Word<backup_core::ScheduleId>, String, bool, Option<Time>);
        self.read("monitor", |tx| {
            let rows: Vec<Row> = backup_schedules::table
                .order(backup_schedules::id.asc())
                .select((
                    backup_schedules::id,
                    backup_schedules::name,
                    backup_schedules::is_enabled,
                    backup_schedules::next_run_at,
                ))
                .load(tx.db)?;
            let mut schedules = Vec::with_capacity(rows.len());
            for (id, name, is_enabled, next) in rows {
                let last: Option<Option<Time>> = backups::table
                    .filter(backups::schedule_id.eq(id.0.to_string()))
                    .filter(backups::status.eq(JobStatus::Completed.as_str()))
                    .order(backups::created_at.desc())
                    .select(backups::completed_at)
                    .first(tx.db)
                    .optional()?;
                schedules.push(ScheduleHealth {
                    id: id.0,
                    name,
                    is_enabled,
                    last_success_at: time(last.flatten()),
                    next_run_at: time(next),
                });
            }
            let failed: i64 = backups::table
                .filter(backups::verify_error.is_not_null())
                .filter(backups::deleting.eq(false))
                .count()
                .get_result(tx.db)?;
            let newest: Option<Option<Time>> = backups::table
                .filter(backups::verified_at.is_not_null())
                .order(backups::verified_at.desc())
                .select(backups::verified_at)
                .first(tx.db)
                .optional()?;
            let open: i64 = alerts::table
                .filter(alerts::resolved_at.is_null())
                .count()
                .get_result(tx.db)?;
            Ok(Monitor {
                schedules,
                verify_failed: count(failed),
                last_verified_at: time(newest.flatten()),
                open_alerts: count(open),
            })
        })
        .await
    }
}
