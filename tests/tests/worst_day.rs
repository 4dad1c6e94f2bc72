//! Catalog, database, files and server are gone; the container and the passphrase are left. Everything comes back bit for bit,
//! and goes on.
#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use std::fs;
use std::time::Duration;

use backup_tests::azurite::Azurite;
use backup_tests::postgres::Postgres;
use backup_tests::proxy::Proxy;
use backup_tests::system::{Blobs, Catalog, Storage, System};
use backup_tests::tree::Scratch;
use backup_tests::{sample_db, tree};
use serde_json::{Value, json};

/// How long a rebuild may take to get half-way.
const LIMIT: Duration = Duration::from_mins(1);

/// What a backup is, whoever tells it.
const OF_A_BACKUP: [&str; 19] = [
    "id",
    "name",
    "description",
    "configKey",
    "type",
    "source",
    "trigger",
    "status",
    "sizeBytes",
    "sourceBytes",
    "checksum",
    "createdAt",
    "startedAt",
    "completedAt",
    "storagePath",
    "baseId",
    "contents",
    "protected",
    "scheduleId",
];

/// What a schedule is, and when it fires next.
const OF_A_SCHEDULE: [&str; 19] = [
    "id",
    "configKey",
    "name",
    "description",
    "isEnabled",
    "backupType",
    "backupSource",
    "cronExpression",
    "timezone",
    "retentionDays",
    "maxBackups",
    "keepHourly",
    "keepDaily",
    "keepWeekly",
    "keepMonthly",
    "keepYearly",
    "consolidateEvery",
    "nextRunAt",
    "_count",
];

const OF_THE_SETTINGS: [&str; 6] = [
    "compressionAlgorithm",
    "notificationEmails",
    "notifyOnSuccess",
    "quotaGigabytes",
    "quotaPolicy",
    "usageAlertPercents",
];

fn picked(value: &Value, fields: &[&str]) -> Value {
    fields
        .iter()
        .map(|field| ((*field).to_owned(), value[field].clone()))
        .collect()
}

fn all_picked(list: &Value, fields: &[&str]) -> Vec<Value> {
    let mut all: Vec<Value> = list.as_array().unwrap().iter().map(|one| picked(one, fields)).collect();
    all.sort_by_key(|one| one["id"].to_string());
    all
}

/// Everything that the API says of backups, schedules and settings.
fn told(system: &System) -> (Vec<Value>, Vec<Value>, Value) {
    let api = system.api();
    let backups = api.get("/api/admin/backup?limit=200").expect(200);
    let schedules = api.get("/api/admin/backup/schedule?limit=200").expect(200);
    let config = api.get("/api/admin/backup/config").expect(200);
    (
        all_picked(&backups["backups"], &OF_A_BACKUP),
        all_picked(&schedules["schedules"], &OF_A_SCHEDULE),
        picked(&config["config"], &OF_THE_SETTINGS),
    )
}

fn schedule(system: &System, body: &Value) -> String {
    let made = system.api().post("/api/admin/backup/schedule", body).expect(201);
    made["schedule"]["id"].as_str().unwrap().to_owned()
}

/// Asks for a backup of a schedule and waits for its end.
fn trigger(system: &System, schedule: &str) -> Value {
    let path = format!("/api/admin/backup/schedule/{schedule}/trigger");
    let asked = system.api().post(&path, &json!({})).expect(202);
    system.completed(asked["backup"]["id"].as_str().unwrap())
}

