use std::time::Duration;

/// How long a server is waited for.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// For the connection to each of its addresses.
    pub connect: Duration,
    /// For all of one message.
    pub send: Duration,
    /// For what a mail server says to a message of [`Mailer::send_as`](crate::smtp::Mailer::send_as), beside `send`: it may look
    /// through it first. Whoever goes before it has said so gets the message to people twice (RFC 5321, 4.5.3.2.6).
    pub answer: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            send: Duration::from_secs(30),
            answer: Duration::from_mins(5),
        }
    }
}
