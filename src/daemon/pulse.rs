//! Whether every long-lived task still lives. A task says by when it will speak again; who does not keep that is taken
//! for dead, and the watchdog is fed no more.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// All pulses.
#[derive(Clone, Debug, Default)]
pub struct Pulses {
    deadlines: Arc<Mutex<BTreeMap<String, Instant>>>,
}

/// One task's pulse. It is taken off the list when dropped.
#[derive(Debug)]
pub struct Pulse {
    name: String,
    pulses: Pulses,
}

impl Pulses {
    /// Puts a task on the list. It must speak within `within`.
    pub fn add(&self, name: impl Into<String>, within: Duration) -> Pulse {
        let pulse = Pulse {
            name: name.into(),
            pulses: self.clone(),
        };
        pulse.beat(within);
        pulse
    }

    /// The tasks that did not speak when they said they would.
    pub fn overdue(&self) -> Vec<String> {
        let now = Instant::now();
        let deadlines = self
            .deadlines
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        deadlines
            .iter()
            .filter(|(_, deadline)| **deadline < now)
            .map(|(name, _)| name.clone())
            .collect()
    }
}

impl Pulse {
    /// The task lives, and speaks again within `within`.
    pub fn beat(&self, within: Duration) {
        let mut deadlines = self
            .pulses
            .deadlines
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        deadlines.insert(self.name.clone(), Instant::now() + within);
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        let mut deadlines = self
            .pulses
            .deadlines
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        deadlines.remove(&self.name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_does_not_speak_in_time_is_overdue() {
        let pulses = Pulses::default();
        let worker = pulses.add("worker", Duration::from_secs(10));
        let watcher = pulses.add("watcher", Duration::from_secs(10));
        tokio::time::advance(Duration::from_secs(9)).await;
        worker.beat(Duration::from_secs(10));
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(pulses.overdue(), ["watcher"]);
        drop(watcher);
        assert!(pulses.overdue().is_empty());
    }
}
