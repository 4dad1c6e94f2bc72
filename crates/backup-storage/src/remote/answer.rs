//! What a store's answer means: for the program (which variant) and for people (what to do), without its secrets.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use backup_core::Outage;
use object_store::Error as StoreError;
use object_store::client::{HttpError, HttpErrorKind};
use secrecy::{ExposeSecret, SecretString};

use super::CONDITIONAL_WRITES;
use crate::error::{At, Error};

/// The texts that no message may hold.
#[derive(Clone, Default)]
pub(crate) struct Secrets(Vec<SecretString>);

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({})", self.0.len())
    }
}

impl Secrets {
    /// Keeps the text out of messages; a text too short to be a secret is left alone.
    pub(crate) fn add(&mut self, secret: &str) {
        if secret.len() >= 8 {
            self.0.push(secret.into());
        }
    }

    /// The text without any of the secrets.
    pub(crate) fn scrub(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| {
            text.replace(secret.expose_secret(), "***")
        })
    }
}

/// The error for what object_store said.
pub(crate) fn error(at: At<'_>, error: &StoreError, secrets: &Secrets) -> Error {
    let reason = secrets.scrub(&reason(error));
    match error {
        // Azure calls it a conflict, S3 a missing right: it is neither, and the blobs beside it can be read.
        _ if matches!(code(error).as_deref(), Some("BlobArchived" | "InvalidObjectState")) => at.failed(
            format_args!("it is in an archive tier, out of which nothing is read ({reason})"),
            "Bring it back into a tier that is online, which takes hours; and let no rule of the storage move it again.",
        ),
        StoreError::NotFound { .. } if matches!(code(error).as_deref(), Some("ContainerNotFound" | "NoSuchBucket")) => {
            missing_container(at)
        }
        StoreError::NotFound { .. } if code(error).as_deref() == Some("NoSuchUpload") => lost(at, &reason),
        StoreError::NotFound { .. } => at.not_found("there is no such blob", ""),
        StoreError::AlreadyExists { .. } if code(error).as_deref() == Some("ContainerBeingDeleted") => at.unavailable(
            "the container is being deleted",
            "Wait until it is gone, then try again.",
        ),
        StoreError::AlreadyExists { .. } => {
            at.already_exists("there is one already", "Blobs are never replaced: delete it first.")
        }
        StoreError::PermissionDenied { .. } => {
            refused_rights(at, &code(error).unwrap_or_default(), &with_status("403", &reason))
        }
        StoreError::Unauthenticated { .. } => {
            refused_rights(at, &code(error).unwrap_or_default(), &with_status("401", &reason))
        }
        StoreError::NotImplemented { .. } => at.refused(reason, CONDITIONAL_WRITES),
        StoreError::InvalidPath { .. } => at.failed(
            reason,
            "Rename or delete the blob of this name, which is none of ours: no listing gets past it.",
        ),
        _ => transport(at, error).unwrap_or_else(|| by_status(at, error, reason)),
    }
}

// Of an answer without a body the reason is the status itself.
fn with_status(status: &str, reason: &str) -> String {
    if reason.starts_with(status) {
        reason.to_owned()
    } else {
        format!("{status} {reason}")
    }
}

/// The credentials or their rights do not suffice; `code` is the store's own, empty where it says none.
pub(crate) fn refused_rights(at: At<'_>, code: &str, reason: &str) -> Error {
    let hint = match code {
        "AccessDenied"
        | "AuthorizationPermissionMismatch"
        | "AuthorizationResourceTypeMismatch"
        | "InsufficientAccountPermissions" => {
            "Give the key, signature or identity the rights to read, write, create, delete and list here."
        }
        "RequestTimeTooSkewed" => "Set this machine's clock: the store takes no request of another time.",
        "AuthorizationSourceIPMismatch" => "Let this machine's address through, or use a signature that does.",
        "KeyBasedAuthenticationNotPermitted" => {
            "The account takes no keys: use a managed or workload identity, which has the role Storage Blob Data Contributor."
        }
        _ => {
            "Check the credentials (AZURE_STORAGE_CONNECTION_STRING for Azure, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY for S3): the account, the key or signature and when it ends, its rights to read, write, create, delete and list; and the account's firewall and this machine's clock."
        }
    };
    at.refused(
        format_args!("the store refused the credentials or their rights ({reason})"),
        hint,
    )
}

