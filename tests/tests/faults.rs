//! What a system stands on goes away in the middle of a backup: the backup completes nevertheless, or fails with the cause
//! in its message; nothing half-made is left, and the next one is good. Or it is away when the programs start.
#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use std::fs;
use std::time::Duration;

use backup_tests::azurite::Azurite;
use backup_tests::guard::children_of;
use backup_tests::postgres::Postgres;
use backup_tests::proxy::Proxy;
use backup_tests::system::{Blobs, Catalog, Client, Storage, System, stored_paths};
use backup_tests::{free_port, note, poll, tools};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

/// How long a backup may take to come to a certain step.
const STEP: Duration = Duration::from_mins(1);

/// Waits until the backup is running and past this percentage.
fn wait_for_progress(system: &System, id: &str, percent: u64) {
    system.wait_until(id, STEP, |backup| {
        assert!(
            backup["status"] == "PENDING" || backup["status"] == "IN_PROGRESS",
            "it ended before anything happened to it: {backup:#}"
        );
        backup["progress"].as_u64() >= Some(percent)
    });
}

/// A system whose storage is reached through a line that can be cut.
fn behind(proxy: &Proxy, azurite: &Azurite) -> System {
    let mut system = System::with(Postgres::shared(), Catalog::Sqlite, Storage::Azurite(azurite));
    let direct = system.setting("AZURE_STORAGE_CONNECTION_STRING").to_owned();
    let through = direct.replace(&azurite.port().to_string(), &proxy.port().to_string());
    system.set("AZURE_STORAGE_CONNECTION_STRING", &through);
    system
}

#[test]
fn azure_killed_and_brought_back() {
    let azurite = Azurite::start();
    let proxy = Proxy::to(azurite.port());
    let mut system = behind(&proxy, &azurite);
    system.fill_much(48);
    system.start();
    azurite.wait_until_saved(system.setting("BACKUP_CONTAINER_NAME"));
    // Slow enough that the kill comes in the middle of the upload.
    proxy.slow(30 << 20);
    let id = system.create("FULL_SYSTEM");
    let before = proxy.passed();
    let running = poll(STEP, || (proxy.passed() > before + (16 << 20)).then_some(()));
    assert!(running.is_some(), "{:#}", system.backup(&id));
    azurite.kill9();
    proxy.mend();
    azurite.restart();
    let backup = system.completed(&id);
    system.assert_stored(&[&backup]);
    system.assert_restores(&id);
}

#[test]
fn the_line_to_the_storage_cut_for_good() {
    let azurite = Azurite::shared();
    let proxy = Proxy::to(azurite.port());
    let mut system = behind(&proxy, azurite);
    system.set("BACKUP_STALL_SECONDS", "15");
    system.fill_much(24);
    system.start();
    proxy.cut_after(10 << 20);
    let id = system.create("FULL_SYSTEM");
    let message = system.failed(&id);
    assert!(
        message.contains("127.0.0.1") || message.contains("Azure") || message.contains("az"),
        "{message}"
    );
    proxy.mend();
    system.assert_stored(&[]);
    let next = system.back_up("FULL_SYSTEM");
    system.assert_stored(&[&next]);
}

#[test]
fn a_storage_that_falls_silent() {
    let azurite = Azurite::shared();
    let proxy = Proxy::to(azurite.port());
    let mut system = behind(&proxy, azurite);
    system.set("BACKUP_STALL_SECONDS", "10");
    system.fill_much(24);
    system.start();
    proxy.slow(20 << 20);
    let id = system.create("FULL_SYSTEM");
    let before = proxy.passed();
    poll(STEP, || (proxy.passed() > before + (8 << 20)).then_some(())).expect("an upload");
    proxy.stall();
    let message = system.failed(&id);
    assert!(
        message.contains("10 s") || message.contains("answer") || message.contains("stall"),
        "{message}"
    );
    proxy.mend();
    let next = system.back_up("CONFIG");
    system.assert_stored(&[&next]);
}

