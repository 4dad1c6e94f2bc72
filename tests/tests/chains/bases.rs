//! What a backup builds on, and when a new chain begins.

use std::process::Command;

use backup_tests::system::{System, stored_paths};
use backup_tests::tools;

use crate::{assert_all_good, assert_on, assert_promoted, text};

#[test]
fn a_base_that_is_gone_or_cut_is_found_and_a_new_chain_begins() {
    for cut in [false, true] {
        let mut system = System::embedded();
        system.fill_a_little();
        system.start();
        let full = system.back_up("FULL_SYSTEM");
        let on_it = system.back_up_as("INCREMENTAL", "FULL_SYSTEM");
        let further = system.back_up_as("INCREMENTAL", "FULL_SYSTEM");
        assert_on(&further, &on_it, "INCREMENTAL");
        let [archive, _] = stored_paths(&full);
        let bytes = system.blobs.read(&archive);
        system.blobs.remove(&archive);
        if cut {
            system.blobs.write(&archive, &bytes[..bytes.len() / 2]);
        }
        let next = system.back_up_as("INCREMENTAL", "FULL_SYSTEM");
        assert_promoted(&next, "missing or damaged");
        for backup in [&full, &on_it, &further] {
            let shown = system.backup(text(backup, "id"));
            assert!(shown["verifyError"].is_string(), "{shown:#}");
        }
        let alerts = system.api().get("/api/admin/backup/alerts?state=ALL").expect(200);
        let alerts = alerts["alerts"].as_array().unwrap();
        assert!(
            alerts
                .iter()
                .any(|alert| alert["kind"] == "CHAIN_BROKEN" && alert["resolvedAt"].is_string()),
            "{alerts:#?}"
        );
        let refused = system.backupctl(&["verify", text(&further, "id")]);
        assert_eq!(refused.code, Some(4), "{}", refused.stderr);
        assert!(refused.stderr.contains(text(&full, "id")), "{}", refused.stderr);
        let listed = system.backupctl(&["list"]);
        assert_eq!(listed.code, Some(4), "{}", listed.stderr);
        assert!(listed.stderr.contains(text(&further, "id")), "{}", listed.stderr);
        // What was made since is good, and is what the next builds on.
        let after = system.back_up_as("INCREMENTAL", "FULL_SYSTEM");
        assert_on(&after, &next, "INCREMENTAL");
        system.assert_restores(text(&after, "id"));
        // The others are good again as soon as a verification says so.
        if cut {
            system.blobs.remove(&archive);
        }
        system.blobs.write(&archive, &bytes);
        assert_all_good(&system);
    }
}

#[test]
fn a_new_chain_begins_with_another_key_and_where_one_is_long_or_heavy_enough() {
    let mut system = System::embedded();
    system.set("BACKUP_CHAIN_MAX_LENGTH", "2");
    system.fill_a_little();
    system.start();
    let full = system.back_up("FILES");
    let first = system.back_up_as("INCREMENTAL", "FILES");
    let second = system.back_up_as("INCREMENTAL", "FILES");
    assert_on(&first, &full, "INCREMENTAL");
    assert_on(&second, &first, "INCREMENTAL");
    let again = system.back_up_as("INCREMENTAL", "FILES");
    assert_promoted(&again, "long");
    // Nothing builds on a backup of another source.
    assert_promoted(&system.back_up_as("INCREMENTAL", "CONFIG"), "other sources");

    let old = system.setting("BACKUP_ENCRYPTION_KEY").to_owned();
    let _stopped = system.take_server().terminate();
    system
        .set("BACKUP_ENCRYPTION_KEY", "another passphrase")
        .set("BACKUP_ENCRYPTION_KEY_PREVIOUS", &old)
        .start();
    let rekeyed = system.back_up_as("DIFFERENTIAL", "FILES");
    assert_promoted(&rekeyed, "key");

    let _stopped = system.take_server().terminate();
    system
        .set("BACKUP_CHAIN_MAX_LENGTH", "30")
        .set("BACKUP_CHAIN_MAX_WEIGHT", "1")
        .start();
    tools::run(
        Command::new("bash")
            .args(["-c", "head -c 1000000 /dev/urandom > noise"])
            .current_dir(system.uploads()),
    )
    .unwrap();
    let heavy = system.back_up_as("INCREMENTAL", "FILES");
    assert_on(&heavy, &rekeyed, "INCREMENTAL");
    assert_promoted(&system.back_up_as("INCREMENTAL", "FILES"), "heavy");
    assert_all_good(&system);
}
