//! Events as they go out: the record as it is now, in every language.

use std::collections::HashMap;
use std::sync::Arc;

use backup_core::Alert;
use backup_core::list::BackupSummary;
use backup_core::restore::RestoreRecord;
use backup_db::{Event, EventKind, ScheduleSummary, Store};
use bytes::Bytes;
use serde_json::{Value, json};

use super::Change;
use crate::language::Language;
use crate::wire::alert::AlertBody;
use crate::wire::backup::BackupBody;
use crate::wire::restore::RestoreBody;
use crate::wire::schedule::ScheduleBody;

/// One change for each record that the events are about, under its last event: the record is read as it is now, so
/// earlier events would only repeat it.
pub(super) async fn changes(store: &Store, events: Vec<Event>) -> Result<Vec<Change>, backup_db::Error> {
    let mut last = HashMap::new();
    for event in &events {
        last.insert((event.kind, event.id.clone()), event.seq);
    }
    let mut changes = Vec::new();
    for event in events {
        if last.get(&(event.kind, event.id.clone())) == Some(&event.seq) {
            changes.push(change(store, &event).await?);
        }
    }
    Ok(changes)
}

async fn change(store: &Store, event: &Event) -> Result<Change, backup_db::Error> {
    let record = read(store, event).await?;
    let frames = Language::ALL.map(|language| {
        let data = match &record {
            Some(record) => record.body(language),
            None => json!({ "id": event.id, "deleted": true }),
        };
        Bytes::from(format!("id: {}\nevent: {}\ndata: {data}\n\n", event.seq, event.kind))
    });
    Ok(Change {
        seq: event.seq,
        frames: Arc::new(frames),
    })
}

/// What an event is about, as it is now.
enum Record {
    Backup(Box<BackupSummary>),
    Restore(Box<RestoreRecord>),
    Schedule(Box<ScheduleSummary>),
    Alert(Box<Alert>),
}

/// `None`: deleted since.
async fn read(store: &Store, event: &Event) -> Result<Option<Record>, backup_db::Error> {
    Ok(match event.kind {
        EventKind::Backup => match event.id.parse() {
            Ok(id) => store.get_backup(id).await?.map(|found| Record::Backup(Box::new(found))),
            Err(_) => None,
        },
        EventKind::Restore => match event.id.parse() {
            Ok(id) => store
                .get_restore(id)
                .await?
                .map(|found| Record::Restore(Box::new(found))),
            Err(_) => None,
        },
        EventKind::Schedule => match event.id.parse() {
            Ok(id) => store
                .get_schedule(id)
                .await?
                .map(|found| Record::Schedule(Box::new(found))),
            Err(_) => None,
        },
        EventKind::Alert => match event.id.parse() {
            Ok(id) => store.get_alert(id).await?.map(|found| Record::Alert(Box::new(found))),
            Err(_) => None,
        },
    })
}

impl Record {
    fn body(&self, language: Language) -> Value {
        match self {
            Self::Backup(summary) => json!(BackupBody::new((**summary).clone(), language)),
            Self::Restore(restore) => json!(RestoreBody::new((**restore).clone(), language)),
            Self::Schedule(schedule) => json!(ScheduleBody::new((**schedule).clone(), language)),
            Self::Alert(alert) => json!(AlertBody::new((**alert).clone(), language)),
        }
    }
}
