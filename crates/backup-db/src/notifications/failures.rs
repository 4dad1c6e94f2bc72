//! That somebody cannot be told: an alert until they can be, of which the others are told.

use backup_core::alert::{Alert, AlertKind, NewAlert, SINCE_DETAIL};
use backup_core::notification::{Channel, Notification, NotificationStatus, Report, way};
use chrono::TimeDelta;
use diesel::prelude::*;

use super::{Delivery, NotificationRow, enqueue_to};
use crate::alerts::{raise, resolve};
use crate::error::TxResult;
use crate::schema::notifications;
use crate::store::Tx;
use crate::types::Word;
use crate::{Error, Store};

/// How long a message may wait.
const OVERDUE: TimeDelta = TimeDelta::minutes(15);

/// What the JSON of a message has, and no text in it, that is about another one which could not be delivered.
const ABOUT_FAILURE: &str = "%\"kind\":\"NOTIFICATION_FAILED\"%";

/// The messages that have waited for too long. Those about others that could not be delivered do not count: two ways that
/// are slow would tell of each other for ever.
macro_rules! overdue_rows {
    ($tx:expr) => {
        notifications::table
            .filter(notifications::status.eq(NotificationStatus::Pending.as_str()))
            .filter(notifications::created_at.le(($tx.now - OVERDUE).naive_utc()))
            .filter(notifications::report.not_like(ABOUT_FAILURE))
    };
    ($tx:expr, $config_key:expr, $channel:expr, $target:expr) => {
        overdue_rows!($tx)
            .filter(notifications::config_key.eq($config_key))
            .filter(notifications::channel.eq($channel.as_str()))
            .filter(notifications::target.eq($target))
    };
}

impl Store {
    /// The oldest message of each way by which one has waited for more than a quarter of an hour; those about other messages
    /// that could not be delivered left out.
    pub async fn overdue_notifications(&self) -> Result<Vec<Notification>, Error> {
        self.read("overdue_notifications", overdue).await
    }
}

fn overdue(tx: &mut Tx<'_>) -> TxResult<Vec<Notification>> {
    type Way = (String, Word<Channel>, String);
    let ways: Vec<Way> = overdue_rows!(tx)
        .select((notifications::config_key, notifications::channel, notifications::target))
        .distinct()
        .load(tx.db)?;
    let mut all = Vec::new();
    for (config_key, channel, target) in ways {
        let oldest: Option<NotificationRow> = overdue_rows!(tx, &config_key, channel.0, &target)
            .order((notifications::created_at, notifications::id))
            .select(NotificationRow::as_select())
            .first(tx.db)
            .optional()?;
        all.extend(oldest.and_then(|row| row.read().ok()));
    }
    Ok(all)
}

/// A way that does not work is an alert, until it works.
pub(super) fn tell_of(tx: &mut Tx<'_>, notification: &Notification, delivery: &Delivery) -> TxResult<()> {
    let is_over = match delivery {
        // Where another one still waits, it works for some of them only.
        Delivery::Sent => {
            let Notification {
                config_key,
                channel,
                target,
                ..
            } = notification;
            let waiting: i64 = overdue_rows!(tx, config_key, channel, target)
                .count()
                .get_result(tx.db)?;
            waiting == 0
        }
        Delivery::Dropped { .. } => true,
        Delivery::Later { .. } | Delivery::Refused { .. } | Delivery::GivenUp { .. } => false,
    };
    if is_over {
        resolve(tx, AlertKind::NotificationFailed, &notification.way())?;
    }
    if let Delivery::GivenUp { error } = delivery
        && !is_about_failure(&notification.report)
    {
        raise(tx, &NewAlert::notification_lost(notification, error))?;
    }
    Ok(())
}

fn is_about_failure(report: &Report) -> bool {
    matches!(report, Report::Alert(alert) if alert.kind == AlertKind::NotificationFailed)
}

/// Writes down the messages about a way that does not work: by all others that do. That it is over is told to those who
/// heard of it, and by the way itself where one of its own messages was lost.
pub(crate) fn tell_others(tx: &mut Tx<'_>, alert: &Alert, config_key: &str, report: &Report) -> TxResult<()> {
    if alert.resolved_at.is_none() {
        // One mail server that is away is the same for all addresses.
        let stuck: Vec<String> = overdue(tx)?.iter().map(Notification::way).collect();
        return enqueue_to(tx, config_key, report, |channel, target| {
            let way = way(config_key, channel, target);
            way != alert.subject && !stuck.contains(&way)
        });
    }
    let was_lost = !alert.details.contains_key(SINCE_DETAIL);
    let heard = heard(tx, alert)?;
    enqueue_to(tx, config_key, report, |channel, target| {
        let way = way(config_key, channel, target);
        heard.contains(&way) || (was_lost && way == alert.subject)
    })
}

/// By which ways people were told when the alert was raised.
fn heard(tx: &mut Tx<'_>, alert: &Alert) -> TxResult<Vec<String>> {
    let rows: Vec<NotificationRow> = notifications::table
        .filter(notifications::created_at.eq(alert.raised_at.naive_utc()))
        .filter(notifications::report.like(ABOUT_FAILURE))
        .select(NotificationRow::as_select())
        .load(tx.db)?;
    let messages = rows.into_iter().filter_map(|row| row.read().ok());
    Ok(messages
        .filter(|message| matches!(&message.report, Report::Alert(told) if told.subject == alert.subject))
        .map(|message| message.way())
        .collect())
}
