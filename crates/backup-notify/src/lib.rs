//! Messages to people: what they say ([`templates`]), and how they get there ([`smtp`]). Knows what is told, not why.

mod error;
mod language;
mod message;
pub mod smtp;
pub mod templates;

pub use error::{Detail, Error};
pub use language::Language;
pub use message::Message;
