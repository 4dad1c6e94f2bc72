//! Alerts: raised once for a kind and subject, open until resolved.

use backup_core::AlertId;
use backup_core::user::{Alert, AlertSeverity, AlertState};
use diesel::dsl::count_star;
use diesel::prelude::*;

use crate::error::TxResult;
use crate::events::{EventKind, append};
use crate::schema::alerts;
use crate::store::Tx;
use crate::types::{Time, Word, big, count, time};
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
    kind: String,
    subject: String,
    severity: Word<AlertSeverity>,
    message: String,
    raised_at: Time,
    acknowledged_at: Option<Time>,
    resolved_at: Option<Time>,
}

impl From<AlertRow> for Alert {
    fn from(row: AlertRow) -> Self {
        Self {
            id: row.id.0,
            kind: row.kind,
            subject: row.subject,
            severity: row.severity.0,
            message: row.message,
            raised_at: row.raised_at.0,
            acknowledged_at: time(row.acknowledged_at),
            resolved_at: time(row.resolved_at),
        }
    }
}

impl Store {
    /// Raises an alert, or brings the open one of the same kind and subject up to date.
    pub async fn raise_alert(
        &self,
        kind: &str,
        subject: &str,
        severity: AlertSeverity,
        message: &str,
    ) -> Result<Raised, Error> {
        let (kind, subject, message) = (kind.to_owned(), subject.to_owned(), message.to_owned());
        self.write("raise_alert", move |tx| {
            if let Some(row) = open(tx, &kind, &subject)? {
                let mut alert: Alert = row.into();
                if alert.severity != severity || alert.message != message {
                    diesel::update(alerts::table.filter(alerts::id.eq(alert.id.to_string())))
                        .set((alerts::severity.eq(severity.as_str()), alerts::message.eq(&message)))
                        .execute(tx.db)?;
                    append(tx, EventKind::Alert, &alert.id)?;
                    alert.severity = severity;
                    alert.message.clone_from(&message);
                }
                return Ok(Raised { alert, is_new: false });
            }
            let alert = Alert {
                id: tx.id()?,
                kind: kind.clone(),
                subject: subject.clone(),
                severity,
                message: message.clone(),
                raised_at: tx.now,
                acknowledged_at: None,
                resolved_at: None,
            };
            diesel::insert_into(alerts::table)
                .values((
                    alerts::id.eq(alert.id.to_string()),
                    alerts::kind.eq(&kind),
                    alerts::subject.eq(&subject),
                    alerts::severity.eq(severity.as_str()),
                    alerts::message.eq(&message),
                    alerts::raised_at.eq(tx.now.naive_utc()),
                ))
                .execute(tx.db)?;
            append(tx, EventKind::Alert, &alert.id)?;
            Ok(Raised { alert, is_new: true })
        })
        .await
    }

    /// Says that what an alert was about is over. `None`: none was open.
    pub async fn resolve_alert(&self, kind: &str, subject: &str) -> Result<Option<Alert>, Error> {
        let (kind, subject) = (kind.to_owned(), subject.to_owned());
        self.write("resolve_alert", move |tx| {
            let Some(row) = open(tx, &kind, &subject)? else {
                return Ok(None);
            };
            let mut alert: Alert = row.into();
            diesel::update(alerts::table.filter(alerts::id.eq(alert.id.to_string())))
                .set(alerts::resolved_at.eq(tx.now.naive_utc()))
                .execute(tx.db)?;
            append(tx, EventKind::Alert, &alert.id)?;
            alert.resolved_at = Some(tx.now);
            Ok(Some(alert))
        })
        .await
    }

    /// Records that somebody knows of an alert; the first time counts.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn acknowledge_alert(&self, id: AlertId) -> Result<Alert, Error> {
        self.write("acknowledge_alert", move |tx| {
            let row: Option<AlertRow> = alerts::table
                .filter(alerts::id.eq(id.to_string()))
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
            let mut all = alerts::table.select(count_star()).into_boxed();
            if state == AlertState::Open {
                all = all.filter(alerts::resolved_at.is_null());
            }
            let total: i64 = all.get_result(tx.db)?;
            Ok((page(tx, state, limit, offset)?, count(total)))
        })
        .await
    }
}

fn page(tx: &mut Tx<'_>, state: AlertState, limit: u32, offset: u64) -> TxResult<Vec<Alert>> {
    let mut query = alerts::table
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

fn open(tx: &mut Tx<'_>, kind: &str, subject: &str) -> TxResult<Option<AlertRow>> {
    Ok(alerts::table
        .filter(alerts::kind.eq(kind))
        .filter(alerts::subject.eq(subject))
        .filter(alerts::resolved_at.is_null())
        .select(AlertRow::as_select())
        .first(tx.db)
        .optional()?)
}