fn missing_container(at: At<'_>) -> Error {
    at.refused(
        "the container or bucket does not exist",
        "Create it, or correct its name: BACKUP_CONTAINER_NAME for Azure, else the storage's URL.",
    )
    .away(Outage::NotFound)
}

fn lost(at: At<'_>, reason: &str) -> Error {
    at.upload_lost(
        format_args!("the store no longer has what was uploaded so far ({reason})"),
        "Start the backup again: the store was restarted, or the upload was removed by others.",
    )
}

fn by_status(at: At<'_>, error: &StoreError, reason: String) -> Error {
    match (status(error), code(error).as_deref()) {
        (_, Some("InvalidBlockList" | "NoSuchUpload" | "InvalidPart" | "InvalidBlockId")) => lost(at, &reason),
        (Some(507), _) | (_, Some("QuotaExceeded" | "AccountLimitExceeded" | "XMinioStorageFull")) => {
            at.no_space(reason, "Raise the quota of the account, or shorten the retention.")
        }
        (Some(400), _) if text(error).contains("oken") => refused_rights(at, &code(error).unwrap_or_default(), &reason),
        (Some(401 | 403), _) | (_, Some("AccessDenied")) => {
            refused_rights(at, &code(error).unwrap_or_default(), &reason)
        }
        (Some(501), _) => at.refused(reason, CONDITIONAL_WRITES),
        // S3 says so also in an answer whose status is 200.
        (Some(408 | 429 | 500..), _) | (_, Some("InternalError" | "ServiceUnavailable" | "SlowDown")) => {
            at.unavailable(reason, "The service has trouble or is overloaded: try again later.")
        }
        (None, _) if text(error).contains("redential") || text(error).contains("oken") => at.refused(
            format_args!("no credentials could be had ({reason})"),
            "Give a connection string or a key, or run where a managed identity is assigned.",
        ),
        _ => at.failed(reason, ""),
    }
}

/// The error for a request that got no answer, where that is what happened.
fn transport(at: At<'_>, error: &(dyn StdError + 'static)) -> Option<Error> {
    let http = chain(error).find_map(|error| error.downcast_ref::<HttpError>())?;
    Some(no_answer(at, http))
}

/// The error for a request that got no answer.
pub(crate) fn no_answer(at: At<'_>, http: &HttpError) -> Error {
    let all: Vec<String> = chain(http).map(ToString::to_string).collect();
    let io_kind = chain(http)
        .find_map(|error| error.downcast_ref::<io::Error>())
        .map(io::Error::kind);
    let about = |word: &str| all.iter().any(|text| text.to_ascii_lowercase().contains(word));
    let (outage, reason, hint) = if about("dns") || about("failed to lookup address") {
        (
            Outage::NotFound,
            "its host name cannot be resolved",
            "Check the account name, the endpoint and the DNS of this machine.",
        )
    } else if about("certificate") {
        (
            Outage::Failed,
            "its TLS certificate is not trusted",
            "Check the endpoint, this machine's clock and its certificate authorities.",
        )
    } else if about("url scheme is not allowed") {
        (
            Outage::Failed,
            "its address is not https",
            "Use https, or name the endpoint in the connection string.",
        )
    } else if io_kind == Some(io::ErrorKind::ConnectionRefused) {
        (
            Outage::Refused,
            "the connection was refused",
            "Check that the service runs, and its host and port.",
        )
    } else if http.kind() == HttpErrorKind::Timeout {
        (
            Outage::Silent,
            "it does not answer",
            "Check the network, the firewall and the endpoint.",
        )
    } else {
        (
            Outage::Failed,
            "the connection failed",
            "Check the network and the endpoint, then try again.",
        )
    };
    let last = all.last().map(String::as_str).unwrap_or_default();
    at.unavailable(format_args!("{reason} ({last})"), hint).away(outage)
}

fn chain<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn StdError + 'static)| (*error).source())
}

fn text(error: &StoreError) -> String {
    chain(error).last().unwrap_or(error).to_string()
}

