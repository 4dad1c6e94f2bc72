//! The console in a real browser, on real systems. What is done and looked at there stands in
//! `crates/backup-console/ui/browser`: one file for each test here.
#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use std::process::Command;
use std::time::Duration;

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
