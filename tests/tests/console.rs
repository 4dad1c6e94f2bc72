//! The console in a real browser, on real systems. What is done and looked at there stands in
//! `crates/backup-console/ui/browser`: one file for each test here.
#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::ffi::OsStrExt as _;
use std::process::Command;
use std::thread;
use std::time::Duration;

use backup_tests::postgres::{Database, Postgres};
use backup_tests::proxy::Proxy;
use backup_tests::system::{ADMIN, Catalog, Storage, System, stored_paths};
use backup_tests::{sample_catalog, tools};
use serde_json::json;

/// The tests of this file in the browser, on the system below `prefix`.
fn browser(file: &str, system: &System, prefix: &str) -> Command {
    let chromium = tools::chromium::install().unwrap();
    let ui = tools::workspace().join("crates/backup-console/ui");
    let mut command = Command::new("npm");
    command
        .args(["run", "--silent", "browser", "--", &format!("browser/{file}.test.ts")])
        .current_dir(ui)
        .env("CONSOLE_URL", format!("http://127.0.0.1:{}{prefix}/", system.port()))
        .env("CONSOLE_EMAIL", ADMIN)
        .env("CONSOLE_PASSWORD", system.setting("BACKUP_ADMIN_PASSWORD"))
        .env("CONSOLE_PASSPHRASE", system.setting("BACKUP_ENCRYPTION_KEY"))
        .env("CONSOLE_CHROMIUM", chromium);
    command
}

/// Runs the tests of this file in the browser, on the system below `prefix`.
fn in_browser(file: &str, system: &System, prefix: &str) {
    if let Err(error) = tools::run(&mut browser(file, system, prefix)) {
        panic!("{error}");
    }
}

/// The same, and does to the system what the tests ask for by `ask` while they run.
fn in_browser_asking(file: &str, system: &mut System, mut act: impl FnMut(&mut System, &str)) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let mut command = browser(file, system, "");
    command.env("CONSOLE_CONTROL", format!("http://{address}/"));
    let tests = thread::spawn(move || {
        let outcome = tools::run(&mut command);
        TcpStream::connect(address)
            .and_then(|mut line| line.write_all(b"GET /end\r\n\r\n"))
            .unwrap();
        outcome
    });
    for line in listener.incoming() {
        let mut line = line.unwrap();
        let request: Vec<String> = BufReader::new(&line)
            .lines()
            .map_while(Result::ok)
            .take_while(|header| !header.is_empty())
            .collect();
        match request.first().and_then(|first| first.split(['/', ' ']).nth(2)) {
            Some("end") => break,
            Some(what) => act(system, what),
            None => panic!("nothing is asked for: {request:?}"),
        }
        line.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
            .unwrap();
    }
    if let Err(error) = tests.join().unwrap() {
        panic!("{error}");
    }
}

#[test]
fn a_day_with_the_console() {
    let mut system = System::embedded();
    system.fill_a_little();
    system.start();
    in_browser("smoke", &system, "");
}

#[test]
fn it_works_below_a_path_prefix() {
    let mut system = System::embedded();
    system.set("BACKUP_BASE_PATH", "/ops/backup");
    let server = system.program("api-server").spawn();
    server.wait_for_http(system.port(), "/ops/backup/readyz", Duration::from_mins(2));
    in_browser("prefix", &system, "/ops/backup");
}

#[test]
fn the_overview_tells_of_the_last_days() {
    let mut system = System::embedded();
    system.fill_a_little();
    system.start();
    system.back_up("FULL_SYSTEM");
    in_browser("overview", &system, "");
}

#[test]
fn the_system_is_paused_and_resumed() {
    let mut system = System::embedded();
    system.start();
    in_browser("pause", &system, "");
}

#[test]
fn a_backup_is_looked_into() {
    let mut system = System::embedded();
    system.fill_a_little();
    let uploads = system.uploads();
    fs::write(uploads.join("<img src=x onerror=alert(1)>.txt"), "").unwrap();
    fs::write(uploads.join(OsStr::from_bytes(b"\xff\xfeodd")), "").unwrap();
    fs::create_dir(uploads.join("many")).unwrap();
    for number in 1..=250 {
        fs::write(uploads.join(format!("many/{number:04}.txt")), number.to_string()).unwrap();
    }
    system.start();
    system.back_up("FULL_SYSTEM");
    in_browser("backup", &system, "");
}

