//! A disk that is not mounted for a while costs no backup: what is not there is neither deleted nor called lost for good.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use crate::kit::{Place, ask_as, backup, ended, fire, nightly, row, start, stored, until};
use backup_core::alert::{AlertKind, AlertSeverity, NewAlert};
use backup_core::retention::Retention;
use backup_core::schedule::Schedule;
use backup_core::{
    Backup, BackupSource, BackupType, IdGenerator, JobStatus, OsRandom, PipelineError, VerificationId, VerifyLevel,
};
use backup_db::NewVerification;
use backup_engine::{Checkpoint, Engine, Error, Watch};
use chrono::TimeDelta;

/// The storage as it is while its disk is not mounted: a folder that is there, and empty.
fn unmount(place: &Place) {
    fs::rename(place.path("storage"), place.path("the disk")).unwrap();
    fs::create_dir(place.path("storage")).unwrap();
}

/// The disk again, over whatever was written beneath it.
fn mount(place: &Place) {
    fs::remove_dir_all(place.path("storage")).unwrap();
    fs::rename(place.path("the disk"), place.path("storage")).unwrap();
}

async fn open(engine: &Engine, kind: AlertKind) -> Vec<AlertSeverity> {
    let alerts = engine.store.open_alerts(kind).await.unwrap();
    alerts.into_iter().map(|alert| alert.severity).collect()
}

async fn incremental(engine: &Engine) -> Backup {
    let id = ask_as(engine, "default", BackupType::Incremental, BackupSource::Files).await;
    let worker = start(engine);
    let made = ended(engine, id).await;
    worker.stop().await;
    assert_eq!(made.status, JobStatus::Completed, "{:?}", made.error_message);
    made
}

/// A full backup of the files and one that builds on it.
async fn chain(place: &Place, engine: &Engine) -> (Backup, Backup) {
    let full = backup(engine, BackupSource::Files).await;
    place.clock.advance(TimeDelta::minutes(1));
    fs::write(place.uploads().join("new"), "new").unwrap();
    let on_it = incremental(engine).await;
    place.clock.advance(TimeDelta::minutes(1));
    assert_eq!(on_it.base_id, Some(full.id));
    (full, on_it)
}

