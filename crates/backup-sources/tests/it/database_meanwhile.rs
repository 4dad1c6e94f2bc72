//! What others do to a database while a backup is restored into it.

use std::io::Read;

use backup_core::{Entry, PartReader, PipelineError, Target};
use backup_sources::{DatabaseTarget, DatabaseTargetOptions};
use backup_tests::postgres::{Database, Postgres};

use crate::database::{copy_of, restore, settings, small};
use crate::job;
use crate::recorder::{Archive, Replay};

/// An archive with which somebody else does something once, when the content of its dump is asked for first.
struct Meanwhile<'a> {
    archive: Replay,
    is_dump: bool,
    then: Option<Box<dyn FnOnce() + 'a>>,
}

impl PartReader for Meanwhile<'_> {
    fn next_entry(&mut self) -> Result<Option<Entry>, PipelineError> {
        let entry = self.archive.next_entry()?;
        self.is_dump = entry
            .as_ref()
            .is_some_and(|entry| entry.path.as_bytes() == b"database.dump");
        Ok(entry)
    }

    fn content(&mut self) -> &mut dyn Read {
        if let Some(then) = self.then.take_if(|_| self.is_dump) {
            then();
        }
        self.archive.content()
    }
}

/// Restores while `then` is done.
fn restore_while(
    archive: &Archive<'_>,
    database: &Database,
    options: DatabaseTargetOptions,
    then: impl FnOnce(),
) -> Result<(), PipelineError> {
    let mut part = Meanwhile {
        archive: archive.replay(),
        is_dump: false,
        then: Some(Box::new(then)),
    };
    DatabaseTarget::new(settings(database), options).restore(&mut part, &job())
}

#[test]
fn a_second_restore_into_the_same_database_is_refused_and_takes_nothing_away() {
    let (original, archive) = small(1000);
    let empty = Postgres::shared().create_database("empty");
    for database in [empty, copy_of(&original)] {
        let mut second = None;
        let again = || {
            second = Some(restore(&archive, &database, DatabaseTargetOptions::default()).map(|_| ()));
        };
        restore_while(&archive, &database, DatabaseTargetOptions::default(), again).unwrap();
        let error = second.unwrap().unwrap_err();
        assert!(
            matches!(error, PipelineError::Refused { .. }) && error.to_string().contains("another restore"),
            "{error:?}"
        );
        assert_eq!(original.dump(), database.dump());
        // The lock is gone with the restore.
        let error = restore(&archive, &database, DatabaseTargetOptions::default())
            .map(|_| ())
            .unwrap_err();
        assert!(error.to_string().contains("is not empty"), "{error}");
    }
}

#[test]
fn what_others_make_in_an_empty_database_stays_when_a_restore_into_it_fails() {
    let (_original, archive) = small(1000);
    let tables = |database: &Database| {
        database
            .psql("SELECT schemaname, tablename FROM pg_tables WHERE schemaname !~ '^(pg_|information_)' ORDER BY 1, 2")
    };
    let one = || DatabaseTargetOptions {
        tables: vec!["other.w".to_owned()],
        ..DatabaseTargetOptions::default()
    };
    let cases = [
        (
            DatabaseTargetOptions::default(),
            "CREATE TABLE t (theirs int); CREATE TABLE kept (x int)",
            "public|kept\npublic|t",
        ),
        // The schema was made by the restore.
        (one(), "CREATE TABLE other.w (theirs int)", "other|w"),
    ];
    for (options, theirs, left) in cases {
        let empty = Postgres::shared().create_database("empty");
        let error = restore_while(&archive, &empty, options, || drop(empty.psql(theirs))).unwrap_err();
        assert!(error.to_string().contains("already exists"), "{error}");
        assert_eq!(tables(&empty), left);
    }

    // Nothing of ours is left either.
    let mut broken = archive.copy();
    let dump = broken
        .entries
        .iter_mut()
        .find(|(entry, _)| entry.path.as_bytes() == b"database.dump");
    let content = &mut dump.unwrap().1;
    // In the middle of its table of contents.
    content.truncate(200);
    let empty = Postgres::shared().create_database("empty");
    let theirs = || drop(empty.psql("CREATE TABLE kept (x int)"));
    restore_while(&broken, &empty, one(), theirs).unwrap_err();
    assert_eq!(tables(&empty), "public|kept");
    assert_eq!(
        empty.psql("SELECT count(*) FROM pg_namespace WHERE nspname = 'other'"),
        "0"
    );
}
