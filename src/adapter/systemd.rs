//! What the service manager is told. Without one, nothing happens.

use std::time::Duration;

use sd_notify::NotifyState;

/// The daemon serves.
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// A reload has begun.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(_) => tell(&[NotifyState::Reloading]),
    }
}

/// The daemon is about to stop.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// The one sentence.
pub fn status(sentence: &str) {
    tell(&[NotifyState::Status(sentence)]);
}

/// All tasks live.
pub fn alive() {
    tell(&[NotifyState::Watchdog]);
}

/// How often [`alive`] must be told at least; none without a watchdog.
pub fn watchdog() -> Option<Duration> {
    sd_notify::watchdog_enabled()
}

fn tell(states: &[NotifyState<'_>]) {
    if sd_notify::notify(states).is_err() {
        tracing::debug!("The service manager does not listen");
    }
}
