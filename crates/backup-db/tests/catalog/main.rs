//! Every function of the catalog, on a real SQLite file and a real PostgreSQL alike.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod deletion;
mod events;
mod fixture;
mod jobs;
mod list;
mod list_far;
mod migrations;
mod opening;
mod outage;
mod people;
mod settings;
