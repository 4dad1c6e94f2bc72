//! The configuration: exported without secrets, with the listed files beside it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use backup_core::config::{BackupConfig, QuotaPolicy, SealedSecret, SystemConfig};
use backup_core::notification::{Webhook, WebhookPreset};
use backup_core::schedule::{Retention, Schedule};
use backup_core::user::{Role, User};
use backup_core::{BackupId, BackupSource, BackupType, PipelineError, ScheduleId, Source, Target, UserId};
use backup_sources::{ConfigExport, ConfigInputs, ConfigSource, ConfigTarget};
use backup_tests::tree::{Scratch, compare};
use chrono::DateTime;
use serde_json::{Value, json};

use crate::job;
use crate::recorder::{Archive, back_up};

fn system_config(key: &str, is_encrypted: bool) -> SystemConfig {
    SystemConfig {
        key: key.to_owned(),
        value: format!("value of {key}"),
        category: "general".to_owned(),
        value_type: "STRING".to_owned(),
        name: key.to_uppercase(),
        description: None,
        is_encrypted,
    }
}

pub(crate) fn inputs(paths: &[&Path]) -> ConfigInputs {
    let now = DateTime::from_timestamp(1_700_000_000, 123_000_000).unwrap();
    let mut config = BackupConfig::defaults("default", now);
    config.encryption_key = Some(SealedSecret("sealed-key".to_owned()));
    config.storage_connection_string = Some(SealedSecret("sealed-connection".to_owned()));
    config.notification_emails = vec!["ops@example.org".to_owned()];
    ConfigInputs {
        exported_at: now,
        version: "2.3.4".to_owned(),
        system_configs: vec![system_config("site.name", false), system_config("smtp.password", true)],
        schedules: vec![Schedule {
            id: ScheduleId::from_bytes([7; 16]),
            config_key: "default".to_owned(),
            name: "nightly".to_owned(),
            description: None,
            is_enabled: true,
            backup_type: BackupType::Full,
            backup_source: BackupSource::FullSystem,
            cron_expression: "0 2 * * *".to_owned(),
            timezone: "Asia/Taipei".to_owned(),
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
            created_by: None,
        }],
        configs: vec![config],
        users: vec![User {
            id: UserId::from_bytes([8; 16]),
            email: "ops@example.org".to_owned(),
            display_name: "Ops".to_owned(),
            role: Role::Admin,
            is_active: true,
            created_at: now,
            last_login_at: None,
        }],
        protected: vec![BackupId::from_bytes([9; 16])],
        environment: vec![("APP_NAME".to_owned(), "Shop".to_owned())],
        paths: paths.iter().map(|path| PathBuf::from(*path)).collect(),
    }
}

#[test]
fn the_export_has_the_specified_form_and_no_secret() {
    let mut archive = Archive::default();
    let contents = back_up(&ConfigSource::new(inputs(&[])), &mut archive, &job())
        .unwrap()
        .config
        .unwrap();
    let text = archive.content("config.json");
    let export: Value = serde_json::from_slice(text).unwrap();
    assert_eq!(export["exportedAt"], "2023-11-14T22:13:20.123Z");
    assert_eq!(export["version"], "2.3.4");
    assert_eq!(
        export["systemConfigs"],
        json!([{"key": "site.name", "value": "value of site.name", "category": "general", "valueType": "STRING",
                "name": "SITE.NAME", "description": null}])
    );
    assert_eq!(export["environmentConfigs"], json!({"APP_NAME": "Shop"}));
    assert_eq!(export["schedules"][0]["cronExpression"], "0 2 * * *");
    assert_eq!(export["schedules"][0]["retentionDays"], 30);
    assert_eq!(
        export["backupConfigs"][0]["notificationEmails"],
        json!(["ops@example.org"])
    );
    let text = String::from_utf8_lossy(text);
    for secret in ["smtp.password", "sealed-key", "sealed-connection"] {
        assert!(!text.contains(secret), "{secret}");
    }
    assert_eq!((contents.size_bytes, contents.config_count), (text.len() as u64, 1));
}

