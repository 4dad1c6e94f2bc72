//! A real Azurite: Microsoft's emulator of Azure Blob Storage, on a free loopback port.

use std::io;
use std::net::{Ipv4Addr, TcpStream};
use std::process::Command;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::guard::Guarded;
use crate::{free_port, poll, tools, unique};

/// The account that every Azurite has.
pub const ACCOUNT: &str = "devstoreaccount1";
/// Its key: published by Microsoft, the same everywhere, no secret.
pub const ACCOUNT_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// An own emulator, or one that `cargo xtask` started for all test programs. Dropped, an own one ends and leaves nothing
/// behind.
#[derive(Debug)]
pub struct Azurite {
    port: u16,
    own: Option<Own>,
}

#[derive(Debug)]
struct Own {
    /// Before the folder: it is dropped first.
    server: Mutex<Option<Guarded>>,
    folder: TempDir,
}

impl Azurite {
    /// Starts an emulator.
    pub fn start() -> Self {
        Self::try_start().expect("an Azurite for the tests")
    }

    /// Starts an emulator. It is installed first where it is missing.
    pub fn try_start() -> io::Result<Self> {
        let own = Own {
            folder: tempfile::Builder::new().prefix("backup-azurite-").tempdir()?,
            server: Mutex::new(None),
        };
        let this = Self {
            port: free_port(),
            own: Some(own),
        };
        this.try_resume()?;
        Ok(this)
    }

    /// One emulator for all tests: the one on the port in `$BACKUP_TEST_AZURITE`, as `cargo xtask test` sets it, else one
    /// of this process. It must not be stopped; use a container of your own in it.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Azurite> = OnceLock::new();
        SHARED.get_or_init(|| match std::env::var("BACKUP_TEST_AZURITE") {
            Ok(port) => Self {
                port: port.parse().expect("$BACKUP_TEST_AZURITE is a port"),
                own: None,
            },
            Err(_) => Self::start(),
        })
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The address of the account's blobs.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}/{ACCOUNT}", self.port)
    }

    /// What goes into `AZURE_STORAGE_CONNECTION_STRING`.
    pub fn connection_string(&self) -> String {
        format!(
            "DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={ACCOUNT_KEY};BlobEndpoint={};",
            self.endpoint()
        )
    }

    /// A name for a container that does not exist yet.
    pub fn new_container(&self) -> String {
        format!("test-{}", unique())
    }

    /// The emulator's process id; `None` for a shared or a killed one.
    pub fn pid(&self) -> Option<u32> {
        let own = self.own.as_ref()?;
        own.server
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
            .map(Guarded::pid)
    }

    /// Waits until it has written down that `container` exists, which it does every few seconds only. Killed before, it
    /// would forget the container, as no real storage does.
    pub fn wait_until_saved(&self, container: &str) {
        let known = self.own().folder.path().join("data/__azurite_db_blob__.json");
        let name = format!("\"{container}\"");
        let saved = poll(Duration::from_secs(30), || {
            let text = std::fs::read_to_string(&known).ok()?;
            text.contains(&name).then_some(())
        });
        saved.expect("Azurite writes down its containers");
    }

    /// Kills it with SIGKILL. Its data stays; blocks that were not committed are forgotten.
    pub fn kill9(&self) {
        let server = self.own().server.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(server) = server {
            server.signal(Signal::KILL);
            server.end_and_keep();
        }
    }

    /// Brings a killed one back, on the same port and data.
    pub fn restart(&self) {
        self.try_resume().expect("Azurite starts again");
    }

    fn own(&self) -> &Own {
        self.own
            .as_ref()
            .expect("a shared Azurite is neither killed nor started")
    }

    fn try_resume(&self) -> io::Result<()> {
        let script = tools::azurite::install()?;
        let node = tools::find_on_path("node").ok_or_else(|| io::Error::other("node is not on the PATH"))?;
        let own = self.own();
        let folder = own.folder.path();
        let (port, data) = (self.port.to_string(), folder.join("data"));
        let mut command = Command::new(node);
        command
            .arg(script)
            .args(["--silent", "--disableTelemetry", "--skipApiVersionCheck"])
            .args(["--blobHost", "127.0.0.1", "--blobPort", &port, "--location"])
            .arg(data);
        let log = folder.join("azurite.log");
        let server = Guarded::spawn(&command, &log, "KILL", folder)?;
        let ready = poll(Duration::from_mins(1), || {
            if !server.is_running() {
                return Some(false);
            }
            TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))
                .is_ok()
                .then_some(true)
        });
        if ready != Some(true) {
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            return Err(io::Error::other(format!("Azurite does not start: {said}")));
        }
        *own.server.lock().unwrap_or_else(PoisonError::into_inner) = Some(server);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_comes_back_on_the_same_port_and_leaves_nothing() {
        let azurite = Azurite::start();
        let first = azurite.pid().unwrap();
        azurite.kill9();
        assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, azurite.port())).is_err());
        azurite.restart();
        assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, azurite.port())).is_ok());
        assert_ne!(azurite.pid().unwrap(), first);
        let folder = azurite.own().folder.path().to_owned();
        drop(azurite);
        assert!(!folder.exists());
    }
}
