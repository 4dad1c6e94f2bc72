//! The policy of errors: a handler returns an [`ApiError`], which is a status, a stable code and what the code's sentence
//! needs. The sentence itself comes from the message catalogue of the caller's language. What a caller cannot act on is
//! a 500 that says nothing and is logged whole. This module is the only place that maps the other crates' errors to HTTP.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use backup_engine::Action;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::language::Language;

mod cron;
mod map;

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// What a handler returns.
pub(crate) type ApiResult<T = HttpResponse> = Result<T, ApiError>;

/// An error as it is answered.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Error)]
pub(crate) struct ErrorBody {
    /// In the caller's language.
    error: String,
    /// Stable, for programs.
    code: &'static str,
    /// What helps to understand it; of a wrong parameter or field its name and the problem.
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Value>,
}

/// Why a request was not answered with what it asked for.
#[derive(Debug)]
pub struct ApiError(Box<Inner>);

#[derive(Debug)]
struct Inner {
    status: StatusCode,
    code: &'static str,
    /// The key of its sentence, where that is not the code.
    sentence: Option<&'static str>,
    arguments: Vec<(&'static str, Argument)>,
    details: Option<Value>,
    headers: Vec<(header::HeaderName, HeaderValue)>,
    cause: Option<Cause>,
}

/// What stands in a sentence.
#[derive(Debug)]
enum Argument {
    /// As it is.
    Text(String),
    /// What the message catalogues say under this key.
    Word(&'static str),
}

impl ApiError {
    /// A status with the code of its sentence in the message catalogues.
    pub(crate) fn new(status: StatusCode, code: &'static str) -> Self {
        Self(Box::new(Inner {
            status,
            code,
            sentence: None,
            arguments: Vec::new(),
            details: None,
            headers: Vec::new(),
            cause: None,
        }))
    }

    /// 400: the request is wrong in itself.
    pub(crate) fn bad_request(code: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code)
    }

    /// 400 for one field or parameter: `field` names it, `problem` says in English what is wrong with it.
    pub(crate) fn field(code: &'static str, field: &str, problem: impl fmt::Display) -> Self {
        Self::bad_request(code)
            .with("field", field)
            .details(json!({ "field": field, "problem": problem.to_string() }))
    }

    /// 401: nobody, or nobody known.
    pub(crate) fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized")
            .header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
    }

    /// 403: known, and not allowed to.
    pub(crate) fn forbidden() -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden")
    }

    /// 404.
    pub(crate) fn not_found(code: &'static str) -> Self {
        Self::new(StatusCode::NOT_FOUND, code)
    }

    /// 409: not in this state.
    pub(crate) fn conflict(code: &'static str) -> Self {
        Self::new(StatusCode::CONFLICT, code)
    }

    /// 503: try again later.
    pub(crate) fn unavailable(code: &'static str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code).header(header::RETRY_AFTER, HeaderValue::from_static("5"))
    }

    /// 500: says nothing, and the cause is logged.
    pub(crate) fn internal(cause: impl Into<Cause>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error").because(cause)
    }

    /// The same with an argument of its sentence.
    pub(crate) fn with(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.0.arguments.push((name, Argument::Text(value.to_string())));
        self
    }

    /// The same with an argument of its sentence that has a word of its own in each language.
    pub(crate) fn with_word(mut self, name: &'static str, key: &'static str) -> Self {
        self.0.arguments.push((name, Argument::Word(key)));
        self
    }

    /// The same said by another sentence of the message catalogues than that of its code.
    pub(crate) fn sentence(mut self, key: &'static str) -> Self {
        self.0.sentence = Some(key);
        self
    }

    /// The same for a field of what stands at `place`, such as `webhooks[0]`.
    pub(crate) fn within(mut self, place: &str) -> Self {
        let Some(Value::String(field)) = self.0.details.as_mut().and_then(|details| details.get_mut("field")) else {
            return self;
        };
        *field = format!("{place}.{field}");
        let field = field.clone();
        for (name, argument) in &mut self.0.arguments {
            if *name == "field" {
                *argument = Argument::Text(field.clone());
            }
        }
        self
    }

    /// The same with details for programs.
    pub(crate) fn details(mut self, details: Value) -> Self {
        self.0.details = Some(details);
        self
    }

    /// The same with a header of the response.
    pub(crate) fn header(mut self, name: header::HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    /// The same with what lies beneath, for the log alone.
    pub(crate) fn because(mut self, cause: impl Into<Cause>) -> Self {
        self.0.cause = Some(cause.into());
        self
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        self.0.code
    }

    /// The response in this language.
    pub(crate) fn response(&self, language: Language) -> HttpResponse {
        let said = |argument: &Argument| match argument {
            Argument::Text(text) => text.clone(),
            Argument::Word(key) => language.say(key, &[]),
        };
        let arguments = self.0.arguments.iter();
        let arguments: Vec<(&str, String)> = arguments.map(|(name, argument)| (*name, said(argument))).collect();
        let arguments: Vec<(&str, &str)> = arguments.iter().map(|(name, text)| (*name, text.as_str())).collect();
        let body = ErrorBody {
            error: language.say(self.0.sentence.unwrap_or(self.0.code), &arguments),
            code: self.0.code,
            details: self.0.details.clone(),
        };
        let mut response = HttpResponse::build(self.0.status);
        for (name, value) in &self.0.headers {
            response.insert_header((name.clone(), value.clone()));
        }
        response
            .insert_header((header::CONTENT_LANGUAGE, language.tag()))
            .json(body)
    }

    /// Logs what the caller is not told.
    pub(crate) fn log(&self, request_id: &str) {
        let Some(cause) = &self.0.cause else { return };
        let mut text = cause.to_string();
        let mut next = cause.source();
        while let Some(beneath) = next {
            text = format!("{text}: {beneath}");
            next = beneath.source();
        }
        let code = self.0.code;
        if self.0.status == StatusCode::INTERNAL_SERVER_ERROR {
            tracing::error!(action = %Action::HttpRequest, request_id, code, error = text, "a request failed: {text}");
        } else {
            tracing::warn!(action = %Action::HttpRequest, request_id, code, error = text, "a request was refused: {text}");
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0.status.as_u16(), self.0.code)
    }
}

impl std::error::Error for ApiError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0
            .cause
            .as_ref()
            .map(|cause| &**cause as &(dyn std::error::Error + 'static))
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.0.status
    }

    // In the default language; the middleware `finish` says it again in the caller's.
    fn error_response(&self) -> HttpResponse {
        self.response(Language::default())
    }
}

impl From<std::io::Error> for ApiError {
    fn from(error: std::io::Error) -> Self {
        Self::internal(error)
    }
}