fn is_doubted(error: &Error) -> bool {
    matches!(error, Error::Pipeline(error @ PipelineError::Unavailable { .. }) if error.full_text().contains("mounted"))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_folder_is_not_a_storage_that_has_lost_everything() {
    let place = Place::new();
    let engine = place.engine().await;
    let (full, on_it) = chain(&place, &engine).await;
    let unwanted = backup(&engine, BackupSource::Config).await;
    place.clock.advance(TimeDelta::minutes(1));
    engine.reconcile().await.unwrap();

    unmount(&place);
    let error = engine.reconcile().await.unwrap_err();
    assert!(is_doubted(&error), "{error:?}");
    let orphans = engine.orphans(10).await.unwrap();
    assert_eq!((orphans.found.len(), orphans.unreachable.len()), (0, 1), "{orphans:?}");
    for backup in [&full, &on_it, &unwanted] {
        assert_eq!(row(&engine, backup.id).await.verify_error, None);
    }
    assert_eq!(open(&engine, AlertKind::BackupLost).await, []);
    let alert = engine.store.open_alerts(AlertKind::StorageUnreachable).await.unwrap();
    assert_eq!(alert.len(), 1);
    assert_eq!(alert[0].severity, AlertSeverity::Critical);
    assert!(alert[0].message.contains("mounted"), "{}", alert[0].message);
    // It answers, which says nothing.
    let mut watch = Watch::new(engine.clone(), "this process");
    for _ in 0..2 {
        watch.look().await.unwrap();
        assert_eq!(open(&engine, AlertKind::StorageUnreachable).await.len(), 1);
    }
    // What is to be deleted is deleted once it can be.
    let error = engine.delete_backup(unwanted.id, false).await.unwrap_err();
    assert!(is_doubted(&error), "{error:?}");
    engine.reconcile().await.unwrap_err();
    assert!(row(&engine, unwanted.id).await.deleting);

    mount(&place);
    let found = engine.reconcile().await.unwrap();
    assert_eq!(found.deletions, [unwanted.id]);
    assert_eq!((found.lost, found.damaged), (vec![], vec![]));
    assert_eq!(open(&engine, AlertKind::StorageUnreachable).await, []);
    let (receipts, blobs) = stored(&engine).await;
    assert_eq!((receipts.len(), blobs.len()), (2, 2), "{receipts:?} {blobs:?}");
    assert_eq!(incremental(&engine).await.base_id, Some(on_it.id));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_backup_of_a_storage_goes_all_the_same() {
    let place = Place::new();
    let engine = place.engine().await;
    let made = backup(&engine, BackupSource::Config).await;
    place.clock.advance(TimeDelta::minutes(1));
    let dying = engine.clone().with_checkpoints(Arc::new(|reached| {
        if reached == Checkpoint::DeleteBlobGone {
            return Err(PipelineError::failed("killed by the test", ""));
        }
        Ok(())
    }));
    dying.delete_backup(made.id, false).await.unwrap_err();
    assert_eq!(stored(&engine).await, (vec![], vec![]));
    assert_eq!(engine.reconcile().await.unwrap().deletions, [made.id]);
    assert_eq!(open(&engine, AlertKind::StorageUnreachable).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storage_that_was_emptied_for_good_is_believed_once_a_new_backup_is_in_it() {
    let place = Place::new();
    let engine = place.engine().await;
    let (full, on_it) = chain(&place, &engine).await;
    unmount(&place);
    engine.reconcile().await.unwrap_err();
    let new = backup(&engine, BackupSource::Files).await;
    place.clock.advance(TimeDelta::minutes(1));
    let found = engine.reconcile().await.unwrap();
    assert_eq!(found.lost, [full.id, on_it.id]);
    assert_eq!(open(&engine, AlertKind::StorageUnreachable).await, []);
    assert_eq!(open(&engine, AlertKind::BackupLost).await.len(), 2);
    assert_eq!(engine.delete_backup(full.id, true).await.unwrap(), [on_it.id, full.id]);
    assert_eq!(engine.reconcile().await.unwrap().lost, []);
    assert_eq!(row(&engine, new.id).await.verify_error, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_called_lost_is_good_again_once_it_is_back() {
    let place = Place::new();
    let engine = place.engine().await;
    let (full, on_it) = chain(&place, &engine).await;
    backup(&engine, BackupSource::Config).await;
    place.clock.advance(TimeDelta::minutes(1));
    let archive = place.path("storage").join(full.storage_path.as_deref().unwrap());
    let receipt = archive.with_file_name(format!("{}.json", full.id));
    for file in [receipt, archive] {
        let aside = place.path("aside");
        fs::rename(&file, &aside).unwrap();
        for _ in 0..2 {
            let found = engine.reconcile().await.unwrap();
            assert_eq!([found.lost, found.damaged].concat(), [full.id]);
            assert_eq!(found.found_again, []);
        }
        for backup in [&full, &on_it] {
            let problem = row(&engine, backup.id).await.verify_error.unwrap();
            assert!(problem.contains(&full.id.to_string()), "{problem}");
        }
        for kind in [AlertKind::BackupLost, AlertKind::ChainBroken] {
            assert_eq!(open(&engine, kind).await, [AlertSeverity::Critical], "{kind}");
        }

        fs::rename(&aside, &file).unwrap();
        assert_eq!(engine.reconcile().await.unwrap().found_again, [full.id, on_it.id]);
        for backup in [&full, &on_it] {
            let row = row(&engine, backup.id).await;
            assert_eq!((row.verify_error, row.verified_at), (None, None));
        }
        for kind in [AlertKind::BackupLost, AlertKind::ChainBroken] {
            assert_eq!(open(&engine, kind).await, [], "{kind}");
        }
    }
    assert_eq!(incremental(&engine).await.base_id, Some(on_it.id));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_alone_does_not_look_good_while_it_is_lost() {
    let place = Place::new();
    let engine = place.engine().await;
    let lost = backup(&engine, BackupSource::Files).await;
    backup(&engine, BackupSource::Config).await;
    place.clock.advance(TimeDelta::minutes(1));
    let archive = place.path("storage").join(lost.storage_path.as_deref().unwrap());
    fs::rename(&archive, place.path("aside")).unwrap();
    for _ in 0..2 {
        assert_eq!(engine.reconcile().await.unwrap().damaged, [lost.id]);
        let problem = row(&engine, lost.id).await.verify_error.unwrap();
        assert!(problem.contains(&lost.id.to_string()), "{problem}");
        assert_eq!(engine.store.monitor().await.unwrap().verify_failed, 1);
        assert_eq!(open(&engine, AlertKind::BackupLost).await, [AlertSeverity::Critical]);
        assert_eq!(open(&engine, AlertKind::ChainBroken).await, [], "nothing builds on it");
    }
    let next = incremental(&engine).await;
    assert_eq!((next.backup_type, next.base_id), (BackupType::Full, None));

    fs::rename(place.path("aside"), &archive).unwrap();
    place.clock.advance(TimeDelta::minutes(1));
    assert_eq!(engine.reconcile().await.unwrap().found_again, [lost.id]);
    assert_eq!(row(&engine, lost.id).await.verify_error, None);
    assert_eq!(engine.store.monitor().await.unwrap().verify_failed, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_to_build_on_a_lost_one_does_not_look_good_either() {
    let place = Place::new();
    let (full, on_it) = chain(&place, &place.engine().await).await;
    // A catalog that knows the base alone.
    let place = Place {
        catalog: format!("sqlite://{}", place.path("new.db").display()),
        ..place
    };
    let engine = place.engine().await;
    engine.adopt_orphan(full.id).await.unwrap();
    let archive = place.path("storage").join(full.storage_path.as_deref().unwrap());
    fs::remove_file(archive.with_file_name(format!("{}.json", full.id))).unwrap();
    assert_eq!(engine.reconcile().await.unwrap().lost, [full.id]);
    assert_eq!(open(&engine, AlertKind::ChainBroken).await, []);

    engine.adopt_orphan(on_it.id).await.unwrap();
    assert_eq!(engine.reconcile().await.unwrap().lost, [full.id]);
    assert!(row(&engine, on_it.id).await.verify_error.is_some());
    assert_eq!(open(&engine, AlertKind::ChainBroken).await, [AlertSeverity::Critical]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_job_missed_is_good_again_too() {
    let place = Place::new();
    let engine = place.engine().await;
    let (full, on_it) = chain(&place, &engine).await;
    unmount(&place);
    let new = incremental(&engine).await;
    assert_eq!((new.backup_type, new.base_id), (BackupType::Full, None));
    for backup in [&full, &on_it] {
        assert!(row(&engine, backup.id).await.verify_error.is_some());
    }
    mount(&place);
    place.clock.advance(TimeDelta::minutes(1));
    let found = engine.reconcile().await.unwrap();
    assert_eq!((found.lost, found.found_again), (vec![new.id], vec![full.id, on_it.id]));
    for backup in [&full, &on_it] {
        assert_eq!(row(&engine, backup.id).await.verify_error, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lacked_its_archive_alone_when_a_job_came_is_good_again_too() {
    let place = Place::new();
    let engine = place.engine().await;
    let (full, on_it) = chain(&place, &engine).await;
    // The job is to notice it, and not the reconciliation with which a worker begins: that one ends this alert.
    let lost = NewAlert::new(AlertKind::BackupLost, full.id, "its archive is gone");
    engine.store.raise_alert(lost).await.unwrap();
    let worker = start(&engine);
    until("the reconciliation", async || {
        open(&engine, AlertKind::BackupLost).await.is_empty().then_some(())
    })
    .await;
    engine.reconcile().await.unwrap();
    let archive = place.path("storage").join(full.storage_path.as_deref().unwrap());
    fs::rename(&archive, place.path("aside")).unwrap();
    let id = ask_as(&engine, "default", BackupType::Incremental, BackupSource::Files).await;
    let new = ended(&engine, id).await;
    worker.stop().await;
    assert_eq!((new.status, new.backup_type), (JobStatus::Completed, BackupType::Full));
    for backup in [&full, &on_it] {
        assert!(row(&engine, backup.id).await.verify_error.is_some());
    }
    fs::rename(place.path("aside"), &archive).unwrap();
    place.clock.advance(TimeDelta::minutes(1));
    assert_eq!(engine.reconcile().await.unwrap().found_again, [full.id, on_it.id]);
    for backup in [&full, &on_it] {
        let row = row(&engine, backup.id).await;
        assert_eq!((row.verify_error, row.verified_at), (None, None));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_looked_lost_for_a_while_does_not_expire_for_it() {
    let place = Place::new();
    let engine = place.engine().await;
    let schedule = nightly(&engine, |schedule| {
        schedule.retention = Retention {
            retention_days: 1,
            max_backups: 1,
            keep_daily: Some(9),
            ..Retention::default()
        };
    })
    .await;
    let mut made = Vec::new();
    for _ in 0..4 {
        made.push(fire(&place, &engine).await);
    }
    let before = stored(&engine).await;
    let folders: Vec<PathBuf> = made[..2]
        .iter()
        .map(|backup| place.path("storage").join(backup.storage_path.as_deref().unwrap()))
        .map(|archive| archive.parent().unwrap().to_owned())
        .collect();
    let aside = |number: usize| place.path(&format!("aside {number}"));
    for (number, folder) in folders.iter().enumerate() {
        fs::rename(folder, aside(number)).unwrap();
    }
    assert_eq!(engine.reconcile().await.unwrap().lost, [made[0].id, made[1].id]);
    assert_eq!(engine.expire_backups(schedule.id).await.unwrap(), []);
    for (number, folder) in folders.iter().enumerate() {
        fs::rename(aside(number), folder).unwrap();
    }
    // They are there, and nobody has looked yet.
    assert_eq!(open(&engine, AlertKind::BackupLost).await.len(), 2);
    assert_eq!(engine.expire_backups(schedule.id).await.unwrap(), []);
    let sorted = |(mut receipts, mut blobs): (Vec<String>, Vec<String>)| {
        receipts.sort();
        blobs.sort();
        (receipts, blobs)
    };
    assert_eq!(sorted(stored(&engine).await), sorted(before));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_expires_meanwhile_is_removed_once_it_can_be() {
    let place = Place::new();
    let engine = place.engine().await;
    let schedule = nightly(&engine, |_| {}).await;
    let (old, new) = (fire(&place, &engine).await, fire(&place, &engine).await);
    place.clock.advance(TimeDelta::minutes(1));
    let seen = engine.store.get_schedule(schedule.id).await.unwrap().unwrap().schedule;
    let fewer = Schedule {
        retention: Retention {
            max_backups: 1,
            ..seen.retention
        },
        ..seen.clone()
    };
    engine.store.update_schedule(&seen, fewer).await.unwrap();
    unmount(&place);
    let error = engine.expire_backups(schedule.id).await.unwrap_err();
    assert!(is_doubted(&error), "{error:?}");
    assert!(
        row(&engine, old.id).await.deleting,
        "its record stays until its files are gone"
    );
    mount(&place);
    assert_eq!(engine.reconcile().await.unwrap().deletions, [old.id]);
    let (receipts, blobs) = stored(&engine).await;
    assert_eq!((receipts.len(), blobs.len()), (1, 1), "{receipts:?} {blobs:?}");
    assert_eq!(row(&engine, new.id).await.status, JobStatus::Completed);
}

async fn ask_to_verify(engine: &Engine, backup: &Backup) -> VerificationId {
    let ids = IdGenerator::new(engine.clock.clone(), Arc::new(OsRandom));
    let new = NewVerification {
        id: ids.next().unwrap(),
        backup_id: backup.id,
        level: VerifyLevel::Content,
        created_by: None,
    };
    engine.store.create_verification(new).await.unwrap().id
}

/// A folder of the storage may be a link to another disk.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_verification_does_not_find_is_good_again_once_it_is_back() {
    let place = Place::new();
    let engine = place.engine().await;
    let (full, on_it) = chain(&place, &engine).await;
    let archive = place.path("storage").join(full.storage_path.as_deref().unwrap());
    let receipt = archive.with_file_name(format!("{}.json", full.id));
    fs::rename(&archive, place.path("archive")).unwrap();
    fs::rename(&receipt, place.path("receipt")).unwrap();
    let id = ask_to_verify(&engine, &on_it).await;
    let worker = start(&engine);
    let record = until("the verification", async || {
        let record = engine.store.get_verification(id).await.unwrap().unwrap();
        record.status.is_final().then_some(record)
    })
    .await;
    worker.stop().await;
    assert!(record.error_message.unwrap().contains(&full.id.to_string()));
    for backup in [&full, &on_it] {
        assert!(row(&engine, backup.id).await.verify_error.is_some());
    }
    let alerts = [AlertKind::VerificationFailed, AlertKind::ChainBroken];
    for kind in alerts {
        assert_eq!(open(&engine, kind).await, [AlertSeverity::Critical], "{kind}");
    }

    fs::rename(place.path("archive"), &archive).unwrap();
    fs::rename(place.path("receipt"), &receipt).unwrap();
    place.clock.advance(TimeDelta::minutes(1));
    assert_eq!(engine.reconcile().await.unwrap().found_again, [full.id, on_it.id]);
    for backup in [&full, &on_it] {
        assert_eq!(row(&engine, backup.id).await.verify_error, None);
    }
    for kind in alerts {
        assert_eq!(open(&engine, kind).await, [], "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verification_finds_nothing_wrong_with_what_is_not_mounted() {
    let place = Place::new();
    let engine = place.engine().await;
    let (_, on_it) = chain(&place, &engine).await;
    unmount(&place);
    let id = ask_to_verify(&engine, &on_it).await;
    let worker = start(&engine);
    let problem = until("the first attempt", async || {
        let record = engine.store.get_verification(id).await.unwrap().unwrap();
        record.error_message
    })
    .await;
    worker.stop().await;
    assert!(problem.contains("mounted"), "{problem}");
    assert_eq!(row(&engine, on_it.id).await.verify_error, None);
    mount(&place);
    place.clock.advance(TimeDelta::minutes(1));
    let worker = start(&engine);
    until("the next attempt", async || row(&engine, on_it.id).await.verified_at).await;
    worker.stop().await;
    assert_eq!(row(&engine, on_it.id).await.verify_error, None);
}
