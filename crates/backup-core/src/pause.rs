//! The whole system at rest.

use chrono::{DateTime, Utc};

use crate::UserId;

/// The longest reason, in characters.
pub const MAX_PAUSE_REASON: usize = 500;

/// While the system is paused no job is taken up, no schedule fires, and no backup expires. What runs goes on to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemPause {
    /// Since when.
    pub paused_at: DateTime<Utc>,
    /// Who paused it; `None`: somebody who is no longer a user, or no person.
    pub paused_by: Option<UserId>,
    /// What they are called.
    pub paused_by_name: Option<String>,
    /// Why, in their words.
    pub reason: String,
}
