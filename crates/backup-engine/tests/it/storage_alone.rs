//! What stands in the storage is believed only where the passphrase vouches for it, and leaves it without a trace.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::kit::{Place, backup, row, stored};
use backup_core::{
    AlertKind, Backup, BackupSource, JobControl, JobStatus, NewAlert, PipelineError, TokenId, VerifyLevel,
};
use backup_engine::{Checked, Checkpoint, Engine, Error, ListedReceipt, Repository};
use backup_storage::{BlobStore, StorageSettings};
use backup_tests::azurite::Azurite;
use backup_tests::system::{Blobs, account_sas};
use chrono::TimeDelta;
use futures_util::TryStreamExt;

async fn listed(engine: &Engine) -> Vec<ListedReceipt> {
    engine.repository().receipts().try_collect().await.unwrap()
}

pub(crate) fn receipt_file(place: &Place, backup: &Backup) -> PathBuf {
    let blob = place.path("storage").join(backup.storage_path.as_deref().unwrap());
    blob.with_file_name(format!("{}.json", backup.id))
}

/// The one receipt that is listed as bad, and why.
fn bad(listed: &[ListedReceipt]) -> String {
    let mut bad = listed.iter().filter_map(|receipt| match receipt {
        ListedReceipt::Bad { error, .. } | ListedReceipt::Unreadable { error, .. } => Some(error.full_text()),
        ListedReceipt::Good(_) => None,
    });
    let text = bad.next().expect("a bad receipt");
    assert!(bad.next().is_none());
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_that_was_changed_or_exchanged_is_named() {
    let place = Place::new();
    let engine = place.engine().await;
    let first = backup(&engine, BackupSource::Files).await;
    let second = backup(&engine, BackupSource::Config).await;
    assert!(
        listed(&engine)
            .await
            .iter()
            .all(|receipt| matches!(receipt, ListedReceipt::Good(_)))
    );

    let file = receipt_file(&place, &first);
    let good = fs::read_to_string(&file).unwrap();
    let other = fs::read_to_string(receipt_file(&place, &second)).unwrap();
    for (text, why) in [
        (good.replacen("\"by a test\"", "\"by another\"", 1), "MAC"),
        (
            good.replacen("\"trigger\": \"MANUAL\"", "\"trigger\": \"SCHEDULED\"", 1),
            "MAC",
        ),
        (good[..good.len() / 2].to_owned(), "JSON"),
        (other, "exchanged"),
    ] {
        assert_ne!(text, good);
        fs::write(&file, text).unwrap();
        let listed = listed(&engine).await;
        assert_eq!(listed.len(), 2, "none is passed over");
        assert!(bad(&listed).contains(why), "{}", bad(&listed));
        let error = engine.repository().find(first.id).await.unwrap_err();
        assert!(matches!(error, PipelineError::Integrity { .. }), "{error}");
    }
    // What says the same in other white space is the same.
    let compact: serde_json::Value = serde_json::from_str(&good).unwrap();
    fs::write(&file, compact.to_string()).unwrap();
    engine.repository().find(first.id).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn with_another_passphrase_every_receipt_is_named() {
    let mut place = Place::new();
    let key = |engine: &Engine| engine.repository().keys().current().fingerprint();
    let engine = place.engine().await;
    backup(&engine, BackupSource::Config).await;
    let needed = key(&engine);
    drop(engine);
    place.passphrase = "something else";
    let engine = place.engine().await;
    let text = bad(&listed(&engine).await);
    assert!(text.contains("another key"), "{text}");
    assert!(text.contains(&needed) && text.contains(&key(&engine)), "{text}");
    assert!(text.contains("BACKUP_ENCRYPTION_KEY_PREVIOUS"), "{text}");
}

/// A place whose storage is a container, and that container as it is from outside.
pub(crate) fn in_azure() -> (Place, Blobs) {
    let (mut place, azurite) = (Place::new(), Azurite::shared());
    let container = azurite.new_container();
    let blobs = Blobs::container(azurite, &container);
    place.storage = StorageSettings {
        connection_string: Some(azurite.connection_string().into()),
        container,
        ..StorageSettings::new("")
    };
    (place, blobs)
}

/// Every backup is checked; what was found of each, in the order of `backups`, and the result.
async fn verified(engine: &Engine, backups: &[&Backup]) -> (Vec<Option<bool>>, u64) {
    let job = JobControl::new(Duration::from_secs(20));
    let mut checked = Vec::new();
    let repository = engine.repository();
    let verified = repository.verify_all(VerifyLevel::Content, &job, |one| checked.push(one));
    let bad = verified.await.unwrap();
    assert_eq!(checked.len(), backups.len(), "{checked:?}");
    let found = |backup: &&Backup| {
        checked.iter().find_map(|one| match one {
            Checked::Good(id) if *id == backup.id => Some(true),
            Checked::Bad(id, _) if *id == backup.id => Some(false),
            _ => None,
        })
    };
    (backups.iter().map(found).collect(), bad)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_file_that_cannot_be_read_hides_no_other_backup() {
    let (place, blobs) = in_azure();
    let engine = place.engine().await;
    let good = backup(&engine, BackupSource::Config).await;
    let shut = backup(&engine, BackupSource::Files).await;
    let unread = backup(&engine, BackupSource::Config).await;
    let archive = unread.storage_path.as_deref().unwrap();
    let receipt = format!("{}/{}.json", archive.rsplit_once('/').unwrap().0, unread.id);
    blobs.archive(&receipt);
    blobs.archive(shut.storage_path.as_deref().unwrap());

    let listed = listed(&engine).await;
    assert_eq!(listed.len(), 3);
    assert!(
        listed
            .iter()
            .any(|one| matches!(one, ListedReceipt::Unreadable { path, .. } if *path == receipt))
    );
    let text = bad(&listed);
    assert!(text.contains("archive tier") && text.contains(&receipt), "{text}");
    // What it says may be that it builds on this one.
    let error = engine.repository().dependents(good.id).await.unwrap_err();
    assert!(error.to_string().contains(&receipt), "{error}");

    let (found, bad) = verified(&engine, &[&good, &shut, &unread]).await;
    assert_eq!((found, bad), (vec![Some(true), Some(false), None], 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storage_that_lets_nothing_be_read_is_no_list_of_bad_backups() {
    let (mut place, _) = in_azure();
    let engine = place.engine().await;
    for _ in 0..2 {
        backup(&engine, BackupSource::Config).await;
    }
    // It may be listed, and no more.
    let (endpoint, signature) = (Azurite::shared().endpoint(), account_sas("l"));
    let text = format!("BlobEndpoint={endpoint};SharedAccessSignature={signature}");
    place.storage.connection_string = Some(text.into());
    let storage = BlobStore::open_existing(&place.storage).await.unwrap();
    let repository = Repository::new(storage, engine.keys.clone(), None);
    let error = repository.receipts().try_collect::<Vec<_>>().await.unwrap_err();
    assert!(matches!(error, PipelineError::Refused { .. }), "{error:?}");
    assert!(error.to_string().contains("HINT: Check the credentials"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storage_that_goes_away_is_no_list_of_bad_backups() {
    let place = Place::new();
    let engine = place.engine().await;
    for _ in 0..3 {
        backup(&engine, BackupSource::Config).await;
    }
    let job = JobControl::new(Duration::from_secs(20));
    let mut checked = Vec::new();
    let repository = engine.repository();
    let verified = repository.verify_all(VerifyLevel::Checksum, &job, |one| {
        fs::rename(place.path("storage"), place.path("away")).unwrap();
        checked.push(one);
    });
    let error = verified.await.unwrap_err();
    assert!(error.to_string().contains("there is no such folder"), "{error}");
    assert!(matches!(checked[..], [Checked::Good(_)]), "{checked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_deletion_is_finished_and_never_lists_half_a_backup() {
    for at in [
        Checkpoint::DeleteMarked,
        Checkpoint::DeleteReceiptGone,
        Checkpoint::DeleteBlobGone,
    ] {
        let place = Place::new();
        let engine = place.engine().await;
        let made = backup(&engine, BackupSource::Files).await;
        let kept = backup(&engine, BackupSource::Config).await;
        let dying = engine.clone().with_checkpoints(Arc::new(move |reached| {
            if reached == at {
                return Err(PipelineError::failed("killed by the test", ""));
            }
            Ok(())
        }));
        let error = dying.delete_backup(made.id, false).await.unwrap_err();
        assert!(matches!(error, Error::Pipeline(_)), "{error}");
        assert!(row(&engine, made.id).await.deleting, "{at}");
        for receipt in listed(&engine).await {
            let ListedReceipt::Good(receipt) = receipt else {
                panic!("a bad receipt after {at}")
            };
            assert!(
                engine.storage.size(&receipt.storage_path).await.unwrap().is_some(),
                "{at}: listed without its blob"
            );
        }
        let found = engine.reconcile().await.unwrap();
        assert_eq!(found.deletions, [made.id], "{at}");
        assert!(engine.store.get_backup(made.id).await.unwrap().is_none());
        let (receipts, blobs) = stored(&engine).await;
        assert!(receipts.len() == 1 && blobs.len() == 1, "{at}: {receipts:?} {blobs:?}");
        assert_eq!(row(&engine, kept.id).await.status, JobStatus::Completed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_protected_backup_is_not_deleted() {
    let place = Place::new();
    let engine = place.engine().await;
    let made = backup(&engine, BackupSource::Config).await;
    engine.store.set_protected(made.id, true).await.unwrap();
    let error = engine.delete_backup(made.id, true).await.unwrap_err();
    assert!(
        matches!(error, Error::Catalog(backup_db::Error::Protected(_))),
        "{error}"
    );
    assert_eq!(stored(&engine).await.0.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn reconciling_removes_orphans_and_names_what_is_lost() {
    let place = Place::new();
    let engine = place.live_engine().await;
    let good = backup(&engine, BackupSource::Config).await;
    let lost = backup(&engine, BackupSource::Files).await;
    fs::remove_file(receipt_file(&place, &lost)).unwrap();
    let folder = receipt_file(&place, &good).parent().unwrap().to_owned();
    let orphan: TokenId = backup_core::IdGenerator::new(engine.clock.clone(), Arc::new(backup_core::OsRandom))
        .next()
        .unwrap();
    let orphan = folder.join(format!("{orphan}.tar.gz.enc"));
    let stranger = folder.join("notes.txt");
    for file in [&orphan, &stranger] {
        fs::write(file, "x").unwrap();
    }
    let found = engine.reconcile().await.unwrap();
    assert!(found.orphans.is_empty(), "a young blob may belong to somebody");
    assert_eq!(found.lost, [lost.id]);

    let grow_old = |hours| {
        let old = std::time::SystemTime::now() - TimeDelta::hours(hours).to_std().unwrap();
        for file in [
            &orphan,
            &stranger,
            &place.path("storage").join(lost.storage_path.as_deref().unwrap()),
        ] {
            fs::File::options()
                .write(true)
                .open(file)
                .unwrap()
                .set_modified(old)
                .unwrap();
        }
    };
    grow_old(2);
    let found = engine.reconcile().await.unwrap();
    assert!(
        found.orphans.is_empty(),
        "somebody who asks no catalog may be at work on it for long"
    );
    grow_old(25);
    let found = engine.reconcile().await.unwrap();
    assert_eq!(found.orphans.len(), 1, "{:?}", found.orphans);
    assert!(!orphan.exists() && stranger.exists());
    assert!(
        place.path("storage").join(lost.storage_path.unwrap()).exists(),
        "what may be saved by hand is kept"
    );
    engine.repository().find(good.id).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_judged_hides_nothing_that_is_lost() {
    let place = Place::new();
    let engine = place.engine().await;
    let strange = backup(&engine, BackupSource::Config).await;
    place.clock.advance(TimeDelta::minutes(1));
    let lost = backup(&engine, BackupSource::Files).await;
    place.clock.advance(TimeDelta::minutes(1));
    // Nobody reads a receipt of this length to say what is there.
    let receipt = fs::File::options().write(true).open(receipt_file(&place, &strange));
    receipt.unwrap().set_len(64 << 20).unwrap();
    fs::remove_file(place.path("storage").join(strange.storage_path.as_deref().unwrap())).unwrap();
    fs::remove_file(receipt_file(&place, &lost)).unwrap();

    let error = engine.reconcile().await.unwrap_err();
    assert!(error.to_string().contains(&strange.id.to_string()), "{error}");
    assert!(row(&engine, lost.id).await.verify_error.is_some());
    let alerts = engine.store.open_alerts(AlertKind::BackupLost).await.unwrap();
    let subjects: Vec<String> = alerts.into_iter().map(|alert| alert.subject).collect();
    assert_eq!(subjects, [lost.id.to_string()]);
    assert_eq!(row(&engine, strange.id).await.verify_error, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_backup_whose_archive_is_gone_is_named_until_it_is_back() {
    let place = Place::new();
    let engine = place.engine().await;
    let made = backup(&engine, BackupSource::Files).await;
    place.clock.advance(TimeDelta::minutes(1));
    assert_eq!(engine.reconcile().await.unwrap().damaged, []);
    let archive = place.path("storage").join(made.storage_path.as_deref().unwrap());
    let whole = fs::read(&archive).unwrap();
    fs::write(&archive, &whole[..whole.len() - 1]).unwrap();
    assert_eq!(engine.reconcile().await.unwrap().damaged, [made.id], "cut short");
    fs::remove_file(&archive).unwrap();
    for _ in 0..2 {
        assert_eq!(engine.reconcile().await.unwrap().damaged, [made.id], "gone");
        let alerts = engine.store.list_alerts(false, 10).await.unwrap();
        assert_eq!(alerts.len(), 1, "raised once");
        assert_eq!(alerts[0].subject, made.id.to_string());
    }
    fs::write(&archive, &whole).unwrap();
    assert_eq!(engine.reconcile().await.unwrap().damaged, []);
    assert!(engine.store.list_alerts(false, 10).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_looked_for_is_not_back() {
    let place = Place::new();
    let engine = place.engine().await;
    let made = backup(&engine, BackupSource::Config).await;
    let lost = NewAlert::new(AlertKind::BackupLost, made.id, "its archive is gone");
    engine.store.raise_alert(lost).await.unwrap();
    let open = async || {
        let open = engine.store.open_alerts(AlertKind::BackupLost).await.unwrap();
        open.len()
    };
    // It ended in the very moment, so it is passed over.
    engine.reconcile().await.unwrap();
    assert_eq!(open().await, 1);
    place.clock.advance(TimeDelta::seconds(1));
    engine.reconcile().await.unwrap();
    assert_eq!(open().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_flipped_bit_of_a_receipt_changes_what_it_says() {
    let place = Place::new();
    let engine = place.engine().await;
    let made = backup(&engine, BackupSource::Config).await;
    let file = receipt_file(&place, &made);
    let good = fs::read(&file).unwrap();
    let says = engine.repository().find(made.id).await.unwrap();
    for (index, byte) in good.iter().enumerate() {
        let mut flipped = good.clone();
        flipped[index] = byte ^ (1 << (index % 7));
        fs::write(&file, &flipped).unwrap();
        match engine.repository().find(made.id).await {
            Err(PipelineError::Integrity { .. } | PipelineError::WrongKey { .. }) => {}
            Err(error) => panic!("byte {index}: {error}"),
            // White space between the fields, or in a number's end, may change and say the same.
            Ok(receipt) => assert_eq!(receipt, says, "byte {index}"),
        }
    }
}
