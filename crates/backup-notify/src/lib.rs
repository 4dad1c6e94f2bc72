//! Messages to people and machines: what they say ([`templates`]), and how they get there ([`smtp`], [`webhook`]). Knows what
//! is told, not why.

mod error;
mod message;
pub mod smtp;
pub mod templates;
mod timeouts;
pub mod webhook;

pub use backup_core::Language;
pub use error::{Detail, Error};
pub use message::Message;
pub use timeouts::Timeouts;
