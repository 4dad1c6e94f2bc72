//! A running api-server with a token that may read, and what is seen of its memory from outside.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use backup_tests::process::{Program, Running};
use backup_tests::{free_port, unique};
use serde_json::json;

use crate::failed;
use crate::http::Client;

const EMAIL: &str = "admin@example.org";

/// A running server. Dropped, it ends.
pub(super) struct Served {
    /// The process.
    pub(super) server: Running,
    /// Where it listens.
    pub(super) port: u16,
    /// An administrator's client.
    pub(super) client: Client,
    /// The secret of a token of scope READ.
    pub(super) token: String,
}

impl Served {
    /// Starts it on an empty or filled catalog that has no user yet, with these further settings.
    pub(super) fn start(programs: &Path, folder: &Path, settings: &[(&str, String)]) -> io::Result<Self> {
        Self::start_as(programs, folder, settings, &unique())
    }

    /// The same where the administrator has this password, or gets it.
    pub(super) fn start_as(
        programs: &Path,
        folder: &Path,
        settings: &[(&str, String)],
        password: &str,
    ) -> io::Result<Self> {
        let port = free_port();
        let program = Program::at(&programs.join("api-server"))
            .env("BACKUP_DATA_DIR", folder.join("data"))
            .env("BACKUP_ENCRYPTION_KEY", "a long enough passphrase")
            .env("BACKUP_ADMIN_EMAIL", EMAIL)
            .env("BACKUP_ADMIN_PASSWORD", password)
            .env("UPLOAD_DIR", folder.join("uploads"))
            .env("LISTEN_ADDR", format!("127.0.0.1:{port}"));
        // Last, since they count where both say something.
        let program = settings
            .iter()
            .fold(program, |program, (name, value)| program.env(name, value));
        let server = program.spawn();
        server.wait_for_http(port, "/readyz", Duration::from_mins(5));
        let mut client = Client::new(port);
        client.log_in(EMAIL, password)?;
        let made = client.post("/api/admin/tokens", &json!({ "name": unique(), "scope": "READ" }))?;
        let token = made["secret"]
            .as_str()
            .ok_or_else(|| failed("the token has no secret"))?;
        Ok(Self {
            server,
            port,
            client,
            token: token.to_owned(),
        })
    }

    /// Resident memory now, bytes.
    pub(super) fn memory(&self) -> io::Result<u64> {
        self.figure("VmRSS:")
    }

    /// The most since the last [`Self::forget_peak`], bytes.
    pub(super) fn peak(&self) -> io::Result<u64> {
        self.figure("VmHWM:")
    }

    /// Begins to look for the peak anew.
    pub(super) fn forget_peak(&self) -> io::Result<()> {
        fs::write(format!("/proc/{}/clear_refs", self.server.pid()), "5")
    }

    fn figure(&self, name: &str) -> io::Result<u64> {
        figure(self.server.pid(), name)
    }
}

/// What the kernel tells of a process's memory by this name, bytes.
pub(super) fn figure(pid: u32, name: &str) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kibibytes: Option<u64> = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok());
    kibibytes
        .map(|kibibytes| kibibytes << 10)
        .ok_or_else(|| failed(format!("the kernel does not tell {name}")))
}
