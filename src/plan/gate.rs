//! When the next request of an account may go.

use std::time::Duration;

/// How fast an account may ask, and how it waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GateSettings {
    /// Our own ceiling, a bucket: a minute's worth may go at once, then evenly. At least 1.
    pub requests_per_minute: u32,
    /// The wait after the first failure; it doubles at each one.
    pub retry_first: Duration,
    /// The longest wait of our own.
    pub retry_cap: Duration,
    /// How often a rejected key or a 403 is tried again; doubles to three times this.
    pub probe: Duration,
}
