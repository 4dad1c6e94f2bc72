//! Files that did not change.

use std::fs;

use backup_tests::system::System;
use backup_tests::tree;
use serde_json::Value;

use crate::{assert_all_good, assert_on, assert_restores_files};

#[test]
fn what_did_not_change_is_not_read_again_unless_that_is_wanted() {
    let mut system = System::embedded();
    system.fill_a_little();
    let uploads = system.uploads();
    fs::hard_link(uploads.join("folder/file 8"), uploads.join("again")).unwrap();
    fs::hard_link(uploads.join("folder/file 8"), uploads.join("zuletzt")).unwrap();
    tree::rest(&uploads.join("zuletzt"));
    system.start();
    let full = system.back_up("FILES");
    let read = |backup: &Value| backup["sourceBytes"].as_u64().unwrap();
    // Another content of the same length and time: only its change time tells.
    let sly = uploads.join("folder/file 5");
    let modified = fs::metadata(&sly).unwrap().modified().unwrap();
    fs::write(&sly, vec![6; 100_000]).unwrap();
    fs::File::options()
        .write(true)
        .open(&sly)
        .unwrap()
        .set_modified(modified)
        .unwrap();
    let next = system.back_up_as("INCREMENTAL", "FILES");
    assert_on(&next, &full, "INCREMENTAL");
    assert_eq!(next["contents"], full["contents"]);
    assert_eq!(read(&next), 100_000, "{next:#}");
    assert_restores_files(&system, &next);

    let _stopped = system.take_server().terminate();
    system.set("BACKUP_FILES_READ_ALL", "true").start();
    let whole = system.back_up_as("INCREMENTAL", "FILES");
    assert_on(&whole, &next, "INCREMENTAL");
    assert_eq!(read(&whole), read(&full));
    assert_restores_files(&system, &whole);
    assert_all_good(&system);
}
