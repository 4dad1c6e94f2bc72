//! A lost catalog is filled again, once, however often that is broken off.

use backup_core::config::{BackupConfig, SystemConfig};
use backup_core::user::{Role, User};
use backup_core::{BackupId, Receipt, ScheduleId};
use backup_db::{AuditListOptions, Error, ImportedSettings, NewUser};
use chrono::TimeDelta;

use crate::deletion::receipt;
use crate::fixture::{Catalog, on_both, start};

on_both!(
    schedules_have_their_backups_again_and_retention_goes_on,
    a_rebuild_that_was_broken_off_is_gone_on_with,
    only_an_empty_catalog_is_rebuilt,
    nothing_expires_before_the_end,
    people_come_back_and_log_in_only_when_somebody_lets_them,
    a_wrong_clock_makes_nothing_old_at_once,
    a_protection_outlives_a_rebuild_that_leaves_its_backup_out,
);

fn settings(catalog: &Catalog) -> ImportedSettings {
    let mut shop = BackupConfig::defaults("shop", start());
    shop.quota_gigabytes = Some(5);
    let mut asleep = catalog.new_schedule();
    asleep.is_enabled = false;
    "shop".clone_into(&mut asleep.config_key);
    ImportedSettings {
        configs: vec![shop],
        system_configs: vec![SystemConfig {
            key: "site.title".to_owned(),
            value: "備份".to_owned(),
            category: "GENERAL".to_owned(),
            value_type: "STRING".to_owned(),
            name: "Title".to_owned(),
            description: None,
            is_encrypted: false,
        }],
        schedules: vec![catalog.new_schedule(), asleep],
        users: vec![person(catalog, "ops@example.org", Role::Admin)],
        protected: Vec::new(),
    }
}

fn person(catalog: &Catalog, email: &str, role: Role) -> User {
    User {
        id: catalog.id(),
        email: email.to_owned(),
        display_name: "Ops".to_owned(),
        role,
        is_active: false,
        created_at: start(),
        last_login_at: None,
    }
}

fn of(catalog: &Catalog, schedule: ScheduleId) -> Receipt {
    Receipt {
        schedule_id: Some(schedule),
        ..receipt(catalog, catalog.id(), None)
    }
}

async fn audited(catalog: &Catalog) -> u64 {
    let options = AuditListOptions {
        action: Some("CATALOG_REBUILD".to_owned()),
        limit: 10,
        ..AuditListOptions::default()
    };
    catalog.store.list_audit(&options).await.unwrap().total
}

/// Many backups of one schedule, one an hour; the last one is of now.
fn hours(catalog: &Catalog, schedule: ScheduleId, count: u32) -> Vec<Receipt> {
    let mut receipts = Vec::new();
    for _ in 0..count {
        catalog.advance(3_600);
        receipts.push(of(catalog, schedule));
    }
    receipts
}

async fn schedules_have_their_backups_again_and_retention_goes_on(catalog: Catalog) {
    let mut settings = settings(&catalog);
    let (hourly, asleep) = (settings.schedules[0].clone(), settings.schedules[1].clone());
    let mut receipts = hours(&catalog, hourly.id, 12);
    let kept = receipts[0].id;
    settings.protected = vec![kept];
    receipts.push(receipt(&catalog, catalog.id(), None));
    assert!(!catalog.store.begin_rebuild().await.unwrap());
    catalog.store.import_settings(settings.clone()).await.unwrap();
    assert_eq!(catalog.store.import_backups(receipts.clone()).await.unwrap(), 13);
    catalog.store.finish_rebuild("from a test", true).await.unwrap();
    let back = catalog.store.get_schedule(hourly.id).await.unwrap().unwrap();
    assert_eq!(back.backups, 12);
    assert_eq!(back.schedule.retention, hourly.retention);
    assert_eq!(
        back.schedule.next_run_at,
        Some(catalog.clock_now() + TimeDelta::hours(1))
    );
    assert_eq!(back.schedule.last_success_at, Some(receipts[11].completed_at));
    assert_eq!(catalog.schedule(asleep.id).await.next_run_at, None);
    assert_eq!(
        catalog.store.get_config("shop").await.unwrap().unwrap().quota_gigabytes,
        Some(5)
    );
    assert_eq!(
        catalog.store.list_system_configs().await.unwrap(),
        settings.system_configs
    );
    let first = catalog.backup(receipts[0].id).await;
    assert_eq!(
        (first.protected, first.schedule_id, first.created_at),
        (true, Some(hourly.id), receipts[0].created_at)
    );
    assert_eq!(catalog.store.protected_backups().await.unwrap(), [kept]);
    assert_eq!(catalog.backup(receipts[12].id).await.schedule_id, None);
    assert_eq!(audited(&catalog).await, 1);
    // Ten are kept, and the protected one beside them.
    let gone: Vec<BackupId> = catalog
        .store
        .expire_backups(hourly.id)
        .await
        .unwrap()
        .iter()
        .map(|backup| backup.id)
        .collect();
    assert_eq!(gone, [receipts[1].id]);
}

