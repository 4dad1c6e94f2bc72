//! Messages that wait to be delivered. Whoever delivers one takes it up for a while first; one whose holder died comes up
//! again, so a message may arrive twice, and never gets lost.

mod failures;

use std::collections::HashSet;
use std::time::Duration;

use backup_core::NotificationId;
use backup_core::config::DEFAULT_CONFIG_KEY;
use backup_core::notification::{Channel, Notification, NotificationStatus, Report, WebhookPreset};
use chrono::TimeDelta;
use diesel::prelude::*;

use crate::error::TxResult;
use crate::jobs::{add, new_token};
use crate::schema::notifications;
use crate::store::Tx;
use crate::types::{Time, Word, json, small, time};
use crate::{Error, Store};
use failures::tell_of;
pub(crate) use failures::tell_others;

/// How long a message that was delivered or given up is kept to be looked at.
const KEPT: TimeDelta = TimeDelta::days(30);

/// How long a message that cannot be read is left alone.
const UNREADABLE_PAUSE: TimeDelta = TimeDelta::minutes(10);

/// Characters of an error that are kept.
const ERROR_LENGTH: usize = 1000;

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = notifications)]
struct NotificationRow {
    id: Word<NotificationId>,
    config_key: String,
    channel: Word<Channel>,
    target: String,
    /// JSON, which another version of this program may have written.
    report: String,
    status: Word<NotificationStatus>,
    attempts: i32,
    last_error: Option<String>,
    created_at: Time,
    sent_at: Option<Time>,
}

impl NotificationRow {
    fn read(self) -> Result<Notification, serde_json::Error> {
        let row = self;
        Ok(Notification {
            id: row.id.0,
            config_key: row.config_key,
            channel: row.channel.0,
            target: row.target,
            report: serde_json::from_str(&row.report)?,
            status: row.status.0,
            attempts: small(row.attempts.into()),
            last_error: row.last_error,
            created_at: row.created_at.0,
            sent_at: time(row.sent_at),
        })
    }
}

/// A message that somebody is delivering.
#[derive(Clone)]
pub struct ClaimedNotification {
    /// The message, this attempt counted.
    pub notification: Notification,
    token: String,
}

impl std::fmt::Debug for ClaimedNotification {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ClaimedNotification")
            .field(&self.notification.id)
            .finish()
    }
}

/// How a try to deliver a message ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// It was taken.
    Sent,
    /// It is to be tried again, after a while.
    Later {
        /// Why.
        error: String,
        /// How long.
        pause: Duration,
    },
    /// It was refused, which may be its own fault: it is to be tried again, after a while, and keeps no other waiting.
    Refused {
        /// Why.
        error: String,
        /// How long.
        pause: Duration,
    },
    /// It is given up, and an alert says so.
    GivenUp {
        /// Why.
        error: String,
    },
    /// Nobody wants it any more.
    Dropped {
        /// Why.
        reason: String,
    },
}

impl Store {
    /// Takes up the message that has been due the longest, for `hold`: until then nobody else does. Who has no mail server
    /// (`can_mail`) leaves e-mail to others, until it has waited for twice `patience`: then it is there to be given up. `None`:
    /// none is due.
    pub async fn claim_notification(
        &self,
        hold: Duration,
        can_mail: bool,
        patience: TimeDelta,
    ) -> Result<Option<ClaimedNotification>, Error> {
        let next = move |tx: &mut Tx<'_>| next(tx, can_mail, patience);
        // Most asks find nothing: those should not queue up with the writers.
        if self.read("find_notification", next).await?.is_none() {
            return Ok(None);
        }
        self.write("claim_notification", move |tx| {
            while let Some(row) = next(tx)? {
                let (id, attempts) = (row.id.0.to_string(), row.attempts + 1);
                let Ok(mut notification) = row.read() else {
                    put_off(tx, &id, patience)?;
                    continue;
                };
                let token = new_token(tx)?;
                notification.attempts = small(attempts.into());
                diesel::update(notifications::table.filter(notifications::id.eq(&id)))
                    .set((
                        notifications::attempts.eq(attempts),
                        notifications::run_after.eq(add(tx.now, hold).naive_utc()),
                        notifications::lease_token.eq(&token),
                    ))
                    .execute(tx.db)?;
                return Ok(Some(ClaimedNotification { notification, token }));
            }
            Ok(None)
        })
        .await
    }

