//! Decisions: pure functions of values, with `now` as a parameter.

pub mod book;
pub mod entry;
pub mod gate;
pub mod policy;
pub mod settle;
pub mod state;