async fn a_rebuild_that_was_broken_off_is_gone_on_with(catalog: Catalog) {
    let settings = settings(&catalog);
    let receipts = hours(&catalog, settings.schedules[0].id, 3);
    let backups = |range: std::ops::Range<usize>| receipts[range].to_vec();
    assert!(!catalog.store.begin_rebuild().await.unwrap());
    catalog.store.import_settings(settings.clone()).await.unwrap();
    assert_eq!(catalog.store.import_backups(backups(0..2)).await.unwrap(), 2);
    // The process dies here.
    let other = catalog.another().await;
    assert!(other.begin_rebuild().await.unwrap());
    other.import_settings(settings).await.unwrap();
    assert_eq!(other.import_backups(backups(0..3)).await.unwrap(), 1);
    other.finish_rebuild("at last", true).await.unwrap();
    other.finish_rebuild("its answer was lost", true).await.unwrap();
    assert_eq!(audited(&catalog).await, 1);
    assert_eq!(other.overview().await.unwrap().usage.backup_count, 3);
    assert!(matches!(other.begin_rebuild().await, Err(Error::NotEmpty { .. })));
}

async fn only_an_empty_catalog_is_rebuilt(catalog: Catalog) {
    // What a server makes that was started on it does not count.
    let admin = NewUser {
        id: catalog.id(),
        email: "admin@example.org".to_owned(),
        display_name: "Admin".to_owned(),
        role: Role::Admin,
        password_hash: Some("$argon2id$x".to_owned()),
        oidc_subject: None,
    };
    catalog.store.create_first_admin(admin).await.unwrap().unwrap();
    catalog
        .store
        .put_config(&BackupConfig::defaults("default", start()))
        .await
        .unwrap();
    match catalog.store.begin_rebuild().await {
        Err(error @ Error::NotEmpty { .. }) => {
            let text = error.to_string();
            assert!(
                text.contains("configurations") && text.contains("CATALOG_URL"),
                "{text}"
            );
        }
        other => panic!("{other:?}"),
    }
    catalog.store.delete_config("default").await.unwrap();
    catalog.pending().await;
    assert!(matches!(
        catalog.store.begin_rebuild().await,
        Err(Error::NotEmpty { holds: "backups", .. })
    ));
    catalog.sql("DELETE FROM backups").unwrap();
    assert!(!catalog.store.begin_rebuild().await.unwrap());
}

/// A base whose dependents, and a backup whose protection, are not back yet must not go.
async fn nothing_expires_before_the_end(catalog: Catalog) {
    let settings = settings(&catalog);
    let hourly = settings.schedules[0].id;
    let receipts = hours(&catalog, hourly, 12);
    catalog.store.begin_rebuild().await.unwrap();
    catalog.store.import_settings(settings).await.unwrap();
    catalog.store.import_backups(receipts).await.unwrap();
    assert!(catalog.store.expire_backups(hourly).await.unwrap().is_empty());
    // What could not be read may build on what is too old.
    catalog.store.finish_rebuild("", false).await.unwrap();
    assert!(catalog.store.expire_backups(hourly).await.unwrap().is_empty());
    assert!(catalog.store.begin_rebuild().await.unwrap(), "it can be gone on with");
    catalog.store.finish_rebuild("", true).await.unwrap();
    assert_eq!(catalog.store.expire_backups(hourly).await.unwrap().len(), 2);
}

