//! A plan asks for as much room as what was chosen needs.

use std::fs;

use backup_core::BackupSource;
use backup_core::restore::{RefusalCode, RestoreMode, RestoreOptions, RestorePlan};
use backup_tests::tools::Mounted;
use backup_tests::{note, unique};

use crate::kit::{Place, backup};

/// Into new places, and nothing chosen yet.
pub(crate) fn options() -> RestoreOptions {
    RestoreOptions {
        restore_database: false,
        restore_files: false,
        restore_config: false,
        target_database: None,
        target_dir: None,
        mode: RestoreMode::New,
        paths: Vec::new(),
        tables: Vec::new(),
        safety_backup: false,
        skip_owner: false,
        skip_tablespaces: false,
        keep_old_hours: 1,
    }
}

fn codes(plan: &RestorePlan) -> Vec<RefusalCode> {
    plan.refusals.iter().map(|refusal| refusal.code).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_path_of_a_large_backup_needs_little_room() {
    let place = Place::new();
    let engine = place.engine().await;
    let made = backup(&engine, BackupSource::Files).await;
    let disk = place.path("disk");
    fs::create_dir(&disk).unwrap();
    // Room for the text, and not for the photo.
    let mounted = Mounted::at(&disk, &["-t", "tmpfs", "-o", "size=1m", "tmpfs"]);
    let plan = async |paths: &[&str]| {
        let options = RestoreOptions {
            restore_files: true,
            target_dir: Some(disk.join("restored").display().to_string()),
            paths: paths.iter().map(|path| (*path).to_owned()).collect(),
            ..options()
        };
        engine.plan_restore(&made, &options).await.unwrap()
    };
    let text = plan(&["readme.txt", "files/readme.txt"]).await;
    assert_eq!((codes(&text), text.parts[0].needed_bytes), (vec![], 6000), "{text:?}");
    // What lies in a folder that was chosen too counts once.
    let photo = plan(&["photos/one.bin", "photos"]).await;
    assert_eq!(photo.parts[0].needed_bytes, 3 << 20, "{photo:?}");
    let all = plan(&[]).await;
    assert_eq!(all.parts[0].needed_bytes, (3 << 20) + 6000, "{all:?}");
    if mounted.is_err() {
        note("skipped: a full disk needs the right to mount one");
        return;
    }
    for plan in [photo, all] {
        assert_eq!(codes(&plan), [RefusalCode::NoSpace], "{plan:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn single_tables_are_not_refused_for_the_room_of_the_whole_database() {
    let place = Place::with_database();
    let engine = place.engine().await;
    let made = backup(&engine, BackupSource::Database).await;
    let plan = async |tables: &[&str]| {
        let options = RestoreOptions {
            restore_database: true,
            target_database: Some(format!("planned_{}", unique())),
            tables: tables.iter().map(|table| (*table).to_owned()).collect(),
            ..options()
        };
        engine.plan_restore(&made, &options).await.unwrap()
    };
    let is_unknown = |plan: &RestorePlan| plan.warnings.iter().any(|warning| warning.contains("room"));
    let all = plan(&[]).await;
    assert!(all.parts[0].needed_bytes > 0 && !is_unknown(&all), "{all:?}");
    let single = plan(&["notes"]).await;
    assert_eq!(
        (codes(&single), single.parts[0].needed_bytes),
        (vec![], 0),
        "{single:?}"
    );
    assert!(is_unknown(&single), "{single:?}");
}
