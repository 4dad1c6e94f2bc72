//! Secrets of sessions and tokens: 256 random bits, of which the catalog holds the SHA-256 alone. No salt and no slow hash
//! are needed: nobody guesses 256 bits.

use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use backup_core::Random;
use secrecy::{ExposeSecret, SecretString};

/// What every token begins with, so that people and scanners of leaked secrets know one when they see it.
pub const TOKEN_PREFIX: &str = "bkp_";

/// A new secret of a session: 64 hex digits.
///
/// # Errors
/// When the randomness cannot be read.
pub fn new_secret(random: &dyn Random) -> std::io::Result<SecretString> {
    let mut bytes = [0; 32];
    random.fill(&mut bytes)?;
    Ok(SecretString::from(hex::encode(bytes)))
}

/// A new secret of a token: the prefix and 64 hex digits.
///
/// # Errors
/// When the randomness cannot be read.
pub fn new_token(random: &dyn Random) -> std::io::Result<SecretString> {
    Ok(SecretString::from(format!(
        "{TOKEN_PREFIX}{}",
        new_secret(random)?.expose_secret()
    )))
}

/// What the catalog holds of a secret: its SHA-256, lower-case hex.
pub fn hash_secret(secret: &SecretString) -> String {
    hex::encode(openssl::sha::sha256(secret.expose_secret().as_bytes()))
}

/// Whether the request brings an `Authorization` header at all.
pub(crate) fn has_authorization(headers: &HeaderMap) -> bool {
    headers.contains_key(AUTHORIZATION)
}

/// The token of `Authorization: Bearer TOKEN`.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<SecretString> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| SecretString::from(token.trim()))
}
