//! Whose certificates are believed: the system's authorities, and those of a file.

use std::fs;
use std::path::Path;

use lettre::transport::smtp::client::{Certificate, TlsParameters};

use crate::Error;

const HINT: &str = "SMTP_CA_FILE is a PEM file with the certificates of your own authority.";

/// The certificates of a PEM file.
pub(super) fn read(file: &Path) -> Result<Certificate, Error> {
    let shown = file.display();
    let pem = fs::read(file)
        .map_err(|error| Error::refused(format!("SMTP_CA_FILE '{shown}' cannot be read: {error}"), HINT))?;
    let useless = || Error::refused(format!("SMTP_CA_FILE '{shown}' holds no certificate"), HINT);
    let begin = b"-----BEGIN CERTIFICATE-----";
    if !pem.windows(begin.len()).any(|window| window == begin) {
        return Err(useless());
    }
    Certificate::from_pem(&pem).map_err(|_| useless())
}

/// What a connection to `host` is encrypted with. Reads the system's certificates anew, so that a process that runs for
/// years knows the present ones.
pub(super) fn parameters(host: &str, own: Option<&Certificate>) -> Result<TlsParameters, Error> {
    let mut builder = TlsParameters::builder(host.to_owned());
    if let Some(own) = own {
        builder = builder.add_root_certificate(own.clone());
    }
    builder.build().map_err(|error| {
        Error::refused(
            "there are no certificates to check the mail server's with",
            "Install the system's package ca-certificates, or set SMTP_CA_FILE to usable certificates.",
        )
        .because(error)
    })
}