#[test]
fn a_restore_goes_through_to_its_end_and_back() {
    let mut system = System::embedded();
    system.fill_a_little();
    let first = system.state();
    system.start();
    system.back_up("FULL_SYSTEM");
    system.change();
    let changed = system.state();

    in_browser("restore", &system, "");
    assert_eq!(system.differences(&changed), Vec::<String>::new(), "rolled back");
    let beside = Postgres::shared().database(&format!("{}_beside", system.database.name));
    let rows = beside.psql("SELECT count(*) FROM app.orders WHERE note <> 'changed'");
    assert_eq!(rows.trim(), "5000", "the table that was chosen");
    let folder = system.uploads().with_file_name("uploads-beside/folder");
    assert_eq!(fs::read(folder.join("file 3")).unwrap(), [3].repeat(60_000));
    assert!(!folder.join("file 5").exists(), "it was not chosen");

    in_browser("replace", &system, "");
    assert_eq!(system.differences(&first), Vec::<String>::new(), "replaced");
}

#[test]
fn schedules_fire_and_tell_what_they_keep() {
    let mut system = System::embedded();
    system.fill_a_little();
    system.start();
    let _scheduler = system.worker(&[]);
    in_browser("schedules", &system, "");
}

#[test]
fn settings_people_and_tokens() {
    let mut system = System::embedded();
    system.fill_a_little();
    system.start();
    in_browser("settings", &system, "");
}

#[test]
fn the_audit_log() {
    let mut system = System::embedded();
    system.start();
    in_browser("audit", &system, "");
}

#[test]
fn from_nothing_to_the_first_verified_backup() {
    let mut system = System::embedded();
    system.fill_a_little();
    system.start();
    in_browser("guide", &system, "");
}

#[test]
fn what_only_the_storage_has_is_settled() {
    let mut other = System::embedded();
    other.fill_a_little();
    other.start();
    let theirs = [other.back_up("CONFIG"), other.back_up("FILES")];
    drop(other.take_server());

    let mut system = System::embedded();
    let passphrase = other.setting("BACKUP_ENCRYPTION_KEY").to_owned();
    system.set("BACKUP_ENCRYPTION_KEY", &passphrase);
    system.fill_a_little();
    system.start();
    let lost = system.back_up("CONFIG");
    let storage = |system: &System| system.folder().join("data/storage");
    for path in theirs.iter().flat_map(stored_paths) {
        let to = storage(&system).join(&path);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(storage(&other).join(&path), to).unwrap();
    }
    fs::remove_file(storage(&system).join(&stored_paths(&lost)[0])).unwrap();
    in_browser("orphans", &system, "");
    assert!(
        theirs
            .iter()
            .filter(|one| storage(&system).join(&stored_paths(one)[0]).exists())
            .count()
            == 1,
        "one was adopted, and one removed"
    );
}

#[test]
fn what_happens_underneath_is_seen_and_survived() {
    let postgres = Postgres::shared();
    let mut system = System::with(postgres, Catalog::Postgres(postgres), Storage::Folder);
    system.fill_a_little();
    system.fill_database(8);
    let database = Proxy::to(system.database.port);
    system.set("DATABASE_PORT", &database.port().to_string());
    system.start();
    in_browser_asking("underneath", &mut system, |system, what| match what {
        "slow" => database.slow(200_000),
        "fast" => database.mend(),
        "stop" => drop(system.take_server().kill9()),
        "start" => drop(system.start()),
        "expire" => {
            catalog(system).psql("UPDATE sessions SET expires_at = '2000-01-01 00:00:00'");
        }
        _ => panic!("{what} is nothing that can be done"),
    });
}

/// Backups that a long list has; a million where `BACKUP_TEST_FULL` asks for it.
fn many() -> u32 {
    if std::env::var_os("BACKUP_TEST_FULL").is_some() {
        1_000_000
    } else {
        100_000
    }
}

#[test]
#[ignore = "it compares figures, which a machine that is busy with other things spoils: asked for by --ignored"]
fn a_crowd_of_backups_and_a_storm_of_events_leave_the_page_quick() {
    let postgres = Postgres::shared();
    let mut system = System::with(postgres, Catalog::Postgres(postgres), Storage::Folder);
    // Nobody takes up what only looks as if it ran.
    system.set("BACKUP_WORKERS", "0");
    system.start();
    let many = many();
    catalog(&system).psql(&format!("BEGIN; {}; COMMIT", sample_catalog::postgres(many)));
    catalog(&system).psql("VACUUM ANALYZE");
    thread::scope(|scope| {
        in_browser_asking("crowd", &mut system, |system, what| match what {
            "storm" => {
                catalog(system).psql("CREATE TABLE storm ()");
                let name = catalog(system).name.clone();
                scope.spawn(move || postgres.psql(&name, &storm(many)));
            }
            "calm" => drop(catalog(system).psql("DROP TABLE storm")),
            _ => panic!("{what} is nothing that can be done"),
        });
    });
}

