//! Hints that something in a directory changed.

use std::time::Duration;

/// How directories are watched.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WatchSettings {
    /// Whether to ask the kernel for events; else polling only.
    pub events: bool,
    /// A file counts once nothing happened to it for this long.
    pub quiet: Duration,
    /// A full look at every directory, events or not; none: never.
    pub poll: Option<Duration>,
}
