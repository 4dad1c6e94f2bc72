//! Rebuilding a lost catalog from the storage and the passphrase alone: every backup from its receipt; schedules, settings
//! and people from the newest configuration export that holds any. Nothing in the storage is changed. Broken off anywhere,
//! it is run again and brings in the rest.

mod settings;

use std::collections::{BTreeSet, HashSet};

use backup_core::config::{DEFAULT_CONFIG_KEY, SealedSecret};
use backup_core::{BackupId, JobControl, PipelineError, Receipt, Step, counted};
use backup_db::{ImportedSettings, Store};
use backup_sources::ConfigExport;
use backup_storage::{BlobStore, StorageSettings};
use chrono::{DateTime, Utc};
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::error::Error;
use crate::places::{names_storage, storage_of};
use crate::repository::{ListedReceipt, Repository};

/// Backups that come into the catalog in one transaction.
const BATCH: usize = 100;

/// Archives that are looked for at once.
const LOOKS: usize = 16;

/// What a rebuild needs.
pub struct Rebuild<'a> {
    /// The catalog: empty, or of a rebuild that was not finished.
    pub store: &'a Store,
    /// The storage, and every key that is at hand.
    pub repository: &'a Repository,
    /// How the storage was opened: further storages are opened as the configurations say, and as this says.
    pub environment: &'a StorageSettings,
    /// The backup whose configuration export brings the settings; `None`: the newest that holds any.
    pub settings_from: Option<&'a Receipt>,
    /// Leave out for good what cannot be read now; otherwise no backup expires until it is run again and has read all.
    pub leaves_out: bool,
    /// Ends it between two steps when it is cancelled; is told how many receipts of how many have been read.
    pub job: &'a JobControl,
    /// Told of each backup that is not brought back, or whose configuration export cannot be read, when it is found, and why.
    pub tell: &'a (dyn Fn(&PipelineError) + Sync),
}

/// What was brought back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rebuilt {
    /// An earlier rebuild was gone on with.
    pub resumed: bool,
    /// Backups that are in the catalog now.
    pub backups: u64,
    /// Backups that are not: their receipt is not ours, damaged or not readable, or their archive is gone or cut short.
    pub bad: u64,
    /// Of those, the ones that cannot be read now and may be at another time: they may build on backups that are old.
    pub unreadable: u64,
    /// Where the settings are from; `None`: no backup has a configuration export that can be read, and there are no settings.
    pub settings: Option<RebuiltSettings>,
    /// How many configuration exports were to be taken, and cannot be read.
    pub unread_exports: u64,
    /// Newer backups whose configuration export holds nothing that anybody has set, the newest first.
    pub passed_over: Vec<BackupId>,
    /// What was set and is in no backup, such as passwords: for people, each has to be set again.
    pub set_again: Vec<String>,
    /// What of the export could not be understood, and why.
    pub unread: Vec<String>,
    /// Configurations whose own storage was not read, and why: their backups are not brought back.
    pub unreachable: Vec<(String, String)>,
    /// Configurations that backups belong to, and that the export does not hold.
    pub unknown_configs: BTreeSet<String>,
}

/// The settings that were brought back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RebuiltSettings {
    /// The backup that held them.
    pub backup_id: BackupId,
    /// As of when they are.
    pub exported_at: DateTime<Utc>,
    /// How many schedules.
    pub schedules: usize,
    /// How many configurations of the backups.
    pub configs: usize,
    /// How many settings of the backed-up application.
    pub system_configs: usize,
    /// How many people, none of whom may log in until somebody lets them.
    pub users: usize,
}

