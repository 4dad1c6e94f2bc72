//! How we speak to the provider: no redirects, so that it cannot send us elsewhere, and bounds on time and size.

use std::sync::Once;
use std::time::Duration;

use openidconnect::{HttpRequest, HttpResponse};
use reqwest::redirect::Policy;

use super::is_safe;

/// How long a request may take.
const LIMIT: Duration = Duration::from_secs(8);

/// How long a connection may take to be there.
const CONNECT_LIMIT: Duration = Duration::from_secs(4);

/// Bytes that an answer may have; key sets are some kilobytes.
const MAX_ANSWER: usize = 1 << 20;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum HttpError {
    /// It was not asked.
    #[error("{0} is neither https nor on this machine")]
    Unsafe(String),
    /// The line failed, or the time was over.
    #[error(transparent)]
    Line(#[from] reqwest::Error),
    /// The answer is not for us.
    #[error("the answer is longer than {MAX_ANSWER} bytes")]
    TooLong,
}

/// The client of one provider.
pub(super) struct Http(reqwest::Client);

impl Http {
    pub(super) fn new() -> Result<Self, HttpError> {
        use_ring();
        let client = reqwest::Client::builder()
            .redirect(Policy::none())
            .connect_timeout(CONNECT_LIMIT)
            .timeout(LIMIT)
            .build()?;
        Ok(Self(client))
    }

    /// Sends a request; any status is an answer.
    pub(super) async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let request = reqwest::Request::try_from(request)?;
        if !is_safe(request.url()) {
            return Err(HttpError::Unsafe(request.url().origin().ascii_serialization()));
        }
        let mut answer = self.0.execute(request).await?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            if body.len() + chunk.len() > MAX_ANSWER {
                return Err(HttpError::TooLong);
            }
            body.extend_from_slice(&chunk);
        }
        let mut response = HttpResponse::new(body);
        *response.status_mut() = answer.status();
        *response.headers_mut() = std::mem::take(answer.headers_mut());
        Ok(response)
    }
}

// rustls wants one provider of cryptography for the process; whoever was first has chosen.
fn use_ring() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if rustls::crypto::ring::default_provider().install_default().is_err() {
            tracing::debug!("the process has chosen its TLS cryptography already");
        }
    });
}
