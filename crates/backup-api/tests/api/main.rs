//! The API over real HTTP, each test on both catalogs.
#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

mod access;
mod backups;
mod download;
mod errors;
mod events;
mod health;
mod login;
mod oidc;
mod support;
mod tokens;
