//! E-mail over SMTP: [`SmtpSettings`] say which server, [`Mailer`] hands it messages.

mod dialogue;
mod mailer;
mod mime;
mod reply;
mod settings;
mod trust;

pub use mailer::Mailer;
pub use settings::{Encryption, SmtpSettings};

pub use crate::Timeouts;
