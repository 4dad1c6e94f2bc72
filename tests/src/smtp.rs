//! A real mail server: aiosmtpd on a free loopback port, which keeps what it takes.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::guard::Guarded;
use crate::{free_port, poll, tools};

/// How a mail server is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    /// Never encrypted.
    None,
    /// By STARTTLS.
    StartTls,
    /// From the first byte.
    Implicit,
}

/// A mail server that takes everything, except that recipients `refused@…` are refused for good and `busy@…` for now, and
/// the sender `forbidden@…` for good. Dropped, it ends and leaves nothing behind.
#[derive(Debug)]
pub struct SmtpServer {
    port: u16,
    _server: Guarded,
    folder: TempDir,
}

/// A message that the server has taken, as Python's own parser reads it.
#[derive(Debug)]
pub struct Received {
    /// Who sent it, by the envelope.
    pub sender: String,
    /// Who gets it, by the envelope.
    pub recipients: Vec<String>,
    /// The decoded header, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The plain text, decoded, lines ending in `\n`.
    pub text: String,
    /// The HTML, decoded, lines ending in `\n`.
    pub html: String,
    /// Its kind (`multipart/alternative`), then those of its parts with the charset of each, as their headers say them.
    pub kinds: Vec<String>,
    /// Whether it came in ASCII alone, which every server passes on unharmed.
    pub ascii: bool,
    /// Whether it came encrypted.
    pub encrypted: bool,
    /// Whether the sender had logged in.
    pub logged_in: bool,
}

impl SmtpServer {
    /// Starts a server; with `log_in` it wants this user and password.
    pub fn start(tls: Tls, log_in: Option<(&str, &str)>) -> Self {
        Self::try_start(tls, log_in).expect("a mail server for the tests")
    }

    /// Starts a server. It is installed first where it is missing.
    pub fn try_start(tls: Tls, log_in: Option<(&str, &str)>) -> io::Result<Self> {
        let python = tools::aiosmtpd::install()?;
        let folder = tempfile::Builder::new().prefix("backup-smtp-").tempdir()?;
        let (path, port) = (folder.path(), free_port());
        fs::create_dir(path.join("taken"))?;
        make_certificates(path)?;
        let mut command = Command::new(python);
        command
            .arg(tools::workspace().join("tests/tools/smtp_server.py"))
            .args(["--port", &port.to_string(), "--folder"])
            .arg(path.join("taken"))
            .arg("--certificate")
            .arg(path.join("server.pem"))
            .arg("--key")
            .arg(path.join("server.key"))
            .arg("--tls")
            .arg(match tls {
                Tls::None => "none",
                Tls::StartTls => "starttls",
                Tls::Implicit => "implicit",
            });
        if let Some((user, password)) = log_in {
            command.env("SMTP_USER", user).env("SMTP_PASSWORD", password);
        }
        let log = path.join("server.log");
        let server = Guarded::spawn(&command, &log, "KILL", path)?;
        let ready = poll(Duration::from_mins(1), || {
            if !server.is_running() {
                return Some(false);
            }
            TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok().then_some(true)
        });
        if ready != Some(true) {
            let said = fs::read_to_string(&log).unwrap_or_default();
            return Err(io::Error::other(format!("the mail server does not start: {said}")));
        }
        Ok(Self {
            port,
            _server: server,
            folder,
        })
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The certificate of the authority that the server's comes from; it is for `localhost` and `127.0.0.1`.
    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// What it has taken so far, in that order. A message is here before its sender hears that it was taken.
    pub fn received(&self) -> Vec<Received> {
        let files = fs::read_dir(self.folder.path().join("taken")).expect("the server's folder");
        let mut files: Vec<PathBuf> = files.map(|entry| entry.expect("its entry").path()).collect();
        files.retain(|file| file.extension().is_some_and(|end| end == "json"));
        files.sort();
        files.iter().map(|file| Received::read(file)).collect()
    }
}

impl Received {
    fn read(file: &Path) -> Self {
        let json = fs::read(file).expect("a message that was taken");
        let value: Value = serde_json::from_slice(&json).expect("the server's JSON");
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        let lines = |value: &Value| text(value).replace("\r\n", "\n");
        let flag = |name: &str| value[name].as_bool().expect("a flag");
        let recipients = value["recipients"].as_array().expect("recipients");
        let headers = value["headers"].as_object().expect("headers");
        Self {
            sender: text(&value["sender"]),
            recipients: recipients.iter().map(text).collect(),
            headers: headers
                .iter()
                .map(|(name, value)| (name.clone(), text(value)))
                .collect(),
            text: lines(&value["text"]),
            html: lines(&value["html"]),
            kinds: value["kinds"].as_array().expect("kinds").iter().map(text).collect(),
            ascii: flag("ascii"),
            encrypted: flag("encrypted"),
            logged_in: flag("logged_in"),
        }
    }
}

/// Makes an authority (`ca.pem`) and, from it, a server's certificate (`server.pem`, `server.key`).
fn make_certificates(folder: &Path) -> io::Result<()> {
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    let request = |arguments: &[&str]| {
        let mut openssl = Command::new("openssl");
        openssl.args(["req", "-x509", "-days", "2", "-config", "/dev/null"]);
        tools::run(openssl.args(key).args(arguments).current_dir(folder))
    };
    request(&[
        "-subj=/CN=Tests",
        "-addext=basicConstraints=critical,CA:TRUE",
        "-keyout=ca.key",
        "-out=ca.pem",
    ])?;
    request(&[
        "-subj=/CN=localhost",
        "-addext=subjectAltName=DNS:localhost,IP:127.0.0.1",
        "-addext=basicConstraints=critical,CA:FALSE",
        "-CA=ca.pem",
        "-CAkey=ca.key",
        "-keyout=server.key",
        "-out=server.pem",
    ])?;
    Ok(())
}