// "…status code: 400 Bad Request: <body>": object_store keeps the status to itself but in its text.
fn status(error: &StoreError) -> Option<u16> {
    let text = text(error);
    match text.split("status code: ").nth(1) {
        Some(said) => said.get(..3)?.parse().ok(),
        None => code_of_one(&text)?.parse().ok(),
    }
}

fn code(error: &StoreError) -> Option<String> {
    let text = text(error);
    element(&text, "Code").or_else(|| {
        let code = code_of_one(&text)?;
        code.parse::<u16>().is_err().then(|| code.to_owned())
    })
}

// "… (code: 503)" or "… (code: AccessDenied)": what is said of one blob within the answer to a request for several, as every
// deletion is one. Azure says the status, S3 the code.
fn code_of_one(text: &str) -> Option<&str> {
    let (_, code) = text.strip_suffix(')')?.rsplit_once("(code: ")?;
    Some(code)
}

/// The content of an element of an error's body, its first line only.
pub(crate) fn element(body: &str, name: &str) -> Option<String> {
    let content = body
        .split(&format!("<{name}>"))
        .nth(1)?
        .split(&format!("</{name}>"))
        .next()?;
    content.lines().next().map(|line| line.trim().to_owned())
}

/// What an error's body says to people; of a signature out of its time when that is. Other details hold what was signed.
pub(crate) fn message(body: &str) -> Option<String> {
    let message = element(body, "Message")?;
    let detail = element(body, "AuthenticationErrorDetail");
    Some(
        match detail.filter(|detail| detail.starts_with("Signature not valid in the specified time frame")) {
            Some(detail) => format!("{message} {detail}"),
            None => message,
        },
    )
}

