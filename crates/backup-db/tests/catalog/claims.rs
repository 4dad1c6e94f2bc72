//! Configurations take turns, and no limit is passed, however many workers there are.

use std::sync::Arc;
use std::time::Duration;

use backup_core::config::BackupConfig;
use backup_core::restore::{RestoreMode, RestoreOptions};
use backup_core::{BackupId, BackupTrigger, NewBackup, VerifyLevel};
use backup_db::{BackupOutcome, ClaimedJob, Job, NewRestore, NewVerification, StorageLimit};

use crate::fixture::{Catalog, LEASE, MAX_ATTEMPTS, at_once, backup_of, on_both};

on_both!(
    a_configuration_with_many_jobs_keeps_no_other_waiting,
    the_configuration_of_which_fewest_run_is_next,
    a_job_that_is_not_due_does_not_hide_one_that_is,
    workers_at_once_do_not_pass_a_configurations_limit,
    a_limit_counts_every_kind_of_job_and_holds_no_restore_back,
    a_dead_workers_job_keeps_its_place_and_is_taken_over_in_it,
    workers_at_once_do_not_pass_a_storages_limit_that_configurations_share,
    the_backup_that_a_restore_waits_for_goes_first,
    the_backup_that_a_restore_waits_for_goes_first_once_its_worker_is_gone_too,
);

impl Catalog {
    async fn config(&self, key: &str, change: impl FnOnce(&mut BackupConfig)) {
        let mut config = BackupConfig::defaults(key, self.clock_now());
        change(&mut config);
        self.store.put_config(&config).await.unwrap();
    }

    async fn asked(&self, config_key: &str) -> BackupId {
        let new = NewBackup {
            config_key: config_key.to_owned(),
            ..self.new_backup()
        };
        self.store.create_backup(new).await.unwrap().id
    }

    /// Takes up every job that may run now, and gives the configurations of the backups in that order.
    async fn taken(&self) -> Vec<ClaimedJob> {
        let mut taken = Vec::new();
        while let Some(claimed) = self.claim().await {
            taken.push(claimed);
        }
        taken
    }

    async fn end(&self, claimed: &ClaimedJob) {
        let done = BackupOutcome::Completed(Box::new(self.results(1_000)));
        self.store.finish_backup(&claimed.lease, done).await.unwrap();
    }
}

fn key_of(claimed: &ClaimedJob) -> &str {
    &backup_of(&claimed.job).config_key
}

async fn a_configuration_with_many_jobs_keeps_no_other_waiting(catalog: Catalog) {
    for key in ["shop", "blog"] {
        catalog.config(key, |_| {}).await;
    }
    for _ in 0..30 {
        catalog.asked("shop").await;
    }
    // One worker, which ends each job before it asks for the next.
    let first = catalog.claim().await.unwrap();
    assert_eq!(key_of(&first), "shop");
    catalog.end(&first).await;
    catalog.advance(1);
    catalog.asked("blog").await;
    catalog.asked("blog").await;
    let mut order = Vec::new();
    for _ in 0..5 {
        catalog.advance(1);
        let claimed = catalog.claim().await.unwrap();
        order.push(key_of(&claimed).to_owned());
        catalog.end(&claimed).await;
    }
    assert_eq!(order, ["blog", "shop", "blog", "shop", "shop"]);
}

async fn the_configuration_of_which_fewest_run_is_next(catalog: Catalog) {
    for key in ["shop", "blog", "wiki"] {
        catalog.config(key, |_| {}).await;
    }
    for _ in 0..4 {
        catalog.asked("shop").await;
    }
    let _running = [catalog.claim().await.unwrap(), catalog.claim().await.unwrap()];
    let wiki = catalog.asked("wiki").await;
    catalog.advance(1);
    catalog.asked("blog").await;
    catalog.asked("blog").await;
    catalog.advance(1);
    let taken = catalog.taken().await;
    let order: Vec<&str> = taken.iter().map(key_of).collect();
    assert_eq!(order, ["wiki", "blog", "blog", "shop", "shop"]);
    assert_eq!(taken[0].lease.id, wiki.to_string());
}

async fn a_job_that_is_not_due_does_not_hide_one_that_is(catalog: Catalog) {
    let later = catalog.running().await.1;
    catalog
        .store
        .retry_later(&later, "no", Duration::from_mins(10))
        .await
        .unwrap();
    catalog.advance(1);
    let now = catalog.pending().await.id;
    let taken = catalog.taken().await;
    assert_eq!(taken.len(), 1, "{taken:?}");
    assert_eq!(taken[0].lease.id, now.to_string());
    catalog.end(&taken[0]).await;
    catalog.advance(600);
    assert_eq!(catalog.claim().await.unwrap().lease.id, later.id);
}

async fn workers_at_once_do_not_pass_a_configurations_limit(catalog: Catalog) {
    catalog
        .config("shop", |config| config.max_concurrent_jobs = Some(3))
        .await;
    for _ in 0..20 {
        catalog.asked("shop").await;
    }
    catalog.pending().await;
    let other = catalog.another().await;
    let stores = [catalog.store.clone(), other];
    let taken = at_once(8, |worker| {
        let store = stores[worker % 2].clone();
        async move {
            let mut mine = Vec::new();
            while let Some(claimed) = store.claim_job("w", LEASE, MAX_ATTEMPTS, None).await.unwrap() {
                mine.push(claimed);
            }
            mine
        }
    })
    .await;
    let taken: Vec<ClaimedJob> = taken.into_iter().flatten().collect();
    let of_shop: Vec<&ClaimedJob> = taken.iter().filter(|claimed| key_of(claimed) == "shop").collect();
    assert_eq!((of_shop.len(), taken.len()), (3, 4));
    catalog.end(of_shop[0]).await;
    assert_eq!(catalog.taken().await.len(), 1, "a place has become free");
}

