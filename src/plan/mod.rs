//! Decisions: pure functions of values, with `now` as a parameter.

pub mod gate;
pub mod policy;
pub mod schedule;
