//! What a receiver's answer, or its absence, means for the caller. Nothing that is said here holds the address.

use std::error::Error as _;
use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Response, StatusCode};

use super::address::Address;
use crate::{Error, Timeouts};

/// Bytes of an answer that are read.
const MAX_ANSWER: usize = 4096;

/// Characters of an answer that are said.
const MAX_SAID: usize = 200;

/// The longest time for which a receiver is left alone because it says so.
const MAX_PAUSE: u64 = 3600;

const REACH_HINT: &str = "Check the webhook's address, and whether a firewall or a proxy lets this machine reach it.";
const CERTIFICATE_HINT: &str = "The receiver's certificate must be valid for its name and come from an authority that this \
                                system trusts.";
const LATER_HINT: &str = "It is tried again later; where it stays so, ask whoever runs the receiver.";
const REDIRECT_HINT: &str = "Redirects are not followed: set the webhook to the address that the receiver itself has.";
const ADDRESS_HINT: &str =
    "The receiver does not know the address, or no longer lets it send: create the webhook there anew.";
const FORM_HINT: &str =
    "Check that the webhook's preset is that of the receiver, and its template what the receiver expects.";

/// There was no answer, or not a whole one.
pub(super) fn failed(who: &str, address: &Address, error: &reqwest::Error, timeouts: Timeouts) -> Error {
    let seconds = |time: Duration| time.as_secs_f64();
    if error.is_builder() {
        return Error::refused(format!("{who} has an address that cannot be asked"), REACH_HINT);
    }
    match (error.is_timeout(), error.is_connect()) {
        (true, true) => Error::unavailable(
            format!("{who} cannot be reached within {} s", seconds(timeouts.connect)),
            REACH_HINT,
        ),
        (true, false) => Error::unavailable(
            format!("{who} did not answer within {} s", seconds(timeouts.send)),
            LATER_HINT,
        ),
        (false, connecting) => {
            let cause = root_cause(error);
            let hint = if cause.contains("certificate") {
                CERTIFICATE_HINT
            } else if connecting {
                REACH_HINT
            } else {
                LATER_HINT
            };
            let what = if connecting {
                "cannot be reached"
            } else {
                "ended the connection"
            };
            Error::unavailable(format!("{who} {what}{}", harmless(address, &cause)), hint)
        }
    }
}

/// The innermost error: the outer ones say the address.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause = error.source();
    let causes = std::iter::from_fn(|| {
        let this = cause?;
        cause = this.source();
        Some(this)
    });
    causes.last().map(ToString::to_string).unwrap_or_default()
}

/// Whether the receiver took the message.
pub(super) async fn judge(who: &str, address: &Address, response: Response) -> Result<(), Error> {
    let status = response.status();
    if status.is_success() {
        return Ok(());
    }
    let retry_after = retry_after(response.headers());
    let said = harmless(address, &read(response).await);
    let code = status.as_u16();
    if status.is_server_error()
        || matches!(
            status,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS
        )
    {
        let error = Error::unavailable(
            format!("{who} wants to be asked again later, status {code}{said}"),
            LATER_HINT,
        );
        return Err(error.after(retry_after));
    }
    // Where it wants us to go may hold a credential as well, so it is not said.
    if status.is_redirection() {
        return Err(Error::rejected(
            format!("{who} redirects, status {code}"),
            REDIRECT_HINT,
        ));
    }
    let hint = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND | StatusCode::GONE => ADDRESS_HINT,
        _ => FORM_HINT,
    };
    Err(Error::rejected(
        format!("{who} refused the message, status {code}{said}"),
        hint,
    ))
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds.min(MAX_PAUSE)))
}

/// The beginning of an answer. Where it breaks off, the status has been heard all the same.
async fn read(mut response: Response) -> String {
    let mut body = Vec::new();
    while body.len() < MAX_ANSWER
        && let Ok(Some(chunk)) = response.chunk().await
    {
        body.extend_from_slice(&chunk);
    }
    body.truncate(MAX_ANSWER);
    String::from_utf8_lossy(&body).into_owned()
}

/// A text of others behind a colon, in one short line; nothing where it is a page or repeats a piece of the address.
fn harmless(address: &Address, text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let text = text.replace(char::is_control, "");
    if text.is_empty() || text.starts_with('<') || address.is_in(&text) {
        return String::new();
    }
    let cut: String = text.chars().take(MAX_SAID).collect();
    format!(": {cut}")
}