    /// Records how a try ended. `false`: somebody else has taken the message up since, and nothing was changed.
    pub async fn finish_notification(&self, claimed: &ClaimedNotification, delivery: Delivery) -> Result<bool, Error> {
        let claimed = claimed.clone();
        self.write("finish_notification", move |tx| {
            let (status, error, run_after) = match &delivery {
                Delivery::Sent => (NotificationStatus::Sent, None, tx.now),
                Delivery::Later { error, pause } | Delivery::Refused { error, pause } => {
                    (NotificationStatus::Pending, Some(shortened(error)), add(tx.now, *pause))
                }
                Delivery::GivenUp { error: text } | Delivery::Dropped { reason: text } => {
                    (NotificationStatus::Failed, Some(shortened(text)), tx.now)
                }
            };
            let rows = diesel::update(
                notifications::table
                    .filter(notifications::id.eq(claimed.notification.id.to_string()))
                    .filter(notifications::lease_token.eq(&claimed.token)),
            )
            .set((
                notifications::status.eq(status.as_str()),
                notifications::last_error.eq(&error),
                notifications::run_after.eq(run_after.naive_utc()),
                notifications::sent_at.eq((status == NotificationStatus::Sent).then(|| tx.now.naive_utc())),
                notifications::lease_token.eq(None::<String>),
            ))
            .execute(tx.db)?;
            if rows > 0 {
                if let Delivery::Later { .. } = &delivery {
                    wait_for_target(tx, &claimed.notification, run_after.naive_utc())?;
                }
                tell_of(tx, &claimed.notification, &delivery)?;
                diesel::delete(
                    notifications::table
                        .filter(notifications::created_at.lt((tx.now - KEPT).naive_utc()))
                        .filter(notifications::status.ne(NotificationStatus::Pending.as_str())),
                )
                .execute(tx.db)?;
            }
            Ok(rows > 0)
        })
        .await
    }

    /// The newest messages, at most `limit`.
    pub async fn list_notifications(&self, limit: u32) -> Result<Vec<Notification>, Error> {
        self.read("list_notifications", move |tx| {
            let rows: Vec<NotificationRow> = notifications::table
                .order((notifications::created_at.desc(), notifications::id.desc()))
                .limit(i64::from(limit))
                .select(NotificationRow::as_select())
                .load(tx.db)?;
            Ok(rows.into_iter().filter_map(|row| row.read().ok()).collect())
        })
        .await
    }
}

/// A message that this version cannot read does not keep the others from going out: another process may be able to, and
/// after `patience` nobody is waited for.
fn put_off(tx: &mut Tx<'_>, id: &str, patience: TimeDelta) -> TxResult<()> {
    let row = notifications::table.filter(notifications::id.eq(id));
    diesel::update(row)
        .set((
            notifications::run_after.eq((tx.now + UNREADABLE_PAUSE).naive_utc()),
            notifications::last_error.eq("this version of the program cannot read it"),
        ))
        .execute(tx.db)?;
    diesel::update(row.filter(notifications::created_at.le((tx.now - patience).naive_utc())))
        .set(notifications::status.eq(NotificationStatus::Failed.as_str()))
        .execute(tx.db)?;
    Ok(())
}

/// What does not take one message takes no other either: those wait as long, and keep nobody else's from going out.
fn wait_for_target(tx: &mut Tx<'_>, notification: &Notification, until: chrono::NaiveDateTime) -> TxResult<()> {
    diesel::update(
        notifications::table
            .filter(notifications::status.eq(NotificationStatus::Pending.as_str()))
            .filter(notifications::config_key.eq(&notification.config_key))
            .filter(notifications::channel.eq(notification.channel.as_str()))
            .filter(notifications::target.eq(&notification.target))
            .filter(notifications::run_after.lt(until)),
    )
    .set(notifications::run_after.eq(until))
    .execute(tx.db)?;
    Ok(())
}

