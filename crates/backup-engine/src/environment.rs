//! What the environment says, which can be asked before its storage was ever opened.

use std::sync::{Arc, OnceLock};

use backup_archive::Keyring;
use backup_core::{Clock, Random};
use backup_notify::smtp::Mailer;
use backup_notify::webhook::WebhookSender;

use crate::engine::JobSettings;
use crate::places::{self, Places};

/// An engine but for its catalog and its storage: enough to show, to change and to try configurations, also where the storage
/// that the environment names does not answer. All clones share what they have opened and derived.
#[derive(Clone)]
pub struct Environment {
    /// The environment's keys. The current one also seals the secrets of the catalog.
    pub keys: Keyring,
    /// What the jobs do.
    pub settings: JobSettings,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness for keys and identifiers.
    pub random: Arc<dyn Random>,
    /// Sends e-mail; `None`: no mail server is set up.
    pub mailer: Option<Arc<Mailer>>,
    /// The address that people use, for messages.
    pub installation: Option<String>,
    webhooks: Arc<OnceLock<WebhookSender>>,
    pub(crate) places: Arc<Places>,
}

impl Environment {
    /// One that sends no e-mail.
    pub fn new(keys: Keyring, settings: JobSettings, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        Self {
            keys,
            settings,
            clock,
            random,
            mailer: None,
            installation: None,
            webhooks: Arc::default(),
            places: places::cache(),
        }
    }

    /// The same, which sends e-mail.
    pub fn with_mailer(self, mailer: Option<Mailer>) -> Self {
        Self {
            mailer: mailer.map(Arc::new),
            ..self
        }
    }

    /// The same, whose messages name the address that people use.
    pub fn with_installation(self, installation: Option<String>) -> Self {
        Self { installation, ..self }
    }

    /// What tells web addresses, made when it is first needed.
    pub(crate) fn webhooks(&self) -> Result<&WebhookSender, backup_notify::Error> {
        if let Some(made) = self.webhooks.get() {
            return Ok(made);
        }
        let made = WebhookSender::new()?;
        Ok(self.webhooks.get_or_init(|| made))
    }
}
