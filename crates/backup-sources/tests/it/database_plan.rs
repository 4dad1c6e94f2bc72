//! A plan tells everything that stands against a restore, and changes nothing.

use backup_core::restore::{RefusalCode, TargetPlan};
use backup_core::{PipelineError, RestoreId, Target};
use backup_sources::{DatabaseSettings, DatabaseSource, DatabaseTarget, DatabaseTargetOptions};
use backup_tests::postgres::Postgres;
use backup_tests::unique;
use serde_json::json;

use crate::database::{change, copy_of, exists, settings, small};
use crate::database_faults::fake_pg_dump;
use crate::job;
use crate::recorder::{Archive, back_up};

pub(crate) fn codes(plan: &TargetPlan) -> Vec<RefusalCode> {
    plan.refusals.iter().map(|refusal| refusal.code).collect()
}

pub(crate) fn said(plan: &TargetPlan) -> String {
    let lines: Vec<&str> = plan.refusals.iter().map(|refusal| refusal.message.as_str()).collect();
    lines.join("\n")
}

pub(crate) fn new_id() -> RestoreId {
    format!("0193a1de-0000-7000-8000-{}", unique()).parse().unwrap()
}

fn plan(archive: &Archive<'_>, settings: DatabaseSettings, options: DatabaseTargetOptions, needed: u64) -> TargetPlan {
    DatabaseTarget::new(settings, options)
        .plan(archive.content("about.json"), needed, &job())
        .unwrap()
}

#[test]
fn every_reason_is_told_at_once_and_nothing_is_changed() {
    let (original, mut archive) = small(3);
    change(&mut archive, "about.json", |about| {
        about["roles"].as_array_mut().unwrap().push(json!("no such role"));
        let missing = json!({"name": "no_such_extension", "version": "1", "schema": "public"});
        about["extensions"].as_array_mut().unwrap().push(missing);
        about["serverVersionNum"] = 990_000.into();
        about["dumpVersion"] = "99.1".into();
    });
    let before = original.dump();
    let told = plan(
        &archive,
        settings(&original),
        DatabaseTargetOptions::default(),
        u64::MAX,
    );
    assert_eq!(
        codes(&told),
        [
            RefusalCode::ServerOlder,
            RefusalCode::ProgramOlder,
            RefusalCode::ExtensionsMissing,
            RefusalCode::RolesMissing,
            RefusalCode::TargetNotEmpty,
            RefusalCode::NoSpace
        ]
    );
    for words in [
        "PostgreSQL 15",
        "99.1",
        "no_such_extension",
        "no such role",
        "is not empty",
        "bytes free",
    ] {
        assert!(said(&told).contains(words), "{words}: {}", said(&told));
    }
    assert!(told.refusals.iter().all(|refusal| !refusal.hint.is_empty()));
    assert_eq!(original.dump(), before);

    // The restore ends with the first of them.
    let copy = copy_of(&original);
    let error = DatabaseTarget::new(settings(&copy), DatabaseTargetOptions::default())
        .restore(&mut archive.replay(), &job())
        .unwrap_err();
    assert!(error.to_string().contains(&told.refusals[0].message), "{error}");
    assert!(!exists(&copy));

    let options = DatabaseTargetOptions {
        skip_owner: true,
        ..DatabaseTargetOptions::default()
    };
    let told = plan(&archive, settings(&original), options, 0);
    assert!(!codes(&told).contains(&RefusalCode::RolesMissing));
    assert!(told.warnings[0].contains("room"), "{:?}", told.warnings);
}

