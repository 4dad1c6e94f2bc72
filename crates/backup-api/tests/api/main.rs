//! The API over real HTTP, each test on both catalogs.

mod access;
mod backups;
mod download;
mod errors;
mod events;
mod health;
mod login;
mod support;
mod tokens;