/// Changes each of the newest thousand backups once a second, for as long as the table `storm` is there, but for no longer
/// than two minutes.
fn storm(many: u32) -> String {
    let ids = format!("'00000000-0000-7000-8000-' || lpad(({many} - turn % 10 * 100 - i)::text, 12, '0')");
    format!(
        "DO $$ BEGIN \
           UPDATE backups SET status = 'IN_PROGRESS', current_step = 'DATABASE', completed_at = NULL, \
               started_at = created_at, lease_owner = 'storm', lease_token = 'storm', \
               lease_expires_at = now() AT TIME ZONE 'UTC' + interval '1 day' \
             WHERE id > '00000000-0000-7000-8000-' || lpad(({many} - 1000)::text, 12, '0'); \
           COMMIT; \
           FOR turn IN 1..1200 LOOP \
             EXIT WHEN to_regclass('storm') IS NULL; \
             UPDATE backups SET progress = turn / 10 % 100 WHERE id IN (SELECT {ids} FROM generate_series(0, 99) i); \
             WITH counted AS (UPDATE event_counter SET last_seq = last_seq + 100 RETURNING last_seq) \
               INSERT INTO events (seq, kind, subject_id, at) SELECT last_seq - i, 'backup', {ids}, now() AT TIME ZONE 'UTC' \
               FROM counted, generate_series(0, 99) i; \
             COMMIT; \
             PERFORM pg_sleep(0.1); \
           END LOOP; \
         END $$"
    )
}

/// A month of the newest backup: made each night, but for one that failed, growing and taking up more and more.
const A_MONTH: &str = "
WITH kept AS (SELECT b FROM backups b ORDER BY created_at DESC LIMIT 1),
nights AS (SELECT i, date_trunc('day', now() AT TIME ZONE 'UTC') - interval '6 hours' - i * interval '1 day' AS at
  FROM generate_series(0, 28) i)
INSERT INTO backups SELECT (jsonb_populate_record(b, jsonb_build_object(
  'id', '00000000-0000-7000-8000-' || lpad((100 - i)::text, 12, '0'),
  'name', regexp_replace((b).name, '[0-9]{4}-.*', to_char(at, 'YYYY-MM-DD\"T\"HH24-MI-SS')),
  'trigger', 'SCHEDULED', 'created_at', at, 'started_at', at,
  'completed_at', at + interval '14 minutes' - i * interval '9 seconds' + (i * 37 % 60) * interval '1 second',
  'verified_at', at + interval '1 hour',
  'source_bytes', 52000000000 - i * 210000000::bigint, 'size_bytes', 14000000000 - i * 61000000::bigint,
  'status', CASE i WHEN 9 THEN 'FAILED' ELSE 'COMPLETED' END,
  'error_message', CASE i WHEN 9 THEN 'the storage does not answer' END))).* FROM kept, nights;
WITH kept AS (SELECT u FROM backup_storage_usage u WHERE total_size_bytes > 0 ORDER BY recorded_at LIMIT 1)
INSERT INTO backup_storage_usage SELECT (jsonb_populate_record(u, jsonb_build_object(
  'id', '00000000-0000-7000-8000-' || lpad(i::text, 12, '0'), 'total_size_bytes', 600000000000 - i * 13700000000,
  'recorded_at', now() AT TIME ZONE 'UTC' - i * interval '1 day'))).* FROM kept, generate_series(0, 29) i;
";

#[test]
fn pictures_of_the_readme() {
    // Only to renew docs/images.
    if std::env::var_os("CONSOLE_SCREENSHOTS").is_none() {
        return;
    }
    let postgres = Postgres::shared();
    let mut system = System::with(postgres, Catalog::Postgres(postgres), Storage::Folder);
    system.set("BACKUP_QUOTA_GB", "1000");
    system.fill_a_little();
    system.start();
    let nightly = json!({ "name": "Nightly", "backupType": "FULL", "backupSource": "FULL_SYSTEM",
        "cronExpression": "0 2 * * *", "retentionDays": 30, "maxBackups": 40, "keepMonthly": 12 });
    let made = system.api().post("/api/admin/backup/schedule", &nightly).expect(201);
    let id = made["schedule"]["id"].as_str().unwrap();
    let asked = system
        .api()
        .post(&format!("/api/admin/backup/schedule/{id}/trigger"), &json!({}));
    let backup = asked.expect(202)["backup"]["id"].as_str().unwrap().to_owned();
    system.completed(&backup);
    let verify = format!("/api/admin/backup/{backup}/verify");
    system.api().post(&verify, &json!({ "level": "RESTORE" })).expect(202);
    system.wait_until(&backup, Duration::from_mins(2), |backup| {
        backup["verifiedAt"].is_string()
    });
    catalog(&system).psql(A_MONTH);
    in_browser("pictures", &system, "");
}

fn catalog(system: &System) -> &Database {
    system.catalog.as_ref().unwrap()
}
