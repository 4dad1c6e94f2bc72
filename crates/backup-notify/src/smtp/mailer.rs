use std::fmt;
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use backup_core::{Clock, Random};
use lettre::message::Mailbox;
use lettre::transport::smtp::client::Certificate;
use tokio::time::timeout;

use super::reply::Refusals;
use super::{SmtpSettings, dialogue, mime, reply, trust};
use crate::{Error, Message, Timeouts};

/// The good-bye is a courtesy: the message is the server's by then.
const GOOD_BYE: Duration = Duration::from_secs(1);

/// Sends messages as e-mail. Each goes over a connection of its own: they are few.
pub struct Mailer {
    settings: SmtpSettings,
    trust: Option<Certificate>,
    timeouts: Timeouts,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

impl fmt::Debug for Mailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailer")
            .field("settings", &self.settings)
            .field("timeouts", &self.timeouts)
            .finish_non_exhaustive()
    }
}

impl Mailer {
    /// A mailer for the server of the settings, which is not spoken to yet.
    ///
    /// # Errors
    /// [`Error::Refused`] where the file of certificates cannot be used.
    pub fn new(settings: SmtpSettings, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Result<Self, Error> {
        Ok(Self {
            trust: settings.ca_file.as_deref().map(trust::read).transpose()?,
            settings,
            timeouts: Timeouts::default(),
            clock,
            random,
        })
    }

    /// The same mailer with other patience.
    pub fn with_timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// Sends one message to each of `to`, which all of them see. `Ok` means that the server has taken it for all of them,
    /// not that they have read it. Dropped in between, it may or may not have been sent.
    ///
    /// # Errors
    /// See [`Error`]; where only some recipients are refused, the others are served and the error names the refused.
    pub async fn send(&self, to: &[String], message: &Message) -> Result<(), Error> {
        if to.is_empty() {
            return Err(Error::refused(
                "there is nobody to send the message to",
                "Give at least one e-mail address.",
            ));
        }
        let mut refusals = Refusals::default();
        let mut mailboxes = Vec::with_capacity(to.len());
        for text in to {
            match Mailbox::from_str(text) {
                Ok(mailbox) => mailboxes.push(mailbox),
                Err(_) => refusals.add_bad(text),
            }
        }
        if !mailboxes.is_empty() {
            self.deliver(&mailboxes, message, &mut refusals).await?;
        }
        refusals.into_result(&self.settings)
    }

    async fn deliver(&self, to: &[Mailbox], message: &Message, refusals: &mut Refusals) -> Result<(), Error> {
        let (settings, trust) = (&self.settings, self.trust.as_ref());
        let mail = mime::encode(&settings.from, to, message, self.clock.now(), self.random.as_ref())?;
        let to: Vec<_> = to.iter().map(|mailbox| mailbox.email.clone()).collect();
        let conversation = async {
            let mut connection = dialogue::open(settings, trust, self.timeouts.connect).await?;
            dialogue::hand_over(settings, &mut connection, &to, &mail, refusals).await?;
            Ok(connection)
        };
        let mut connection = timeout(self.timeouts.send, conversation)
            .await
            .map_err(|_| reply::timed_out(settings, self.timeouts.send.as_secs_f64()))??;
        let _unheard = timeout(GOOD_BYE, connection.quit()).await;
        Ok(())
    }
}
