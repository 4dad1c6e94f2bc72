//! The OpenAPI document. The handlers say what is their own (`#[utoipa::path]`, their doc comments, the wire types); what holds
//! for all of them is added here from the table of routes: who may, the refusals that the surroundings of a handler answer,
//! headers, and the strictness of bodies.

#[cfg(test)]
mod agreement;
mod common;
mod html;
mod page;
mod strict;
pub(crate) mod types;

use bytes::Bytes;
use serde_json::{Value, json};
use utoipa::OpenApi;

use crate::error::{ApiError, ApiResult, ErrorBody};
use crate::language::Language;
use crate::routes::{Documented, endpoints};

/// What is not about one operation.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Backup system",
        description = "Backups of a database, its uploaded files and its configuration: make, verify, browse, download, restore.\n\n\
            Times are RFC 3339 in UTC, sizes bytes. Unknown parameters and fields are refused; in a body, `null` is the same \
            as an absent field, and no body is the empty object. Every refusal is an `Error` in the language of \
            `Accept-Language`.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    components(schemas(ErrorBody, types::Id)),
    security(("session" = []), ("token" = [])),
    tags(
        (name = "auth", description = "Log-in, log-out, and who is logged in."),
        (name = "users", description = "People who may log in."),
        (name = "tokens", description = "API tokens."),
        (name = "oidc", description = "Log-in through OpenID Connect."),
        (name = "audit_log", description = "Who did what, when, from where."),
        (name = "status", description = "The overview."),
        (name = "system", description = "The whole system: paused, and at work again."),
        (name = "usage", description = "How much the backups took up over time."),
        (name = "alerts", description = "What an administrator should act on."),
        (name = "config", description = "Configurations: what is backed up, where to, with which key and within which quota."),
        (name = "orphans", description = "What catalog and storage do not have in common."),
        (name = "schedules", description = "Schedules: which backup, when, and how long it is kept."),
        (name = "cron", description = "Cron expressions: when they are due, and common ones."),
        (name = "retention", description = "Which backups a policy keeps."),
        (name = "contents", description = "What a backup holds, file by file."),
        (name = "backups", description = "Backups: list, create, look at, protect, delete."),
        (name = "jobs", description = "What can be done to a backup's job, and to a good backup."),
        (name = "download", description = "The stored file of a backup."),
        (name = "restores", description = "Restores: ask for one, list, look at, cancel."),
        (name = "events", description = "Live events."),
        (name = "health", description = "For machines that watch."),
        (name = "docs", description = "This document."),
    ),
)]
struct Common;

/// The document as it is served.
#[derive(Debug)]
pub(crate) struct Documentation {
    /// As JSON.
    pub(crate) json: Bytes,
    /// As a page, in each language of [`Language::ALL`].
    pages: [Bytes; Language::ALL.len()],
    /// The content security policy of the page.
    pub(crate) policy: String,
}

impl Documentation {
    /// The document of an API whose routes stand below `base_path`.
    ///
    /// # Errors
    /// When the document cannot be written as JSON.
    pub(crate) fn new(base_path: &str) -> ApiResult<Self> {
        let document = document(base_path)?;
        let mut json = serde_json::to_vec_pretty(&document).map_err(ApiError::internal)?;
        json.push(b'\n');
        Ok(Self {
            json: json.into(),
            pages: Language::ALL.map(|language| page::render(&document, language).into()),
            policy: page::policy(),
        })
    }

    /// The page in this language.
    pub(crate) fn page(&self, language: Language) -> Bytes {
        self.pages[language.index()].clone()
    }
}

fn document(base_path: &str) -> ApiResult<Value> {
    let mut all = Common::openapi();
    all.merge(Documented::openapi());
    let mut document = serde_json::to_value(all).map_err(ApiError::internal)?;
    let server = if base_path.is_empty() { "/" } else { base_path };
    document["servers"] = json!([{ "url": server }]);
    common::add_components(&mut document["components"]);
    for endpoint in endpoints() {
        let method = endpoint.method.as_str().to_lowercase();
        let operation = &mut document["paths"][endpoint.path][method];
        if operation.is_object() {
            common::complete(operation, &endpoint);
        }
    }
    strict::close_bodies(&mut document);
    Ok(document)
}
