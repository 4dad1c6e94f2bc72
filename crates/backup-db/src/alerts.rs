//! Alerts: raised once for a kind and subject, open until resolved. Those of a kind that this version does not know are for no
//! caller there.

use backup_core::AlertId;
use backup_core::alert::{Alert, AlertDetails, AlertKind, AlertSeverity, AlertState, CONFIG_DETAIL, NewAlert};
use backup_core::notification::{AlertReport, Report};
use chrono::{DateTime, Utc};
use diesel::dsl::count_star;
use diesel::prelude::*;

use crate::error::TxResult;
use crate::events::{EventKind, append};
use crate::notifications::{enqueue, enqueue_for_all, tell_others};
use crate::schema::alerts;
use crate::store::Tx;
use crate::types::{Json, Time, Word, big, count, json, time};
use crate::{Error, Store};

/// What came of raising an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raised {
    /// The open alert.
    pub alert: Alert,
    /// It was not open before: people should be told.
    pub is_new: bool,
}

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = alerts)]
struct AlertRow {
    id: Word<AlertId>,
    kind: Word<AlertKind>,
    subject: String,
    severity: Word<AlertSeverity>,
    message: String,
    details: Json<AlertDetails>,
    raised_at: Time,
    acknowledged_at: Option<Time>,
    resolved_at: Option<Time>,
}

impl From<AlertRow> for Alert {
    fn from(row: AlertRow) -> Self {
        Self {
            id: row.id.0,
            kind: row.kind.0,
            subject: row.subject,
            severity: row.severity.0,
            message: row.message,
            details: row.details.0,
            raised_at: row.raised_at.0,
            acknowledged_at: time(row.acknowledged_at),
            resolved_at: time(row.resolved_at),
        }
    }
}

impl Store {
    /// Raises an alert, or brings the open one of the same kind and subject up to date. Where it is new, the people of its
    /// configuration are told; where it has none, those of all.
    pub async fn raise_alert(&self, new: NewAlert) -> Result<Raised, Error> {
        self.write("raise_alert", move |tx| raise(tx, &new)).await
    }

    /// Says that what an alert was about is over. `None`: none was open.
    pub async fn resolve_alert(&self, kind: AlertKind, subject: &str) -> Result<Option<Alert>, Error> {
        let subject = subject.to_owned();
        self.write("resolve_alert", move |tx| resolve(tx, kind, &subject)).await
    }

    /// Brings the open alerts of one kind to what is the case: raises those that are given, and resolves all others whose
    /// subject is `judged`.
    pub async fn settle_alerts(
        &self,
        kind: AlertKind,
        now: Vec<NewAlert>,
        judged: impl Fn(&Alert) -> bool + Send + 'static,
    ) -> Result<(), Error> {
        self.write("settle_alerts", move |tx| {
            for new in &now {
                raise(tx, new)?;
            }
            for alert in open_of(tx, kind)? {
                if judged(&alert) && !now.iter().any(|new| new.subject == alert.subject) {
                    resolve(tx, kind, &alert.subject)?;
                }
            }
            Ok(())
        })
        .await
    }

    /// The open alerts of one kind.
    pub async fn open_alerts(&self, kind: AlertKind) -> Result<Vec<Alert>, Error> {
        self.read("open_alerts", move |tx| open_of(tx, kind)).await
    }

    /// Records that somebody knows of an alert; the first time counts.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn acknowledge_alert(&self, id: AlertId) -> Result<Alert, Error> {
        self.write("acknowledge_alert", move |tx| {
            let row: Option<AlertRow> = alerts::table
                .filter(alerts::id.eq(id.to_string()))
                .filter(alerts::kind.eq_any(known_kinds()))
                .select(AlertRow::as_select())
                .first(tx.db)
                .optional()?;
            let mut alert: Alert = row.ok_or_else(|| Error::not_found("alert", &id))?.into();
            if alert.acknowledged_at.is_none() {
                diesel::update(alerts::table.filter(alerts::id.eq(id.to_string())))
                    .set(alerts::acknowledged_at.eq(tx.now.naive_utc()))
                    .execute(tx.db)?;
                append(tx, EventKind::Alert, &id)?;
                alert.acknowledged_at = Some(tx.now);
            }
            Ok(alert)
        })
        .await
    }

    /// An alert.
    pub async fn get_alert(&self, id: AlertId) -> Result<Option<Alert>, Error> {
        self.read("get_alert", move |tx| {
            let row: Option<AlertRow> = alerts::table
                .filter(alerts::id.eq(id.to_string()))
                .filter(alerts::kind.eq_any(known_kinds()))
                .select(AlertRow::as_select())
                .first(tx.db)
                .optional()?;
            Ok(row.map(Into::into))
        })
        .await
    }

    /// Alerts, newest first: the open ones, or with `past` all of them.
    pub async fn list_alerts(&self, past: bool, limit: u32) -> Result<Vec<Alert>, Error> {
        let state = if past { AlertState::All } else { AlertState::Open };
        self.read("list_alerts", move |tx| page(tx, state, limit, 0)).await
    }

    /// One page of the alerts, newest first, and how many there are on all.
    pub async fn alert_page(&self, state: AlertState, limit: u32, offset: u64) -> Result<(Vec<Alert>, u64), Error> {
        self.read("alert_page", move |tx| {
            let mut all = alerts::table
                .filter(alerts::kind.eq_any(known_kinds()))
                .select(count_star())
                .into_boxed();
            if state == AlertState::Open {
                all = all.filter(alerts::resolved_at.is_null());
            }
            let total: i64 = all.get_result(tx.db)?;
            Ok((page(tx, state, limit, offset)?, count(total)))
        })
        .await
    }
}