// The code and message of the answer's body, or the last error beneath without a body: what a person can use.
fn reason(error: &StoreError) -> String {
    let text = text(error);
    match (element(&text, "Code"), message(&text)) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code,
        _ => {
            let line = text.lines().next().unwrap_or_default();
            let said = line.split_once("status code: ").map_or(line, |(_, said)| said);
            said.trim_end_matches([' ', ':']).chars().take(300).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(text: &str) -> StoreError {
        StoreError::Generic {
            store: "test",
            source: text.into(),
        }
    }

    #[test]
    fn forgotten_blocks_ask_for_a_new_upload() {
        let body = "Server returned non-2xx status code: 400 Bad Request: <Error><Code>InvalidBlockList</Code><Message>The specified block list is invalid.\nRequestId:1</Message></Error>";
        let error = error(At::whole("store", "finish"), &answered(body), &Secrets::default());
        assert!(matches!(error, Error::UploadLost(_)), "{error:?}");
        assert!(
            error
                .to_string()
                .contains("InvalidBlockList: The specified block list is invalid.")
        );
        assert!(!error.to_string().contains("RequestId"));
    }

    #[test]
    fn a_full_account_and_an_overloaded_service_are_told_apart() {
        let at = At::whole("store", "write");
        let full = answered("Server returned non-2xx status code: 507 Insufficient Storage: ");
        assert!(matches!(error(at, &full, &Secrets::default()), Error::NoSpace(_)));
        let busy = answered(
            "Server returned non-2xx status code: 503 Service Unavailable: <Error><Code>ServerBusy</Code></Error>",
        );
        assert!(matches!(error(at, &busy, &Secrets::default()), Error::Unavailable(_)));
    }

    #[test]
    fn what_is_said_of_one_blob_among_several_is_understood() {
        let at = At::new("store", "delete", "a");
        let of_one = |said: &str| {
            let said = format!("DeleteObjects request failed for key a (1): No. (code: {said})");
            error(at, &answered(&said), &Secrets::default())
        };
        for code in ["503", "429", "InternalError", "SlowDown", "ServiceUnavailable"] {
            let error = of_one(code);
            assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
        }
        for code in ["401", "403", "AccessDenied"] {
            let error = of_one(code);
            assert!(matches!(error, Error::Refused(_)), "{error:?}");
            assert!(error.to_string().contains(code), "{error}");
        }
        assert!(matches!(of_one("400"), Error::Failed(_)));
    }

    #[test]
    fn trouble_in_an_answer_that_is_good_by_its_status_is_an_outage() {
        let body = "<Error><Code>InternalError</Code><Message>Please try again.</Message></Error>";
        let said = answered(&format!("Server returned error response: {body}"));
        let error = error(At::whole("store", "finish"), &said, &Secrets::default());
        assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
        assert!(
            error.to_string().contains("InternalError: Please try again."),
            "{error}"
        );
    }

    #[test]
    fn a_bucket_that_is_gone_is_no_blob_that_is_missing() {
        let answered = |code: &str| StoreError::NotFound {
            path: "a".to_owned(),
            source: format!("Server returned non-2xx status code: 404 Not Found: <Error><Code>{code}</Code></Error>")
                .into(),
        };
        let told = |code| error(At::new("store", "read", "a"), &answered(code), &Secrets::default());
        for code in ["NoSuchBucket", "ContainerNotFound"] {
            assert!(matches!(told(code), Error::Refused(_)), "{code}: {:?}", told(code));
        }
        assert!(matches!(told("NoSuchKey"), Error::NotFound(_)));
    }

    #[test]
    fn a_store_that_lacks_conditional_writes_is_no_outage() {
        let says =
            "Server returned non-2xx status code: 501 Not Implemented: <Error><Code>NotImplemented</Code></Error>";
        let error = error(At::whole("store", "create"), &answered(says), &Secrets::default());
        assert!(matches!(error, Error::Refused(_)), "{error:?}");
        assert!(error.hint().contains("If-None-Match"), "{error}");
    }

    #[test]
    fn what_is_in_an_archive_tier_is_neither_there_already_nor_refused() {
        let says = |code: &str| -> Box<dyn StdError + Send + Sync> {
            format!("status code: 4xx: <Error><Code>{code}</Code><Message>No.</Message></Error>").into()
        };
        let path = || "a".to_owned();
        for answer in [
            StoreError::AlreadyExists {
                path: path(),
                source: says("BlobArchived"),
            },
            StoreError::PermissionDenied {
                path: path(),
                source: says("InvalidObjectState"),
            },
        ] {
            let error = error(At::new("store", "read", "a"), &answer, &Secrets::default());
            assert!(matches!(error, Error::Failed(_)), "{error:?}");
            assert!(error.to_string().contains("archive tier"), "{error}");
        }
    }

    #[test]
    fn a_refusal_says_what_to_check() {
        let refused = |body: &str| {
            let denied = StoreError::PermissionDenied {
                path: "a".to_owned(),
                source: format!("Server returned non-2xx status code: 403 Forbidden: {body}").into(),
            };
            let error = error(At::whole("store", "list"), &denied, &Secrets::default());
            assert!(matches!(error, Error::Refused(_)), "{error:?}");
            error.to_string()
        };
        let bare = refused("");
        assert!(bare.contains("(403 Forbidden)"), "{bare}");
        for word in ["AZURE_STORAGE_CONNECTION_STRING", "when it ends", "rights", "clock"] {
            assert!(bare.contains(word), "'{word}' is not in: {bare}");
        }
        let rights = refused("<Error><Code>AuthorizationPermissionMismatch</Code></Error>");
        assert!(rights.contains("403 AuthorizationPermissionMismatch"), "{rights}");
        assert!(rights.contains("Give the key") && !rights.contains("clock"), "{rights}");
        let failed = "<Error><Code>AuthenticationFailed</Code><Message>It failed.\nRequestId:1</Message>";
        let ended = "Signature not valid in the specified time frame: Start [a] - Expiry [b] - Current [c]";
        let detail =
            |text: &str| format!("{failed}<AuthenticationErrorDetail>{text}</AuthenticationErrorDetail></Error>");
        assert!(refused(&detail(ended)).contains("It failed. Signature not valid"));
        assert!(!refused(&detail("the string to sign was 'x'")).contains("string to sign"));
    }

    #[test]
    fn secrets_are_taken_out() {
        let mut secrets = Secrets::default();
        secrets.add("c2lnbmF0dXJl");
        let told = error(
            At::whole("store", "write"),
            &answered("bad sig=c2lnbmF0dXJl given"),
            &secrets,
        );
        assert!(told.to_string().contains("bad sig=*** given"), "{told}");
    }
}
