//! The API on a real catalog, over real HTTP.

mod client;

use std::net::TcpListener;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use backup_api::{Api, ApiSettings, hash_password, hash_secret, new_token, serve};
use backup_archive::{ArchiveKey, Keyring};
use backup_core::config::DEFAULT_CONFIG_KEY;
use backup_core::receipt::Codec;
use backup_core::retention::Retention;
use backup_core::schedule::{DEFAULT_TIMEZONE, Schedule};
use backup_core::user::{Role, TokenScope, User};
use backup_core::{
    Backup, BackupContents, BackupId, BackupSource, BackupTrigger, BackupType, Clock, IdGenerator, ManualClock,
    NewBackup, OsRandom, UserId,
};
use backup_db::{AuditListOptions, BackupOutcome, CompletedBackup, Lease, NewUser, Store};
use backup_engine::{Engine, Environment, JobSettings, Worker};
use backup_sources::{ConnectionOptions, DatabaseSettings, NamedBy};
use backup_storage::{BlobStore, StorageSettings};
use backup_tests::postgres::{Database, Postgres};
use chrono::DateTime;
use secrecy::ExposeSecret;
use tempfile::TempDir;
use tokio::sync::watch;

pub(crate) use client::{Client, Event, Response};

pub(crate) const PASSWORD: &str = "correct horse 正確";

/// A running API with an administrator and a viewer. Dropped, everything goes.
pub(crate) struct TestApp {
    pub(crate) client: Client,
    pub(crate) store: Store,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) ids: IdGenerator,
    pub(crate) api: Arc<Api>,
    pub(crate) folder: TempDir,
    pub(crate) admin: User,
    pub(crate) viewer: User,
    url: String,
    settings: ApiSettings,
    stop: watch::Sender<bool>,
    // Dropped last, when nobody is connected any more.
    pub(crate) database: Option<Arc<Database>>,
}

/// Which catalog a test runs on.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Catalog {
    Sqlite,
    Postgres,
}

/// Makes a test of each function on each catalog.
macro_rules! on_both_catalogs {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name($crate::support::TestApp::start($crate::support::Catalog::Sqlite).await).await; })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name($crate::support::TestApp::start($crate::support::Catalog::Postgres).await).await; })+
        }
    };
}
pub(crate) use on_both_catalogs;

impl TestApp {
    pub(crate) async fn start(catalog: Catalog) -> Self {
        Self::start_with(catalog, ApiSettings::default()).await
    }

    pub(crate) async fn start_with(catalog: Catalog, settings: ApiSettings) -> Self {
        let database = match catalog {
            Catalog::Sqlite => None,
            Catalog::Postgres => Some(Postgres::shared().create_database("api")),
        };
        let url = database.as_ref().map_or_else(String::new, Database::url);
        Self::start_at(&url, settings, database).await
    }

    /// On the catalog at `url`; an empty one stands for an embedded catalog.
    pub(crate) async fn start_at(url: &str, settings: ApiSettings, database: Option<Database>) -> Self {
        let folder = TempDir::new().unwrap();
        let url = match url {
            "" => format!("sqlite://{}", folder.path().join("catalog.db").display()),
            url => url.to_owned(),
        };
        let clock = Arc::new(ManualClock::new(DateTime::from_timestamp(1_795_478_400, 0).unwrap()));
        let ids = IdGenerator::new(clock.clone(), Arc::new(OsRandom));
        let store = Store::open(&url, clock.clone()).await.unwrap();
        let settings = ApiSettings {
            event_interval: Duration::from_millis(20),
            keep_alive: Duration::from_millis(50),
            quota_bytes: Some(1 << 30),
            ..settings
        };
        let (api, client) = listen(&settings, &store, clock.clone());
        let admin = add_user(&store, &ids, "admin@example.org", Role::Admin).await;
        let viewer = add_user(&store, &ids, "viewer@example.org", Role::Viewer).await;
        let stop = watch::Sender::new(false);
        Self {
            client,
            store,
            clock,
            ids,
            api,
            folder,
            admin,
            viewer,
            url,
            settings,
            stop,
            database: database.map(Arc::new),
        }
    }

    /// The same catalog under another server, as after a restart.
    pub(crate) async fn restart(&mut self) {
        self.store = Store::open(&self.url, self.clock.clone()).await.unwrap();
        (self.api, self.client) = listen(&self.settings, &self.store, self.clock.clone());
    }

    /// Opens a storage in the folder and gives it to the API; returns the engine.
    pub(crate) async fn open_storage(&self) -> Engine {
        let storage = BlobStore::open(&self.storage()).await.unwrap();
        let engine = Engine::on(self.store.clone(), storage, self.environment());
        self.api.set_engine(engine.clone());
        engine
    }

    /// Gives the API what the environment says, as before its storage could be opened.
    pub(crate) fn set_environment(&self) {
        self.api.set_environment(self.environment());
    }

