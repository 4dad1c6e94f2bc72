//! Whether a program that says nothing is at work.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use backup_core::JobControl;
use rustix::process::Pid;

use crate::child::Child;
use crate::database::DatabaseSettings;
use crate::database::psql::{Session, literal};

/// Watches a program while nothing passes between it and us: `pg_dump` before its first row, `pg_restore` before its first
/// and after its last, or one that reads a file by itself.
///
/// What its sessions do at one moment does not tell whether it is at work: on a slow line they wait for it nearly always,
/// between two statements, in the middle of a `COPY` or between two calls that write a large object. But wherever it gets on,
/// something moves from one look to the next: its place in a file while there are rows to send, which no version of the
/// server hides, or the last change of a session while there are statements. Where neither moves and the server works on
/// nothing, it is stuck. The first look finds that it has moved since its start, so a program that is stuck is ended after
/// the second.
pub(super) struct Watch {
    settings: DatabaseSettings,
    application: String,
    group: Option<Pid>,
    job: JobControl,
    positions: BTreeMap<PathBuf, String>,
    changes: Vec<String>,
}

impl Watch {
    pub(super) fn new(settings: &DatabaseSettings, application: String, child: &Child, job: &JobControl) -> Self {
        Self {
            settings: settings.clone(),
            application,
            group: child.group(),
            job: job.clone(),
            positions: BTreeMap::new(),
            changes: Vec::new(),
        }
    }

    /// Whether it has got on since it was last asked for, or the server works for it.
    pub(super) fn is_at_work(&mut self) -> bool {
        let positions = self.group.map(positions).unwrap_or_default();
        let mut is_at_work = positions != self.positions;
        self.positions = positions;
        if let Some(sessions) = sessions(&self.settings, &self.application, &self.job) {
            let (changes, at_work): (Vec<String>, Vec<bool>) = sessions.into_iter().unzip();
            is_at_work |= changes != self.changes || at_work.contains(&true);
            self.changes = changes;
        }
        is_at_work
    }
}

/// Of each session called `application` what is another with each statement, and whether the server works on one of it, and
/// waits neither for a lock nor for its client. `None`: the server cannot be asked.
fn sessions(settings: &DatabaseSettings, application: &str, job: &JobControl) -> Option<Vec<(String, bool)>> {
    let asked = Session::open(settings, &settings.name, job).and_then(|mut session| {
        session.query(&format!(
            "SELECT json_build_array(concat(pid, ' ', state_change), coalesce(state = 'active' \
             AND (wait_event_type IS NULL OR wait_event_type NOT IN ('Lock', 'Client')), false)) \
             FROM pg_stat_activity WHERE application_name = {} ORDER BY pid",
            literal(application)
        ))
    });
    asked
        .inspect_err(|error| {
            tracing::warn!(%error, "cannot ask the server whether a silent program's statement is at work");
        })
        .ok()
}

/// The position in every file that the processes of `group` have open. What has ended meanwhile has none.
fn positions(group: Pid) -> BTreeMap<PathBuf, String> {
    // proc_pid_stat(5): after the name the state, the parent and the group. Of the system's own threads that is 0.
    let group = group.as_raw_nonzero().to_string();
    let is_of_group = |process: &PathBuf| {
        let stat = fs::read_to_string(process.join("stat")).unwrap_or_default();
        let fields = stat.rsplit_once(") ").map(|(_, fields)| fields);
        fields.is_some_and(|fields| fields.split(' ').nth(2) == Some(&group))
    };
    listed(Path::new("/proc"))
        .filter(is_of_group)
        .flat_map(|process| listed(&process.join("fdinfo")))
        .filter_map(|file| {
            let text = fs::read_to_string(&file).ok()?;
            let position = text.lines().next()?.to_owned();
            Some((file, position))
        })
        .collect()
}

fn listed(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path())
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::process::Command;
    use std::sync::Arc;
    use std::time::Duration;

    use backup_core::OsRandom;

    use super::*;
    use crate::database::{ConnectionOptions, NamedBy};

    #[test]
    fn a_program_is_at_work_while_it_gets_on_in_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("dump");
        fs::write(&file, [b'x'; 100]).unwrap();
        // A server that cannot be asked.
        let settings = DatabaseSettings {
            host: String::new(),
            port: 0,
            name: String::new(),
            user: None,
            password: None,
            options: ConnectionOptions::default(),
            named_by: NamedBy::Settings,
            programs: Some(folder.path().to_owned()),
            random: Arc::new(OsRandom),
        };
        let job = JobControl::new(Duration::from_mins(1));
        let mut command = Command::new("/bin/sh");
        let script = "exec 3< \"$0\"; while echo; read -r line; do head -c 1 <&3 > /dev/null; done";
        command.args(["-c", script]).arg(&file);
        let mut child = Child::spawn("sh", command, None, &job).unwrap();
        let mut watch = Watch::new(&settings, "nobody".to_owned(), &child, &job);
        child.read_exact(&mut [0]).unwrap();
        assert!(watch.is_at_work(), "it has begun");
        assert!(!watch.is_at_work(), "it waits");
        child.write_all(b"\n").unwrap();
        child.read_exact(&mut [0]).unwrap();
        assert!(watch.is_at_work(), "it has read on");
        assert!(!watch.is_at_work(), "it waits again");
    }
}
