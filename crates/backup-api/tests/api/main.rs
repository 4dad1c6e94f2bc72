//! The API over real HTTP, each test on both catalogs.
#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

mod access;
mod audit;
mod backups;
mod config;
mod console;
mod contents;
mod download;
mod errors;
mod events;
mod health;
mod hostile;
mod login;
mod oidc;
mod openapi;
mod schedules;
mod schemathesis;
mod support;
mod system;
mod tokens;
mod users;
mod watch;
mod webhooks;
