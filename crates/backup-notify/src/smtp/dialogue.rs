//! One conversation with a mail server.

use std::time::Duration;

use lettre::Address;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailParameter};
use secrecy::{ExposeSecret, SecretString};

use super::reply::{self, Refusals, Step};
use super::{Encryption, SmtpSettings, trust};
use crate::Error;

/// Connects, encrypts and logs in, as the settings want it. `patience` is for the way there alone.
pub(super) async fn open(
    settings: &SmtpSettings,
    own_trust: Option<&Certificate>,
    patience: Duration,
) -> Result<AsyncSmtpConnection, Error> {
    let me = ClientId::default();
    let tls = || trust::parameters(&settings.host, own_trust);
    let at_once = match settings.encryption {
        Encryption::Implicit => Some(tls()?),
        Encryption::Required | Encryption::WhenOffered => None,
    };
    let address = (settings.host.as_str(), settings.port);
    let mut connection = AsyncSmtpConnection::connect_tokio1(address, Some(patience), &me, at_once, None)
        .await
        .map_err(|error| reply::failed(settings, Step::Connect, &error))?;
    if connection.can_starttls() {
        connection
            .starttls(tls()?, &me)
            .await
            .map_err(|error| reply::failed(settings, Step::Encrypt, &error))?;
    } else if settings.encryption == Encryption::Required {
        return Err(Error::refused(
            format!("{} offers no encryption", reply::name(settings)),
            "Without it the password could be read on the way. Use smtps:// where the server has a port for it.",
        ));
    }
    if let Some((user, password)) = &settings.credentials {
        log_in(settings, &mut connection, user, password).await?;
    }
    Ok(connection)
}

async fn log_in(
    settings: &SmtpSettings,
    connection: &mut AsyncSmtpConnection,
    user: &str,
    password: &SecretString,
) -> Result<(), Error> {
    if connection
        .server_info()
        .get_auth_mechanism(DEFAULT_MECHANISMS)
        .is_none()
    {
        return Err(Error::refused(
            format!("{} offers no log-in by password", reply::name(settings)),
            "Leave user and password out of SMTP_URL, or use a port that has log-in (465, 587).",
        ));
    }
    let credentials = Credentials::new(user.to_owned(), password.expose_secret().to_owned());
    let answer = connection.auth(DEFAULT_MECHANISMS, &credentials).await;
    answer.map_err(|error| reply::failed(settings, Step::LogIn, &error))?;
    Ok(())
}

/// Says from whom and for whom a message comes. Whom the server does not take it for is added to `refusals`. Whether it wants
/// the message now: where it takes it for anybody.
pub(super) async fn announce(
    settings: &SmtpSettings,
    connection: &mut AsyncSmtpConnection,
    to: &[Address],
    refusals: &mut Refusals,
) -> Result<bool, Error> {
    let is_ascii = |address: &Address| AsRef::<str>::as_ref(address).is_ascii();
    let mut parameters = Vec::new();
    if !to.iter().chain([&settings.from.email]).all(is_ascii)
        && connection.server_info().supports_feature(Extension::SmtpUtfEight)
    {
        parameters.push(MailParameter::SmtpUtfEight);
    }
    let failed = |step| move |error| reply::failed(settings, step, &error);
    let sender = Mail::new(Some(settings.from.email.clone()), parameters);
    connection.command(sender).await.map_err(failed(Step::Sender))?;
    let mut taken = false;
    for address in to {
        match connection.command(Rcpt::new(address.clone(), Vec::new())).await {
            Ok(_) => taken = true,
            Err(error) if error.status().is_some() => refusals.add(address.to_string(), &error),
            Err(error) => return Err(reply::failed(settings, Step::Recipient, &error)),
        }
    }
    if taken {
        connection.command(Data).await.map_err(failed(Step::Message))?;
    }
    Ok(taken)
}

/// Hands the message over to a server that wants it now.
pub(super) async fn hand_over(
    settings: &SmtpSettings,
    connection: &mut AsyncSmtpConnection,
    mail: &[u8],
) -> Result<(), Error> {
    let answer = connection.message(mail).await;
    answer.map_err(|error| reply::failed(settings, Step::Message, &error))?;
    Ok(())
}