async fn a_limit_counts_every_kind_of_job_and_holds_no_restore_back(catalog: Catalog) {
    catalog
        .config("default", |config| config.max_concurrent_jobs = Some(2))
        .await;
    let good = catalog.completed(None).await;
    let check = NewVerification {
        id: catalog.id(),
        backup_id: good,
        level: VerifyLevel::Content,
        created_by: None,
    };
    catalog.store.create_verification(check).await.unwrap();
    catalog.pending().await;
    catalog.pending().await;
    let taken = catalog.taken().await;
    assert!(
        matches!(
            &taken[..],
            [
                ClaimedJob {
                    job: Job::Verification(_),
                    ..
                },
                ClaimedJob {
                    job: Job::Backup(_),
                    ..
                }
            ]
        ),
        "{taken:?}"
    );
    let restore = NewRestore {
        id: catalog.id(),
        backup_id: good,
        options: options(),
        created_by: None,
    };
    catalog.store.create_restore(restore).await.unwrap();
    assert!(matches!(catalog.claim().await.unwrap().job, Job::Restore(_)));
    catalog.end(&taken[1]).await;
    assert!(catalog.claim().await.is_none(), "the restore has the second place");
}

async fn a_dead_workers_job_keeps_its_place_and_is_taken_over_in_it(catalog: Catalog) {
    catalog
        .config("default", |config| config.max_concurrent_jobs = Some(1))
        .await;
    let (id, _lease) = catalog.running().await;
    let waits = catalog.pending().await.id;
    assert!(catalog.claim().await.is_none());
    catalog.advance(61);
    let taken = catalog.claim().await.unwrap();
    assert!(taken.taken_over);
    assert_eq!(taken.lease.id, id.to_string());
    assert!(catalog.claim().await.is_none());
    catalog.end(&taken).await;
    assert_eq!(catalog.claim().await.unwrap().lease.id, waits.to_string());
}

async fn workers_at_once_do_not_pass_a_storages_limit_that_configurations_share(catalog: Catalog) {
    for (key, url) in [("shop", "file:///a"), ("blog", "file:///a"), ("wiki", "file:///b")] {
        catalog
            .config(key, |config| config.storage_url = Some(url.to_owned()))
            .await;
    }
    for key in ["shop", "blog", "wiki", "default"] {
        for _ in 0..5 {
            catalog.asked(key).await;
        }
    }
    let limit = StorageLimit {
        max_jobs: 3,
        name: Arc::new(|config| config.and_then(|config| config.storage_url.clone()).unwrap_or_default()),
    };
    let taken = at_once(8, |_| {
        let (store, limit) = (catalog.store.clone(), limit.clone());
        async move {
            let mut mine = Vec::new();
            while let Some(claimed) = store.claim_job("w", LEASE, MAX_ATTEMPTS, Some(&limit)).await.unwrap() {
                mine.push(key_of(&claimed).to_owned());
            }
            mine
        }
    })
    .await;
    let taken: Vec<String> = taken.into_iter().flatten().collect();
    let of = |keys: &[&str]| taken.iter().filter(|key| keys.contains(&key.as_str())).count();
    assert_eq!(
        (of(&["shop", "blog"]), of(&["wiki"]), of(&["default"])),
        (3, 3, 3),
        "{taken:?}"
    );
}

async fn the_backup_that_a_restore_waits_for_goes_first(catalog: Catalog) {
    catalog
        .config("default", |config| config.max_concurrent_jobs = Some(1))
        .await;
    let _running = catalog.running().await;
    for _ in 0..3 {
        catalog.pending().await;
    }
    catalog.advance(1);
    let safety = NewBackup {
        trigger: BackupTrigger::PreRestore,
        ..catalog.new_backup()
    };
    let id = catalog.store.create_backup(safety).await.unwrap().id;
    assert_eq!(catalog.claim().await.unwrap().lease.id, id.to_string());
    assert!(catalog.claim().await.is_none());
}

async fn the_backup_that_a_restore_waits_for_goes_first_once_its_worker_is_gone_too(catalog: Catalog) {
    let good = catalog.completed(None).await;
    // One that waits for nobody is gone with it, and had begun before.
    let (other, _) = catalog.running().await;
    catalog.advance(1);
    let safety = NewBackup {
        trigger: BackupTrigger::PreRestore,
        ..catalog.new_backup()
    };
    let id = catalog.store.create_backup(safety).await.unwrap().id;
    assert_eq!(catalog.claim().await.unwrap().lease.id, id.to_string());
    let check = NewVerification {
        id: catalog.id(),
        backup_id: good,
        level: VerifyLevel::Checksum,
        created_by: None,
    };
    catalog.store.create_verification(check).await.unwrap();
    catalog.advance(60);
    let taken = catalog.claim().await.unwrap();
    assert_eq!((taken.lease.id, taken.taken_over), (id.to_string(), true));
    assert!(matches!(catalog.claim().await.unwrap().job, Job::Verification(_)));
    assert_eq!(catalog.claim().await.unwrap().lease.id, other.to_string());
}

fn options() -> RestoreOptions {
    RestoreOptions {
        restore_database: true,
        restore_files: true,
        restore_config: false,
        target_database: None,
        target_dir: None,
        mode: RestoreMode::New,
        paths: Vec::new(),
        tables: Vec::new(),
        safety_backup: false,
        skip_owner: false,
        skip_tablespaces: false,
        keep_old_hours: 72,
    }
}