pub(crate) fn raise(tx: &mut Tx<'_>, new: &NewAlert) -> TxResult<Raised> {
    if let Some(mut alert) = open(tx, new.kind, &new.subject)? {
        if alert.severity != new.severity || alert.message != new.message || alert.details != new.details {
            diesel::update(alerts::table.filter(alerts::id.eq(alert.id.to_string())))
                .set((
                    alerts::severity.eq(new.severity.as_str()),
                    alerts::message.eq(&new.message),
                    alerts::details.eq(json(&new.details)?),
                ))
                .execute(tx.db)?;
            append(tx, EventKind::Alert, &alert.id)?;
            let is_worse = new.severity > alert.severity;
            alert.severity = new.severity;
            alert.message.clone_from(&new.message);
            alert.details.clone_from(&new.details);
            if is_worse {
                tell(tx, &alert)?;
            }
        }
        return Ok(Raised { alert, is_new: false });
    }
    let alert = Alert {
        id: tx.id()?,
        kind: new.kind,
        subject: new.subject.clone(),
        severity: new.severity,
        message: new.message.clone(),
        details: new.details.clone(),
        raised_at: tx.now,
        acknowledged_at: None,
        resolved_at: None,
    };
    diesel::insert_into(alerts::table)
        .values((
            alerts::id.eq(alert.id.to_string()),
            alerts::kind.eq(new.kind.as_str()),
            alerts::subject.eq(&new.subject),
            alerts::severity.eq(new.severity.as_str()),
            alerts::message.eq(&new.message),
            alerts::details.eq(json(&new.details)?),
            alerts::raised_at.eq(tx.now.naive_utc()),
        ))
        .execute(tx.db)?;
    append(tx, EventKind::Alert, &alert.id)?;
    tell(tx, &alert)?;
    Ok(Raised { alert, is_new: true })
}

pub(crate) fn resolve(tx: &mut Tx<'_>, kind: AlertKind, subject: &str) -> TxResult<Option<Alert>> {
    let Some(mut alert) = open(tx, kind, subject)? else {
        return Ok(None);
    };
    diesel::update(alerts::table.filter(alerts::id.eq(alert.id.to_string())))
        .set(alerts::resolved_at.eq(tx.now.naive_utc()))
        .execute(tx.db)?;
    append(tx, EventKind::Alert, &alert.id)?;
    alert.resolved_at = Some(tx.now);
    tell(tx, &alert)?;
    Ok(Some(alert))
}

/// Writes down the messages about an alert. Of a failed backup its own message tells, and the failure of a message is not
/// told by the way that failed.
fn tell(tx: &mut Tx<'_>, alert: &Alert) -> TxResult<()> {
    if alert.kind == AlertKind::BackupFailed || alert.severity == AlertSeverity::Info {
        return Ok(());
    }
    let report = Report::Alert(AlertReport {
        kind: alert.kind,
        subject: alert.subject.clone(),
        severity: alert.severity,
        message: alert.message.clone(),
        details: alert.details.clone(),
        raised_at: alert.raised_at,
        resolved_at: alert.resolved_at,
    });
    let Some(config_key) = alert.details.get(CONFIG_DETAIL) else {
        return enqueue_for_all(tx, &report);
    };
    if alert.kind == AlertKind::NotificationFailed {
        return tell_others(tx, alert, config_key, &report);
    }
    enqueue(tx, config_key, &report)
}

/// Whether what ended at `ended` may put an end to an alert: where it came after it. An alert that lies in the future is from a
/// clock that was ahead, and everything comes after it.
pub(crate) fn is_older(tx: &Tx<'_>, alert: &Alert, ended: DateTime<Utc>) -> bool {
    alert.raised_at <= ended || alert.raised_at > tx.now
}

/// The kinds that can be read. Kinds are no matter of migrations: a newer version that ran on this catalog may have raised
/// others, which are passed over, lest they hide all those that this version knows.
pub(crate) fn known_kinds() -> Vec<&'static str> {
    AlertKind::ALL.iter().map(|kind| kind.as_str()).collect()
}

fn page(tx: &mut Tx<'_>, state: AlertState, limit: u32, offset: u64) -> TxResult<Vec<Alert>> {
    let mut query = alerts::table
        .filter(alerts::kind.eq_any(known_kinds()))
        .order((alerts::raised_at.desc(), alerts::id.desc()))
        .limit(i64::from(limit))
        .offset(big(offset))
        .select(AlertRow::as_select())
        .into_boxed();
    if state == AlertState::Open {
        query = query.filter(alerts::resolved_at.is_null());
    }
    let rows: Vec<AlertRow> = query.load(tx.db)?;
    Ok(rows.into_iter().map(Into::into).collect())
}

fn open_of(tx: &mut Tx<'_>, kind: AlertKind) -> TxResult<Vec<Alert>> {
    let rows: Vec<AlertRow> = alerts::table
        .filter(alerts::kind.eq(kind.as_str()))
        .filter(alerts::resolved_at.is_null())
        .order((alerts::raised_at, alerts::id))
        .select(AlertRow::as_select())
        .load(tx.db)?;
    Ok(rows.into_iter().map(Into::into).collect())
}

pub(crate) fn open(tx: &mut Tx<'_>, kind: AlertKind, subject: &str) -> TxResult<Option<Alert>> {
    let row: Option<AlertRow> = alerts::table
        .filter(alerts::kind.eq(kind.as_str()))
        .filter(alerts::subject.eq(subject))
        .filter(alerts::resolved_at.is_null())
        .select(AlertRow::as_select())
        .first(tx.db)
        .optional()?;
    Ok(row.map(Into::into))
}
