//! A real OpenID Connect provider (oidc-provider from npm) on a free loopback port, and what a browser does there.

use std::io;
use std::net::{Ipv4Addr, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::guard::Guarded;
use crate::system::Client;
use crate::{free_port, poll, tools};

/// Who we are to the provider.
pub const CLIENT_ID: &str = "backup";
/// The secret that proves it.
pub const CLIENT_SECRET: &str = "canary of the client secret";
/// The host that the provider sends browsers back to, by http and https.
pub const HOST: &str = "backup.example.org";

/// Where a provider tells of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claims {
    /// In the ID token.
    InToken,
    /// To those who ask with the access token, as the standard has it.
    ByUserinfo,
}

/// A provider. Dropped, it ends.
#[derive(Debug)]
pub struct OidcProvider {
    claims: Claims,
    port: u16,
    server: Mutex<Option<Guarded>>,
    folder: TempDir,
}

impl OidcProvider {
    /// Starts a provider. What it needs is installed first where it is missing.
    pub fn start(claims: Claims) -> Self {
        let this = Self {
            claims,
            port: free_port(),
            server: Mutex::default(),
            folder: tempfile::Builder::new()
                .prefix("backup-oidc-")
                .tempdir()
                .expect("a temporary folder"),
        };
        this.restart();
        this
    }

    /// One for all tests of this process; it tells of a person in the ID token and must not be stopped.
    pub fn shared() -> Arc<Self> {
        static SHARED: OnceLock<Arc<OidcProvider>> = OnceLock::new();
        SHARED.get_or_init(|| Arc::new(Self::start(Claims::InToken))).clone()
    }

    /// What goes into `OIDC_ISSUER_URL`.
    pub fn issuer(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Ends it; nobody answers on its port then.
    pub fn stop(&self) {
        let server = self.server.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(server) = server {
            server.signal(Signal::KILL);
            server.end_and_keep();
        }
    }

    /// Starts it again on the same port, with another key, and without what it knew.
    pub fn restart(&self) {
        self.stop();
        let server = self.try_start().expect("an OpenID Connect provider for the tests");
        *self.server.lock().unwrap_or_else(PoisonError::into_inner) = Some(server);
    }

    fn try_start(&self) -> io::Result<Guarded> {
        let modules = tools::npm::install()?.join("node_modules");
        let node = tools::find_on_path("node").ok_or_else(|| io::Error::other("node is not on the PATH"))?;
        let claims = match self.claims {
            Claims::InToken => "token",
            Claims::ByUserinfo => "userinfo",
        };
        let mut command = Command::new(node);
        command
            .arg(tools::workspace().join("tests/tools/oidc-provider.mjs"))
            .arg(modules)
            .args([&self.port.to_string(), claims, CLIENT_ID, CLIENT_SECRET])
            .args(["http", "https"].map(|scheme| format!("{scheme}://{HOST}/api/auth/oidc/callback")));
        let log = self.folder.path().join("provider.log");
        let server = Guarded::spawn(&command, &log, "KILL", self.folder.path())?;
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
            return Err(io::Error::other(format!("oidc-provider does not start: {said}")));
        }
        Ok(server)
    }

    /// A new browser goes to the address that it was sent to and logs in as the person with these claims (`sub` and
    /// whatever else). Returns where the provider sends it in the end.
    pub fn log_in(&self, authorization_url: &str, person: &Value) -> String {
        let mut jar = Jar::default();
        let mut url = authorization_url.to_owned();
        while let Some(path) = self.path_here(&url) {
            let client = Client::new(self.port).with("Cookie", &jar.header());
            let answer = if path.starts_with("/interaction/") {
                client.post(&path, person)
            } else {
                client.get(&path)
            };
            for cookie in answer.headers("set-cookie") {
                jar.take(cookie);
            }
            let location = answer.header("location");
            location
                .unwrap_or_else(|| panic!("{path}: {} {}", answer.status, answer.text()))
                .clone_into(&mut url);
        }
        url
    }

    /// The same of somebody who does not want to.
    pub fn decline(&self, authorization_url: &str) -> String {
        self.log_in(authorization_url, &json!({ "error": "access_denied" }))
    }

    fn path_here(&self, url: &str) -> Option<String> {
        let path = url.strip_prefix(&self.issuer()).unwrap_or(url);
        path.starts_with('/').then(|| path.to_owned())
    }
}

/// A browser's cookies; their paths are not looked at, since no two have the same name.
#[derive(Debug, Default)]
struct Jar(Vec<(String, String)>);

impl Jar {
    fn take(&mut self, set_cookie: &str) {
        let pair = set_cookie.split(';').next().unwrap_or_default();
        if let Some((name, value)) = pair.split_once('=') {
            self.0.retain(|(other, _)| other != name);
            self.0.push((name.to_owned(), value.to_owned()));
        }
    }

    fn header(&self) -> String {
        let pairs: Vec<String> = self.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("; ")
    }
}
