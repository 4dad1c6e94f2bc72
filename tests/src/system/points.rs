//! Points in time that backups are to bring back, and changes between them.

use std::fs;

use serde_json::Value;

use super::System;
use super::restores::State;

/// A backup, and what it is to bring back.
#[derive(Debug)]
pub struct Point {
    /// The backup, as the API showed it when it was made.
    pub backup: Value,
    /// The database and the files.
    pub state: State,
}

impl System {
    /// Makes a backup of all and remembers what it is of.
    pub fn point(&self, backup_type: &str) -> Point {
        Point {
            state: self.state(),
            backup: self.back_up_as(backup_type, "FULL_SYSTEM"),
        }
    }

    /// Changes a little of what [`System::fill_a_little`] made, otherwise with each step, of which there are six.
    pub fn change_a_little(&self, step: u8) {
        self.database.psql(&format!(
            "UPDATE app.orders SET note = md5(note) WHERE id % 50 = {step}; \
             INSERT INTO app.orders SELECT i, md5(i::text || '{step}') FROM generate_series({step}00001, {step}00020) i; \
             CREATE TABLE app.new_{step} AS SELECT i FROM generate_series(1, 10) i"
        ));
        let uploads = self.uploads();
        let noise = vec![step; 100_000];
        fs::write(uploads.join(format!("new {step}")), &noise).expect("a file");
        let mut content = fs::read(uploads.join("folder/file 9")).expect("a file");
        content.splice(70_000..70_000, noise[..1000].iter().copied());
        fs::write(uploads.join("folder/file 9"), content).expect("a file");
        fs::rename(
            uploads.join(format!("folder/file {}", 10 + step)),
            uploads.join(format!("moved {step}")),
        )
        .expect("a file");
        let _linked = fs::hard_link(uploads.join("folder/file 2"), uploads.join(format!("link {step}")));
        let _gone = fs::remove_file(uploads.join(format!("folder/file {}", 3 + step)));
    }
}

impl Point {
    /// The backup's identifier.
    pub fn id(&self) -> &str {
        self.backup["id"].as_str().expect("an id")
    }

    /// Restores backup `id` and compares it bit for bit with this point.
    pub fn assert_is(&self, system: &System, id: &str) {
        let differences = system.restored_differences(id, "FULL_SYSTEM", &self.state);
        assert_eq!(differences, Vec::<String>::new(), "{}", self.id());
    }
}
