//! What a machine that watches wants to know.

use backup_core::ScheduleId;
use backup_core::schedule::Schedule;
use backup_core::usage::{Monitor, ScheduleHealth};
use diesel::prelude::*;

use crate::alerts::known_kinds;
use crate::schedules::ScheduleRow;
use crate::schema::{alerts, backup_schedules, backups};
use crate::types::{Time, count, time};
use crate::{Error, Store};

impl Store {
    /// How many schedules fire, what verifications found, and how many alerts are open.
    pub async fn monitor(&self) -> Result<Monitor, Error> {
        self.read("monitor", |tx| {
            let enabled: i64 = backup_schedules::table
                .filter(backup_schedules::is_enabled.eq(true))
                .count()
                .get_result(tx.db)?;
            let failed: i64 = backups::table
                .filter(backups::verify_error.is_not_null())
                .filter(backups::deleting.eq(false))
                .count()
                .get_result(tx.db)?;
            // Each by an index of its own.
            let missing: i64 = backups::table
                .filter(backups::missing.is_not_null())
                .filter(backups::verify_error.is_null())
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
                .filter(alerts::kind.eq_any(known_kinds()))
                .count()
                .get_result(tx.db)?;
            Ok(Monitor {
                enabled_schedules: count(enabled),
                verify_failed: count(failed) + count(missing),
                last_verified_at: time(newest.flatten()),
                open_alerts: count(open),
            })
        })
        .await
    }

    /// How the schedules behind `after` are doing, in the order of their identifiers, at most `limit`: to go through all of
    /// them.
    pub async fn schedule_health(&self, after: Option<ScheduleId>, limit: u32) -> Result<Vec<ScheduleHealth>, Error> {
        self.read("schedule_health", move |tx| {
            let rows: Vec<ScheduleRow> = backup_schedules::table
                .filter(backup_schedules::id.gt(after.map_or_else(String::new, |id| id.to_string())))
                .order(backup_schedules::id)
                .limit(i64::from(limit))
                .select(ScheduleRow::as_select())
                .load(tx.db)?;
            Ok(rows.into_iter().map(|row| health(&row.into())).collect())
        })
        .await
    }
}

fn health(schedule: &Schedule) -> ScheduleHealth {
    let interval = schedule.next_run_at.and_then(|next| {
        // One that cannot be read is an alert of its own.
        let (cron, zone) = schedule.timing().ok()?;
        Some(cron.next_after(next, zone)? - next)
    });
    ScheduleHealth {
        id: schedule.id,
        name: schedule.name.clone(),
        is_enabled: schedule.is_enabled,
        last_success_at: schedule.last_success_at,
        next_run_at: schedule.next_run_at,
        interval,
    }
}
