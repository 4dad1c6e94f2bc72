//! The rules of accounts, wherever they are made: over HTTP, by `backupctl`, or at the first start.

use secrecy::{ExposeSecret, SecretString};

/// Characters that a new password needs at the least.
pub const MIN_PASSWORD: usize = 8;

/// Characters of the longest password; longer ones are refused before they are hashed.
pub const MAX_PASSWORD: usize = 1024;

/// The longest e-mail address (RFC 5321).
pub(crate) const MAX_EMAIL: usize = 254;

/// Why an account is not made as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnfitAccount {
    /// The text is no e-mail address.
    #[error("'{0}' is no e-mail address")]
    Email(String),
    /// The password is too short or too long. It is not quoted.
    #[error("a password has {MIN_PASSWORD} to {MAX_PASSWORD} characters")]
    Password,
}

/// The e-mail address as the catalog holds it: trimmed, in lower case. Whether it exists, only a message to it would tell.
///
/// # Errors
/// [`UnfitAccount::Email`] for what is no address in any reading.
pub fn check_email(text: &str) -> Result<String, UnfitAccount> {
    let email = text.trim().to_lowercase();
    let whole = email
        .split_once('@')
        .is_some_and(|(name, host)| !name.is_empty() && !host.is_empty() && !host.contains('@'));
    let unfit = |c: char| c.is_whitespace() || c.is_control();
    if whole && email.chars().count() <= MAX_EMAIL && !email.contains(unfit) {
        Ok(email)
    } else {
        Err(UnfitAccount::Email(text.escape_debug().take(MAX_EMAIL).collect()))
    }
}

/// Whether it will do as a new password.
///
/// # Errors
/// [`UnfitAccount::Password`].
pub fn check_password(password: &SecretString) -> Result<(), UnfitAccount> {
    let text = password.expose_secret();
    if text.chars().count() >= MIN_PASSWORD && text.chars().count() <= MAX_PASSWORD {
        Ok(())
    } else {
        Err(UnfitAccount::Password)
    }
}

/// What a person is called who has given no name.
pub fn name_from_email(email: &str) -> String {
    email.split('@').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_kept_in_one_form() {
        assert_eq!(check_email(" Ops@Example.ORG ").unwrap(), "ops@example.org");
        assert!(check_email("王小明@例子.台灣").is_ok());
        let long = format!("{}@example.org", "x".repeat(MAX_EMAIL));
        for wrong in ["", "ops", "@example.org", "ops@", "a@b@c", "a b@c", "a@b\nc", &long] {
            assert!(check_email(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_password_has_a_length_that_can_be_used_to_log_in() {
        let fits = |text: String| check_password(&text.into()).is_ok();
        assert!(fits("正確的馬電池釘書".to_owned()) && fits("x".repeat(MAX_PASSWORD)));
        assert!(!fits("1234567".to_owned()) && !fits("x".repeat(MAX_PASSWORD + 1)));
    }
}
