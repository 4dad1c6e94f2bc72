//! Restores by the API, and what a system was like before and after them.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use super::System;
use crate::poll;
use crate::tree::{self, Scratch};

/// How long a restore may take on a busy machine.
const RESTORE: Duration = Duration::from_mins(3);

/// Database and files as they were at one moment.
#[derive(Debug)]
pub struct State {
    dump: String,
    files: Scratch,
}

impl State {
    /// The copy of the files.
    pub fn tree(&self) -> PathBuf {
        self.files.path().join("tree")
    }
}

impl System {
    /// Remembers database and files as they are now.
    pub fn state(&self) -> State {
        let state = State {
            dump: self.database.dump(),
            files: Scratch::new(),
        };
        std::fs::create_dir(state.tree()).expect("a folder");
        tree::copy(&self.uploads(), &state.tree());
        state
    }

    /// What of database and files is not as in `state`, bit by bit; empty: nothing.
    pub fn differences(&self, state: &State) -> Vec<String> {
        let mut found = tree::compare(&state.tree(), &self.uploads());
        if self.database.dump() != state.dump {
            found.push("the database".to_owned());
        }
        found
    }

    /// What a backup of this source, restored by `backupctl` into new places, brings back otherwise than it is in `state`;
    /// empty: nothing.
    pub fn restored_differences(&self, id: &str, source: &str, state: &State) -> Vec<String> {
        let (database, into) = (self.new_database(), Scratch::new());
        let files = into.path().join("files");
        let (url, shown) = (database.url(), files.display().to_string());
        let mut restore = vec!["restore", id];
        if source != "FILES" {
            restore.extend(["--to-database", &url]);
        }
        if source != "DATABASE" {
            restore.extend(["--to-files", &shown]);
        }
        let done = self.backupctl(&restore).expect(0);
        assert_eq!(done.temporary_files, Vec::<PathBuf>::new());
        let mut found = Vec::new();
        if source != "FILES" {
            let dump = database.dump();
            let other = state.dump.lines().zip(dump.lines()).find(|(then, now)| then != now);
            found.extend(other.map(|(then, now)| format!("the database: {then:?} became {now:?}")));
            if found.is_empty() && dump.len() != state.dump.len() {
                found.push("the database: one dump is the beginning of the other".to_owned());
            }
        }
        if source != "DATABASE" {
            found.extend(tree::compare(&state.tree(), &files));
        }
        found
    }

    /// Changes database and files, so that they are another state.
    pub fn change(&self) {
        self.database.psql(
            "UPDATE app.orders SET note = 'changed' WHERE id % 7 = 0; DELETE FROM app.orders WHERE id > 4000; \
             CREATE TABLE app.later AS SELECT 1 AS n; DROP TABLE app.empty",
        );
        let uploads = self.uploads();
        std::fs::write(uploads.join("folder/file 3"), "changed").expect("a file");
        std::fs::remove_file(uploads.join("folder/file 4")).expect("a file");
        std::fs::write(uploads.join("later"), "later").expect("a file");
    }

    /// Asks for a restore with these options and gives its id.
    pub fn restore(&self, backup: &str, options: &Value) -> String {
        let answer = self
            .api()
            .post(&format!("/api/admin/backup/{backup}/restore"), options)
            .expect(202);
        answer["restore"]["id"].as_str().expect("an id").to_owned()
    }

    /// A restore as the API shows it.
    pub fn restore_record(&self, id: &str) -> Value {
        self.api().get(&format!("/api/admin/restore/{id}")).expect(200)["restore"].take()
    }

    /// Waits until a restore has ended, well or not.
    pub fn wait_for_restore(&self, id: &str) -> Value {
        let ended = poll(RESTORE, || {
            let record = self.restore_record(id);
            (record["status"] != "PENDING" && record["status"] != "IN_PROGRESS").then_some(record)
        });
        ended.unwrap_or_else(|| {
            panic!(
                "the restore does not end: {:#}{}",
                self.restore_record(id),
                self.story()
            )
        })
    }

    /// Waits until a restore has completed; panics where it ends otherwise.
    pub fn restored(&self, id: &str) -> Value {
        let record = self.wait_for_restore(id);
        assert_eq!(record["status"], "COMPLETED", "{record:#}{}", self.story());
        record
    }

    /// Replaces database, files and configuration by a backup.
    pub fn replace(&self, backup: &str) -> Value {
        self.restored(&self.restore(backup, &json!({ "mode": "REPLACE" })))
    }

    /// Ends what a restore replaced: `how` is `rollback` or `confirm`.
    pub fn end_replacement(&self, restore: &str, how: &str) -> Value {
        let answer = self
            .api()
            .send("POST", &format!("/api/admin/restore/{restore}/{how}"), None);
        let ending = answer.expect(202)["restore"]["id"].as_str().expect("an id").to_owned();
        self.restored(&ending)
    }

    /// What restores left on the server and beside the folder: databases and folders that are neither.
    pub fn leftovers(&self) -> Vec<String> {
        let sql = format!(
            "SELECT datname FROM pg_database WHERE datname LIKE '{}\\_%'",
            self.database.name
        );
        let mut found: Vec<String> = self.database.psql(&sql).lines().map(str::to_owned).collect();
        let beside = std::fs::read_dir(self.folder()).expect("the folder");
        found.extend(beside.filter_map(|entry| {
            let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
            name.starts_with(".uploads").then_some(name)
        }));
        found
    }
}
