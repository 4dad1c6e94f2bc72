use std::time::Duration;

/// How long a server is waited for.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// For the connection to each of its addresses.
    pub connect: Duration,
    /// For all of one message.
    pub send: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            send: Duration::from_secs(30),
        }
    }
}