    /// The same of a server that leaves the jobs to others.
    pub(crate) fn set_environment_without_jobs(&self) {
        let mut environment = self.environment();
        environment.settings.workers = 0;
        self.api.set_environment(environment);
    }

    fn environment(&self) -> Environment {
        let keys = Keyring::new(key(), Vec::new());
        Environment::new(keys, self.jobs(), self.clock.clone(), Arc::new(OsRandom))
    }

    /// Starts a worker on it.
    pub(crate) fn start_worker(&self, engine: Engine) {
        let stop = self.stop.subscribe();
        tokio::spawn(async move { Worker::new(engine).unwrap().run(stop).await });
    }

    pub(crate) fn uploads(&self) -> std::path::PathBuf {
        self.folder.path().join("uploads")
    }

    fn storage(&self) -> StorageSettings {
        StorageSettings::new(format!("file://{}", self.folder.path().join("storage").display()))
    }

    fn jobs(&self) -> JobSettings {
        JobSettings {
            storage: self.storage(),
            quota_bytes: self.settings.quota_bytes,
            database: DatabaseSettings {
                host: "127.0.0.1".to_owned(),
                port: 1,
                name: String::new(),
                user: None,
                password: None,
                options: ConnectionOptions::default(),
                named_by: NamedBy::Settings,
                programs: None,
                random: Arc::new(OsRandom),
            },
            upload_dir: self.uploads(),
            environment: Vec::new(),
            config_paths: Vec::new(),
            drill: backup_engine::DrillSettings {
                server: None,
                folder: self.folder.path().join("drills"),
            },
            data_dir: self.folder.path().join("data"),
            read_all_files: false,
            chain: backup_core::chain::ChainLimits::default(),
            codec: Codec::Gzip,
            compressors: 2,
            workers: 1,
            storage_max_jobs: None,
            upload_bytes_per_second: None,
            lease: Duration::from_mins(1),
            stall_timeout: Duration::from_mins(1),
            drain: Duration::ZERO,
        }
    }

    /// Logs in and gives a client that sends the session's cookie.
    pub(crate) async fn log_in(&self, email: &str) -> Client {
        let response = self
            .client
            .post("/api/auth/login", login(email, PASSWORD))
            .await
            .expect(200);
        self.client.with("Cookie", response.cookie())
    }

    pub(crate) async fn as_admin(&self) -> Client {
        self.log_in(&self.admin.email).await
    }

    pub(crate) async fn as_viewer(&self) -> Client {
        self.log_in(&self.viewer.email).await
    }

    /// A client with a new token of this scope, which the administrator made.
    pub(crate) async fn as_token(&self, scope: TokenScope) -> Client {
        self.as_token_of(scope, Some(self.admin.id)).await
    }

    /// A client with a new token that nobody made, as `backupctl` makes them.
    pub(crate) async fn as_ownerless_token(&self, scope: TokenScope) -> Client {
        self.as_token_of(scope, None).await
    }

    async fn as_token_of(&self, scope: TokenScope, maker: Option<UserId>) -> Client {
        let secret = new_token(&OsRandom).unwrap();
        let hash = hash_secret(&secret);
        self.store
            .create_token("test", &hash, scope, maker, None)
            .await
            .unwrap();
        self.client.bearer(secret.expose_secret())
    }

    /// The audit log's actions, oldest first.
    pub(crate) async fn audited(&self) -> Vec<String> {
        let options = AuditListOptions {
            limit: 100,
            ..AuditListOptions::default()
        };
        let page = self.store.list_audit(&options).await.unwrap();
        page.entries.into_iter().rev().map(|entry| entry.action).collect()
    }

    /// What the audit log says of this action, oldest first.
    pub(crate) async fn descriptions(&self, action: &str) -> Vec<String> {
        let options = AuditListOptions {
            action: Some(action.to_owned()),
            limit: 100,
            ..AuditListOptions::default()
        };
        let page = self.store.list_audit(&options).await.unwrap();
        page.entries.into_iter().rev().map(|entry| entry.description).collect()
    }

    pub(crate) async fn new_backup(&self, source: BackupSource, trigger: BackupTrigger, note: &str) -> Backup {
        self.new_backup_of(BackupType::Full, source, trigger, note).await
    }

    pub(crate) async fn new_backup_of(
        &self,
        kind: BackupType,
        source: BackupSource,
        trigger: BackupTrigger,
        note: &str,
    ) -> Backup {
        let new = NewBackup {
            id: self.ids.next().unwrap(),
            config_key: DEFAULT_CONFIG_KEY.to_owned(),
            backup_type: kind,
            source,
            trigger,
            description: Some(note.to_owned()),
            created_by: Some(self.admin.id),
            schedule_id: None,
        };
        self.store.create_backup(new).await.unwrap()
    }

