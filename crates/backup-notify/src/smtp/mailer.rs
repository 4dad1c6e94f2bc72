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
    /// not that they have read it. Dropped in between, it may or may not have been sent. For somebody who waits for it.
    ///
    /// # Errors
    /// See [`Error`]; where only some recipients are refused, the others are served and the error names the refused.
    pub async fn send(&self, to: &[String], message: &Message) -> Result<(), Error> {
        let id = mime::new_id(self.random.as_ref())?;
        self.send_within(self.timeouts.send, &id, to, message).await
    }

    /// [`Self::send`] of a message with an identifier of its own, of letters, digits and hyphens, by which a receiver can tell
    /// one that is sent again. The server has [`Timeouts::answer`] to say that it has taken it.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn send_as(&self, id: &str, to: &[String], message: &Message) -> Result<(), Error> {
        self.send_within(self.timeouts.answer, id, to, message).await
    }

    async fn send_within(&self, answer: Duration, id: &str, to: &[String], message: &Message) -> Result<(), Error> {
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
            let mail = mime::encode(&self.settings.from, &mailboxes, message, self.clock.now(), id)?;
            self.deliver(answer, &mailboxes, &mail, &mut refusals).await?;
        }
        refusals.into_result(&self.settings)
    }

    async fn deliver(
        &self,
        answer: Duration,
        to: &[Mailbox],
        mail: &[u8],
        refusals: &mut Refusals,
    ) -> Result<(), Error> {
        let (settings, trust, timeouts) = (&self.settings, self.trust.as_ref(), self.timeouts);
        let to: Vec<_> = to.iter().map(|mailbox| mailbox.email.clone()).collect();
        let conversation = async {
            let mut connection = dialogue::open(settings, trust, timeouts.connect).await?;
            let is_wanted = dialogue::announce(settings, &mut connection, &to, refusals).await?;
            Ok::<_, Error>((connection, is_wanted))
        };
        let (mut connection, is_wanted) = timeout(timeouts.send, conversation)
            .await
            .map_err(|_| reply::timed_out(settings, timeouts.send.as_secs_f64()))??;
        if is_wanted {
            timeout(answer, dialogue::hand_over(settings, &mut connection, mail))
                .await
                .map_err(|_| reply::unanswered(settings, answer.as_secs_f64()))??;
        }
        let _unheard = timeout(GOOD_BYE, connection.quit()).await;
        Ok(())
    }
}
