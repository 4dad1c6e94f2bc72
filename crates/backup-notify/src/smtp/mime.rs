//! The form in which a message travels.

use backup_core::Random;
use chrono::{DateTime, Utc};
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};

use crate::{Error, Message};

/// The message with its header, as the server is given it: ASCII alone, whatever it says.
pub(super) fn encode(
    from: &Mailbox,
    to: &[Mailbox],
    message: &Message,
    at: DateTime<Utc>,
    random: &dyn Random,
) -> Result<Vec<u8>, Error> {
    let failed = |error: Box<dyn std::error::Error + Send + Sync>| {
        Error::failed(
            "the message cannot be made",
            "This is a fault of the program or of the system.",
        )
        .because(error)
    };
    let mut id = [0; 16];
    random.fill(&mut id).map_err(|error| failed(error.into()))?;
    let id = hex::encode(id);
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
    let mail = header.multipart(parts).map_err(|error| failed(error.into()))?;
    Ok(mail.formatted())
}
