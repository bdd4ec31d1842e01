//! Decisions: pure functions of values, with `now` as a parameter.

pub mod admission;
pub mod agenda;
pub mod book;
mod decide;
pub mod decision;
pub mod entry;
pub mod gate;
mod holds;
pub mod listing;
pub mod outlook;
pub mod paths;
pub mod policy;
mod refine;
pub mod retire;
pub mod rollover;
pub mod schedule;
pub mod settle;
mod sides;
pub mod source;
pub mod state;
pub mod trust;
pub mod why;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