#[test]
fn whoever_asks_is_told_soon_what_is_away() {
    let azurite = Azurite::start();
    let mut system = System::with(Postgres::shared(), Catalog::Sqlite, Storage::Azurite(&azurite));
    system.start();
    let port = free_port();
    let address = format!("127.0.0.1:{port}");
    let scheduler = system.worker(&[("METRICS_ADDR", &address)]);
    scheduler.wait_for_http(port, "/readyz", STEP);
    let backup = system.back_up("CONFIG");
    let id = backup["id"].as_str().unwrap();
    azurite.kill9();
    // The client waits for a minute at the most; a job tries for three.
    for path in [
        "contents",
        "contents/file?path=config/config.json",
        "download",
        "download?decrypt=true",
    ] {
        let answer = system.api().get(&format!("/api/admin/backup/{id}/{path}"));
        assert_eq!(answer.status, 503, "{path}: {}", answer.text());
        assert_eq!(answer.json()["code"], "storage_unavailable", "{path}");
    }
    let away = "the storage (Azure container) refuses the connection";
    let answer = system.api().get("/readyz");
    assert_eq!(answer.status, 503);
    assert_eq!(answer.json()["problems"], json!([away]));
    let answer = Client::new(port).get("/readyz");
    assert_eq!((answer.status, answer.text().trim()), (503, away));
    for program in [system.server(), &scheduler] {
        program.wait_for_line(STEP, |line| {
            line.contains("storage_unavailable") && line.contains("Azure container") && line.contains("refused")
        });
    }
}

#[test]
fn a_storage_that_is_away_when_the_programs_start() {
    let azurite = Azurite::start();
    azurite.kill9();
    let postgres = Postgres::shared();
    let mut system = System::with(postgres, Catalog::Postgres(postgres), Storage::Azurite(&azurite));
    system.set("BACKUP_WORKERS", "2");
    system.start_unready();
    let own = system.folder().join("own-storage");
    fs::create_dir(&own).unwrap();
    let config = json!({ "storageUrl": format!("file://{}", own.display()) });
    system
        .api()
        .send("PATCH", "/api/admin/backup/config?key=shop", Some(&config))
        .expect(200);
    for config_key in ["default", "shop"] {
        let schedule = json!({
            "name": config_key, "configKey": config_key, "backupType": "FULL", "backupSource": "CONFIG",
            "cronExpression": "0 2 1 1 *", "timezone": "UTC",
        });
        system.api().post("/api/admin/backup/schedule", &schedule).expect(201);
    }
    let _stopped = system.take_server().terminate();
    let due = "UPDATE backup_schedules SET next_run_at = now() AT TIME ZONE 'UTC' - interval '1 minute'";
    system.catalog.as_ref().unwrap().psql(due);

    system.start_unready_with(&["--with-scheduler"]);
    let fired = |config_key: &str| {
        let path = format!("/api/admin/backup?configKey={config_key}");
        let listed = || {
            system.api().get(&path).expect(200)["backups"][0]["id"]
                .as_str()
                .map(str::to_owned)
        };
        poll(STEP, listed).unwrap_or_else(|| panic!("{config_key}: {}", system.server().stderr()))
    };
    let (ours, shops) = (fired("default"), fired("shop"));
    let shops = system.completed(&shops);
    let mut expected = stored_paths(&shops);
    expected.sort();
    assert_eq!(Blobs::Folder(own).list(), expected);
    let waiting = system.backup(&ours);
    assert!(
        waiting["status"] == "PENDING" || waiting["status"] == "IN_PROGRESS",
        "{waiting:#}"
    );

    // Whoever asks is told as where it goes away later.
    let away = "the storage (Azure container) refuses the connection";
    let answer = system.api().get("/readyz");
    assert_eq!((answer.status, &answer.json()["problems"]), (503, &json!([away])));
    let port = free_port();
    let scheduler = system.worker(&[("METRICS_ADDR", &format!("127.0.0.1:{port}"))]);
    scheduler.wait_for_http(port, "/healthz", STEP);
    scheduler.wait_until(STEP, "the storage to be told of", || {
        (Client::new(port).get("/readyz").text().trim() == away).then_some(())
    });
    for program in [system.server(), &scheduler] {
        program.wait_for_line(STEP, |line| {
            line.contains("storage_unavailable") && line.contains("Azure container") && line.contains("refused")
        });
    }

    azurite.restart();
    let backup = system.completed(&ours);
    system.assert_stored(&[&backup]);
    system.server().wait_for_http(system.port(), "/readyz", STEP);
    scheduler.wait_for_http(port, "/readyz", STEP);
}

