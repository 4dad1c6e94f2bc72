//! The form in which a message travels.

use backup_core::Random;
use chrono::{DateTime, Utc};
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};

use crate::{Error, Message};

/// The message with its header, as the server is given it: ASCII alone, whatever it says. `id` is its own, of letters, digits
/// and hyphens.
pub(super) fn encode(
    from: &Mailbox,
    to: &[Mailbox],
    message: &Message,
    at: DateTime<Utc>,
    id: &str,
) -> Result<Vec<u8>, Error> {
    let header = lettre::Message::builder()
        .from(from.clone())
        .subject(message.subject.clone())
        .date(at.into())
        .message_id(Some(format!("<{id}@{}>", from.email.domain())))
        // No automatic reply shall come back, nor a mail loop begin (RFC 3834).
        .raw_header(HeaderValue::new(
            HeaderName::new_from_ascii_str("Auto-Submitted"),
            "auto-generated".to_owned(),
        ));
    let header = to.iter().cloned().fold(header, lettre::message::MessageBuilder::to);
    let parts = MultiPart::alternative()
        .boundary(format!("part-{id}"))
        .singlepart(SinglePart::plain(message.text.clone()))
        .singlepart(SinglePart::html(message.html.clone()));
    let mail = header.multipart(parts).map_err(failed)?;
    Ok(mail.formatted())
}

/// An identifier for a message that has none.
pub(super) fn new_id(random: &dyn Random) -> Result<String, Error> {
    let mut id = [0; 16];
    random.fill(&mut id).map_err(failed)?;
    Ok(hex::encode(id))
}

fn failed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::failed(
        "the message cannot be made",
        "This is a fault of the program or of the system.",
    )
    .because(error)
}
