//! What is being read is not deleted, and a reader that died holds nothing for ever.

use std::time::Duration;

use backup_core::BackupId;
use backup_core::retention::Retention;
use backup_core::schedule::Schedule;
use backup_db::Error;

use crate::fixture::{Catalog, on_both};
use crate::retention::made;

on_both!(
    what_is_read_is_not_deleted_until_the_reading_ends,
    a_reading_runs_out_unless_it_is_kept,
    a_reading_that_ran_out_does_not_come_back_to_a_backup_that_goes,
    what_is_read_does_not_expire,
    only_what_is_whole_is_read,
);

const HOLD: Duration = Duration::from_mins(2);

async fn deletes(catalog: &Catalog, id: BackupId) -> bool {
    match catalog.store.begin_delete(id, true).await {
        Ok(_) => true,
        Err(Error::InUse { jobs, .. }) => {
            assert!(jobs[0].starts_with("download "), "{jobs:?}");
            false
        }
        Err(error) => panic!("{error}"),
    }
}

async fn what_is_read_is_not_deleted_until_the_reading_ends(catalog: Catalog) {
    let id = catalog.completed(None).await;
    let first = catalog.store.begin_reading(id, HOLD).await.unwrap();
    let second = catalog.another().await.begin_reading(id, HOLD).await.unwrap();
    assert!(!deletes(&catalog, id).await);
    catalog.store.end_reading(first).await.unwrap();
    assert!(!deletes(&catalog, id).await, "another still reads it");
    catalog.store.end_reading(second).await.unwrap();
    catalog.store.end_reading(second).await.unwrap();
    assert!(deletes(&catalog, id).await);
}

async fn a_reading_runs_out_unless_it_is_kept(catalog: Catalog) {
    let id = catalog.completed(None).await;
    let reading = catalog.store.begin_reading(id, HOLD).await.unwrap();
    catalog.advance(100);
    assert!(catalog.store.keep_reading(reading, HOLD).await.unwrap());
    catalog.advance(119);
    assert!(!deletes(&catalog, id).await);
    catalog.advance(1);
    // It was only slow, and nobody has deleted anything: it goes on.
    assert!(catalog.store.keep_reading(reading, HOLD).await.unwrap());
    assert!(!deletes(&catalog, id).await);
    // Now it is dead.
    catalog.advance(120);
    assert!(deletes(&catalog, id).await);
}

async fn a_reading_that_ran_out_does_not_come_back_to_a_backup_that_goes(catalog: Catalog) {
    let id = catalog.completed(None).await;
    let reading = catalog.store.begin_reading(id, HOLD).await.unwrap();
    catalog.advance(120);
    assert!(deletes(&catalog, id).await);
    assert!(
        !catalog.store.keep_reading(reading, HOLD).await.unwrap(),
        "whoever reads on has to know that the file goes away"
    );
    catalog.store.finish_delete(id).await.unwrap();
    assert!(!catalog.store.keep_reading(reading, HOLD).await.unwrap());
}

async fn what_is_read_does_not_expire(catalog: Catalog) {
    let schedule = Schedule {
        is_enabled: false,
        retention: Retention {
            max_backups: 1,
            ..Retention::default()
        },
        ..catalog.new_schedule()
    };
    let schedule = catalog.store.create_schedule(schedule).await.unwrap().id;
    let old = made(&catalog, Some(schedule), None).await;
    catalog.advance(1);
    made(&catalog, Some(schedule), None).await;
    let reading = catalog.store.begin_reading(old, HOLD).await.unwrap();
    assert_eq!(catalog.store.expire_backups(schedule).await.unwrap(), []);
    catalog.store.end_reading(reading).await.unwrap();
    assert_eq!(catalog.store.expire_backups(schedule).await.unwrap()[0].id, old);
}

async fn only_what_is_whole_is_read(catalog: Catalog) {
    let waiting = catalog.pending().await.id;
    let refused = catalog.store.begin_reading(waiting, HOLD).await;
    assert!(matches!(refused, Err(Error::WrongState { .. })), "{refused:?}");
    catalog.store.cancel_backup(waiting).await.unwrap();
    let id = catalog.completed(None).await;
    catalog.store.begin_delete(id, false).await.unwrap();
    for id in [id, catalog.id()] {
        let refused = catalog.store.begin_reading(id, HOLD).await;
        assert!(matches!(refused, Err(Error::NotFound { .. })), "{refused:?}");
    }
}