/// A lost catalog gets everything back but the secrets, and those are named.
#[test]
fn the_export_is_read_back_and_says_what_it_lacks() {
    let mut inputs = inputs(&[]);
    inputs.schedules[0].retention = Retention {
        retention_days: 90,
        max_backups: 77,
        keep_hourly: Some(5),
        keep_daily: Some(4),
        keep_weekly: Some(3),
        keep_monthly: None,
        keep_yearly: Some(1),
    };
    inputs.schedules[0].is_enabled = false;
    inputs.schedules[0].consolidate_every = Some(7);
    let mut shop = BackupConfig::defaults("shop", inputs.exported_at);
    shop.storage_url = Some("az://other/shop".to_owned());
    shop.database_port = Some(6_543);
    shop.quota_policy = QuotaPolicy::Refuse;
    shop.usage_alert_percents = vec![50];
    shop.webhooks = vec![Webhook {
        name: "chat".to_owned(),
        preset: WebhookPreset::Slack,
        url: SealedSecret("sealed-address".to_owned()),
        template: Some("template".to_owned()),
        on_success: true,
        on_failure: true,
    }];
    inputs.configs.push(shop.clone());
    let mut archive = Archive::default();
    back_up(&ConfigSource::new(inputs.clone()), &mut archive, &job()).unwrap();
    let text = archive.content("config.json");
    let export = ConfigExport::read(text).unwrap();
    assert_eq!(export.exported_at, inputs.exported_at);
    assert_eq!(export.schedules, inputs.schedules);
    assert_eq!(export.system_configs, inputs.system_configs[..1]);
    assert_eq!(export.protected, inputs.protected);
    let mut expected = inputs.configs.clone();
    expected[0].encryption_key = None;
    expected[0].storage_connection_string = None;
    expected[1].webhooks.clear();
    assert_eq!(export.configs, expected);
    assert_eq!(
        (export.users[0].id, export.users[0].role),
        (inputs.users[0].id, Role::Admin)
    );
    assert!(!export.users[0].is_active, "nobody logs in by a backup");
    assert_eq!(
        export.set_again,
        [
            "storageConnectionString of the configuration 'default'",
            "encryptionKey of the configuration 'default'",
            "the webhook 'chat' of the configuration 'shop'",
        ]
    );
    assert_eq!(export.without_connection, ["default"]);
    assert_eq!(export.unread, Vec::<String>::new());

    // An export of an earlier version, and one with something that this version does not know.
    let mut json: Value = serde_json::from_slice(text).unwrap();
    let whole = json.as_object_mut().unwrap();
    whole.remove("users");
    whole.remove("protectedBackups");
    whole["backupConfigs"][0].as_object_mut().unwrap().remove("secrets");
    whole["backupConfigs"][1]["quotaPolicy"] = json!("SHRINK");
    whole["schedules"][0]["cronExpression"] = json!("every now and then");
    let export = ConfigExport::read(json.to_string().as_bytes()).unwrap();
    assert_eq!(
        (export.users.len(), export.protected.len(), export.configs.len()),
        (0, 0, 1)
    );
    assert!(
        export.set_again[0].contains("where it had any"),
        "{:?}",
        export.set_again
    );
    assert_eq!(export.unread.len(), 2, "{:?}", export.unread);
    assert!(
        export.unread[0].starts_with("configuration shop: "),
        "{:?}",
        export.unread
    );
    assert!(
        export.unread[1].starts_with("schedule nightly: "),
        "{:?}",
        export.unread
    );
    assert!(matches!(ConfigExport::read(b"{}"), Err(PipelineError::Failed { .. })));
}

#[test]
fn listed_files_and_folders_come_back_under_their_own_names() {
    let (source, parent) = (Scratch::new(), Scratch::new());
    fs::create_dir_all(source.path().join("app/conf.d")).unwrap();
    fs::create_dir(source.path().join("app-more")).unwrap();
    for file in [
        "app/conf.d/a.conf",
        "app/main.conf",
        "app-more/x",
        "alone.conf",
        "app/not listed",
    ] {
        fs::write(source.path().join(file), file).unwrap();
    }
    fs::set_permissions(
        source.path().join("app/conf.d/a.conf"),
        fs::Permissions::from_mode(0o640),
    )
    .unwrap();
    fs::set_permissions(source.path().join("app"), fs::Permissions::from_mode(0o711)).unwrap();
    let at = |name: &str| source.path().join(name);
    // In no order, one twice, one inside of another.
    let listed = [
        at("app-more/"),
        at("app/main.conf"),
        at("app/conf.d"),
        at("alone.conf"),
        at("app/conf.d/a.conf"),
        at("alone.conf"),
    ];
    let listed: Vec<&Path> = listed.iter().map(PathBuf::as_path).collect();
    let config = ConfigSource::new(inputs(&listed));
    let mut archive = Archive::default();
    let contents = back_up(&config, &mut archive, &job()).unwrap().config.unwrap();
    assert_eq!(contents.config_count, 1 + 4);

    let dir = parent.path().join("restored");
    let mut target = ConfigTarget::new(dir.clone());
    target.prepare(&job()).unwrap();
    target.restore(&mut archive.replay(), &job()).unwrap();
    let copy = dir.join("paths").join(source.path().strip_prefix("/").unwrap());
    assert_eq!(
        fs::read(dir.join("config.json")).unwrap(),
        archive.content("config.json")
    );
    fs::remove_file(at("app/not listed")).unwrap();
    let differences = compare(source.path(), &copy);
    // Taking away the file that was not listed touched its folder.
    assert!(
        differences.iter().all(|line| line.starts_with("app: modified")),
        "{differences:?}"
    );
}

#[test]
fn a_path_that_is_missing_or_not_whole_is_refused() {
    let parent = Scratch::new();
    let missing = parent.path().join("missing");
    for (path, reason) in [
        (missing.as_path(), "does not exist"),
        (Path::new("relative/path"), "is not absolute"),
        (Path::new("/etc/../etc/passwd"), "cannot be saved under its own name"),
        (Path::new("/"), "cannot be saved under its own name"),
    ] {
        let error = ConfigSource::new(inputs(&[path])).prepare(&job()).unwrap_err();
        assert!(matches!(error, PipelineError::Refused { .. }), "{error:?}");
        let text = error.to_string();
        assert!(
            text.contains(reason) && text.contains("BACKUP_CONFIG_PATHS") && text.contains(path.to_str().unwrap()),
            "{text}"
        );
    }
}