    /// A schedule that fires every day at two in Taipei.
    pub(crate) async fn new_schedule(&self, name: &str) -> Schedule {
        let now = self.clock.now();
        let schedule = Schedule {
            id: self.ids.next().unwrap(),
            config_key: DEFAULT_CONFIG_KEY.to_owned(),
            name: name.to_owned(),
            description: None,
            is_enabled: true,
            backup_type: BackupType::Full,
            backup_source: BackupSource::Files,
            cron_expression: "0 2 * * *".to_owned(),
            timezone: DEFAULT_TIMEZONE.to_owned(),
            retention: Retention::default(),
            next_run_at: None,
            last_run_at: None,
            last_success_at: None,
            last_verify_passed_at: None,
            start_window: None,
            verification: backup_core::schedule::VerifyPolicy::default(),
            consolidate_every: None,
            created_at: now,
            updated_at: now,
            created_by: Some(self.admin.id),
        };
        self.store.create_schedule(schedule).await.unwrap()
    }

    /// Claims the next job, as a worker does.
    pub(crate) async fn claim(&self) -> Lease {
        self.store
            .claim_job("test", Duration::from_mins(1), 3, None)
            .await
            .unwrap()
            .unwrap()
            .lease
    }

    /// Ends a waiting backup as a worker does; it stores nothing in truth.
    pub(crate) async fn complete(&self, id: BackupId, size: u64) {
        self.complete_on(id, size, None).await;
    }

    pub(crate) async fn complete_on(&self, id: BackupId, size: u64, base: Option<BackupId>) {
        let lease = self.claim().await;
        assert_eq!(lease.id, id.to_string());
        self.finish(&lease, size, base).await;
    }

    /// Ends a backup that was claimed; it stores nothing in truth.
    pub(crate) async fn finish(&self, lease: &Lease, size: u64, base: Option<BackupId>) {
        let done = CompletedBackup {
            backup_type: if base.is_some() {
                BackupType::Incremental
            } else {
                BackupType::Full
            },
            base_id: base,
            consolidated_from: None,
            storage_path: format!("2026/11-24/{}.tar.gz.enc", lease.id),
            size_bytes: size,
            source_bytes: size,
            checksum: "0".repeat(64),
            contents: BackupContents::default(),
            warnings: Vec::new(),
            completed_at: self.clock.now(),
            key_fingerprint: None,
        };
        self.store
            .finish_backup(lease, BackupOutcome::Completed(Box::new(done)))
            .await
            .unwrap();
    }

    pub(crate) async fn fail(&self, id: BackupId, message: &str) {
        let lease = self.claim().await;
        assert_eq!(lease.id, id.to_string());
        let message = message.to_owned();
        self.store
            .finish_backup(&lease, BackupOutcome::Failed { message })
            .await
            .unwrap();
    }

    /// Makes a real backup of the uploads.
    pub(crate) async fn back_up_uploads(&self) -> Backup {
        let backup = self.new_backup(BackupSource::Files, BackupTrigger::Manual, "").await;
        self.start_worker(self.open_storage().await);
        let backup = self.wait_for_end(backup.id).await;
        assert_eq!(backup.status.as_str(), "COMPLETED", "{:?}", backup.error_message);
        backup
    }

    /// Where the stored file of a backup is.
    pub(crate) fn stored_file(&self, backup: &Backup) -> std::path::PathBuf {
        let path = backup.storage_path.as_deref().unwrap();
        self.folder.path().join("storage").join(path)
    }

    /// Waits until a worker has ended the backup.
    pub(crate) async fn wait_for_end(&self, id: BackupId) -> Backup {
        let end = async {
            loop {
                let backup = self.store.get_backup(id).await.unwrap().unwrap().backup;
                if backup.status.is_final() {
                    return backup;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_mins(2), end)
            .await
            .expect("the backup does not end")
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        self.api.close_streams();
    }
}

/// Bytes that do not compress, the same each time.
pub(crate) fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    std::iter::repeat_with(|| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    })
    .take(length)
    .collect()
}

pub(crate) fn login(email: &str, password: &str) -> serde_json::Value {
    serde_json::json!({ "email": email, "password": password })
}

fn listen(settings: &ApiSettings, store: &Store, clock: Arc<ManualClock>) -> (Arc<Api>, Client) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let api = Api::new(settings.clone(), store.clone(), key(), clock, Arc::new(OsRandom));
    tokio::spawn(serve(api.clone(), listener, 1, Duration::ZERO).unwrap());
    (api, Client::new(address, &settings.base_path))
}

/// The key of every test's server, made once.
pub(crate) fn key() -> ArchiveKey {
    static KEY: LazyLock<ArchiveKey> = LazyLock::new(|| ArchiveKey::from_passphrase(&"a passphrase".into()).unwrap());
    KEY.clone()
}

async fn add_user(store: &Store, ids: &IdGenerator, email: &str, role: Role) -> User {
    let new = NewUser {
        id: ids.next().unwrap(),
        email: email.to_owned(),
        display_name: format!("{role} 測試"),
        role,
        password_hash: Some(hash_password(&PASSWORD.into(), &OsRandom).unwrap()),
        oidc_subject: None,
    };
    store.create_user(new).await.unwrap()
}
