//! The console in a real browser, on real systems. What is done and looked at there stands in
//! `crates/backup-console/ui/browser`: one file for each test here.
#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::process::Command;
use std::time::Duration;

use backup_tests::postgres::Postgres;
use backup_tests::system::{ADMIN, System};
use backup_tests::tools;

/// Runs the tests of this file in the browser, on the system that listens on `port` below `prefix`.
fn in_browser(file: &str, system: &System, prefix: &str) {
    let chromium = tools::chromium::install().unwrap();
    let ui = tools::workspace().join("crates/backup-console/ui");
    let mut command = Command::new("npm");
    command
        .args(["run", "--silent", "browser", "--", &format!("browser/{file}.test.ts")])
        .current_dir(ui)
        .env("CONSOLE_URL", format!("http://127.0.0.1:{}{prefix}/", system.port()))
        .env("CONSOLE_EMAIL", ADMIN)
        .env("CONSOLE_PASSWORD", system.setting("BACKUP_ADMIN_PASSWORD"))
        .env("CONSOLE_CHROMIUM", chromium);
    if let Err(error) = tools::run(&mut command) {
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
    server.wait_for_http(system.port(), "/ops/backup/readyz", Duration::from_secs(30));
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
