//! The snapshot and everything that is drawn from it.

pub mod snapshot;
