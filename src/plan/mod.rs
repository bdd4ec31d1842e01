//! Decisions: pure functions of values, with `now` as a parameter.

pub mod attention;
pub mod book;
pub mod entry;
pub mod gate;
pub mod outlook;
pub mod policy;
pub mod rollover;
pub mod settle;
pub mod state;
pub mod trust;
pub mod why;
