//! Every function of the catalog, on a real SQLite file and a real PostgreSQL alike.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod alerts;
mod chains;
mod claims;
mod consolidations;
mod deletion;
mod drills;
mod events;
mod firings;
mod fixture;
mod jobs;
mod list;
mod list_far;
mod metric_totals;
mod migrations;
mod notifications;
mod opening;
mod outage;
mod outcome;
mod pause;
mod people;
mod readings;
mod rebuild;
mod replaced;
mod retention;
mod safety;
mod schedules;
mod settings;
mod steps;
mod watching;
mod windows;
mod wrong_clock;
mod year;