#[test]
fn a_restore_that_would_work_has_no_reason_against_it() {
    let (original, mut archive) = small(3);
    let copy = copy_of(&original);
    let told = plan(&archive, settings(&copy), DatabaseTargetOptions::default(), 1_000_000);
    assert_eq!((codes(&told), told.warnings.as_slice()), (vec![], &[][..]));
    assert!(told.part.target.contains(&copy.name) && told.part.replaces.is_none());
    assert!(told.part.free_bytes.unwrap() > 1_000_000);
    assert!(!exists(&copy));

    change(&mut archive, "about.json", |about| {
        about["collate"] = "xx_YY.UTF-8".into();
    });
    let told = plan(&archive, settings(&copy), DatabaseTargetOptions::default(), 1);
    assert_eq!(codes(&told), []);
    assert!(told.warnings[0].contains("xx_YY.UTF-8"), "{:?}", told.warnings);

    let is_filled =
        |database| DatabaseTarget::new(settings(database), DatabaseTargetOptions::default()).is_filled(&job());
    let empty = Postgres::shared().create_database("empty");
    assert_eq!(
        [&original, &empty, &copy].map(|database| is_filled(database).unwrap()),
        [true, false, false]
    );
    let told = plan(&archive, settings(&empty), DatabaseTargetOptions::default(), 1);
    assert_eq!(codes(&told), []);
    assert!(told.warnings[0].contains("was there already"), "{:?}", told.warnings);
}

#[test]
fn a_server_that_cannot_be_reached_is_a_reason_among_others() {
    let (original, archive) = small(3);
    let good = settings(&copy_of(&original));
    let only_psql = fake_pg_dump("99.0", "exit 1");
    std::fs::remove_file(only_psql.path().join("pg_restore")).unwrap();
    let told = plan(
        &archive,
        DatabaseSettings {
            port: backup_tests::free_port(),
            programs: Some(only_psql.path().to_owned()),
            ..good.clone()
        },
        DatabaseTargetOptions::default(),
        1,
    );
    assert_eq!(
        codes(&told),
        [RefusalCode::TargetUnreachable, RefusalCode::ProgramOlder]
    );
    assert!(said(&told).contains("pg_restore is missing"), "{}", said(&told));

    let wrong = DatabaseSettings {
        password: Some("wr0ng".to_owned().into()),
        ..good.clone()
    };
    let told = plan(&archive, wrong, DatabaseTargetOptions::default(), 1);
    assert_eq!(codes(&told), [RefusalCode::TargetUnreachable]);
    assert!(said(&told).contains("password authentication failed") && !said(&told).contains("wr0ng"));

    let error = DatabaseTarget::new(good, DatabaseTargetOptions::default())
        .plan(b"{}", 1, &job())
        .unwrap_err();
    assert!(matches!(error, PipelineError::Integrity { .. }), "{error:?}");
}

#[test]
fn a_user_who_may_not_do_it_is_told_before() {
    let server = Postgres::shared();
    let (original, mut archive) = small(3);
    let (role, owner) = (format!("plain_{}", unique()), format!("owner_{}", unique()));
    original.psql(&format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'plain'; CREATE ROLE {owner}; ALTER TABLE t OWNER TO {owner}"
    ));
    archive.entries.clear();
    back_up(&DatabaseSource::new(settings(&original)), &mut archive, &job()).unwrap();
    let copy = copy_of(&original);
    let plain = DatabaseSettings {
        user: Some(role.clone()),
        password: Some("plain".to_owned().into()),
        ..settings(&copy)
    };
    let told = plan(&archive, plain.clone(), DatabaseTargetOptions::default(), u64::MAX);
    assert_eq!(codes(&told), [RefusalCode::NotPermitted]);
    assert!(said(&told).contains("may not create databases"), "{}", said(&told));
    assert_eq!(told.part.free_bytes, None);
    assert!(told.warnings[0].contains(&owner), "{:?}", told.warnings);
    let error = DatabaseTarget::new(plain, DatabaseTargetOptions::default())
        .prepare(&job())
        .unwrap_err();
    assert!(error.to_string().contains("may not create databases"), "{error}");
    drop(original);
    server.psql("postgres", &format!("DROP ROLE {role}; DROP ROLE {owner}"));
}
