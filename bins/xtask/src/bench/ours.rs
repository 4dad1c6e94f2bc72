//! Ours: a whole api-server that takes one backup, asked for by HTTP.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use backup_tests::azurite::Azurite;
use backup_tests::process::{Program, cpu_time};
use backup_tests::{free_port, unique};
use serde_json::{Value, json};

use super::contest::Work;
use super::data::Data;
use super::measure::{DiskWatch, Sample, size_of};
use crate::failed;
use crate::http::Client;

const EMAIL: &str = "admin@example.org";

/// How often a job is asked whether it has ended: often enough for the figure, seldom enough not to disturb.
const PAUSE: Duration = Duration::from_millis(10);

/// How ours is set up.
pub(super) struct Ours {
    /// What the table calls it.
    pub(super) name: &'static str,
    codec: &'static str,
    azure: bool,
}

/// The names that the aims speak of.
pub(super) const ZSTD: &str = "ours, zstd, to a folder";
pub(super) const GZIP: &str = "ours, gzip, to a folder";
pub(super) const AZURE: &str = "ours, gzip, to Azurite";

pub(super) const OURS: &[Ours] = &[
    Ours {
        name: ZSTD,
        codec: "zstd",
        azure: false,
    },
    Ours {
        name: GZIP,
        codec: "gzip",
        azure: false,
    },
    Ours {
        name: AZURE,
        codec: "gzip",
        azure: true,
    },
];

impl Ours {
    /// Makes one FULL_SYSTEM backup by a server of its own. Its start and the log-in are not part of the time.
    pub(super) fn back_up(&self, programs: &Path, data: &Data, work: &Work) -> io::Result<Sample> {
        let azurite = self.azure.then(Azurite::try_start).transpose()?;
        let (port, password) = (free_port(), unique());
        let state = work.folder().join("data");
        let program = self
            .settings(data, work)
            .into_iter()
            .chain(data.environment().into_iter().filter(|(name, _)| *name == "PATH"))
            .fold(Program::at(&programs.join("api-server")), |program, (name, value)| {
                program.env(name, value)
            })
            // As the units and the image have it.
            .env("MALLOC_ARENA_MAX", "2")
            .env("BACKUP_DATA_DIR", &state)
            .env("BACKUP_ADMIN_EMAIL", EMAIL)
            .env("BACKUP_ADMIN_PASSWORD", &password)
            .env("LISTEN_ADDR", format!("127.0.0.1:{port}"));
        let program = match &azurite {
            Some(azurite) => program.env("AZURE_STORAGE_CONNECTION_STRING", azurite.connection_string()),
            None => program.env("BACKUP_STORAGE_URL", format!("file://{}", work.store().display())),
        };
        let server = program.spawn();
        server.wait_for_http(port, "/readyz", Duration::from_mins(1));
        let mut client = Client::new(port);
        client.log_in(EMAIL, &password)?;

        let disk = DiskWatch::start(server.pid(), vec![work.temporary(), state]);
        let (before, started) = (cpu_time(server.pid()), Instant::now());
        let backup = completed(&client, "FULL_SYSTEM")?;
        let (wall, cpu) = (started.elapsed(), cpu_time(server.pid()).saturating_sub(before));
        let temporary = disk.peak()?;
        let stored = if self.azure {
            backup["sizeBytes"]
                .as_u64()
                .ok_or_else(|| failed(format!("no size in {backup}")))?
        } else {
            size_of(&work.store())
        };
        let memory = server.terminate().usage.largest_memory;
        Ok(Sample {
            wall,
            cpu,
            memory,
            temporary,
            stored,
        })
    }

    fn settings(&self, data: &Data, work: &Work) -> Vec<(&'static str, String)> {
        let database = &data.database;
        vec![
            ("BACKUP_COMPRESSION", self.codec.to_owned()),
            ("BACKUP_ENCRYPTION_KEY", "a long enough passphrase".to_owned()),
            ("DATABASE_HOST", database.host.clone()),
            ("DATABASE_PORT", database.port.to_string()),
            ("DATABASE_NAME", database.name.clone()),
            ("DATABASE_USER", database.user.clone()),
            ("DATABASE_PASSWORD", database.password.clone()),
            ("UPLOAD_DIR", data.uploads.display().to_string()),
            ("TMPDIR", work.temporary().display().to_string()),
        ]
    }
}

/// Asks for a full backup of this source and waits until it is COMPLETED.
pub(super) fn completed(client: &Client, source: &str) -> io::Result<Value> {
    completed_as(client, "FULL", source)
}

/// The same of a backup of any type.
pub(super) fn completed_as(client: &Client, backup_type: &str, source: &str) -> io::Result<Value> {
    let wanted = json!({ "type": backup_type, "source": source });
    let made = client.post("/api/admin/backup", &wanted)?;
    let id = made["backup"]["id"]
        .as_str()
        .ok_or_else(|| failed(format!("no id in {made}")))?;
    ended_well(client, &format!("/api/admin/backup/{id}"), "backup")
}

/// Waits until the job whose record is answered at `path` under this name is COMPLETED, and gives the record.
pub(super) fn ended_well(client: &Client, path: &str, name: &str) -> io::Result<Value> {
    loop {
        std::thread::sleep(PAUSE);
        let record = client.get(path)?[name].take();
        match record["status"].as_str() {
            Some("COMPLETED") => return Ok(record),
            Some("PENDING" | "IN_PROGRESS") => {}
            _ => return Err(failed(format!("the {name} failed: {record}"))),
        }
    }
}