/// Writes down a message for each target of the configuration that wants to know.
pub(crate) fn enqueue(tx: &mut Tx<'_>, config_key: &str, report: &Report) -> TxResult<()> {
    enqueue_to(tx, config_key, report, |_, _| true)
}

/// The same for the targets of every configuration, for what concerns all of them. Nobody gets it twice by e-mail; of webhooks
/// that cannot be seen, since their addresses are sealed.
pub(crate) fn enqueue_for_all(tx: &mut Tx<'_>, report: &Report) -> TxResult<()> {
    let configs = crate::configs::all(tx)?;
    let (first, others): (Vec<_>, Vec<_>) = configs
        .into_iter()
        .map(|config| config.key)
        .partition(|key| key == DEFAULT_CONFIG_KEY);
    let mut told = HashSet::new();
    for key in first.into_iter().chain(others) {
        enqueue_to(tx, &key, report, |channel, target| {
            channel == Channel::Webhook || told.insert(target.to_owned())
        })?;
    }
    Ok(())
}

/// The same for those of them that are to be told.
fn enqueue_to(
    tx: &mut Tx<'_>,
    config_key: &str,
    report: &Report,
    mut is_told: impl FnMut(Channel, &str) -> bool,
) -> TxResult<()> {
    // Without a configuration nobody is named who could be told.
    let Some(config) = crate::configs::find(tx, config_key)? else {
        return Ok(());
    };
    // That something is over is told to those who heard of it.
    let good = matches!(report, Report::Backup(report) if report.is_good);
    let by_mail = if good {
        config.notify_on_success
    } else {
        config.notify_on_failure
    };
    let emails = config.notification_emails.iter().filter(|_| by_mail);
    // A dead man's switch takes good news for a good backup.
    let is_over = matches!(report, Report::Alert(report) if report.resolved_at.is_some());
    let hooks = config
        .webhooks
        .iter()
        .filter(|hook| if good { hook.on_success } else { hook.on_failure })
        .filter(|hook| !(is_over && hook.preset == WebhookPreset::Ping));
    let targets: Vec<(Channel, &String)> = emails
        .map(|address| (Channel::Email, address))
        .chain(hooks.map(|hook| (Channel::Webhook, &hook.name)))
        .filter(|(channel, target)| is_told(*channel, target))
        .collect();
    for (channel, target) in targets {
        let id: NotificationId = tx.id()?;
        diesel::insert_into(notifications::table)
            .values((
                notifications::id.eq(id.to_string()),
                notifications::config_key.eq(config_key),
                notifications::channel.eq(channel.as_str()),
                notifications::target.eq(target),
                notifications::report.eq(json(report)?),
                notifications::status.eq(NotificationStatus::Pending.as_str()),
                notifications::attempts.eq(0),
                notifications::created_at.eq(tx.now.naive_utc()),
                notifications::run_after.eq(tx.now.naive_utc()),
            ))
            .execute(tx.db)?;
    }
    Ok(())
}

fn next(tx: &mut Tx<'_>, can_mail: bool, patience: TimeDelta) -> TxResult<Option<NotificationRow>> {
    let mut query = notifications::table
        .into_boxed()
        .filter(notifications::status.eq(NotificationStatus::Pending.as_str()))
        .filter(notifications::run_after.le(tx.now.naive_utc()))
        .order((notifications::run_after, notifications::id))
        .select(NotificationRow::as_select());
    if !can_mail {
        query = query.filter(
            notifications::channel
                .ne(Channel::Email.as_str())
                .or(notifications::created_at.le((tx.now - patience * 2).naive_utc())),
        );
    }
    Ok(query.first(tx.db).optional()?)
}

fn shortened(error: &str) -> String {
    error.chars().take(ERROR_LENGTH).collect()
}
