//! Amounts of money come back as the same ones, whatever locale the server has.

use backup_core::restore::RefusalCode;
use backup_core::{PipelineError, Target, WarningCode};
use backup_sources::{DatabaseTarget, DatabaseTargetOptions};
use backup_tests::postgres::{Database, Postgres};
use backup_tests::tree::Scratch;
use serde_json::{Value, json};

use crate::database::{change, copy_of, exists, restore, restore_in, settings, small};
use crate::database_drill::backup_of;
use crate::database_plan::{codes, said};
use crate::database_staged::{fake_pg_restore, staged, with_programs};
use crate::job;
use crate::recorder::{Archive, warned};

fn payments() -> (Database, Archive<'static>) {
    let original = Postgres::shared().create_database("payments");
    original.psql("CREATE TABLE payments AS SELECT 5::money AS amount");
    let archive = backup_of(&original);
    (original, archive)
}

/// The backup, as one whose amounts another locale wrote.
fn written_by(archive: &Archive<'_>, locale: &str, money: Option<&str>) -> Archive<'static> {
    let mut archive = archive.copy();
    change(&mut archive, "about.json", |about| {
        about["formats"]["lcMonetary"] = locale.into();
        if let Some(money) = money {
            about["formats"]["money"] = money.into();
        }
    });
    archive
}

#[test]
fn amounts_are_read_by_the_locale_that_they_were_written_by() {
    let (original, archive) = payments();
    let archive = written_by(&archive, "POSIX", None);
    // It restores only where its sessions read by that one.
    let programs = fake_pg_restore(
        r#"for arg; do case "$arg" in --dbname=*)
             test "$("$(dirname "$0")/psql" -XAtq "$arg" -c 'SHOW lc_monetary')" = POSIX || exit 1;;
           esac; done
           exec REAL "$@""#,
    );
    let folder = Scratch::new();
    let there = Postgres::shared().create_database("there");
    for (database, options) in [
        (copy_of(&original), DatabaseTargetOptions::default()),
        (copy_of(&original), staged(folder.path())),
        (there, DatabaseTargetOptions::default()),
    ] {
        restore_in(&archive, with_programs(settings(&database), programs.path()), options).unwrap();
        assert_eq!(database.psql("TABLE payments"), original.psql("TABLE payments"));
        // The database keeps the server's own.
        assert_eq!(database.psql("SHOW lc_monetary"), original.psql("SHOW lc_monetary"));
    }
}

#[test]
fn amounts_that_no_locale_of_the_server_reads_are_refused_before_anything_is_made() {
    let (original, archive) = payments();
    let copy = copy_of(&original);
    // The server lacks the locale and writes amounts alike.
    let alike = written_by(&archive, "no_WHERE", None);
    assert_eq!(
        restore(&alike, &copy, DatabaseTargetOptions::default())
            .unwrap()
            .warnings(),
        []
    );
    assert_eq!(copy.psql("TABLE payments"), original.psql("TABLE payments"));

    let copy = copy_of(&original);
    let other = written_by(&archive, "no_WHERE", Some("-1.234.567,89 kr"));
    let whole = DatabaseTarget::new(settings(&copy), DatabaseTargetOptions::default());
    let plan = whole.plan(other.content("about.json"), 1, &job()).unwrap();
    assert_eq!(codes(&plan), [RefusalCode::LocaleMissing]);
    assert!(
        said(&plan).contains("no_WHERE") && said(&plan).contains("89 kr"),
        "{}",
        said(&plan)
    );
    let error = restore(&other, &copy, DatabaseTargetOptions::default())
        .map(|_| ())
        .unwrap_err();
    assert!(
        matches!(error, PipelineError::Refused { .. }) && error.to_string().contains("no_WHERE"),
        "{error:?}"
    );
    assert!(!exists(&copy));

    // Single tables may have none.
    let only = DatabaseTargetOptions {
        tables: vec!["payments".to_owned()],
        ..DatabaseTargetOptions::default()
    };
    let mut single = DatabaseTarget::new(settings(&copy), only);
    let plan = single.plan(other.content("about.json"), 1, &job()).unwrap();
    assert_eq!(codes(&plan), []);
    assert!(
        plan.warnings.iter().any(|text| text.contains("no_WHERE")),
        "{:?}",
        plan.warnings
    );
    let job = job();
    single.restore(&mut other.replay(), &job).unwrap();
    let told = warned(&job, WarningCode::Other);
    assert!(told.iter().any(|text| text.contains("no_WHERE")), "{told:?}");
}

#[test]
fn a_database_without_money_needs_no_locale_for_it() {
    let (original, archive) = small(3);
    let about: Value = serde_json::from_slice(archive.content("about.json")).unwrap();
    assert_eq!(about["formats"]["money"], json!(null));
    let copy = copy_of(&original);
    let restored = restore(
        &written_by(&archive, "no_WHERE", None),
        &copy,
        DatabaseTargetOptions::default(),
    );
    assert_eq!(restored.unwrap().warnings(), []);
}
