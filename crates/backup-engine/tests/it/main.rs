//! The engine on real parts: catalog, storage, databases and folders, with workers that die and storages that lie.
//!
//! One program for all of them: what a job does is compiled anew into each program that runs one, which takes longer than
//! most of these tests. Those that need a process of their own stand beside it.

#![expect(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

mod bases;
mod consolidation;
mod crash;
mod deliveries;
mod exchanged;
mod interrupted;
mod kit;
mod mounts;
mod places;
mod plans;
mod rebuild;
mod reconciling;
mod retention;
mod round_trip;
mod storage_alone;
mod watching;
