//! Delivering the messages that the catalog holds: e-mail and webhooks, tried again with growing pauses for a day.

use std::time::Duration;

use backup_core::PipelineError;
use backup_core::config::BackupConfig;
use backup_core::notification::{Channel, Notification, Webhook};
use backup_db::{ClaimedNotification, Delivery};
use backup_notify::webhook::WebhookSettings;
use backup_notify::{Error as NotifyError, templates};
use chrono::TimeDelta;

use crate::engine::Engine;
use crate::environment::Environment;
use crate::error::Error;
use crate::logging::Action;

/// How long a message is somebody's to deliver: longer than any try takes.
const HOLD: Duration = Duration::from_mins(7);
/// How long after the first failure it is tried again; twice as long each time.
const FIRST_PAUSE: Duration = Duration::from_mins(1);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_hours(1);
/// How long a message is tried.
const PATIENCE: TimeDelta = TimeDelta::days(1);
/// How often one is tried that its receiver refuses: for an hour, with the pauses in between.
const REFUSED_TRIES: u32 = 7;

/// Why a message was not taken.
enum Refusal {
    /// It may be later, after this long where the receiver said so.
    Later(String, Option<Duration>),
    /// The receiver does not want it. One that is just being started or set up says so of all.
    Refused(String),
    /// It will not be.
    Never(String),
    /// Nobody wants it any more.
    Unwanted(&'static str),
}

impl Engine {
    /// Delivers the messages that are due. Returns how many it tried.
    ///
    /// # Errors
    /// Where the catalog does not answer.
    pub async fn deliver_notifications(&self) -> Result<u32, Error> {
        let mut tried = 0;
        while let Some(claimed) = self
            .store
            .claim_notification(HOLD, self.mailer.is_some(), PATIENCE)
            .await?
        {
            tried += 1;
            let delivery = self.deliver(&claimed).await?;
            tell(&claimed.notification, &delivery);
            self.store.finish_notification(&claimed, delivery).await?;
        }
        Ok(tried)
    }

    async fn deliver(&self, claimed: &ClaimedNotification) -> Result<Delivery, Error> {
        let notification = &claimed.notification;
        let config = self.store.get_config(&notification.config_key).await?;
        let refusal = match self.send(notification, config.as_ref()).await {
            Ok(()) => return Ok(Delivery::Sent),
            Err(refusal) => refusal,
        };
        let overdue = self.clock.now() - notification.created_at >= PATIENCE;
        Ok(match refusal {
            Refusal::Unwanted(reason) => Delivery::Dropped {
                reason: reason.to_owned(),
            },
            Refusal::Never(error) => Delivery::GivenUp { error },
            Refusal::Later(error, _) if overdue => Delivery::GivenUp { error },
            Refusal::Refused(error) if overdue || notification.attempts >= REFUSED_TRIES => Delivery::GivenUp { error },
            Refusal::Refused(error) => Delivery::Refused {
                error,
                pause: pause_after(notification.attempts),
            },
            Refusal::Later(error, wished) => {
                let pause = pause_after(notification.attempts);
                let pause = wished.map_or(pause, |wished| wished.clamp(pause, LONGEST_PAUSE));
                Delivery::Later { error, pause }
            }
        })
    }

    async fn send(&self, notification: &Notification, config: Option<&BackupConfig>) -> Result<(), Refusal> {
        let config = config.ok_or(Refusal::Unwanted("its configuration is gone"))?;
        match notification.channel {
            Channel::Email => self.send_mail(notification, config).await,
            Channel::Webhook => {
                let hook = config.webhooks.iter().find(|hook| hook.name == notification.target);
                let hook = hook.ok_or(Refusal::Unwanted("its webhook is gone"))?;
                self.send_to_webhook(notification, config, hook).await
            }
        }
    }

    async fn send_mail(&self, notification: &Notification, config: &BackupConfig) -> Result<(), Refusal> {
        if !config.notification_emails.contains(&notification.target) {
            return Err(Refusal::Unwanted("its address is no longer to be told"));
        }
        let mailer = self
            .mailer
            .as_ref()
            .ok_or_else(|| Refusal::Never("no mail server is set up (HINT: Set SMTP_URL and SMTP_FROM.)".to_owned()))?;
        let message = templates::report(
            config.notification_language,
            self.installation.as_deref(),
            &notification.report,
        );
        let (id, to) = (notification.id.to_string(), [notification.target.clone()]);
        let sent = mailer.send_as(&id, &to, &message).await;
        sent.map_err(|error| refusal(&error))
    }

    async fn send_to_webhook(
        &self,
        notification: &Notification,
        config: &BackupConfig,
        hook: &Webhook,
    ) -> Result<(), Refusal> {
        let settings = self
            .webhook_settings(hook)
            .map_err(|error| Refusal::Later(error.full_text(), None))?;
        let webhooks = self.webhooks().map_err(|error| refusal(&error))?;
        let id = notification.id.to_string();
        let (language, installation) = (config.notification_language, self.installation.as_deref());
        let sent = webhooks.send(&settings, &id, language, installation, &notification.report);
        sent.await.map_err(|error| refusal(&error))
    }
}

impl Environment {
    /// How to reach a webhook.
    ///
    /// # Errors
    /// `WrongKey` where its address was sealed with a passphrase that is not at hand.
    pub fn webhook_settings(&self, hook: &Webhook) -> Result<WebhookSettings, PipelineError> {
        Ok(WebhookSettings {
            name: hook.name.clone(),
            url: self.unseal(&hook.url, "address of a webhook")?,
            preset: hook.preset,
            template: hook.template.clone(),
        })
    }
}

fn refusal(error: &NotifyError) -> Refusal {
    match error {
        NotifyError::Rejected(_) => Refusal::Refused(error.to_string()),
        // Settings may be put right within the day.
        _ => Refusal::Later(error.to_string(), error.retry_after()),
    }
}

fn pause_after(attempts: u32) -> Duration {
    let doublings = attempts.saturating_sub(1).min(16);
    FIRST_PAUSE.saturating_mul(1 << doublings).min(LONGEST_PAUSE)
}

fn tell(notification: &Notification, delivery: &Delivery) {
    let (id, channel) = (notification.id, notification.channel);
    match delivery {
        Delivery::Sent => tracing::info!(
            action = %Action::NotificationSent, notification_id = %id, channel = %channel, "a message was delivered"
        ),
        Delivery::Later { error, pause } | Delivery::Refused { error, pause } => tracing::warn!(
            action = %Action::NotificationFailed, notification_id = %id, channel = %channel, error,
            pause_seconds = pause.as_secs(), "a message could not be delivered, and is tried again"
        ),
        Delivery::GivenUp { error } => tracing::error!(
            action = %Action::NotificationFailed, notification_id = %id, channel = %channel, error,
            "a message could not be delivered, and is given up"
        ),
        Delivery::Dropped { reason } => tracing::info!(
            action = %Action::NotificationFailed, notification_id = %id, channel = %channel, reason,
            "a message is no longer wanted"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_an_hour() {
        let minutes: Vec<u64> = (1..=8).map(|attempts| pause_after(attempts).as_secs() / 60).collect();
        assert_eq!(minutes, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(pause_after(u32::MAX), LONGEST_PAUSE);
    }

    #[test]
    fn what_is_refused_is_tried_for_an_hour() {
        let tried: Duration = (1..REFUSED_TRIES).map(pause_after).sum();
        assert!((60..=90).contains(&(tried.as_secs() / 60)), "{tried:?}");
    }
}