#[test]
fn everything_comes_back_from_the_container_and_the_passphrase() {
    let burning = Postgres::start();
    let azurite = Azurite::shared();
    let mut first = System::with(&burning, Catalog::Postgres(&burning), Storage::Azurite(azurite));
    sample_db::fill(&first.database, 20_000);
    tree::everything(&first.uploads());
    first.start();
    let nightly = schedule(
        &first,
        &json!({ "name": "每夜", "description": "nightly", "backupType": "FULL", "backupSource": "FULL_SYSTEM",
            "cronExpression": "0 2 1 1 *", "timezone": "Asia/Taipei", "retentionDays": 90, "maxBackups": 50,
            "keepDaily": 7, "keepWeekly": 4, "keepMonthly": 12, "keepYearly": 3 }),
    );
    schedule(
        &first,
        &json!({ "name": "files", "backupType": "FULL", "backupSource": "FILES", "cronExpression": "30 4 2 2 0",
            "timezone": "America/New_York", "retentionDays": 7, "maxBackups": 3, "keepHourly": 24, "consolidateEvery": 7 }),
    );
    schedule(
        &first,
        &json!({ "name": "asleep", "backupType": "FULL", "backupSource": "DATABASE", "cronExpression": "0 0 1 * *",
            "timezone": "UTC", "isEnabled": false }),
    );
    let settings = json!({ "compressionAlgorithm": "zstd", "notificationEmails": ["ops@example.org"],
        "notifyOnSuccess": true, "quotaGigabytes": 7, "quotaPolicy": "REFUSE", "usageAlertPercents": [60, 70],
        "databasePassword": first.setting("DATABASE_PASSWORD") });
    let changed = first.api().send("PATCH", "/api/admin/backup/config", Some(&settings));
    assert_eq!(changed.status, 200, "{}", changed.text());
    let of_nightly = trigger(&first, &nightly);
    let kept = first.back_up("FILES")["id"].as_str().unwrap().to_owned();
    let protect = format!("/api/admin/backup/{kept}/protect");
    first.api().post(&protect, &json!({ "protected": true })).expect(200);
    let newest = first.back_up("FULL_SYSTEM")["id"].as_str().unwrap().to_owned();
    let before = told(&first);
    let (dump, rows) = (first.database.dump(), first.database.row_counts());

    // It burns. A copy of the tree is what the test knows better than the system.
    let _gone = first.take_server().kill9();
    let memory = Scratch::new();
    let files = memory.path().join("files");
    fs::rename(first.uploads(), &files).unwrap();
    fs::remove_dir_all(first.folder().join("data")).unwrap();
    drop(burning);

    // Another machine: another cluster, other folders, another kind of catalog.
    let cluster = Postgres::start();
    let mut second = System::with(&cluster, Catalog::Sqlite, Storage::Azurite(azurite));
    let container = first.setting("BACKUP_CONTAINER_NAME").to_owned();
    second.blobs = Blobs::container(azurite, &container);
    second
        .set("BACKUP_CONTAINER_NAME", &container)
        .set("BACKUP_ENCRYPTION_KEY", first.setting("BACKUP_ENCRYPTION_KEY"));
    let rebuilt = second.backupctl(&["catalog", "rebuild", "--json"]).expect(0);
    let rebuilt: Value = serde_json::from_str(&rebuilt.stdout).unwrap();
    assert_eq!(
        (&rebuilt["backups"], &rebuilt["bad"]),
        (&json!(3), &json!(0)),
        "{rebuilt:#}"
    );
    assert_eq!(rebuilt["settings"]["backupId"], newest.as_str(), "{rebuilt:#}");
    assert_eq!(rebuilt["settings"]["schedules"], 3, "{rebuilt:#}");
    assert_eq!(
        rebuilt["setAgain"],
        json!(["databasePassword of the configuration 'default'"]),
        "{rebuilt:#}"
    );
    // Once is enough: what is there now is not to be mixed with what the storage says.
    let again = second.backupctl(&["catalog", "rebuild"]).expect(1);
    assert!(again.stderr.contains("not empty"), "{}", again.stderr);

    // Database and files, under the roles that the backup has kept.
    let globals = second
        .backupctl(&["extract", &newest, "database/globals.sql"])
        .expect(0)
        .stdout;
    for statement in globals
        .lines()
        .filter(|line| line.contains("sample") || line.contains("Sample"))
    {
        cluster.psql("postgres", statement);
    }
    let restored = cluster.database("restored");
    let uploads = second.uploads();
    let into = uploads.display().to_string();
    let restore = [
        "restore",
        &newest,
        "--to-database",
        &restored.url(),
        "--to-files",
        &into,
    ];
    let _done = second.backupctl(&restore).expect(0);
    assert_eq!(rows, restored.row_counts());
    assert!(dump == restored.dump(), "the dumps differ");
    assert_eq!(tree::compare(&files, &uploads), Vec::<String>::new());

    // The server tells what the lost one told, and goes on.
    second.set("DATABASE_NAME", &restored.name);
    second.start();
    assert_eq!(told(&second), before);
    let protected = second.api().delete(&format!("/api/admin/backup/{kept}"));
    assert_eq!(protected.status, 409, "{}", protected.text());
    let audit = second.api().get("/api/admin/audit?action=CATALOG_REBUILD").expect(200);
    assert_eq!(audit["total"], 1, "{audit:#}");
    let next = trigger(&second, &nightly);
    assert_eq!(next["storagePath"].as_str().unwrap().rsplit_once('.').unwrap().1, "enc");
    let plan = second
        .api()
        .post("/api/admin/backup/retention/preview", &json!({ "scheduleId": nightly }))
        .expect(200);
    let decided: Vec<&Value> = plan["decisions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["backupId"])
        .collect();
    assert_eq!(
        decided,
        [&next["id"], &of_nightly["id"]],
        "retention goes on with both: {plan:#}"
    );
    let list: Value = serde_json::from_str(&second.backupctl(&["list", "--json"]).expect(0).stdout).unwrap();
    assert_eq!(list.as_array().unwrap().len(), 4);
}

/// Where a rebuild is killed: after this share of what it says to the storage, with so many backups in the catalog. A
/// hundred come in at once.
const KILLED: [(u64, &str); 3] = [(15, "0"), (60, "0"), (94, "100")];

#[test]
fn a_rebuild_that_is_killed_is_run_again_and_brings_in_the_rest() {
    let (cluster, azurite) = (Postgres::shared(), Azurite::shared());
    let mut first = System::with(cluster, Catalog::Postgres(cluster), Storage::Azurite(azurite));
    first.set("BACKUP_WORKERS", "4");
    first.start();
    schedule(
        &first,
        &json!({ "name": "nightly", "backupType": "FULL", "backupSource": "CONFIG", "cronExpression": "0 2 1 1 *" }),
    );
    let asked: Vec<String> = (0..130).map(|_| first.create("CONFIG")).collect();
    for id in &asked {
        first.completed(id);
    }
    // So that the newest export holds what is told below.
    first.back_up("CONFIG");
    let before = told(&first);
    let _gone = first.take_server().kill9();

    let proxy = Proxy::to(azurite.port());
    let through = azurite
        .connection_string()
        .replace(&azurite.port().to_string(), &proxy.port().to_string());
    let elsewhere = || {
        let mut second = System::with(cluster, Catalog::Postgres(cluster), Storage::Azurite(azurite));
        for name in ["BACKUP_CONTAINER_NAME", "BACKUP_ENCRYPTION_KEY"] {
            second.set(name, first.setting(name));
        }
        second.set("AZURE_STORAGE_CONNECTION_STRING", &through);
        second
    };
    let said = proxy.passed();
    let _whole = elsewhere().backupctl(&["catalog", "rebuild"]).expect(0);
    let said = proxy.passed() - said;
    for (percent, backups) in KILLED {
        let mut second = elsewhere();
        let catalog = second.catalog.as_ref().unwrap();
        proxy.cut_after(said * percent / 100);
        let rebuild = second.program("backupctl").args(["catalog", "rebuild"]).spawn();
        rebuild.wait_until(LIMIT, &format!("{percent} %"), || {
            let found = catalog.try_psql("SELECT count(*) FROM backups").ok()?;
            (proxy.is_cut() && found == backups).then_some(())
        });
        let _killed = rebuild.kill9();
        proxy.mend();
        let rebuilt = second.backupctl(&["catalog", "rebuild", "--json"]).expect(0);
        let rebuilt: Value = serde_json::from_str(&rebuilt.stdout).unwrap();
        assert_eq!(
            (&rebuilt["resumed"], &rebuilt["backups"], &rebuilt["bad"]),
            (&json!(true), &json!(131), &json!(0)),
            "{percent} %: {rebuilt:#}"
        );
        second.start();
        assert_eq!(told(&second), before, "{percent} %");
    }
}
