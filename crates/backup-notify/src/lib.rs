//! Messages to people: what they say ([`templates`]), and how they get there ([`smtp`]). Knows what is told, not why.

mod error;
mod message;
pub mod smtp;
pub mod templates;

pub use backup_core::Language;
pub use error::{Detail, Error};
pub use message::Message;
