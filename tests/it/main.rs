//! Integration tests: the daemon as a black box over loopback.

#[path = "../simulator/mod.rs"]
mod simulator;