impl Rebuild<'_> {
    /// Rebuilds the catalog. Interrupted anywhere, it may be run again; until it has come to its end no backup expires.
    ///
    /// # Errors
    /// `Catalog` where it is not empty or does not answer; `Pipeline` where the storage does not answer. What is wrong with
    /// single backups is told, and is no error.
    pub async fn run(&self) -> Result<Rebuilt, Error> {
        let mut rebuilt = Rebuilt {
            resumed: self.store.begin_rebuild().await?,
            ..Rebuilt::default()
        };
        self.job.begin(Step::Preparing, 0);
        let found = match self.settings_from {
            Some(receipt) => settings::of(self.repository, receipt, self.job).await?,
            None => settings::newest(self.repository, self.job, self.tell).await?,
        };
        self.job.begin(Step::Preparing, found.receipts);
        rebuilt.unread_exports = found.unread;
        rebuilt.passed_over = found.passed_over;
        let mut repositories = vec![self.repository.clone()];
        let mut known = HashSet::from([DEFAULT_CONFIG_KEY.to_owned()]);
        if let Some((receipt, mut export)) = found.export {
            rebuilt.settings = Some(RebuiltSettings {
                backup_id: receipt.id,
                exported_at: export.exported_at,
                schedules: export.schedules.len(),
                configs: export.configs.len(),
                system_configs: export.system_configs.len(),
                users: export.users.len(),
            });
            repositories.extend(self.own_storages(&export, &receipt.config_key, &mut rebuilt).await);
            known.extend(export.configs.iter().map(|config| config.key.clone()));
            for config in &mut export.configs {
                // The default one's is where the environment says. Any other's backups would go there too, without a word.
                if config.key != DEFAULT_CONFIG_KEY && export.without_connection.contains(&config.key) {
                    config.storage_connection_string = Some(SealedSecret::lost());
                }
            }
            rebuilt.set_again = export.set_again;
            rebuilt.unread = export.unread;
            let settings = ImportedSettings {
                configs: export.configs,
                system_configs: export.system_configs,
                schedules: export.schedules,
                users: export.users,
                protected: export.protected,
            };
            // Before the backups: so they are their schedules' again, and protected.
            self.store.import_settings(settings).await?;
        }
        for repository in &repositories {
            self.import(repository, &known, &mut rebuilt).await?;
        }
        let is_whole = rebuilt.unreadable == 0 || self.leaves_out;
        self.store.finish_rebuild(&self.describe(&rebuilt), is_whole).await?;
        Ok(rebuilt)
    }

    /// The storages that configurations have of their own. That of `home` is the one that held the export.
    async fn own_storages(&self, export: &ConfigExport, home: &str, rebuilt: &mut Rebuilt) -> Vec<Repository> {
        let mut seen = HashSet::from([self.repository.storage().describe()]);
        let mut found = Vec::new();
        for config in &export.configs {
            if export.without_connection.contains(&config.key) {
                // What is left of it may lead anywhere, even to the environment's storage.
                if config.key != home {
                    let problem =
                        "its connection string is in no backup: set it again, then adopt what its storage holds";
                    rebuilt.unreachable.push((config.key.clone(), problem.to_owned()));
                }
                continue;
            }
            if !names_storage(config) {
                continue;
            }
            let opened = match storage_of(self.environment, config, None) {
                Ok(settings) if BlobStore::locate(&settings).is_ok_and(|place| seen.contains(&place)) => continue,
                Ok(settings) => BlobStore::open_existing(&settings).await.map_err(PipelineError::from),
                Err(error) => Err(error),
            };
            match opened {
                Ok(storage) => {
                    if seen.insert(storage.describe()) {
                        found.push(self.repository.at(storage));
                    }
                }
                Err(error) => rebuilt.unreachable.push((config.key.clone(), error.full_text())),
            }
        }
        found
    }

    /// Brings in every backup of a storage.
    async fn import(
        &self,
        repository: &Repository,
        known: &HashSet<String>,
        rebuilt: &mut Rebuilt,
    ) -> Result<(), Error> {
        let mut listed = repository.receipts();
        loop {
            let mut receipts = Vec::with_capacity(BATCH);
            let mut read = 0;
            while read < BATCH as u64
                && let Some(one) = listed.try_next().await?
            {
                read += 1;
                match one {
                    ListedReceipt::Good(receipt) => receipts.push(*receipt),
                    ListedReceipt::Bad { error, .. } => self.skip(&error, rebuilt),
                    ListedReceipt::Unreadable { error, .. } => {
                        rebuilt.unreadable += 1;
                        self.skip(&error, rebuilt);
                    }
                }
            }
            if read == 0 {
                return Ok(());
            }
            let mut whole = Vec::with_capacity(receipts.len());
            for (receipt, looked) in look(repository, receipts).await {
                match looked {
                    Ok(None) => whole.push(receipt),
                    Ok(Some(error)) => {
                        rebuilt.unreadable += u64::from(!matches!(error, PipelineError::Integrity { .. }));
                        self.skip(&error, rebuilt);
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            rebuilt.backups += whole.len() as u64;
            for receipt in whole.iter().filter(|one| !known.contains(&one.config_key)) {
                rebuilt.unknown_configs.insert(receipt.config_key.clone());
            }
            self.store.import_backups(whole).await?;
            self.job.advance(read);
            self.job.check()?;
        }
    }

    fn skip(&self, error: &PipelineError, rebuilt: &mut Rebuilt) {
        rebuilt.bad += 1;
        (self.tell)(error);
    }

    fn describe(&self, rebuilt: &Rebuilt) -> String {
        let storage = self.repository.storage().describe();
        let backups = counted(rebuilt.backups, "backup", "backups");
        let bad = counted(rebuilt.bad, "that is not whole", "that are not whole");
        let settings = match &rebuilt.settings {
            Some(from) => {
                let schedules = counted(from.schedules, "schedule", "schedules");
                format!("{schedules} of backup {}", from.backup_id)
            }
            None => "no settings".to_owned(),
        };
        format!("重建目錄資料庫: {backups}, {bad}, and {settings}, from {storage}")
    }
}

/// What is wrong with an archive, if anything.
type Looked = Result<Option<PipelineError>, PipelineError>;

/// Each receipt, and what is wrong with its archive.
async fn look(repository: &Repository, receipts: Vec<Receipt>) -> Vec<(Receipt, Looked)> {
    stream::iter(receipts)
        .map(async |receipt| {
            let looked = find_archive(repository, &receipt).await;
            (receipt, looked)
        })
        .buffered(LOOKS)
        .collect()
        .await
}

/// Looks for the archive of a receipt: `Integrity` where it is not there in its full length, `Failed` where it cannot be looked
/// at while the storage can.
///
/// # Errors
/// Where the storage is away.
async fn find_archive(repository: &Repository, receipt: &Receipt) -> Looked {
    let Err(error) = repository.check_length(receipt).await else {
        return Ok(None);
    };
    let error = repository.of_one_file(error).await?;
    if matches!(error, PipelineError::Integrity { .. }) {
        return Ok(Some(error));
    }
    let message = format!("the archive of backup {} cannot be looked at", receipt.id);
    Ok(Some(PipelineError::failed(message, "").because(error)))
}