#[test]
fn a_full_disk() {
    let mut system = System::embedded();
    let disk = system.folder().join("small disk");
    fs::create_dir(&disk).unwrap();
    let Ok(_mounted) = tools::Mounted::at(&disk, &["-t", "tmpfs", "-o", "size=24m", "tmpfs"]) else {
        note("no small disk can be mounted: a full one is not tested");
        return;
    };
    system.blobs = Blobs::Folder(disk.clone());
    system.set("BACKUP_STORAGE_URL", &format!("file://{}", disk.display()));
    system.fill_much(32);
    system.start();
    let id = system.create("FULL_SYSTEM");
    let message = system.failed(&id);
    assert!(
        message.contains("No space left") || message.contains("full"),
        "{message}"
    );
    assert!(message.contains("small disk"), "which disk: {message}");
    system.assert_stored(&[]);
    let next = system.back_up("CONFIG");
    system.assert_stored(&[&next]);
}

#[test]
fn the_catalogs_database_away_for_ten_seconds() {
    let cluster = Postgres::start();
    let azurite = Azurite::shared();
    let mut system = System::with(
        Postgres::shared(),
        Catalog::Postgres(&cluster),
        Storage::Azurite(azurite),
    );
    let proxy = Proxy::to(azurite.port());
    let direct = system.setting("AZURE_STORAGE_CONNECTION_STRING").to_owned();
    system.set(
        "AZURE_STORAGE_CONNECTION_STRING",
        &direct.replace(&azurite.port().to_string(), &proxy.port().to_string()),
    );
    // Not to run out meanwhile, however long the catalog takes to come back: attempts are counted.
    system.set("BACKUP_LEASE_SECONDS", "300");
    system.fill_much(32);
    system.start();
    // So slow that the backup needs longer than the catalog is away.
    proxy.slow(5 << 20);
    let id = system.create("FULL_SYSTEM");
    wait_for_progress(&system, &id, 10);
    cluster.stop();
    std::thread::sleep(Duration::from_secs(10));
    let away = system.api().get("/api/admin/backup");
    assert_eq!(away.status, 503, "{}", away.text());
    cluster.resume();
    proxy.mend();
    let back = poll(STEP, || {
        (system.api().get("/api/admin/backup").status == 200).then_some(())
    });
    assert!(back.is_some(), "the API does not find the catalog again");
    let backup = system.completed(&id);
    assert_eq!(backup["attempts"], 1, "{backup:#}");
    system.assert_stored(&[&backup]);
    system.assert_restores(&id);
}

#[test]
fn the_catalog_away_when_the_backup_ends() {
    let cluster = Postgres::start();
    let mut system = System::with(Postgres::shared(), Catalog::Postgres(&cluster), Storage::Folder);
    system.fill_much(24);
    system.start();
    let id = system.create("FULL_SYSTEM");
    wait_for_progress(&system, &id, 10);
    cluster.kill9();
    // The receipt stands, and nobody can be told yet.
    let stored = poll(STEP, || {
        system
            .blobs
            .list()
            .iter()
            .any(|path| std::path::Path::new(path).extension().is_some_and(|end| end == "json"))
            .then_some(())
    });
    cluster.resume();
    // Without a catalog the worker may also wait with the commit until it can ask whether the job is still its own.
    let backup = poll(STEP, || {
        let answer = system.api().get(&format!("/api/admin/backup/{id}"));
        let backup = (answer.status == 200).then(|| answer.json()["backup"].take())?;
        (backup["status"] == "COMPLETED").then_some(backup)
    });
    let backup = backup.unwrap_or_else(|| panic!("stored: {stored:?}; {:#}", system.backup(&id)));
    system.assert_stored(&[&backup]);
}

/// Kills a child of the server whose program has this name, as soon as there is one.
fn kill_child(system: &System, name: &str) {
    let server = system.server().pid();
    let found = poll(STEP, || {
        children_of(server).into_iter().find(|pid| {
            fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.trim() == name)
                && fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.contains("--format=custom"))
        })
    });
    let pid = found.unwrap_or_else(|| panic!("no {name} was started"));
    kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), Signal::KILL).unwrap();
}

#[test]
fn pg_dump_killed() {
    let mut system = System::embedded();
    system.fill_much(160);
    system.start();
    let id = system.create("FULL_SYSTEM");
    kill_child(&system, "pg_dump");
    let message = system.failed(&id);
    assert!(message.contains("pg_dump") && message.contains("SIGKILL"), "{message}");
    system.assert_stored(&[]);
    let next = system.back_up("DATABASE");
    system.assert_stored(&[&next]);
}

