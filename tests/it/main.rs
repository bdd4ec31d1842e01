//! Integration tests: the real program as a child process, over loopback, against a simulated SendGrid.
//!
//! `harness` is the stage: a simulator, a home on disk, the daemon and its commands. Every other file tells one story. A
//! test waits for a state and never for a time; what it waited for, the daemon's log and the simulator's history are in
//! the text of its failure.
//!
//! `proof` is another thing: no program and no socket, but the daemon's own decisions in a model world.

#![expect(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    reason = "a test fails by a panic, in its helpers too; nothing here has an outside"
)]

mod alarms;
mod answers;
mod bounds;
mod certificates;
mod changed_id;
mod clocks;
mod commands;
mod configuration;
mod crash;
mod decisions;
mod delivery;
mod drift;
mod exposition;
mod gate;
mod harness;
mod inputs;
mod issuers;
mod key_material;
#[path = "../keys/mod.rs"]
mod keys;
mod layers;
mod lifecycle;
mod listener;
mod lists;
mod outage;
mod plumbing;
mod proof;
mod read_integration;
mod rollover;
mod secrets;
mod service;
#[path = "../simulator/mod.rs"]
mod simulator;
mod soak;
mod source;
mod telling;
mod tls;
mod traces;
mod trust;
mod unchanged;
mod unknown;
mod watch;
mod watching;
mod writers;
