//! How long to wait: our own doubling, and the bounds of a server's word.

use std::time::Duration;

/// The shortest and the longest wait that a server can ask for.
const WORD_AT_LEAST: Duration = Duration::from_secs(1);
const WORD_AT_MOST: Duration = Duration::from_secs(3600);
/// The most that is added to a server's word, so that not everybody comes back at once.
const JITTER_AT_MOST: Duration = Duration::from_secs(10);

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

impl GateSettings {
    /// Our own wait after this many failures in a row: `retry_first` doubled at each, `retry_cap` at most; half of it
    /// is chance. `dice` is in `0.0 ..= 1.0`.
    pub(super) fn backoff(&self, failures: u32, dice: f64) -> Duration {
        let half = doubled(self.retry_first, failures).min(self.retry_cap) / 2;
        half + share(half, dice)
    }

    /// The wait between two tries with a key that was turned away.
    pub(super) fn probe_after(&self, failures: u32) -> Duration {
        doubled(self.probe, failures).min(self.probe.saturating_mul(3))
    }

    /// No wait is longer than this, whatever a ledger says.
    pub(super) fn longest(&self) -> Duration {
        (WORD_AT_MOST + JITTER_AT_MOST).max(self.retry_cap)
    }
}

/// `first`, doubled at each failure after the first.
fn doubled(first: Duration, failures: u32) -> Duration {
    first.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)))
}

/// A server's word within reason.
pub(super) fn clamped(word: Duration) -> Duration {
    word.clamp(WORD_AT_LEAST, WORD_AT_MOST)
}

/// A wait, and after it up to a quarter more.
pub(super) fn jittered(wait: Duration, dice: f64) -> Duration {
    wait.saturating_add(share((wait / 4).min(JITTER_AT_MOST), dice))
}

fn share(whole: Duration, dice: f64) -> Duration {
    if dice.is_nan() {
        return Duration::ZERO;
    }
    whole.mul_f64(dice.clamp(0.0, 1.0))
}
