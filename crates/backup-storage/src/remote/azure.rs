//! What object_store does not do for Azure: making sure that the container is there.

use std::time::Duration;

use object_store::azure::{AzureAuthorizer, AzureCredentialProvider};
use object_store::client::{HttpClient, HttpRequest, HttpRequestBody};

use super::Missing;
use super::answer::{self, Secrets};
use crate::error::{At, Error};

/// How long to wait before a request that got no answer is sent again.
const PAUSE: Duration = Duration::from_millis(300);

/// The account whose container is opened.
#[derive(Debug)]
pub(crate) struct Account {
    pub(super) name: String,
    /// Address of the container.
    pub(super) container_url: String,
    pub(super) credentials: AzureCredentialProvider,
    pub(super) client: HttpClient,
    pub(super) open_timeout: Duration,
    pub(super) is_sas: bool,
}

struct Answer {
    status: u16,
    body: String,
}

impl Answer {
    fn code(&self) -> &str {
        self.body
            .split("<Code>")
            .nth(1)
            .and_then(|rest| rest.split("</Code>").next())
            .unwrap_or_default()
    }

    // Code and first line of the message: what a person can use.
    fn reason(&self, secrets: &Secrets) -> String {
        let message = answer::message(&self.body).unwrap_or_default();
        secrets.scrub(format!("{} {} {message}", self.status, self.code()).trim())
    }
}

impl Account {
    /// Looks for the container, and creates it when it is missing, if it may. Two that create it at once both succeed.
    pub(super) async fn ensure_container(&self, at: At<'_>, secrets: &Secrets, missing: Missing) -> Result<(), Error> {
        let found = self
            .ask(at, secrets, "GET", "restype=container&comp=list&maxresults=1")
            .await?;
        match (found.status, found.code()) {
            (200, _) => Ok(()),
            (404, "ContainerNotFound" | "") => match missing {
                Missing::Create => self.create(at, secrets).await,
                Missing::Tell => Err(at.not_found(
                    "the container does not exist",
                    "Correct the container's name in the storage URL or in BACKUP_CONTAINER_NAME.",
                )),
            },
            (404, code) => Err(at.refused(
                format_args!("the service does not know the account ({})", secrets.scrub(code)),
                "Check the account name and the endpoint.",
            )),
            _ => Err(refusal(at, &found, secrets)),
        }
    }

    async fn create(&self, at: At<'_>, secrets: &Secrets) -> Result<(), Error> {
        let made = self.ask(at, secrets, "PUT", "restype=container").await?;
        match (made.status, made.code()) {
            (409, "ContainerBeingDeleted") => {
                Err(at.unavailable("the container is being deleted", "Wait until it is gone, then try again."))
            }
            (200..=299 | 409, _) => {
                tracing::info!(store = at.store, "the container was missing and has been created");
                Ok(())
            }
            (401 | 403, _) => Err(at.refused(
                format_args!("the container does not exist, and it may not be created ({})", made.reason(secrets)),
                if self.is_sas {
                    "Create the container yourself, or use a signature for the whole account that may create containers."
                } else {
                    "Create the container yourself, or give the identity the right to create containers."
                },
            )),
            (400, _) => Err(at.refused(
                format_args!("the container cannot be created ({})", made.reason(secrets)),
                "Correct the container's name: 3 to 63 lower-case letters, digits and single hyphens.",
            )),
            _ => Err(refusal(at, &made, secrets)),
        }
    }

    // One signed request, sent again while nothing answers or the service is overloaded and there is time.
    async fn ask(&self, at: At<'_>, secrets: &Secrets, method: &str, query: &str) -> Result<Answer, Error> {
        let deadline = tokio::time::Instant::now() + self.open_timeout;
        loop {
            let result = self.ask_once(at, secrets, method, query).await;
            let again = match &result {
                Ok(answer) => answer.status >= 500 || answer.status == 429,
                Err(error) => matches!(error, Error::Unavailable(_)),
            };
            if !again || tokio::time::Instant::now() + PAUSE >= deadline {
                return result;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn ask_once(&self, at: At<'_>, secrets: &Secrets, method: &str, query: &str) -> Result<Answer, Error> {
        let wrong = |error: &dyn std::fmt::Display| {
            at.refused(
                secrets.scrub(&error.to_string()),
                "Check the endpoint and the container's name.",
            )
        };
        let mut request = HttpRequest::new(HttpRequestBody::empty());
        *request.method_mut() = method.parse().map_err(|error| wrong(&error))?;
        *request.uri_mut() = format!("{}?{query}", self.container_url)
            .parse()
            .map_err(|error| wrong(&error))?;
        if method == "PUT" {
            request.headers_mut().insert("content-length", 0.into());
        }
        let credential = self
            .credentials
            .get_credential()
            .await
            .map_err(|error| answer::error(at, &error, secrets))?;
        AzureAuthorizer::new(&credential, &self.name)
            .try_authorize(&mut request)
            .map_err(|error| answer::error(at, &error, secrets))?;
        let response = self
            .client
            .execute(request)
            .await
            .map_err(|error| answer::no_answer(at, &error))?;
        let status = response.status().as_u16();
        let body = response
            .into_body()
            .bytes()
            .await
            .map_err(|error| answer::no_answer(at, &error))?;
        Ok(Answer {
            status,
            body: String::from_utf8_lossy(&body).into_owned(),
        })
    }
}

fn refusal(at: At<'_>, answer: &Answer, secrets: &Secrets) -> Error {
    let reason = answer.reason(secrets);
    match answer.status {
        401 | 403 => answer::refused_rights(at, answer.code(), &reason),
        408 | 429 | 500.. => at.unavailable(reason, "The service has trouble or is overloaded: try again later."),
        _ => at.refused(
            format_args!("the service did not understand the request ({reason})"),
            "Check the endpoint, the account name and the container's name.",
        ),
    }
}
