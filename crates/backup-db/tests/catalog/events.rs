//! Whoever watches the events misses no change and sees them in order.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use backup_core::{AlertKind, NewAlert, Step};
use backup_db::{EVENTS_KEPT, EventKind, JobPosition};

use crate::fixture::{Catalog, LEASE, at_once, on_both};

on_both!(
    each_change_is_an_event,
    a_reader_never_misses_an_event_of_writers_at_once,
    old_events_are_trimmed_and_the_count_goes_on,
);

async fn each_change_is_an_event(catalog: Catalog) {
    assert_eq!(catalog.store.last_event_seq().await.unwrap(), 0);
    let (id, lease) = catalog.running().await;
    catalog
        .store
        .heartbeat(&lease, JobPosition::new(10, Step::Database), LEASE)
        .await
        .unwrap();
    catalog
        .store
        .heartbeat(&lease, JobPosition::new(10, Step::Database), LEASE)
        .await
        .unwrap();
    let alert = catalog
        .store
        .raise_alert(NewAlert::new(AlertKind::BackupFailed, "x", "m"))
        .await
        .unwrap()
        .alert;
    let seen: Vec<_> = catalog.store.events_after(0, 100).await.unwrap();
    let kinds: Vec<(i64, EventKind, String)> = seen.iter().map(|e| (e.seq, e.kind, e.id.clone())).collect();
    let backup = |seq| (seq, EventKind::Backup, id.to_string());
    // Asked for, taken up, 10 %; a heartbeat without news is none.
    assert_eq!(
        kinds,
        [
            backup(1),
            backup(2),
            backup(3),
            (4, EventKind::Alert, alert.id.to_string())
        ]
    );
    assert_eq!(catalog.store.events_after(2, 1).await.unwrap()[0].seq, 3);
}

async fn a_reader_never_misses_an_event_of_writers_at_once(catalog: Catalog) {
    let other = catalog.another().await;
    let done = Arc::new(AtomicBool::new(false));
    let reader = {
        let (store, done) = (catalog.another().await, done.clone());
        tokio::spawn(async move {
            let mut next = 1;
            loop {
                let last_round = done.load(Ordering::SeqCst);
                for event in store.events_after(next - 1, 1_000).await.unwrap() {
                    assert_eq!(event.seq, next, "an event became visible after a later one");
                    next += 1;
                }
                if last_round {
                    return next - 1;
                }
            }
        })
    };
    let new: Vec<_> = (0..8)
        .map(|_| (0..20).map(|_| catalog.new_backup()).collect::<Vec<_>>())
        .collect();
    at_once(8, |index| {
        let store = if index % 2 == 0 {
            catalog.store.clone()
        } else {
            other.clone()
        };
        let new = new[index].clone();
        async move {
            for backup in new {
                store.create_backup(backup).await.unwrap();
            }
        }
    })
    .await;
    done.store(true, Ordering::SeqCst);
    assert_eq!(reader.await.unwrap(), 160);
}

async fn old_events_are_trimmed_and_the_count_goes_on(catalog: Catalog) {
    catalog.pending().await;
    catalog
        .sql(&format!("UPDATE event_counter SET last_seq = {EVENTS_KEPT}"))
        .unwrap();
    catalog.pending().await;
    let seen: Vec<i64> = catalog
        .store
        .events_after(0, 10)
        .await
        .unwrap()
        .iter()
        .map(|event| event.seq)
        .collect();
    assert_eq!(seen, [EVENTS_KEPT + 1], "the first one is more than {EVENTS_KEPT} back");
}