#[test]
fn the_database_restarted() {
    let cluster = Postgres::start();
    let mut system = System::with(&cluster, Catalog::Sqlite, Storage::Folder);
    system.fill_much(160);
    system.start();
    let id = system.create("DATABASE");
    wait_for_progress(&system, &id, 10);
    cluster.stop();
    cluster.resume();
    let backup = system.wait(&id);
    if backup["status"] == "FAILED" {
        let message = backup["errorMessage"].as_str().unwrap();
        assert!(
            message.contains(&cluster.port().to_string()) || message.contains("connection"),
            "{message}"
        );
        system.assert_stored(&[]);
    } else {
        assert_eq!(backup["status"], "COMPLETED", "{backup:#}");
        system.assert_stored(&[&backup]);
    }
    let next = system.back_up("DATABASE");
    let _verified = system.backupctl(&["verify", next["id"].as_str().unwrap()]).expect(0);
}

#[test]
fn a_cancelled_backup_leaves_nothing_whatever_it_was_doing() {
    let azurite = Azurite::shared();
    let proxy = Proxy::to(azurite.port());
    let mut system = behind(&proxy, azurite);
    system.fill_much(16);
    system.start();
    let cancel = |id: &str| {
        system
            .api()
            .post(&format!("/api/admin/backup/{id}/cancel"), &json!({}))
            .expect(200)
    };
    for step in [0, 10, 40, 80] {
        // So slow that the upload is not over before the cancellation comes.
        proxy.slow(4 << 20);
        let id = system.create("FULL_SYSTEM");
        if step > 0 {
            wait_for_progress(&system, &id, step);
        }
        if step == 80 {
            proxy.stall();
        }
        let _answer: Value = cancel(&id);
        let ended = system.wait_until(&id, Duration::from_mins(1), |backup| {
            backup["status"] != "IN_PROGRESS" && backup["status"] != "PENDING"
        });
        assert_eq!(ended["status"], "CANCELLED", "at {step} %: {ended:#}");
        // What is held up on the line is not to be passed on afterwards.
        proxy.cut();
        proxy.mend();
        let children = poll(STEP, || children_of(system.server().pid()).is_empty().then_some(()));
        assert!(children.is_some(), "at {step} %: a child is left");
        system.assert_stored(&[]);
    }
    let next = system.back_up("FULL_SYSTEM");
    system.assert_stored(&[&next]);
    let answer = system.api().post(
        &format!("/api/admin/backup/{}/cancel", next["id"].as_str().unwrap()),
        &json!({}),
    );
    assert_eq!(answer.status, 409, "{}", answer.text());
}

#[test]
fn sigterm_lets_a_running_backup_end() {
    let mut system = System::embedded();
    system.set("BACKUP_WORKERS", "0");
    system.fill_much(64);
    system.start();
    let worker = system.worker(&[]);
    let id = system.create("FULL_SYSTEM");
    wait_for_progress(&system, &id, 5);
    let ended = worker.terminate().expect(0);
    let backup = system.backup(&id);
    assert_eq!(backup["status"], "COMPLETED", "{backup:#}\n{}", ended.stdout);
    assert_eq!(backup["attempts"], 1);
    system.assert_stored(&[&backup]);
}

#[test]
fn sigterm_without_time_gives_the_job_to_another_worker() {
    let azurite = Azurite::shared();
    let proxy = Proxy::to(azurite.port());
    let mut system = behind(&proxy, azurite);
    system.set("BACKUP_WORKERS", "0").set("BACKUP_DRAIN_SECONDS", "0");
    system.fill_much(16);
    system.start();
    let worker = system.worker(&[]);
    let id = system.create("FULL_SYSTEM");
    proxy.slow(2 << 20);
    wait_for_progress(&system, &id, 10);
    let ended = worker.terminate().expect(0);
    proxy.mend();
    let backup = system.backup(&id);
    assert_eq!(backup["status"], "PENDING", "{backup:#}\n{}", ended.stdout);
    let _another = system.worker(&[]);
    let backup = system.completed(&id);
    system.assert_stored(&[&backup]);
    system.assert_restores(&id);
}