async fn people_come_back_and_log_in_only_when_somebody_lets_them(catalog: Catalog) {
    let admin = |email: &str| NewUser {
        id: catalog.id(),
        email: email.to_owned(),
        display_name: "王小明".to_owned(),
        role: Role::Viewer,
        password_hash: Some("$argon2id$x".to_owned()),
        oidc_subject: None,
    };
    let settings = ImportedSettings {
        users: vec![
            person(&catalog, "ops@example.org", Role::Admin),
            person(&catalog, "other@example.org", Role::Admin),
        ],
        ..ImportedSettings::default()
    };
    let back = settings.users[0].id;
    catalog.store.begin_rebuild().await.unwrap();
    catalog.store.import_settings(settings).await.unwrap();
    catalog.store.finish_rebuild("", true).await.unwrap();
    let users = catalog.store.list_users().await.unwrap();
    assert_eq!(users.len(), 2);
    assert!(users.iter().all(|user| !user.is_active && user.role == Role::Admin));
    // The first administrator is the one of that address, with the identifier that it had.
    let first = catalog
        .store
        .create_first_admin(admin("Ops@example.org"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!((first.id, first.role, first.is_active), (back, Role::Admin, true));
    assert_eq!(
        catalog
            .store
            .create_first_admin(admin("third@example.org"))
            .await
            .unwrap(),
        None
    );
    let other = catalog
        .store
        .create_or_revive_user(admin("other@example.org"))
        .await
        .unwrap();
    assert_eq!((other.role, other.is_active), (Role::Viewer, true));
    let taken = catalog.store.create_or_revive_user(admin("other@example.org")).await;
    assert!(
        matches!(taken, Err(Error::AlreadyExists { .. })),
        "who can log in is not taken over: {taken:?}"
    );
    assert_eq!(catalog.store.list_users().await.unwrap().len(), 2);
}

async fn a_wrong_clock_makes_nothing_old_at_once(catalog: Catalog) {
    let settings = settings(&catalog);
    let hourly = settings.schedules[0].id;
    let receipts = hours(&catalog, hourly, 5);
    // The new machine believes in another year.
    catalog.clock.set(start() + TimeDelta::days(400));
    catalog.store.begin_rebuild().await.unwrap();
    catalog.store.import_settings(settings).await.unwrap();
    catalog.store.import_backups(receipts).await.unwrap();
    catalog.store.finish_rebuild("", true).await.unwrap();
    assert!(catalog.store.expire_backups(hourly).await.unwrap().is_empty());
}

/// Its passphrase may turn up later, and until then every export is to name it.
async fn a_protection_outlives_a_rebuild_that_leaves_its_backup_out(catalog: Catalog) {
    let receipts = hours(&catalog, catalog.id(), 4);
    let ids: Vec<BackupId> = receipts.iter().map(|receipt| receipt.id).collect();
    let settings = ImportedSettings {
        protected: ids[..3].to_vec(),
        ..ImportedSettings::default()
    };
    let store = &catalog.store;
    store.begin_rebuild().await.unwrap();
    store.import_settings(settings.clone()).await.unwrap();
    store
        .import_backups(vec![receipts[0].clone(), receipts[3].clone()])
        .await
        .unwrap();
    assert_eq!(store.protected_backups().await.unwrap(), ids[..3]);
    // Broken off and gone on with, it takes up no protection again that a person has lifted meanwhile.
    store.set_protected(ids[0], false).await.unwrap();
    store.begin_rebuild().await.unwrap();
    store.import_settings(settings).await.unwrap();
    store.import_backups(receipts[..2].to_vec()).await.unwrap();
    store.finish_rebuild("from a test", true).await.unwrap();
    assert_eq!(store.protected_backups().await.unwrap(), ids[1..3]);
    assert!(store.adopt_backup(&receipts[2]).await.unwrap().protected);
    for (id, protected) in ids.iter().zip([false, true, true, false]) {
        assert_eq!(catalog.backup(*id).await.protected, protected, "{id}");
    }
    store.set_protected(ids[2], false).await.unwrap();
    assert_eq!(store.protected_backups().await.unwrap(), [ids[1]]);
}
