//! What a server's answers, or their absence, mean for the caller.

use std::error::Error as _;
use std::io;

use lettre::transport::smtp;
use secrecy::{ExposeSecret, SecretString};

use super::SmtpSettings;
use crate::Error;

/// What the server was asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Connect,
    Encrypt,
    LogIn,
    Sender,
    Recipient,
    Message,
}

const PORT_HINT: &str = "Check host and port of SMTP_URL: smtps:// is for a port that is encrypted at once (465), smtp:// \
                         for one with STARTTLS or without encryption (587, 25).";
const REACH_HINT: &str = "Check host and port of SMTP_URL, and whether a firewall lets this machine reach them.";
const CERTIFICATE_HINT: &str = "Where the certificate comes from your own authority, set SMTP_CA_FILE to it; the host in \
                                SMTP_URL must be a name in the certificate. smtps:// is for port 465, smtp:// for 587.";
const LATER_HINT: &str = "Try again later; where it stays so, ask whoever runs the mail server.";
const LOG_IN_HINT: &str =
    "Check user and password in SMTP_URL; some providers want a password made for applications, not the account's.";
const FIRST_HINT: &str = "Put user and password into SMTP_URL, and use smtps:// where the server has a port for it.";
const SENDER_HINT: &str = "Set SMTP_FROM to an address that the server lets this user send from.";
const TURNED_AWAY_HINT: &str = "Ask whoever runs the mail server to let this machine send.";
const RECIPIENT_HINT: &str = "Correct or remove these addresses.";

/// Its name in messages.
pub(super) fn name(settings: &SmtpSettings) -> String {
    format!("the mail server {}:{}", settings.host, settings.port)
}

/// The error that comes out of a failed step.
pub(super) fn failed(settings: &SmtpSettings, step: Step, error: &smtp::Error) -> Error {
    let server = name(settings);
    let password = settings.credentials.as_ref().map(|(_, password)| password);
    if error.status().is_none() {
        return silent(&server, step, error);
    }
    let said = said(error, step, password);
    if error.is_transient() {
        return Error::unavailable(format!("{server} wants to be asked again later: {said}"), LATER_HINT);
    }
    if code(error) == Some(530) {
        return Error::refused(
            format!("{server} wants a log-in or encryption first: {said}"),
            FIRST_HINT,
        );
    }
    match step {
        Step::LogIn => Error::refused(
            format!("{server} refused the user or the password: {said}"),
            LOG_IN_HINT,
        ),
        Step::Sender => Error::refused(
            format!("{server} refused the sender {}: {said}", settings.from.email),
            SENDER_HINT,
        ),
        Step::Connect | Step::Encrypt => Error::refused(format!("{server} turned us away: {said}"), TURNED_AWAY_HINT),
        Step::Recipient | Step::Message => {
            Error::rejected(format!("{server} refused the message: {said}"), TURNED_AWAY_HINT)
        }
    }
}

/// Nothing that could be read came back in time.
pub(super) fn timed_out(settings: &SmtpSettings, seconds: f64) -> Error {
    Error::unavailable(
        format!("{} did not answer within {seconds} s", name(settings)),
        PORT_HINT,
    )
}

/// It has the message, and did not say in time that it keeps it.
pub(super) fn unanswered(settings: &SmtpSettings, seconds: f64) -> Error {
    Error::unavailable(
        format!(
            "{} did not say within {seconds} s that it takes the message",
            name(settings)
        ),
        LATER_HINT,
    )
}

/// There was no answer of the protocol.
fn silent(server: &str, step: Step, error: &smtp::Error) -> Error {
    let mut cause = error.source();
    let cause = std::iter::from_fn(|| {
        let this = cause?;
        cause = this.source();
        Some(this)
    })
    .find_map(|cause| cause.downcast_ref::<io::Error>());
    match (cause, step) {
        (Some(cause), Step::Connect | Step::Encrypt) if cause.kind() == io::ErrorKind::InvalidData => Error::refused(
            format!("the connection to {server} cannot be encrypted: {cause}"),
            CERTIFICATE_HINT,
        ),
        (Some(cause), Step::Connect) => Error::unavailable(format!("{server} cannot be reached: {cause}"), REACH_HINT),
        (Some(cause), _) => Error::unavailable(format!("the connection to {server} broke: {cause}"), LATER_HINT),
        // The text of the error may repeat what was said, so it is left out.
        (None, Step::Connect) => Error::unavailable(format!("{server} does not answer as a mail server"), PORT_HINT),
        (None, _) => Error::unavailable(format!("{server} ended the connection or answered badly"), LATER_HINT),
    }
}

/// The answer in one short line. While logging in, some servers repeat what they were told: then only what they say about
/// log-ins is shown.
fn said(error: &smtp::Error, step: Step, password: Option<&SecretString>) -> String {
    let code = code(error).unwrap_or_default();
    if step == Step::LogIn && !(530..=538).contains(&code) {
        return code.to_string();
    }
    let text = error.source().map(ToString::to_string).unwrap_or_default();
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    let text = match password.map(ExposeSecret::expose_secret) {
        Some(password) => text.replace(password, "***"),
        None => text,
    };
    // Cut last, or half a password might be left.
    let text: String = text.chars().take(200).collect();
    format!("{code} {}", text.trim()).trim_end().to_owned()
}

fn code(error: &smtp::Error) -> Option<u16> {
    error.status().map(u16::from)
}

/// The recipients that a message does not reach.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    addresses: Vec<String>,
    reasons: Vec<String>,
    may_change: bool,
}

impl Refusals {
    /// It is no address at all.
    pub(super) fn add_bad(&mut self, text: &str) {
        self.addresses.push(text.to_owned());
        self.reasons
            .push(format!("'{}' is no e-mail address", text.escape_debug()));
    }

    /// The server does not take it.
    pub(super) fn add(&mut self, address: String, error: &smtp::Error) {
        self.may_change |= error.is_transient();
        self.reasons
            .push(format!("{address}: {}", said(error, Step::Recipient, None)));
        self.addresses.push(address);
    }

    /// What the caller is told, after all others were served.
    pub(super) fn into_result(self, settings: &SmtpSettings) -> Result<(), Error> {
        if self.addresses.is_empty() {
            return Ok(());
        }
        let message = format!(
            "{} does not take messages for {}",
            name(settings),
            self.reasons.join("; ")
        );
        let error = if self.may_change {
            Error::unavailable(message, LATER_HINT)
        } else {
            Error::rejected(message, RECIPIENT_HINT)
        };
        Err(error.without(self.addresses))
    }
}
